package ply

import (
	"errors"
	"fmt"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
)

// triangles cuts the faces and strips.
func (r *reader) triangles() error {
	s := &r.soup
	if len(s.Positions) == 0 {
		return errors.New("there are no vertices")
	}
	for i, v := range r.corners {
		if int(v) >= len(s.Positions) {
			return fmt.Errorf("corner %d of the faces is vertex %d of %d", i, v, len(s.Positions))
		}
	}
	faceColors := !r.colors && len(r.faceColors) == len(r.faces)
	if faceColors {
		s.Colors = r.faceColors
	}
	var cut importer.Triangulator
	var polygon []geom.Vec3
	proper := true
	for i, f := range r.faces {
		corners := r.corners[f.first : f.first+f.corners]
		uv := int32(-1)
		if f.wedge >= 0 && !r.uvs {
			uv = int32(len(s.UVs))
			for k := range f.corners {
				w := r.wedges[f.wedge+2*int64(k):]
				uv := geom.Vec2{w[0], 1 - w[1]}
				if !importer.Finite(uv[:]...) {
					uv = geom.Vec2{}
				}
				s.UVs = append(s.UVs, uv)
			}
		}
		polygon = polygon[:0]
		for _, v := range corners {
			polygon = append(polygon, s.Positions[v])
		}
		one := func(k int) {
			c := r.vertexCorner(corners[k])
			if uv >= 0 {
				c.UV = uv + int32(k)
			}
			if faceColors {
				c.Color = int32(i)
			}
			s.Corners = append(s.Corners, c)
		}
		proper = cut.Cut(polygon, func(a, b, c int) { one(a); one(b); one(c) }) && proper
		if i%(1<<12) == 0 || f.corners > 1<<12 {
			if err := r.check(); err != nil {
				return err
			}
		}
	}
	if !proper {
		r.warnings.Add(importer.ImproperPolygons)
	}
	if err := r.stripTriangles(); err != nil {
		return err
	}
	if len(s.Corners) == 0 {
		return errors.New("no face has three corners")
	}
	return r.check()
}

func (r *reader) stripTriangles() error {
	start := 0
	for i, v := range r.strips {
		switch n := i - start; {
		case v < 0:
			start = i + 1
		case int(v) >= len(r.soup.Positions):
			return fmt.Errorf("place %d of the strips is vertex %d of %d", i, v, len(r.soup.Positions))
		case n >= 2:
			a, b := uint32(r.strips[i-2]), uint32(r.strips[i-1])
			if n%2 == 1 {
				a, b = b, a
			}
			if a != b && b != uint32(v) && a != uint32(v) { // others only turn the strip
				r.soup.Corners = append(r.soup.Corners, r.vertexCorner(a), r.vertexCorner(b), r.vertexCorner(uint32(v)))
			}
		}
		if err := r.checkLong(i); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) vertexCorner(v uint32) importer.Corner {
	c := importer.Corner{Position: int32(v), Normal: -1, UV: -1, Color: -1}
	if r.normals {
		c.Normal = c.Position
	}
	if r.uvs {
		c.UV = c.Position
	}
	if r.colors {
		c.Color = c.Position
	}
	return c
}
