// Package ply imports PLY meshes and point clouds, ASCII and binary of both byte orders, as scene.Model. It reads only what its source
// allows, trusts no number in a file, and does no network I/O and no drawing.
//
// PLY carries neither units nor axes: coordinates are taken as metres, +Y up, as given. Colours are taken as sRGB. Vertices
// have normals (nx ny nz), colours (red green blue alpha), and texture coordinates (s t, u v, or texture_u texture_v), all
// optional; faces have vertex_indices or vertex_index, and optionally colours and texture coordinates of their corners
// (texcoord, with "comment TextureFile NAME", as MeshLab writes them). Triangle strips are those of Stanford's scans. Without
// normals, edges are smooth up to 60 degrees: scans are rough, and who shares vertices means smoothness.
//
// A file without faces is a point cloud; it may have normals, and colours by any of the names that programs give them.
package ply

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

const crease = 60 * math.Pi / 180

// Open imports a model. A file that cannot be imported is an *arr.Error with CodeUnprocessableEntity that names the line
// or the byte; one over the budget has CodeBadRequest. ctx ends the work early with its error.
func Open(ctx context.Context, src importer.Source, opts importer.Options) (*scene.Model, error) {
	return importer.Import(ctx, "PLY", src, opts, func(in *importer.Stream) (*scene.Model, error) {
		return read(ctx, in, src, opts)
	})
}

func read(ctx context.Context, in *importer.Stream, src importer.Source, opts importer.Options) (*scene.Model, error) {
	h, err := readHeader(in)
	if err != nil {
		return nil, err
	}
	points := true
	for i := range h.elements {
		points = points && (h.elements[i].count == 0 || !isFaces(&h.elements[i]))
	}
	r := &reader{in: &values{in: in, encoding: h.encoding}, opts: opts}
	if points {
		return r.points(h, src)
	}
	for i := range h.elements {
		if err := r.element(&h.elements[i]); err != nil {
			return nil, fmt.Errorf("element %s: %w", h.elements[i].name, err)
		}
	}
	if err := r.triangles(); err != nil {
		return nil, err
	}
	r.soup.Smooth(crease)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	material := importer.PlainMaterial(len(r.soup.Colors) > 0)
	var missing []scene.MissingTexture
	if h.texture != "" && len(r.soup.UVs) > 0 {
		images := importer.NewTextures(src, opts, in.Size, &r.warnings)
		if im := images.Load("", h.texture); im != nil {
			material.BaseColor = geom.Vec4{1, 1, 1, 1}
			material.BaseColorTex = scene.TextureRef{Texture: &scene.Texture{Name: h.texture, Image: im}, Matrix: importer.NoTransform}
		}
		missing = images.Missing()
	}
	name := src.ModelName()
	mesh := &scene.Mesh{Name: name, Primitives: []scene.Primitive{r.soup.Primitive(material, importer.Range{End: len(r.soup.Corners) / 3})}}
	m := &scene.Model{Name: name, Nodes: []scene.Node{importer.Node(name, -1, 0)}, Meshes: []*scene.Mesh{mesh}, Source: h.source()}
	m.Warnings, m.MissingTextures = r.warnings.List(), missing
	return m, importer.Finish(m)
}

func isFaces(e *element) bool {
	return e.name == "face" && e.has("vertex_indices", "vertex_index") || e.name == "tristrips"
}

// reader is the state of one import.
type reader struct {
	in         *values
	opts       importer.Options
	soup       importer.Soup
	normals    bool // vertices have them
	uvs        bool
	colors     bool
	faces      []face
	corners    []uint32    // of all faces, one face after the other
	wedges     []float32   // texture coordinates of corners
	faceColors []geom.Vec4 // linear; of each face, or nil
	strips     []int32     // vertices of all strips; -1 ends one
	warnings   importer.Warnings
}

type face struct {
	first, corners uint32
	wedge          int64 // first of its texture coordinates in wedges; -1 = none
}

func (r *reader) element(e *element) error {
	if len(e.properties) == 0 {
		return nil
	}
	row := r.skip
	switch {
	case e.name == "vertex":
		if len(r.soup.Positions) > 0 {
			return errors.New("it is there twice")
		}
		if !e.has("x") || !e.has("y") || !e.has("z") {
			return errors.New("vertices have no x, y and z")
		}
		r.normals = e.has("nx") && e.has("ny") && e.has("nz")
		r.uvs = (e.has("s") || e.has("u") || e.has("texture_u")) && (e.has("t") || e.has("v") || e.has("texture_v"))
		r.colors = e.has("red", "diffuse_red", "ambient_red", "r") && e.has("green", "diffuse_green", "ambient_green", "g") &&
			e.has("blue", "diffuse_blue", "ambient_blue", "b")
		row = r.vertex
	case e.name == "face" && isFaces(e):
		row = r.face
	case e.name == "tristrips":
		row = r.strip
	}
	for i := range e.count {
		if err := row(e); err != nil {
			return err
		}
		if i%(1<<12) == 0 {
			if err := r.check(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) check() error {
	left := r.opts
	if left.MemoryBudget == 0 {
		left.MemoryBudget = importer.DefaultMemoryBudget
	}
	left.MemoryBudget -= 4*int64(len(r.corners)+len(r.wedges)+len(r.strips)) + 16*int64(len(r.faces)+len(r.faceColors))
	return left.Check(&r.soup)
}

func (r *reader) skip(e *element) error {
	for _, p := range e.properties {
		if _, err := r.value(p, nil); err != nil {
			return err
		}
	}
	return nil
}

// value reads a property: of a list every value goes to each, of a scalar the value is returned.
func (r *reader) value(p property, each func(float64) error) (float64, error) {
	if p.length == 0 {
		return r.in.next(p.value)
	}
	n, err := r.in.length(p.length)
	if err != nil {
		return 0, err
	}
	for range n {
		x, err := r.in.next(p.value)
		if err != nil {
			return 0, err
		}
		if each != nil {
			if err := each(x); err != nil {
				return 0, err
			}
		}
	}
	return float64(n), nil
}

func (r *reader) vertex(e *element) error {
	var position, normal geom.Vec3
	var uv geom.Vec2
	rgba := geom.Vec4{1, 1, 1, 1}
	for _, p := range e.properties {
		x, err := r.value(p, nil)
		if err != nil {
			return err
		}
		if p.length != 0 {
			continue
		}
		switch f := float32(x); p.name {
		case "x":
			position[0] = f
		case "y":
			position[1] = f
		case "z":
			position[2] = f
		case "nx":
			normal[0] = f
		case "ny":
			normal[1] = f
		case "nz":
			normal[2] = f
		case "s", "u", "texture_u":
			uv[0] = f
		case "t", "v", "texture_v":
			uv[1] = 1 - f // up in the file
		default:
			setColor(&rgba, p, x)
		}
	}
	if !importer.Finite(position[:]...) {
		return fmt.Errorf("%s: vertex %d lies at %v", r.in.place(), len(r.soup.Positions), position)
	}
	if len(r.soup.Positions) == math.MaxInt32 {
		return errors.New("there are more than 2^31 vertices")
	}
	s := &r.soup
	s.Positions = append(s.Positions, position)
	if r.normals {
		s.Normals = append(s.Normals, importer.Unit(normal))
	}
	if r.uvs {
		if !importer.Finite(uv[:]...) {
			uv = geom.Vec2{}
		}
		s.UVs = append(s.UVs, uv)
	}
	if r.colors {
		s.Colors = append(s.Colors, linear(rgba))
	}
	return nil
}

// setColor takes a channel of a colour.
func setColor(c *geom.Vec4, p property, x float64) {
	if s := slotOf[p.name]; s >= slotR {
		c[s-slotR] = float32(unit(p.value, x))
	}
}

// unit is a channel of a colour as 0..1: bytes are parts of 255, 16 bit of 65535.
func unit(t scalar, x float64) float64 {
	switch t {
	case int8s: // no program writes signed colours, but some name the type wrongly
		x = float64(uint8(int(x))) / math.MaxUint8
	case uint8s:
		x /= math.MaxUint8
	case uint16s:
		x /= math.MaxUint16
	case int16s, int32s, uint32s: // bytes in a wider type
		x /= math.MaxUint8
	}
	if !(x > 0) {
		return 0
	}
	return min(x, 1)
}

func linear(c geom.Vec4) geom.Vec4 {
	rgb := importer.LinearRGB(geom.Vec3{c[0], c[1], c[2]})
	return geom.Vec4{rgb[0], rgb[1], rgb[2], c[3]}
}

func (r *reader) face(e *element) error {
	first, wedge := len(r.corners), len(r.wedges)
	rgba, colored := geom.Vec4{1, 1, 1, 1}, false
	for _, p := range e.properties {
		var each func(float64) error
		switch {
		case p.length == 0:
		case p.name == "vertex_indices" || p.name == "vertex_index":
			each = r.corner
		case p.name == "texcoord":
			each = r.wedge
		}
		x, err := r.value(p, each)
		if err != nil {
			return err
		}
		if p.length == 0 {
			colored = colored || slotOf[p.name] == slotR
			setColor(&rgba, p, x)
		}
	}
	if len(r.corners) > math.MaxInt32 {
		return errors.New("the faces have more than 2^31 corners")
	}
	f := face{first: uint32(first), corners: uint32(len(r.corners) - first), wedge: int64(wedge)}
	if len(r.wedges)-wedge != 2*int(f.corners) || f.corners == 0 {
		f.wedge, r.wedges = -1, r.wedges[:wedge]
	}
	if colored && !r.colors {
		r.faceColors = append(r.faceColors, linear(rgba))
	}
	r.faces = append(r.faces, f)
	return nil
}

// corner takes one vertex of a face. Whether it exists is known when all elements are read.
func (r *reader) corner(x float64) error {
	if !(x >= 0) || x > math.MaxInt32 || x != math.Trunc(x) {
		return fmt.Errorf("%s: there is no vertex %v", r.in.place(), x)
	}
	r.corners = append(r.corners, uint32(x))
	return r.checkLong(len(r.corners))
}

func (r *reader) wedge(x float64) error {
	r.wedges = append(r.wedges, float32(x))
	return r.checkLong(len(r.wedges))
}

// checkLong keeps the budget within long lists.
func (r *reader) checkLong(n int) error {
	if n%(1<<16) != 0 {
		return nil
	}
	return r.check()
}

// strip takes a list of vertices that make triangles with their two predecessors; -1 begins anew.
func (r *reader) strip(e *element) error {
	for _, p := range e.properties {
		var each func(float64) error
		if p.name == "vertex_indices" || p.name == "vertex_index" {
			each = func(x float64) error {
				if !(x >= -1) || x > math.MaxInt32 || x != math.Trunc(x) {
					return fmt.Errorf("%s: there is no vertex %v", r.in.place(), x)
				}
				r.strips = append(r.strips, int32(x))
				return r.checkLong(len(r.strips))
			}
		}
		if _, err := r.value(p, each); err != nil {
			return err
		}
	}
	r.strips = append(r.strips, -1)
	return nil
}
