package importer

import (
	"math"
	"slices"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// Corner is one corner of a triangle: indices into the pools of a Soup, -1 = none.
type Corner struct{ Position, Normal, UV, Color int32 }

// Soup is a mesh as most file formats have it: pools of attributes that the corners of triangles refer to one by one.
// Triangle t has the corners 3t, 3t+1 and 3t+2, counter-clockwise.
type Soup struct {
	Positions []geom.Vec3
	Normals   []geom.Vec3 // unit, or zero for one that is not usable
	UVs       []geom.Vec2 // V down
	Colors    []geom.Vec4 // linear
	Corners   []Corner

	// Groups has the smoothing group of each triangle, 0 = flat. It is nil where the file knows no such groups: then
	// edges are smooth up to the crease angle.
	Groups []uint32

	// Hard reports whether an edge between two positions is never smooth; nil = the file knows no such edges.
	Hard func(a, b int32) bool
}

// Bytes is about what the soup takes with all that becomes of it, for a comparison with a memory budget.
func (s *Soup) Bytes() int64 {
	// A corner takes 16 bytes, and usually about 48 more in smoothing, welding and the result, as vertices are shared.
	return 12*int64(len(s.Positions)+len(s.Normals)) + 8*int64(len(s.UVs)) + 16*int64(len(s.Colors)) + 64*int64(len(s.Corners))
}

func (s *Soup) faceNormal(t int) geom.Vec3 {
	c := s.Corners[3*t : 3*t+3]
	return FaceNormal(s.Positions[c[0].Position], s.Positions[c[1].Position], s.Positions[c[2].Position])
}

// Smooth gives a normal to every corner that has none: the mean of the faces that are joined to its own around the
// vertex, weighted by their angles (Thuermer and Wuethrich, "Computing Vertex Normals from Polygonal Facets", 1998).
// Faces are joined across an edge at the vertex where they have the same group or, without groups, where their normals
// differ by no more than the crease angle, in radians.
func (s *Soup) Smooth(crease float64) {
	s.dropBadNormals()
	limit := float32(math.Cos(crease))
	faces := make([]geom.Vec3, len(s.Corners)/3)
	first := make([]uint32, len(s.Positions)+1) // corners without a normal, by their position
	for t := range faces {
		faces[t] = s.faceNormal(t)
		flat := int32(-1) // the one normal of a flat face
		for k, c := range s.Corners[3*t : 3*t+3] {
			switch {
			case c.Normal >= 0:
			case s.Groups != nil && s.Groups[t] == 0:
				if flat < 0 {
					flat = int32(len(s.Normals))
					s.Normals = append(s.Normals, orUp(faces[t]))
				}
				s.Corners[3*t+k].Normal = flat
			default:
				first[c.Position]++
			}
		}
	}
	sum := uint32(0)
	for i, n := range first {
		first[i], sum = sum, sum+n
	}
	around := make([]uint32, sum)
	fill := slices.Clone(first)
	for i, c := range s.Corners {
		if c.Normal < 0 {
			around[fill[c.Position]] = uint32(i)
			fill[c.Position]++
		}
	}
	joined := func(a, b uint32) bool {
		if s.Groups != nil {
			return s.Groups[a] == s.Groups[b]
		}
		return faces[a].Dot(faces[b]) >= limit
	}
	var f fan
	for v := range s.Positions {
		if list := around[first[v]:first[v+1]]; len(list) > 0 {
			f.join(s, list, joined)
			f.average(s, list, faces)
		}
	}
}

// dropBadNormals makes corners refer to no normal rather than to a zero one.
func (s *Soup) dropBadNormals() {
	if !slices.Contains(s.Normals, geom.Vec3{}) {
		return
	}
	for i, c := range s.Corners {
		if c.Normal >= 0 && s.Normals[c.Normal] == (geom.Vec3{}) {
			s.Corners[i].Normal = -1
		}
	}
}

// fan is the set of corners around one vertex, as a union-find forest.
type fan struct {
	parent []uint32
	spokes []spoke
	sums   []geom.Vec3
}

// spoke is an edge from the vertex to another one, as one corner sees it.
type spoke struct{ to, corner uint32 }

// join unites the corners, numbered as in list, of faces that share an edge and are joined.
func (f *fan) join(s *Soup, list []uint32, joined func(a, b uint32) bool) {
	f.parent, f.spokes = f.parent[:0], f.spokes[:0]
	for i, c := range list {
		f.parent = append(f.parent, uint32(i))
		t := c - c%3
		for k := range uint32(3) {
			if t+k != c {
				f.spokes = append(f.spokes, spoke{uint32(s.Corners[t+k].Position), uint32(i)})
			}
		}
	}
	slices.SortFunc(f.spokes, func(a, b spoke) int {
		if a.to != b.to {
			return int(int64(a.to) - int64(b.to))
		}
		return int(int64(a.corner) - int64(b.corner))
	})
	for i := 1; i < len(f.spokes); i++ {
		a, b := f.spokes[i-1], f.spokes[i]
		if a.to == b.to && joined(list[a.corner]/3, list[b.corner]/3) && (s.Hard == nil || !s.Hard(s.Corners[list[0]].Position, int32(a.to))) {
			f.parent[f.root(b.corner)] = f.root(a.corner)
		}
	}
}

func (f *fan) root(i uint32) uint32 {
	for f.parent[i] != i {
		f.parent[i] = f.parent[f.parent[i]]
		i = f.parent[i]
	}
	return i
}

// average gives each corner the mean normal of its set.
func (f *fan) average(s *Soup, list []uint32, faces []geom.Vec3) {
	f.sums = f.sums[:0]
	for range list {
		f.sums = append(f.sums, geom.Vec3{})
	}
	for i, c := range list {
		r := f.root(uint32(i))
		f.sums[r] = f.sums[r].Add(faces[c/3].Mul(s.angle(int(c))))
	}
	for i := range list { // the roots first
		if r := f.root(uint32(i)); r == uint32(i) {
			s.Normals = append(s.Normals, orUp(f.sums[r].Normalize()))
			s.Corners[list[i]].Normal = int32(len(s.Normals) - 1)
		}
	}
	for i, c := range list {
		s.Corners[c].Normal = s.Corners[list[f.root(uint32(i))]].Normal
	}
}

// angle is the angle of the triangle at corner c.
func (s *Soup) angle(c int) float32 {
	t := c - c%3
	p := s.Positions[s.Corners[c].Position]
	u := s.Positions[s.Corners[t+(c+1-t)%3].Position].Sub(p).Normalize()
	v := s.Positions[s.Corners[t+(c+2-t)%3].Position].Sub(p).Normalize()
	return float32(math.Acos(max(-1, min(1, float64(u.Dot(v))))))
}

// orUp is n, or up for a face or a vertex that has no normal: it is degenerate and not visible.
func orUp(n geom.Vec3) geom.Vec3 {
	if l := n.Len(); !(l > 0.9 && l < 1.1) {
		return geom.Vec3{0, 1, 0}
	}
	return n
}

// Range is the triangles First, ..., End-1 of a Soup.
type Range struct{ First, End int }

// Primitive welds the corners of the triangles in some ranges to vertices. All corners must have a normal. An attribute
// that only some of them have is zero for the others, a colour white.
func (s *Soup) Primitive(m *scene.Material, ranges ...Range) scene.Primitive {
	type key struct {
		position, uv, color int32
		normal              geom.Vec3 // by value: flat neighbours in one plane share vertices
	}
	n := 0
	for _, r := range ranges {
		n += r.End - r.First
	}
	p := scene.Primitive{Material: m, Indices: make([]uint32, 0, 3*n)}
	vertex := make(map[key]uint32, n)
	var corners []Corner
	hasUV, hasColor := false, false
	for _, r := range ranges {
		for _, c := range s.Corners[3*r.First : 3*r.End] {
			k := key{c.Position, c.UV, c.Color, s.Normals[c.Normal]}
			v, ok := vertex[k]
			if !ok {
				v = uint32(len(corners))
				vertex[k] = v
				corners = append(corners, c)
				hasUV, hasColor = hasUV || c.UV >= 0, hasColor || c.Color >= 0
			}
			p.Indices = append(p.Indices, v)
		}
	}
	p.Positions = pick(s.Positions, corners, geom.Vec3{}, func(c Corner) int32 { return c.Position })
	p.Normals = pick(s.Normals, corners, geom.Vec3{}, func(c Corner) int32 { return c.Normal })
	if hasUV {
		p.UV0 = pick(s.UVs, corners, geom.Vec2{}, func(c Corner) int32 { return c.UV })
	}
	if hasColor {
		p.Colors = pick(s.Colors, corners, geom.Vec4{1, 1, 1, 1}, func(c Corner) int32 { return c.Color })
	}
	return p
}

func pick[V any](pool []V, corners []Corner, none V, index func(Corner) int32) []V {
	out := make([]V, len(corners))
	for i, c := range corners {
		out[i] = none
		if k := index(c); k >= 0 {
			out[i] = pool[k]
		}
	}
	return out
}
