// Package obj imports Wavefront OBJ meshes with their MTL materials as scene.Model. It reads only what its source allows,
// line by line, trusts no number in a file, and does no network I/O and no drawing.
//
// OBJ carries neither units nor axes: coordinates are taken as metres, +Y up, as given. Objects (o) become nodes, groups (g)
// nodes below them. Colours of vertices (v x y z r g b) and of materials are taken as sRGB. Corners without a normal get
// one by their smoothing groups (s), across groups and objects; a file without smoothing groups is smooth up to 30 degrees.
// Lines, points, curves and surfaces are left out with a warning, as are materials and textures that are not there.
package obj

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

const crease = 30 * math.Pi / 180

// Open imports a model. A file that cannot be imported is an *arr.Error with CodeUnprocessableEntity that names the line;
// one over the budget has CodeBadRequest. ctx ends the work early with its error.
func Open(ctx context.Context, src importer.Source, opts importer.Options) (*scene.Model, error) {
	return importer.Import(ctx, "OBJ", src, opts, func(in *importer.Stream) (*scene.Model, error) {
		return read(ctx, in, src, opts)
	})
}

func read(ctx context.Context, in *importer.Stream, src importer.Source, opts importer.Options) (*scene.Model, error) {
	r := &reader{in: in, opts: opts, partOf: map[place]int{}, at: -1}
	if err := r.read(); err != nil {
		return nil, err
	}
	if len(r.soup.Corners) == 0 {
		return nil, errors.New("the file has no faces")
	}
	r.finishColors()
	if !r.grouped {
		r.soup.Groups = nil
	}
	r.soup.Smooth(crease)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return r.model(ctx, src)
}

// reader is the state of one import.
type reader struct {
	in   *importer.Stream
	opts importer.Options
	soup importer.Soup

	// origin is what positions are relative to; it becomes the translation of the root nodes. It is zero on the axes on which
	// the first vertex is not far, and else where that vertex is: national grids have too many digits for float32.
	origin geom.Vec3

	libraries []string
	where     place // of the next face
	smoothing uint32
	grouped   bool // the file has smoothing groups
	partOf    map[place]int
	parts     []part
	at        int // index into parts that the last triangle went to; -1 = where has changed

	corners  []importer.Corner // of the polygon at hand
	polygon  []geom.Vec3
	cut      importer.Triangulator
	long     []byte // a line with continuations
	warnings importer.Warnings
}

// place is what decides into which primitive a face goes.
type place struct{ object, group, material string }

type part struct {
	place
	ranges []importer.Range
}

func (r *reader) read() error {
	for n := 1; ; n++ {
		line, err := r.line()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := r.statement(line); err != nil {
			return fmt.Errorf("line %d: %w", r.in.Line, err)
		}
		if n%(1<<12) == 0 {
			if err := r.opts.Check(&r.soup); err != nil {
				return err
			}
		}
	}
	return r.opts.Check(&r.soup)
}

// line returns the next line together with those that continue it.
func (r *reader) line() ([]byte, error) {
	line, err := r.in.NextLine()
	if err != nil || !bytes.HasSuffix(line, []byte(`\`)) || bytes.HasPrefix(line, []byte("#")) {
		return line, err
	}
	const longest = 64 << 20
	for r.long = r.long[:0]; ; {
		more := bytes.HasSuffix(line, []byte(`\`))
		r.long = append(r.long, bytes.TrimSuffix(line, []byte(`\`))...)
		if len(r.long) > longest {
			return nil, fmt.Errorf("line %d: with what continues it, it is longer than %d bytes", r.in.Line, longest)
		}
		if !more {
			return r.long, nil
		}
		r.long = append(r.long, ' ')
		if line, err = r.in.NextLine(); err != nil {
			if errors.Is(err, io.EOF) {
				return r.long, nil
			}
			return nil, err
		}
	}
}

func (r *reader) statement(line []byte) error {
	word, rest := importer.Field(line)
	switch string(word) {
	case "v":
		return r.vertex(rest)
	case "vt":
		uv, n, err := numbers(rest)
		if err != nil || n == 0 {
			return orMissing(err)
		}
		r.soup.UVs = append(r.soup.UVs, geom.Vec2{uv[0], 1 - uv[1]}) // V is up in the file
	case "vn":
		v, n, err := numbers(rest)
		if err != nil || n < 3 {
			return orMissing(err)
		}
		r.soup.Normals = append(r.soup.Normals, importer.Unit(geom.Vec3{v[0], v[1], v[2]}))
	case "f", "fo": // fo is what the oldest files say
		return r.face(rest)
	case "o":
		r.move(place{object: text(rest), material: r.where.material})
	case "g":
		group := string(bytes.Join(bytes.Fields(rest), []byte(" ")))
		if group == "default" {
			group = ""
		}
		r.move(place{r.where.object, group, r.where.material})
	case "usemtl":
		r.move(place{r.where.object, r.where.group, text(rest)})
	case "mtllib":
		if len(r.libraries) < 100 {
			r.libraries = append(r.libraries, text(rest))
		}
	case "s":
		number, _ := importer.Field(rest)
		n, err := strconv.ParseUint(string(number), 10, 32)
		if err != nil { // "off"
			n = 0
		}
		r.grouped, r.smoothing = true, uint32(n)
	case "p", "l":
		r.warnings.Add("Points and lines are left out.")
	case "curv", "curv2", "surf":
		r.warnings.Add("Curves and surfaces are left out.")
	}
	return nil
}

func text(rest []byte) string { return string(bytes.TrimSpace(rest[:min(len(rest), 1000)])) }

func (r *reader) move(to place) {
	if to != r.where {
		r.where, r.at = to, -1
	}
}

// far is where float32's steps, 1/128, begin to show in models in metres.
const far = 1 << 16

func (r *reader) vertex(rest []byte) error {
	v, n, err := doubles(rest)
	if err != nil || n < 3 {
		return orMissing(err)
	}
	s := &r.soup
	if len(s.Positions) == 0 {
		for k := range 3 {
			if math.Abs(v[k]) >= far {
				r.origin[k] = float32(v[k])
			}
		}
	}
	var p geom.Vec3
	for k := range 3 {
		p[k] = float32(v[k] - float64(r.origin[k]))
	}
	if len(s.Positions) == math.MaxInt32 {
		return errors.New("there are more than 2^31 vertices")
	}
	s.Positions = append(s.Positions, p)
	if n >= 6 || len(s.Colors) > 0 { // from the first coloured vertex on, all have colours
		for len(s.Colors) < len(s.Positions) {
			s.Colors = append(s.Colors, geom.Vec4{1, 1, 1, 1})
		}
	}
	if n >= 6 {
		s.Colors[len(s.Colors)-1] = geom.Vec4{float32(v[3]), float32(v[4]), float32(v[5]), 1}
	}
	return nil
}

// numbers reads up to six numbers, all finite.
func numbers(rest []byte) (v [6]float32, n int, err error) {
	exact, n, err := doubles(rest)
	for i, x := range exact {
		v[i] = float32(x)
	}
	return v, n, err
}

// doubles reads up to six numbers, all finite as float32.
func doubles(rest []byte) (v [6]float64, n int, err error) {
	for ; n < len(v); n++ {
		var w []byte
		if w, rest = importer.Field(rest); len(w) == 0 || w[0] == '#' {
			break
		}
		f, err := strconv.ParseFloat(string(w), 64)
		if err != nil || !importer.Finite(float32(f)) {
			return v, n, fmt.Errorf("%.30q is not a number", w)
		}
		v[n] = f
	}
	return v, n, nil
}

func orMissing(err error) error {
	if err == nil {
		err = errors.New("numbers are missing")
	}
	return err
}

func (r *reader) face(rest []byte) error {
	s := &r.soup
	r.corners, r.polygon = r.corners[:0], r.polygon[:0]
	for {
		var w []byte
		if w, rest = importer.Field(rest); len(w) == 0 || w[0] == '#' {
			break
		}
		c, err := r.corner(w)
		if err != nil {
			return err
		}
		r.corners = append(r.corners, c)
		r.polygon = append(r.polygon, s.Positions[c.Position])
	}
	if len(r.corners) < 3 {
		r.warnings.Add("Faces with less than three corners are left out.")
		return nil
	}
	if len(s.Corners) > math.MaxInt32-3*len(r.corners) {
		return errors.New("there are more than 2^31 corners")
	}
	first := len(s.Corners) / 3
	if !r.cut.Cut(r.polygon, func(a, b, c int) {
		s.Corners = append(s.Corners, r.corners[a], r.corners[b], r.corners[c])
		s.Groups = append(s.Groups, r.smoothing)
	}) {
		r.warnings.Add(importer.ImproperPolygons)
	}
	r.put(importer.Range{First: first, End: len(s.Corners) / 3})
	if len(r.corners) > 1<<12 {
		return r.opts.Check(s)
	}
	return nil
}

// put adds new triangles to the part that they belong to.
func (r *reader) put(t importer.Range) {
	if r.at >= 0 {
		ranges := r.parts[r.at].ranges
		ranges[len(ranges)-1].End = t.End
		return
	}
	i, ok := r.partOf[r.where]
	if !ok {
		i = len(r.parts)
		r.partOf[r.where] = i
		r.parts = append(r.parts, part{place: r.where})
	}
	r.parts[i].ranges = append(r.parts[i].ranges, t)
	r.at = i
}

// corner reads v, v/vt, v//vn or v/vt/vn. Negative numbers count back from the last.
func (r *reader) corner(w []byte) (importer.Corner, error) {
	c := importer.Corner{Position: -1, Normal: -1, UV: -1, Color: -1}
	rest := w
	for k, to := range []struct {
		index *int32
		count int
	}{{&c.Position, len(r.soup.Positions)}, {&c.UV, len(r.soup.UVs)}, {&c.Normal, len(r.soup.Normals)}} {
		digits, more, slash := bytes.Cut(rest, []byte("/"))
		rest = more
		if len(digits) > 0 || k == 0 {
			n, err := strconv.ParseInt(string(digits), 10, 64)
			if err != nil {
				return c, fmt.Errorf("%.40q is not a corner of a face", w)
			}
			if n < 0 && n >= -int64(to.count) {
				n += int64(to.count) + 1
			}
			if n >= 1 && n <= int64(to.count) {
				*to.index = int32(n - 1)
			} else if k == 0 {
				return c, fmt.Errorf("%.40q: there is no vertex %d; there are %d so far", w, n, to.count)
			} else {
				r.warnings.Add("Texture coordinates or normals that faces name are not there.")
			}
		}
		if !slash {
			break
		}
	}
	return c, nil
}

// finishColors decodes the colours of vertices. Some programs write 0..255.
func (r *reader) finishColors() {
	s := &r.soup
	if len(s.Colors) == 0 {
		return
	}
	scale := float32(1)
	for _, c := range s.Colors {
		if max(c[0], c[1], c[2]) > 1 {
			scale = 1.0 / 255
			break
		}
	}
	white := geom.Vec4{1, 1, 1, 1}
	for i, c := range s.Colors {
		if c != white || scale == 1 {
			rgb := importer.LinearRGB(geom.Vec3{c[0], c[1], c[2]}.Mul(scale))
			s.Colors[i] = geom.Vec4{rgb[0], rgb[1], rgb[2], 1}
		}
	}
	for i, c := range s.Corners {
		if int(c.Position) < len(s.Colors) {
			s.Corners[i].Color = c.Position
		}
	}
}

// model makes the nodes and their meshes.
func (r *reader) model(ctx context.Context, src importer.Source) (*scene.Model, error) {
	m := &scene.Model{Name: src.ModelName(), Source: scene.SourceInfo{Format: "OBJ", GammaSpaceColors: true}}
	materials := r.materials(src)
	type nodeKey struct{ object, group string }
	nodes := map[nodeKey]int{}
	node := func(k nodeKey) int {
		if i, ok := nodes[k]; ok {
			return i
		}
		name, parent := k.object, -1
		if k.group != "" {
			name = k.group
			if k.object != "" {
				object := nodeKey{object: k.object}
				i, ok := nodes[object]
				if !ok {
					i = len(m.Nodes)
					nodes[object] = i
					m.Nodes = append(m.Nodes, importer.Node(k.object, -1, -1))
				}
				parent = i
			}
		}
		if name == "" {
			name = m.Name
		}
		nodes[k] = len(m.Nodes)
		m.Nodes = append(m.Nodes, importer.Node(name, parent, -1))
		return nodes[k]
	}
	for i := range r.parts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p := &r.parts[i]
		n := &m.Nodes[node(nodeKey{p.object, p.group})]
		if n.Mesh < 0 {
			n.Mesh = len(m.Meshes)
			m.Meshes = append(m.Meshes, &scene.Mesh{Name: n.Name})
		}
		mesh := m.Meshes[n.Mesh]
		mesh.Primitives = append(mesh.Primitives, r.soup.Primitive(materials.get(p.material), p.ranges...))
		p.ranges = nil
	}
	for i := range m.Nodes {
		if n := &m.Nodes[i]; n.Parent < 0 {
			n.Local[12], n.Local[13], n.Local[14] = r.origin[0], r.origin[1], r.origin[2]
		}
	}
	m.Warnings, m.MissingTextures = r.warnings.List(), materials.textures.Missing()
	return m, importer.Finish(m)
}
