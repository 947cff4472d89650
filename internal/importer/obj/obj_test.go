package obj

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/importertest"
	"github.com/heliograph/heliograph/internal/scene"
)

func TestConformance(t *testing.T) { importertest.Conformance(t, Open, "testdata/conformance.tsv") }

func must(t *testing.T, text string) *scene.Model {
	t.Helper()
	return importertest.Must(t, Open, "model.obj", text)
}

const square = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"

func TestFacesInAllSpellings(t *testing.T) {
	for name, text := range map[string]string{
		"positions":     square + "f 1 2 3 4\n",
		"negative":      square + "f -4 -3 -2 -1\n",
		"slashes":       square + "vt 0 0\nvn 0 0 1\nf 1/1/1 2/1/1 3/1/1 4/1/1\n",
		"no vt":         square + "vn 0 0 1\nf 1//1 2//1 3//1 4//1\n",
		"CRLF":          strings.ReplaceAll(square+"f 1 2 3 4\n", "\n", "\r\n"),
		"continuations": square + "f 1 2 \\\n 3\\\r\n 4 # and \\\n",
		"no line end":   square + "f 1 2 3 4",
		"comments":      "# \\\n" + square + "f 1 2 3 4 # 9\n#f 9 9 9\n",
		"blanks":        square + "\n\n \tf \t1  2 3 4 \n",
		"fo":            square + "fo 1 2 3 4",
	} {
		m := must(t, text)
		if m.Triangles != 2 || m.Bounds != (geom.AABB{Max: geom.Vec3{1, 1, 0}}) || len(m.Warnings) > 0 {
			t.Errorf("%s: %d triangles within %v, %q", name, m.Triangles, m.Bounds, m.Warnings)
		}
		for _, n := range m.Meshes[0].Primitives[0].Normals {
			if n != (geom.Vec3{0, 0, 1}) {
				t.Errorf("%s: normal %v", name, n)
			}
		}
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	for text, says := range map[string]string{
		square + "f 1 2 5":                    `line 5: "5": there is no vertex 5; there are 4 so far`,
		square + "f 1 2 0":                    "no vertex 0",
		square + "f 1 2 -5":                   "no vertex -5",
		square + "f 1 2 x":                    `line 5: "x" is not a corner`,
		square + "f 1 2 3/a":                  "is not a corner",
		square + "f 1 2 99999999999999999999": "is not a corner",
		"v 1 2":                               "line 1: numbers are missing",
		"v 1 2 nan":                           `line 1: "nan" is not a number`,
		"v 1 2 1e99":                          "is not a number",
		"vn 1 2":                              "numbers are missing",
		"vt":                                  "numbers are missing",
		"":                                    "no faces",
		"v 0 0 0\np 1\n":                      "no faces",
	} {
		_, err := importertest.Text(t, Open, "dir/model.obj", text)
		importertest.WantError(t, err, says)
		if !strings.Contains(err.Error(), `"model.obj"`) {
			t.Errorf("%v does not name the file", err)
		}
	}
}

// area sums the areas of all triangles, whose normals must be +Z.
func area(t *testing.T, m *scene.Model) float64 {
	t.Helper()
	sum := 0.0
	for _, p := range m.Meshes[0].Primitives {
		for i := 0; i < len(p.Indices); i += 3 {
			a, b, c := p.Positions[p.Indices[i]], p.Positions[p.Indices[i+1]], p.Positions[p.Indices[i+2]]
			z := b.Sub(a).Cross(c.Sub(a))[2] / 2
			if z < -1e-6 {
				t.Errorf("the triangle %v %v %v is turned over", a, b, c)
			}
			sum += float64(z)
		}
	}
	return sum
}

func TestPolygons(t *testing.T) {
	star := func(n int) string {
		var b strings.Builder
		for i := range n {
			s, c := math.Sincos(2 * math.Pi * float64(i) / float64(n))
			r := 1 + float64(i%2)
			fmt.Fprintf(&b, "v %g %g 0\n", r*c, r*s)
		}
		b.WriteString("f")
		for i := range n {
			fmt.Fprintf(&b, " %d", i+1)
		}
		return b.String()
	}
	for _, c := range []struct {
		name, text string
		triangles  int64
		area       float64
	}{
		{"arrow", "v 0 0 0\nv 2 -1 0\nv 1 0 0\nv 2 1 0\nf 1 2 3 4", 2, 1},
		{"arrow from its notch", "v 1 0 0\nv 2 1 0\nv 0 0 0\nv 2 -1 0\nf 1 2 3 4", 2, 1},
		{"comb", "v 0 0 0\nv 5 0 0\nv 5 2 0\nv 4 2 0\nv 4 1 0\nv 3 1 0\nv 3 2 0\nv 2 2 0\nv 2 1 0\nv 1 1 0\nv 1 2 0\nv 0 2 0\nf 1 2 3 4 5 6 7 8 9 10 11 12",
			10, 8},
		{"hole with bridge", "v 0 0 0\nv 3 0 0\nv 3 3 0\nv 0 3 0\nv 1 1 0\nv 1 2 0\nv 2 2 0\nv 2 1 0\nf 1 2 3 4 1 5 6 7 8 5", 8, 8},
		{"straight corners", "v 0 0 0\nv 1 0 0\nv 2 0 0\nv 2 2 0\nv 1 2 0\nv 0 2 0\nf 1 2 3 4 5 6", 4, 4},
		{"star", star(40), 38, 40 * math.Sin(math.Pi/20)},
		{"large star", star(4000), 3998, 4000 * math.Sin(math.Pi/2000)},
	} {
		m := must(t, c.text)
		if got := area(t, m); m.Triangles != c.triangles || math.Abs(got-c.area) > 1e-3*c.area || len(m.Warnings) > 0 {
			t.Errorf("%s: %d triangles of area %v, want %d of %v; %q", c.name, m.Triangles, got, c.triangles, c.area, m.Warnings)
		}
	}
	if m := must(t, "v 0 0 0\nv 1 1 0\nv 1 0 0\nv 0 1 0\nf 1 2 3 4"); m.Triangles != 2 {
		t.Errorf("a polygon that crosses itself has %d triangles", m.Triangles)
	}
}

// TestHugePolygons: lines longer than any buffer, and corners in disorder, cost time in proportion.
func TestHugePolygons(t *testing.T) {
	const n = 2000
	var disorder, circle, face strings.Builder
	for i := range n {
		h := uint32(i) * 2654435761
		fmt.Fprintf(&disorder, "v %d %d 0\n", h>>16, h&65535)
		s, c := math.Sincos(2 * math.Pi * float64(i) / n)
		fmt.Fprintf(&circle, "v %.9g %.9g 0\n", c, s)
		fmt.Fprintf(&face, "%200d", i+1)
	}
	m := must(t, circle.String()+"f"+face.String())
	if got := area(t, m); m.Triangles != n-2 || math.Abs(got-math.Pi) > 1e-2 {
		t.Errorf("a circle: %d triangles of area %v", m.Triangles, got)
	}
	m = must(t, disorder.String()+"f"+face.String())
	if len(m.Warnings) != 1 || m.Triangles != n-2 {
		t.Errorf("disorder: %d triangles, %q", m.Triangles, m.Warnings)
	}
}

// TestLargeCoordinates: digits that float32 has no room for stay, in all objects.
func TestLargeCoordinates(t *testing.T) {
	m := must(t, "o a\nv 500000.125 5000000.25 10.5\nv 500000.375 5000000.25 10.5\nv 500000.375 5000000.375 10.5\nf 1 2 3\n"+
		"o b\ng c\nf 3 2 1\n")
	if got := m.Meshes[0].Primitives[0].Positions; got[1].Sub(got[0]) != (geom.Vec3{0.25, 0, 0}) || got[2].Sub(got[1]) != (geom.Vec3{0, 0.125, 0}) {
		t.Errorf("positions %v", got)
	}
	if got := m.Meshes[0].Primitives[0].Positions[0][2]; got != 10.5 {
		t.Errorf("an axis that is not far begins at %g", got)
	}
	size := m.Bounds.Size()
	if b := m.Bounds; math.Abs(float64(b.Min[1])-5000000.25) > 0.5 || b.Min[2] != 10.5 || size[0] != 0.25 {
		t.Errorf("bounds %v", b)
	}
}

func TestGroupsBecomeNodes(t *testing.T) {
	m := must(t, square+"f 1 2 3\no A\nf 1 2 3\ng x y\nusemtl red\nf 1 2 3\nusemtl blue\nf 1 2 4\nf 1 2 3\no B\ng x y\nf 1 2 3\no A\nf 2 3 4\ng\nf 1 2 4\n")
	var got []string
	for _, n := range m.Nodes {
		s := n.Name
		if n.Parent >= 0 {
			s = m.Nodes[n.Parent].Name + "/" + s
		}
		if n.Mesh >= 0 {
			for _, p := range m.Meshes[n.Mesh].Primitives {
				s += fmt.Sprintf(" %s:%d", p.Material.Name, len(p.Indices)/3)
			}
		}
		got = append(got, s)
	}
	want := []string{"model :1", "A :1 blue:2", "A/x y red:1 blue:2", "B", "B/x y blue:1"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// roof is two squares that meet at a right angle in the edge 1 2.
const roof = "v 0 0 0\nv 0 1 0\nv 1 0 0\nv 1 1 0\nv 0 0 -1\nv 0 1 -1\n"

func TestSmoothing(t *testing.T) {
	for _, c := range []struct {
		name, text string
		normals    int // distinct
	}{
		{"one group", roof + "s 1\nf 1 3 4 2\nf 1 2 6 5\n", 2 + 1}, // the two sides, and their mean at the edge
		{"two groups", roof + "s 1\nf 1 3 4 2\ns 2\nf 1 2 6 5\n", 2},
		{"off", roof + "s off\nf 1 3 4 2\nf 1 2 6 5\n", 2},
		{"group over a group", roof + "s 7\ng a\nf 1 3 4 2\ng b\nf 1 2 6 5\n", 3},
		{"no groups: sharp", roof + "f 1 3 4 2\nf 1 2 6 5\n", 2},
		{"no groups: blunt", strings.ReplaceAll(roof, "0 -1\n", "0 -0.1\n") + "f 1 3 4 2\n", 1},
		{"given", roof + "vn 0 0 1\nvn 0 0 0\ns 1\nf 1//1 3//1 4//1 2//1\nf 1//2 2//2 6//2 5//2\n", 2},
	} {
		m := must(t, c.text)
		distinct := map[geom.Vec3]bool{}
		for _, mesh := range m.Meshes {
			for _, n := range mesh.Primitives[0].Normals {
				distinct[n] = true
			}
		}
		if len(distinct) != c.normals {
			t.Errorf("%s: normals %v, want %d", c.name, distinct, c.normals)
		}
	}
}

func TestVertexColours(t *testing.T) {
	want := []geom.Vec4{{1, 0, 0, 1}, {0, 1, 0, 1}, {0.2140411, 0, 0, 1}}
	for _, text := range []string{
		"v 0 0 0 1 0 0\nv 1 0 0 0 1 0\nv 0 1 0 0.5 0 0\nf 1 2 3",
	} {
		p := must(t, text).Meshes[0].Primitives[0]
		for i, c := range p.Colors {
			if d := (geom.Vec3{c[0], c[1], c[2]}).Sub(geom.Vec3{want[i][0], want[i][1], want[i][2]}).Len(); d > 1e-4 {
				t.Errorf("colour %d is %v, want %v", i, c, want[i])
			}
		}
		if len(p.Colors) != 3 || p.Material.BaseColor != (geom.Vec4{1, 1, 1, 1}) {
			t.Errorf("%d colours times %v", len(p.Colors), p.Material.BaseColor)
		}
	}
	mixed := must(t, "v 9 9 9\nv 0 0 0 255 0 0\nv 1 0 0 0 255 0\nv 0 1 0\nf 2 3 4").Meshes[0].Primitives[0]
	if d := cmp.Diff([]geom.Vec4{{1, 0, 0, 1}, {0, 1, 0, 1}, {1, 1, 1, 1}}, mixed.Colors); d != "" {
		t.Error(d)
	}
}

func picture(t *testing.T, w, h int, at func(x, y int) color.Color) *fstest.MapFile {
	t.Helper()
	im := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			im.Set(x, y, at(x, y))
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, im); err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: b.Bytes()}
}

// withMTL imports a triangle of the material m.
func withMTL(t *testing.T, mtl string, files fstest.MapFS) *scene.Model {
	t.Helper()
	root := fstest.MapFS{"sub/a.obj": {Data: []byte("mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nusemtl m\nf 1/1 2/2 3/3")},
		"sub/a.mtl": {Data: []byte(mtl)}}
	for name, f := range files {
		root[name] = f
	}
	m, err := Open(t.Context(), importer.Source{Root: root, Name: "sub/a.obj"}, importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	importertest.CheckModel(t, m)
	return m
}

func TestMaterialFactors(t *testing.T) {
	for _, c := range []struct {
		name, mtl string
		want      scene.Material
	}{
		{"matt", "newmtl m\nKd 1 0.5 0\nKs 0 0 0", scene.Material{BaseColor: geom.Vec4{1, 0.214, 0, 1}, Roughness: 1}},
		{"shiny plastic", "newmtl m\nKd 1 0 0\nKs 0.2 0.2 0.2\nNs 100\n",
			scene.Material{BaseColor: geom.Vec4{1, 0, 0, 1}, Roughness: 0.6137}}, // sqrt(2/(100*0.0331 + 2))
		{"metal", "newmtl m\nKd 0 0 0\nKs 1 1 1\nNs 6\n", scene.Material{BaseColor: geom.Vec4{1, 1, 1, 1}, Metallic: 1, Roughness: 0.5}},
		{"PBR", "newmtl m\nKd 1 1 1\nKs 1 1 1\nPr 0.25\nPm 0.75\n", scene.Material{BaseColor: geom.Vec4{1, 1, 1, 1}, Metallic: 0.75, Roughness: 0.25}},
		{"d", "newmtl m\r\nKd 1\r\nd 0.25\r\n", scene.Material{BaseColor: geom.Vec4{1, 1, 1, 0.25}, Roughness: 1, Alpha: scene.AlphaBlend}},
		{"Tr", "newmtl m\nKd 1\nTr 0.25\n", scene.Material{BaseColor: geom.Vec4{1, 1, 1, 0.75}, Roughness: 1, Alpha: scene.AlphaBlend}},
		{"d before Tr", "newmtl m\nKd 1\nd 1\nTr 1\n", scene.Material{BaseColor: geom.Vec4{1, 1, 1, 1}, Roughness: 1}},
		{"d 0", "newmtl m\nKd 1\nd 0\n", scene.Material{BaseColor: geom.Vec4{1, 1, 1, 1}, Roughness: 1}},
		{"Ke", "newmtl m\nKd 1\nKe 0 1 0\n", scene.Material{BaseColor: geom.Vec4{1, 1, 1, 1}, Roughness: 1, Emissive: geom.Vec3{0, 1, 0}}},
		{"first of two", "newmtl m\nKd 1\nnewmtl m\nKd 0", scene.Material{BaseColor: geom.Vec4{1, 1, 1, 1}, Roughness: 1}},
	} {
		got := withMTL(t, c.mtl, nil).Materials[0]
		near := func(a, b float32) bool { return math.Abs(float64(a-b)) < 2e-3 }
		ok := got.Name == "m" && near(got.Metallic, c.want.Metallic) && near(got.Roughness, c.want.Roughness) && got.Alpha == c.want.Alpha &&
			got.Emissive == c.want.Emissive
		for k := range 4 {
			// The conversion splits 4 % of the light off for the specular lobe, which is not lost.
			ok = ok && math.Abs(float64(got.BaseColor[k]-c.want.BaseColor[k])) < 0.05
		}
		if !ok {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestTextures(t *testing.T) {
	red := color.NRGBA{200, 0, 0, 100}
	files := fstest.MapFS{
		"sub/red one.png": picture(t, 4, 2, func(x, y int) color.Color { return red }),
		"mask.png":        picture(t, 2, 2, func(x, y int) color.Color { return color.Gray{uint8(255 * x)} }),
		"sub/ramp.png":    picture(t, 8, 8, func(x, y int) color.Color { return color.Gray{uint8(10 * x)} }),
		"sub/normal.png":  picture(t, 2, 2, func(x, y int) color.Color { return color.NRGBA{128, 128, 255, 255} }),
	}
	m := withMTL(t, "newmtl m\nKd 0 0 0\nmap_Kd -o 0.5 0.25 -s 2 3 1 -clamp on red one.png\n", files).Materials[0]
	if tex := m.BaseColorTex; tex.Texture == nil || tex.Texture.WrapU != scene.WrapClamp || tex.Matrix != [6]float32{2, 0, 0.5, 0, 3, -2.25} ||
		tex.Texture.Image.NRGBAAt(0, 0) != (color.NRGBA{200, 0, 0, 255}) || m.BaseColor != (geom.Vec4{1, 1, 1, 1}) || m.Alpha != scene.AlphaOpaque {
		t.Errorf("map_Kd: %+v", m)
	}
	m = withMTL(t, "newmtl m\nKd 1 1 1\nmap_Kd red one.png\nmap_d C:\\textures\\none.png\nmap_d ../mask.png\n", files).Materials[0]
	if im := m.BaseColorTex.Texture.Image; im.NRGBAAt(0, 0) != (color.NRGBA{200, 0, 0, 0}) || im.NRGBAAt(3, 1) != (color.NRGBA{200, 0, 0, 255}) ||
		m.Alpha != scene.AlphaMask {
		t.Errorf("map_d: %v %v", im.NRGBAAt(0, 0), im.NRGBAAt(3, 1))
	}
	m = withMTL(t, "newmtl m\nmap_Bump -bm 1 C:\\work\\ramp.png\n", files).Materials[0]
	if n := m.NormalTex.Texture.Image.NRGBAAt(3, 3); n.R >= 127 || n.G < 126 || n.G > 129 || n.B < 200 {
		t.Errorf("a height that rises to the right has the normal %v", n)
	}
	m = withMTL(t, "newmtl m\nbump -bm 0.5 normal.png\nmap_Ke red one.png\nmap_Pr ../mask.png\nPm 0.2\n", files).Materials[0]
	if m.NormalScale != 0.5 || m.NormalTex.Texture.Image.NRGBAAt(0, 0).B != 255 || m.EmissiveTex.Texture == nil || m.Emissive != (geom.Vec3{1, 1, 1}) {
		t.Errorf("normal and emissive: %+v", m)
	}
	if p := m.MetalRough.Texture.Image.NRGBAAt(1, 0); p.G != 255 || p.B != 51 || m.Metallic != 1 || m.Roughness != 1 {
		t.Errorf("roughness map: %v, factors %v %v", p, m.Metallic, m.Roughness)
	}
}

// TestMissingFiles: what is not there, or must not be read, is a warning, and nothing outside the root is opened.
func TestMissingFiles(t *testing.T) {
	files := fstest.MapFS{"sub/broken.png": {Data: []byte("\x89PNG\r\n\x1a\nrest")}}
	for mtl, says := range map[string]string{
		"newmtl m\nmap_Kd none.png":                 `Missing texture: "none.png"`,
		"newmtl m\nmap_Kd ../../../etc/passwd":      `Missing texture: "../../../etc/passwd"`,
		"newmtl m\nmap_Kd http://169.254.169.254/x": "not to a URL",
		"newmtl m\nmap_Kd broken.png":               "cannot be decoded",
		"newmtl other":                              `Missing material: "m"`,
		"newmtl m\nKd a b c":                        `"a.mtl" line 2: "a" is not a number`,
		"newmtl m\n\nKd spectral f.rfl":             `line 3: colours given as spectral`,
	} {
		m := withMTL(t, mtl, files)
		if w := strings.Join(m.Warnings, "\n"); len(m.Warnings) != 1 || !strings.Contains(w, says) {
			t.Errorf("%q: warnings %q, want %s", mtl, w, says)
		}
	}
	m := must(t, "mtllib a b.mtl\n"+square+"f 1 2 3")
	if len(m.Warnings) != 2 {
		t.Errorf("two missing libraries: %q", m.Warnings)
	}
}

func TestBudgetsAndCancel(t *testing.T) {
	text := square + strings.Repeat("f 1 2 3 4\n", 10000)
	src := importer.Source{Name: "m.obj", Data: []byte(text)}
	for _, opts := range []importer.Options{{TriangleBudget: 19999}, {MemoryBudget: int64(len(text))}, {MemoryBudget: 100}} {
		if _, err := Open(t.Context(), src, opts); arr.CodeOf(err) != arr.CodeBadRequest {
			t.Errorf("%+v: %v", opts, err)
		}
	}
	if _, err := Open(t.Context(), src, importer.Options{TriangleBudget: 20000}); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, src, importer.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(roof+"mtllib a.mtl\ns 1\nusemtl m\nf 1 3 4 2\ng x\nf -6//1 2/1 6\n"), []byte("newmtl m\nKd 1 0 0\nmap_Kd -s 1 1 1 a.png\nd 0.5"))
	f.Add([]byte("v 0 0 0 1 0 0\nv 1 0 0\nv 0 1 0\nvt 0\nvn 0 0 0\nf 1/1/1 2/1/1 \\\n3/1/1\no x\nf 1 2"), []byte("newmtl m\nKs 1 1 1\nNs 1e9\nPm 2\nmap_Bump -bm 3 a.png"))
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, mtl []byte) {
		root := fstest.MapFS{"a.obj": {Data: text}, "a.mtl": {Data: mtl}, "a.png": {Data: b.Bytes()}}
		importertest.Fuzz(t, Open, importer.Source{Root: root, Name: "a.obj"})
	})
}
