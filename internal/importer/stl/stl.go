// Package stl imports STL meshes, ASCII and binary, as scene.Model. It reads one file, trusts no number in it, and does no
// network I/O and no drawing.
//
// STL carries neither units nor axes: coordinates are taken as metres, +Y up, as given. Most CAD programs write
// millimetres with +Z up; such a part shows lying on its back and is scaled by whoever places it.
//
// STL has no shared vertices: equal positions are welded, and edges are smooth up to an angle of 30 degrees. The normals in
// the file are ignored, since they are those of the facets, and often zero or wrong. Colours of facets are read as
// VisCAM and SolidView, or as Materialise Magics, write them in the attribute bytes.
package stl

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/scene"
)

const (
	headerBytes = 84 // 80 of text, and the number of facets
	facetBytes  = 50 // a normal, three vertices and two attribute bytes
	crease      = 30 * math.Pi / 180
)

// Open imports a model. A file that cannot be imported is an *arr.Error with CodeUnprocessableEntity that names the line
// or the byte; one over the budget has CodeBadRequest. ctx ends the work early with its error.
func Open(ctx context.Context, src importer.Source, opts importer.Options) (*scene.Model, error) {
	return importer.Import(ctx, "STL", src, opts, func(in *importer.Stream) (*scene.Model, error) {
		return read(ctx, in, src, opts)
	})
}

func read(ctx context.Context, in *importer.Stream, src importer.Source, opts importer.Options) (*scene.Model, error) {
	r := reader{in: in, opts: opts, vertex: map[geom.Vec3]int32{}, color: map[geom.Vec4]int32{}}
	head, err := in.Peek(1024)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if isBinary(head, in.Size) {
		err = r.binary()
	} else {
		err = r.text()
	}
	if err != nil {
		return nil, err
	}
	return r.model(ctx, src.ModelName())
}

// isBinary tells the two kinds apart. Binary files exist whose header begins with "solid", as the text does; their size
// gives them away, or else what a text has soon and a header has not.
func isBinary(head []byte, size int64) bool {
	if len(head) >= headerBytes && headerBytes+facetBytes*int64(binary.LittleEndian.Uint32(head[80:])) == size {
		return true
	}
	text := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n"))
	if !bytes.HasPrefix(text, []byte("solid")) {
		return len(text) > 0
	}
	return bytes.IndexByte(head, 0) >= 0 && !bytes.Contains(text, []byte("facet"))
}

// reader is the state of one import.
type reader struct {
	in       *importer.Stream
	opts     importer.Options
	soup     importer.Soup
	vertex   map[geom.Vec3]int32
	color    map[geom.Vec4]int32
	solids   []solid
	warnings importer.Warnings
}

// solid is one part of a text file.
type solid struct {
	name  string
	first int // triangle
}

func (r *reader) add(v geom.Vec3, color int32) {
	i, ok := r.vertex[v] // -0 and 0 are equal
	if !ok {
		i = int32(len(r.soup.Positions))
		r.vertex[v] = i
		r.soup.Positions = append(r.soup.Positions, v)
	}
	r.soup.Corners = append(r.soup.Corners, importer.Corner{Position: i, Normal: -1, UV: -1, Color: color})
}

func (r *reader) binary() error {
	var header [headerBytes]byte
	if _, err := io.ReadFull(r.in, header[:]); err != nil {
		return fmt.Errorf("the header ends after %d of %d bytes", r.in.Size, headerBytes)
	}
	n := int64(binary.LittleEndian.Uint32(header[80:]))
	switch there := (r.in.Size - headerBytes) / facetBytes; {
	case n > there:
		return fmt.Errorf("byte 80: %d facets are declared, %d are there", n, there)
	case headerBytes+n*facetBytes < r.in.Size:
		r.warnings.Add("The file goes on after its last facet; the rest is left out.")
	}
	// Magics gives the colour of the whole in the header, and inverts the meaning of the first attribute bit.
	magics, whole := false, int32(-1)
	if i := bytes.Index(header[:80], []byte("COLOR=")); i >= 0 && i+10 <= 80 {
		magics = true
		c := header[i+6:]
		whole = r.colorOf(geom.Vec3{float32(c[0]) / 255, float32(c[1]) / 255, float32(c[2]) / 255})
	}
	var facet [facetBytes]byte
	for range n {
		at := r.in.Offset()
		if _, err := io.ReadFull(r.in, facet[:]); err != nil {
			return fmt.Errorf("byte %d: the facet cannot be read: %w", at, err)
		}
		color := whole
		if a := binary.LittleEndian.Uint16(facet[48:]); a>>15 == 1 != magics && (magics || a != 0xFFFF) {
			lo, mid, hi := float32(a&31)/31, float32(a>>5&31)/31, float32(a>>10&31)/31
			if !magics {
				lo, hi = hi, lo
			}
			color = r.colorOf(geom.Vec3{lo, mid, hi})
		}
		for k := range 3 {
			var v geom.Vec3
			for c := range v {
				v[c] = math.Float32frombits(binary.LittleEndian.Uint32(facet[12+12*k+4*c:]))
			}
			if !importer.Finite(v[:]...) {
				return fmt.Errorf("byte %d: a vertex lies at %v", at+12+12*int64(k), v)
			}
			r.add(v, color)
		}
		if err := r.check(); err != nil {
			return err
		}
	}
	return nil
}

// colorOf returns the index of an sRGB colour.
func (r *reader) colorOf(c geom.Vec3) int32 {
	c = importer.LinearRGB(c)
	k := geom.Vec4{c[0], c[1], c[2], 1}
	i, ok := r.color[k]
	if !ok {
		i = int32(len(r.soup.Colors))
		r.color[k] = i
		r.soup.Colors = append(r.soup.Colors, k)
	}
	return i
}

func (r *reader) check() error {
	if len(r.soup.Corners)%(3<<12) == 0 || r.opts.TriangleBudget > 0 && int64(len(r.soup.Corners)/3) > r.opts.TriangleBudget {
		return r.opts.Check(&r.soup)
	}
	return nil
}

// text reads an ASCII file. Only what matters is checked: facets have three vertices of three numbers.
func (r *reader) text() error {
	vertices, inFacet := 0, false
	for {
		line, err := r.in.NextLine()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		word, rest := importer.Field(line)
		switch string(bytes.ToLower(word)) {
		case "solid", "\xef\xbb\xbfsolid":
			r.solids = append(r.solids, solid{string(bytes.TrimSpace(rest)), len(r.soup.Corners) / 3})
		case "facet":
			vertices, inFacet = 0, true
		case "vertex":
			if vertices++; !inFacet || vertices > 3 {
				return fmt.Errorf("line %d: a vertex outside of a facet of three vertices", r.in.Line)
			}
			v, err := vector(rest)
			if err != nil {
				return fmt.Errorf("line %d: %w", r.in.Line, err)
			}
			r.add(v, -1)
		case "endfacet":
			if vertices != 3 || !inFacet {
				return fmt.Errorf("line %d: the facet has %d vertices, not 3", r.in.Line, vertices)
			}
			inFacet = false
			if err := r.check(); err != nil {
				return err
			}
		case "", "outer", "endloop", "endsolid", "color":
		default:
			return fmt.Errorf("line %d: %.20q is not a word of an STL file", r.in.Line, word)
		}
	}
	if inFacet {
		return fmt.Errorf("line %d: the file ends within a facet", r.in.Line)
	}
	return nil
}

func vector(line []byte) (v geom.Vec3, err error) {
	var word []byte
	for i := range v {
		word, line = importer.Field(line)
		f, err := strconv.ParseFloat(string(word), 32)
		if err != nil || !importer.Finite(float32(f)) {
			return v, fmt.Errorf("%.20q is not a coordinate", word)
		}
		v[i] = float32(f)
	}
	return v, nil
}

// model makes one node of each solid that has facets.
func (r *reader) model(ctx context.Context, name string) (*scene.Model, error) {
	if len(r.soup.Corners) == 0 {
		return nil, errors.New("the file has no facets")
	}
	if err := r.opts.Check(&r.soup); err != nil {
		return nil, err
	}
	r.vertex, r.color = nil, nil
	r.soup.Smooth(crease)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m := &scene.Model{Name: name, Source: scene.SourceInfo{Format: "STL", GammaSpaceColors: true}}
	material := importer.PlainMaterial(len(r.soup.Colors) > 0)
	if len(r.solids) == 0 {
		r.solids = []solid{{}}
	}
	r.solids[0].first = 0 // facets before the first are no reason to lose them
	for i, s := range r.solids {
		end := len(r.soup.Corners) / 3
		if i+1 < len(r.solids) {
			end = r.solids[i+1].first
		}
		if s.first == end {
			continue
		}
		if s.name == "" {
			s.name = name
		}
		m.Nodes = append(m.Nodes, importer.Node(s.name, -1, len(m.Meshes)))
		p := r.soup.Primitive(material, importer.Range{First: s.first, End: end})
		m.Meshes = append(m.Meshes, &scene.Mesh{Name: s.name, Primitives: []scene.Primitive{p}})
	}
	m.Warnings = r.warnings.List()
	return m, importer.Finish(m)
}
