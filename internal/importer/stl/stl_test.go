package stl

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/importertest"
)

type facet struct {
	v         [3]geom.Vec3
	attribute uint16
}

// file writes facets as a binary file that declares so many.
func file(header string, declared int, facets ...facet) string {
	b := make([]byte, 80, headerBytes+facetBytes*len(facets))
	copy(b, header)
	b = binary.LittleEndian.AppendUint32(b, uint32(declared))
	for _, f := range facets {
		b = append(b, make([]byte, 12)...) // many programs leave the normal zero
		for _, v := range f.v {
			for _, x := range v {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
			}
		}
		b = binary.LittleEndian.AppendUint16(b, f.attribute)
	}
	return string(b)
}

func text(facets ...facet) string {
	var b strings.Builder
	b.WriteString("solid part one\n")
	for _, f := range facets {
		b.WriteString("  facet normal 0 0 0\n    outer loop\n")
		for _, v := range f.v {
			fmt.Fprintf(&b, "      vertex %e %g %g\n", v[0], v[1], v[2])
		}
		b.WriteString("    endloop\n  endfacet\n")
	}
	b.WriteString("endsolid part one\n")
	return b.String()
}

// cylinder has n flat sides and two caps.
func cylinder(n int) (facets []facet) {
	at := func(i int, z float32) geom.Vec3 {
		s, c := math.Sincos(2 * math.Pi * float64(i%n) / float64(n))
		return geom.Vec3{float32(c), float32(s), z}
	}
	for i := range n {
		facets = append(facets,
			facet{v: [3]geom.Vec3{at(i, 0), at(i+1, 0), at(i+1, 1)}}, facet{v: [3]geom.Vec3{at(i, 0), at(i+1, 1), at(i, 1)}},
			facet{v: [3]geom.Vec3{at(i, 1), at(i+1, 1), {0, 0, 1}}}, facet{v: [3]geom.Vec3{at(i+1, 0), at(i, 0), {0, 0, 0}}})
	}
	return facets
}

func TestKinds(t *testing.T) {
	c := cylinder(24)
	for name, s := range map[string]string{
		"ASCII":                   text(c...),
		"ASCII, CRLF, upper case": strings.ToUpper(strings.ReplaceAll(text(c...), "\n", "\r\n")),
		"ASCII, byte order mark":  "\xef\xbb\xbf" + text(c...),
		"ASCII, no end":           strings.TrimSuffix(text(c...), "endsolid part one\n"),
		"binary":                  file("made by hand", len(c), c...),
		"binary, solid":           file("solid part", len(c), c...),
		"binary, solid, trailing": file("solid part\x00", len(c), c...) + "x",
		"binary, facet in name":   file("solid facet", len(c), c...),
	} {
		m := importertest.Must(t, Open, "part.stl", s)
		p := m.Meshes[0].Primitives[0]
		if m.Triangles != 96 || m.Bounds != (geom.AABB{Min: geom.Vec3{-1, -1, 0}, Max: geom.Vec3{1, 1, 1}}) {
			t.Errorf("%s: %d triangles within %v", name, m.Triangles, m.Bounds)
		}
		// The sides are smooth, 15 degrees apart; their edges to the caps are sharp: 24 vertices a ring, twice, and two centres.
		if len(p.Positions) != 4*24+2 {
			t.Errorf("%s: %d vertices", name, len(p.Positions))
		}
		for i, n := range p.Normals {
			side := geom.Vec3{p.Positions[i][0], p.Positions[i][1], 0}
			if z := math.Abs(float64(n[2])); z < 0.999 && n.Dot(side) < 0.999 {
				t.Errorf("%s: the normal at %v is %v", name, p.Positions[i], n)
			}
		}
	}
}

func TestCreaseAngle(t *testing.T) {
	for sides, want := range map[int]int{13: 2 * 13, 11: 4 * 11} { // 27.7 and 32.7 degrees
		var sidesOnly []facet
		for i, f := range cylinder(sides) {
			if i%4 < 2 {
				sidesOnly = append(sidesOnly, f)
			}
		}
		if n := len(importertest.Must(t, Open, "a.stl", file("", len(sidesOnly), sidesOnly...)).Meshes[0].Primitives[0].Positions); n != want {
			t.Errorf("%d sides: %d vertices, want %d", sides, n, want)
		}
	}
}

func TestColours(t *testing.T) {
	tri := [3]geom.Vec3{{}, {1}, {0, 1}}
	red, white := geom.Vec4{1, 0, 0, 1}, geom.Vec4{1, 1, 1, 1}
	magics := "x COLOR=\x00\x00\xff\xff,MATERIAL="
	for _, c := range []struct {
		name   string
		header string
		facet  facet
		want   []geom.Vec4
	}{
		{"none", "", facet{tri, 0}, nil},
		{"all ones is none", "", facet{tri, 0xFFFF}, nil},
		{"VisCAM", "", facet{tri, 1<<15 | 31<<10}, []geom.Vec4{red, red, red}},
		{"Magics", magics, facet{tri, 31}, []geom.Vec4{red, red, red}},
		{"Magics, of the whole", magics, facet{tri, 1 << 15}, []geom.Vec4{{0, 0, 1, 1}, {0, 0, 1, 1}, {0, 0, 1, 1}}},
	} {
		p := importertest.Must(t, Open, "a.stl", file(c.header, 1, c.facet)).Meshes[0].Primitives[0]
		if fmt.Sprint(p.Colors) != fmt.Sprint(c.want) || (p.Material.BaseColor == white) != (c.want != nil) {
			t.Errorf("%s: colours %v times %v, want %v", c.name, p.Colors, p.Material.BaseColor, c.want)
		}
	}
}

func TestSolidsBecomeNodes(t *testing.T) {
	one := text(facet{v: [3]geom.Vec3{{}, {1}, {0, 1}}})
	m := importertest.Must(t, Open, "a.stl", one+strings.ReplaceAll(one, "part one", "")+"solid empty\nendsolid")
	if len(m.Nodes) != 2 || m.Nodes[0].Name != "part one" || m.Nodes[1].Name != "a" || m.Triangles != 2 {
		t.Errorf("nodes %+v, %d triangles", m.Nodes, m.Triangles)
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	tri := facet{v: [3]geom.Vec3{{}, {1}, {0, 1}}}
	nan := facet{v: [3]geom.Vec3{{}, {1}, {0, float32(math.NaN())}}}
	good := text(tri)
	for s, says := range map[string]string{
		"":                                     "no facets",
		"xyz":                                  "the header ends after 3 of 84 bytes",
		"solid a\nendsolid":                    "no facets",
		file("", 0):                            "no facets",
		file("", 2, tri):                       "byte 80: 2 facets are declared, 1 are there",
		file("", 2, tri, nan):                  "byte 170: a vertex lies at [0 NaN 0]", // 84 + 50 + 12 + 24
		file("", 1<<32-1):                      "4294967295 facets are declared, 0 are there",
		good[:strings.Index(good, "endfacet")]: "ends within a facet",
		"solid\nfacet\nvertex 0 0 x":           `line 3: "x" is not a coordinate`,
		"solid\nfacet\nvertex 0 0":             `line 3: "" is not a coordinate`,
		"solid\nfacet\nvertex 0 0 inf":         "is not a coordinate",
		"solid\nvertex 0 0 0":                  "line 2: a vertex outside",
		"solid\nfacet\nendfacet":               "line 3: the facet has 0 vertices",
		"solid\nhello":                         `line 2: "hello" is not a word`,
	} {
		_, err := importertest.Text(t, Open, "a.stl", s)
		importertest.WantError(t, err, says)
	}
}

func TestBudgetsAndCancel(t *testing.T) {
	c := cylinder(1000)
	src := importer.Source{Name: "a.stl", Data: []byte(file("", len(c), c...))}
	for _, opts := range []importer.Options{{TriangleBudget: 3999}, {MemoryBudget: int64(len(src.Data))}, {MemoryBudget: 100}} {
		if _, err := Open(t.Context(), src, opts); arr.CodeOf(err) != arr.CodeBadRequest {
			t.Errorf("%+v: %v", opts, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, src, importer.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	c := cylinder(5)
	c[0].attribute = 1<<15 | 31
	f.Add([]byte(text(c...)))
	f.Add([]byte(file("COLOR=abcd", len(c), c...)))
	f.Fuzz(func(t *testing.T, data []byte) {
		importertest.Fuzz(t, Open, importer.Source{Name: "a.stl", Data: data})
	})
}
