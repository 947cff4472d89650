package ply

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/importertest"
	"github.com/heliograph/heliograph/internal/scene"
)

func TestConformance(t *testing.T) { importertest.Conformance(t, Open, "testdata/conformance.tsv") }

func must(t *testing.T, text string) *scene.Model {
	t.Helper()
	return importertest.Must(t, Open, "a.ply", text)
}

// typed is a value of a PLY file.
type typed struct {
	typ string
	x   float64
}

// file writes the values in an encoding, a row a line.
func file(encoding, header string, rows ...[]typed) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "ply\nformat %s 1.0\n%send_header\n", encoding, header)
	var order binary.AppendByteOrder = binary.LittleEndian
	if encoding == "binary_big_endian" {
		order = binary.BigEndian
	}
	for _, row := range rows {
		for _, v := range row {
			if encoding == "ascii" {
				fmt.Fprintf(&b, "%g ", v.x)
				continue
			}
			var n []byte
			switch v.typ {
			case "char", "int8":
				n = []byte{byte(int8(v.x))}
			case "uchar", "uint8":
				n = []byte{byte(v.x)}
			case "short", "int16":
				n = order.AppendUint16(nil, uint16(int16(v.x)))
			case "ushort", "uint16":
				n = order.AppendUint16(nil, uint16(v.x))
			case "int", "int32":
				n = order.AppendUint32(nil, uint32(int32(v.x)))
			case "uint", "uint32":
				n = order.AppendUint32(nil, uint32(v.x))
			case "float", "float32":
				n = order.AppendUint32(nil, math.Float32bits(float32(v.x)))
			default:
				n = order.AppendUint64(nil, math.Float64bits(v.x))
			}
			b.Write(n)
		}
		if encoding == "ascii" {
			b.WriteString("\n")
		}
	}
	return b.String()
}

var allEncodings = []string{"ascii", "binary_little_endian", "binary_big_endian"}

func TestAllTypesInAllEncodings(t *testing.T) {
	for _, encoding := range allEncodings {
		for typ := range scalars {
			for _, list := range []string{"uchar", "ushort", "int", "int8"} {
				header := fmt.Sprintf("comment made by hand\nobj_info x\nelement vertex 4\nproperty %[1]s x\nproperty %[1]s y\nproperty %[1]s z\n"+
					"property list %[2]s %[1]s more\nelement face 1\nproperty %[1]s quality\nproperty list %[2]s %[1]s vertex_index\n", typ, list)
				var rows [][]typed
				for _, v := range []geom.Vec3{{0, 0, 5}, {100, 0, 5}, {100, 100, 5}, {0, 100, 5}} {
					rows = append(rows, []typed{{typ, float64(v[0])}, {typ, float64(v[1])}, {typ, float64(v[2])}, {list, 1}, {typ, 7}})
				}
				rows = append(rows, []typed{{typ, 1}, {list, 4}, {typ, 0}, {typ, 1}, {typ, 2}, {typ, 3}})
				m := must(t, file(encoding, header, rows...))
				if m.Triangles != 2 || m.Bounds != (geom.AABB{Min: geom.Vec3{0, 0, 5}, Max: geom.Vec3{100, 100, 5}}) {
					t.Errorf("%s %s: %d triangles within %v", encoding, typ, m.Triangles, m.Bounds)
				}
			}
		}
	}
}

const triangle = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n%s" +
	"element face 1\nproperty list uchar int vertex_indices\n%send_header\n%s"

func TestAttributes(t *testing.T) {
	p := must(t, fmt.Sprintf(triangle, "property float nx\nproperty float ny\nproperty float nz\nproperty float u\nproperty float v\n"+
		"property uchar red\nproperty uchar green\nproperty uchar blue\nproperty uchar alpha\n", "",
		"0 0 0  0 0 2  0 0  255 0 0 255\n1 0 0  0 0 1  1 0.25  0 255 0 255\n0 1 0  0 0 0  0 1  0 0 255 0\n3 0 1 2\n")).Meshes[0].Primitives[0]
	if d := cmp.Diff(scene.Primitive{
		Positions: []geom.Vec3{{}, {1}, {0, 1}},
		Normals:   []geom.Vec3{{0, 0, 1}, {0, 0, 1}, {0, 0, 1}},
		UV0:       []geom.Vec2{{0, 1}, {1, 0.75}, {0, 0}},
		Colors:    []geom.Vec4{{1, 0, 0, 1}, {0, 1, 0, 1}, {0, 0, 1, 0}},
		Indices:   []uint32{0, 1, 2},
		Material:  importer.PlainMaterial(true),
	}, p); d != "" {
		t.Error(d)
	}
	for _, names := range []string{"s t", "u v", "texture_u texture_v"} {
		u, v, _ := strings.Cut(names, " ")
		p := must(t, fmt.Sprintf(triangle, "property float "+u+"\nproperty double "+v+"\n", "", "0 0 0 0 0\n1 0 0 1 1\n0 1 0 0.5 0.5\n3 0 1 2")).Meshes[0].Primitives[0]
		if d := cmp.Diff([]geom.Vec2{{0, 1}, {1, 0}, {0.5, 0.5}}, p.UV0); d != "" {
			t.Errorf("%s: %s", names, d)
		}
	}
	p = must(t, fmt.Sprintf(triangle, "", "property uchar red\nproperty uchar green\nproperty uchar blue\n", "0 0 0\n1 0 0\n0 1 0\n3 0 1 2 0 255 0")).Meshes[0].Primitives[0]
	if d := cmp.Diff([]geom.Vec4{{0, 1, 0, 1}, {0, 1, 0, 1}, {0, 1, 0, 1}}, p.Colors); d != "" {
		t.Error("colour of a face:", d)
	}
}

func TestFacesBeforeVertices(t *testing.T) {
	for _, encoding := range allEncodings {
		s := file(encoding, "element face 1\nproperty list uchar int vertex_indices\nelement other 2\nproperty list int short a\nproperty double b\n"+
			"element nothing 1000000000000\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n",
			[]typed{{"uchar", 3}, {"int", 0}, {"int", 1}, {"int", 2}}, []typed{{"int", 0}, {"double", 1}}, []typed{{"int", 1}, {"short", 2}, {"double", 1}},
			[]typed{{"float", 0}, {"float", 0}, {"float", 0}}, []typed{{"float", 1}, {"float", 0}, {"float", 0}}, []typed{{"float", 0}, {"float", 1}, {"float", 0}})
		if m := must(t, s); m.Triangles != 1 {
			t.Errorf("%s: %d triangles", encoding, m.Triangles)
		}
	}
}

func TestStrips(t *testing.T) {
	p := must(t, "ply\nformat ascii 1.0\nelement vertex 5\nproperty float x\nproperty float y\nproperty float z\nelement tristrips 1\n"+
		"property list int int vertex_indices\nend_header\n0 0 0\n1 0 0\n0 1 0\n1 1 0\n2 1 0\n9 0 1 2 3 3 -1 1 4 3\n").Meshes[0].Primitives[0]
	var got [][3]geom.Vec3
	for i := 0; i < len(p.Indices); i += 3 {
		got = append(got, [3]geom.Vec3{p.Positions[p.Indices[i]], p.Positions[p.Indices[i+1]], p.Positions[p.Indices[i+2]]})
	}
	if d := cmp.Diff([][3]geom.Vec3{{{}, {1}, {0, 1}}, {{0, 1}, {1}, {1, 1}}, {{1}, {2, 1}, {1, 1}}}, got); d != "" {
		t.Error(d)
	}
}

func TestTextureOfMeshLab(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(triangle, "comment TextureFile my tex.png\n", "property list uchar float texcoord\n", "0 0 0\n1 0 0\n0 1 0\n3 0 1 2 6 0 0 1 0 0 1\n")
	m, err := Open(t.Context(), importer.Source{Root: fstest.MapFS{"a.ply": {Data: []byte(text)}, "my tex.png": {Data: b.Bytes()}}, Name: "a.ply"}, importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]geom.Vec2{{0, 1}, {1, 1}, {0, 0}}, m.Meshes[0].Primitives[0].UV0); d != "" || m.Materials[0].BaseColorTex.Texture == nil {
		t.Error(d, m.Materials[0])
	}
	if m := must(t, text); len(m.Warnings) != 1 || m.Materials[0].BaseColorTex.Texture != nil {
		t.Errorf("without the texture: %q", m.Warnings)
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	const head = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\nelement face 1\n" +
		"property list int int vertex_indices\nend_header\n"
	const points = "0 0 0\n1 0 0\n0 1 0\n"
	for s, says := range map[string]string{
		"":                                  "line 1: the header does not end",
		"off\n":                             "line 1: the file does not begin with ply",
		"ply\nformat ascii 2.0\n":           "line 2: \"format ascii 2.0\" is not version 1.0",
		"ply\nformat ebcdic 1.0\n":          "line 2: \"ebcdic\" is not an encoding",
		"ply\nend_header\n":                 "line 2: the header names no format",
		"ply\nhello\n":                      "line 2: \"hello\" is not a word",
		"ply\nelement vertex -1\n":          "line 2: \"-1\" is not a number of elements",
		"ply\nelement vertex 1e3\n":         "is not a number of elements",
		"ply\nproperty float x\n":           "line 2: a property without an element",
		"ply\nelement a 1\nproperty real x": "line 3: \"real\" is not a type",
		"ply\nelement a 1\nproperty list float int x":   "\"float\" is not an integer type",
		"ply\nelement a 1\nproperty x":                  "line 3: a property has a type and a name",
		head + "0 0 0\n1 0 x":                           "line 11: \"x\" is not a number",
		head + "0 0 0\n1 0 nan\n":                       "line 11: vertex 1 lies at",
		head + points + "3 0 1 3":                       "vertex 3 of 3",
		head + points + "3 0 1 -1":                      "line 13: there is no vertex -1",
		head + points + "3 0 1 0.5":                     "line 13: there is no vertex 0.5",
		head + points + "-1":                            "line 13: a list of -1 values",
		head + points + "4000000000 0":                  "line 14: the file ends too early",
		head + points + "2 0 1":                         "no face has three corners",
		head + points:                                   "element face: line 13: the file ends too early",
		strings.Replace(head, "x\n", "a\n", 1) + points: "vertices have no x, y and z",
		strings.Replace(head, "ascii", "binary_little_endian", 1) + "\x00\x00\x00": "byte 167: the file ends too early",
		strings.Replace(head, "vertex_indices", "other", 1) + points:               "element face: line 13: the file ends too early",
	} {
		_, err := importertest.Text(t, Open, "a.ply", s)
		importertest.WantError(t, err, says)
	}
}

func TestPoints(t *testing.T) {
	const header = "element vertex 2\nproperty float y\nproperty double x\nproperty int skipped\nproperty float z\nproperty float nx\n" +
		"property float ny\nproperty float nz\nproperty uchar %[1]sred\nproperty ushort %[1]sgreen\nproperty float %[1]sblue\nproperty uchar alpha\n"
	for _, encoding := range allEncodings {
		for _, prefix := range []string{"", "diffuse_", "ambient_"} {
			row := func(x, y, z, red float64) []typed {
				return []typed{{"float", y}, {"double", x}, {"int", 5}, {"float", z}, {"float", 0}, {"float", 0}, {"float", -2}, {"uchar", red}, {"ushort", 65535},
					{"float", 0.5}, {"uchar", 51}}
			}
			m := must(t, file(encoding, fmt.Sprintf(header, prefix), row(1, 2, 3, 255), row(4, 5, 6, 0)))
			p := m.Meshes[0].Primitives[0]
			half := importer.Linear(0.5)
			want := scene.Primitive{
				IsPoints: true, Positions: []geom.Vec3{{1, 2, 3}, {4, 5, 6}}, Normals: []geom.Vec3{{0, 0, -1}, {0, 0, -1}},
				Colors: []geom.Vec4{{1, 1, half, 0.2}, {0, 1, half, 0.2}}, Material: importer.PointMaterial(true, true),
			}
			if diff := cmp.Diff(want, p, cmpopts.EquateApprox(0, 1e-5)); diff != "" || m.Points != 2 {
				t.Errorf("%s, %s: %d points, %s", encoding, prefix, m.Points, diff)
			}
			if s := m.Source; s.Format == "" || s.FormatVersion != "1.0" || !s.GammaSpaceColors {
				t.Errorf("source %+v", s)
			}
		}
	}
}

// TestPointsWithLists: what else vertices have is skipped, and so are other elements.
func TestPointsWithLists(t *testing.T) {
	const header = "element other 1\nproperty list uchar int a\nelement vertex 2\nproperty float x\nproperty list uchar int b\nproperty float y\nproperty float z\n" +
		"element edge 1\nproperty int c\n"
	for _, encoding := range allEncodings {
		m := must(t, file(encoding, header, []typed{{"uchar", 2}, {"int", 7}, {"int", 8}}, []typed{{"float", 1}, {"uchar", 1}, {"int", 9}, {"float", 2}, {"float", 3}},
			[]typed{{"float", 4}, {"uchar", 0}, {"float", math.NaN()}, {"float", 6}}, []typed{{"int", 1}}))
		p := m.Meshes[0].Primitives[0]
		if len(p.Positions) != 1 || p.Positions[0] != (geom.Vec3{1, 2, 3}) || p.Normals != nil || p.Colors != nil || len(m.Warnings) != 1 {
			t.Errorf("%s: %+v, warnings %q", encoding, p, m.Warnings)
		}
	}
}

func TestBudgetsAndCancel(t *testing.T) {
	s := "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\nelement face 10000\n" +
		"property list int int vertex_indices\nend_header\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n" + strings.Repeat("4 0 1 2 3\n", 10000)
	src := importer.Source{Name: "a.ply", Data: []byte(s)}
	for _, opts := range []importer.Options{{TriangleBudget: 19999}, {MemoryBudget: int64(len(s))}, {MemoryBudget: 100}} {
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
	const header = "comment TextureFile a.png\nelement vertex 4\nproperty float x\nproperty float y\nproperty double z\nproperty uchar red\nproperty uchar green\n" +
		"property uchar blue\nelement face 2\nproperty list uchar int vertex_indices\nproperty list uchar float texcoord\nproperty uchar red\n" +
		"element tristrips 1\nproperty list int int vertex_indices\n"
	for _, encoding := range allEncodings {
		var rows [][]typed
		for _, v := range []geom.Vec3{{0, 0, 0}, {1, 0, 0}, {1, 1, 0}, {0, 1, 0}} {
			rows = append(rows, []typed{{"float", float64(v[0])}, {"float", float64(v[1])}, {"double", 0}, {"uchar", 1}, {"uchar", 2}, {"uchar", 3}})
		}
		rows = append(rows, []typed{{"uchar", 4}, {"int", 0}, {"int", 1}, {"int", 2}, {"int", 3}, {"uchar", 0}, {"uchar", 1}},
			[]typed{{"uchar", 3}, {"int", 0}, {"int", 1}, {"int", 2}, {"uchar", 6}, {"float", 0}, {"float", 0}, {"float", 0}, {"float", 0}, {"float", 0},
				{"float", 0}, {"uchar", 1}}, []typed{{"int", 5}, {"int", 0}, {"int", 1}, {"int", 2}, {"int", -1}, {"int", 3}})
		s := file(encoding, header, rows...)
		if _, err := importertest.Text(f, Open, "a.ply", s); err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(s))
	}
	for _, encoding := range allEncodings {
		f.Add([]byte(file(encoding, "element vertex 1\nproperty float x\nproperty float y\nproperty double z\nproperty uchar red\nproperty uchar green\n"+
			"property ushort blue\n", []typed{{"float", 1}, {"float", 2}, {"double", 3}, {"uchar", 4}, {"uchar", 5}, {"ushort", 6}})))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		importertest.Fuzz(t, Open, importer.Source{Name: "a.ply", Data: data})
	})
}
