package xyz

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/importertest"
	"github.com/heliograph/heliograph/internal/scene"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) { importertest.Conformance(t, Open, "testdata/conformance.tsv") }

func points(t *testing.T, name, text string) *scene.Primitive {
	t.Helper()
	m := importertest.Must(t, Open, name, text)
	p := &m.Meshes[0].Primitives[0]
	if !p.IsPoints || m.Points != int64(len(p.Positions)) {
		t.Errorf("%d points, counted %d", len(p.Positions), m.Points)
	}
	return p
}

func TestLayouts(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		color      geom.Vec4 // of the second point
		normal     geom.Vec3
	}{
		"xyz":              {text: "0 0 0\n1 2 3\n"},
		"no last line end": {text: "0 0 0\n1 2 3"},
		"tabs and CRLF":    {text: "0\t0\t0\r\n1\t2\t3\r\n"},
		"commas":           {text: "0, 0, 0\n1, 2, 3\n"},
		"semicolons":       {text: "0;0;0;\n1;2;3;\n"},
		"rgb":              {text: "0 0 0 255 0 0\n1 2 3 0 255 0\n", color: geom.Vec4{0, 1, 0, 1}},
		"rgb of floats":    {text: "0 0 0 1 0 0\n1 2 3 0 1 0.5\n", color: geom.Vec4{0, 1, 0.2140, 1}},
		"rgb of 16 bit":    {text: "0 0 0 65535 0 0\n1 2 3 0 65535 0\n", color: geom.Vec4{0, 1, 0, 1}},
		"intensity":        {text: "0 0 0 10\n1 2 3 20\n", color: geom.Vec4{1, 1, 1, 1}},
		"equal intensity":  {text: "0 0 0 10\n1 2 3 10\n"},
		"normals":          {text: "0 0 0 0 0 1\n1 2 3 0 0.6 -0.8\n", normal: geom.Vec3{0, 0.6, -0.8}},
		"pts":              {file: "a.pts", text: "1\n0 0 0 -1700 1 2 3\n1\n1 2 3 -900 0 255 0\n", color: geom.Vec4{0, 1, 0, 1}},
		"rgb, intensity":   {text: "0 0 0 1 2 3 0.5\n1 2 3 255 0 0 900\n", color: geom.Vec4{1, 0, 0, 1}},
		"rgb, normals":     {text: "0 0 0 1 2 3 0 0 1\n1 2 3 255 0 0 0 1 0\n", color: geom.Vec4{1, 0, 0, 1}, normal: geom.Vec3{0, 1, 0}},
		"normals, rgb":     {text: "0 0 0 0 0 1 1 2 3\n1 2 3 0.6 -0.8 0 255 0 0\n", color: geom.Vec4{1, 0, 0, 1}, normal: geom.Vec3{0.6, -0.8, 0}},
		"all":              {text: "0 0 0 7 1 2 3 0 0 1\n1 2 3 9 255 0 0 0 1 0\n", color: geom.Vec4{1, 0, 0, 1}, normal: geom.Vec3{0, 1, 0}},
		"names":            {text: "Time,Z,Y,X,Red,Green,Blue\n5,0,0,0,1,2,3\n5,3,2,1,255,0,0\n", color: geom.Vec4{1, 0, 0, 1}},
		"names as comment": {text: "# made by hand\n//X Y Z Nx Ny Nz\n0 0 0 0 0 1\n\n1 2 3 0 1 0\n", normal: geom.Vec3{0, 1, 0}},
		"a count":          {text: "2\n0 0 0\n1 2 3\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.file == "" {
				c.file = "a.xyz"
			}
			p := points(t, c.file, c.text)
			if len(p.Positions) != 2 || p.Positions[1] != (geom.Vec3{1, 2, 3}) {
				t.Fatalf("positions %v", p.Positions)
			}
			if (p.Colors != nil) != (c.color != geom.Vec4{}) || (p.Normals != nil) != (c.normal != geom.Vec3{}) {
				t.Fatalf("colours %v, normals %v", p.Colors, p.Normals)
			}
			if p.Colors != nil {
				for k := range 4 {
					if math.Abs(float64(p.Colors[1][k]-c.color[k])) > 1e-3 {
						t.Errorf("colour %v, want %v", p.Colors[1], c.color)
					}
				}
			}
			if p.Normals != nil && p.Normals[1].Sub(c.normal).Len() > 1e-6 {
				t.Errorf("normal %v, want %v", p.Normals[1], c.normal)
			}
			if p.Material.Unlit != (p.Colors != nil || p.Normals == nil) {
				t.Errorf("unlit %v", p.Material.Unlit)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for text, says := range map[string]string{
		"":                                "no points",
		"# nothing\n\n":                   "no points",
		"hello world\n":                   "line 1",
		"x,y\n1,2\n":                      "line 1",
		"1 2\n":                           "2 columns",
		"1 2 3 4 5\n":                     "5 columns",
		"1 2 3\n4 5 6\n7 8\n":             "line 3: it has 2 columns",
		"1 2 3\n\n# c\n4 5 x\n":           `line 4: "x" is not a number`,
		"637177,98 849393,95 411,1\n":     "is not a number",
		"x y z\n1 2 3 4\n":                "3 names",
		"1 2 3 256 -1 0\n":                "line 1: 256 -1 0 is not a colour",
		"1 2 3\n4 5 6\n7\n":               "line 3",
		"nan 1 2\n":                       "no points",
		"1e300 0 0\n0 0 0\n":              "too large",
		strings.Repeat("1 ", 100) + "\n":  "more than 64 columns",
		strings.Repeat("x", 2*blockBytes): "line 1",
	} {
		_, err := importertest.Text(t, Open, "a.xyz", text)
		importertest.WantError(t, err, says)
	}
	// Beyond the first lines too.
	good := strings.Repeat("1 2 3 4 5 6\n", 2*blockBytes/12)
	_, err := importertest.Text(t, Open, "a.xyz", good+"1 2 3\n")
	importertest.WantError(t, err, fmt.Sprintf("line %d: it has 3 columns", 2*blockBytes/12+1))
}

// TestBlocks: points are in the order of the file, whatever thread reads them, and none is lost where blocks meet.
func TestBlocks(t *testing.T) {
	var b strings.Builder
	const n = 300_000
	for i := range n {
		fmt.Fprintf(&b, "%d %d.5 -%d 1 2 %d\n", i, i, i, i%256)
	}
	p := points(t, "a.xyz", b.String())
	if len(p.Positions) != n || cap(p.Positions) > n*3/2 {
		t.Fatalf("%d points, room for %d, want %d", len(p.Positions), cap(p.Positions), n)
	}
	for i, v := range p.Positions {
		f := float32(i)
		if v != (geom.Vec3{f, f + 0.5, -f}) || math.Abs(float64(p.Colors[i][2]-importer.Linear(float32(i%256)/255))) > 1e-5 {
			t.Fatalf("point %d: %v %v", i, v, p.Colors[i])
		}
	}
}

// TestOrigin: large coordinates keep their precision.
func TestOrigin(t *testing.T) {
	m := importertest.Must(t, Open, "a.xyz", "637177.98 849393.95 411.19\n637177.30 849396.95 411.25\n637176.34 849400.84 nan\n")
	node, p := m.Nodes[0], m.Meshes[0].Primitives[0]
	for i, want := range [][3]float64{{637177.98, 849393.95, 411.19}, {637177.30, 849396.95, 411.25}} {
		for k := range 3 {
			if got := float64(p.Positions[i][k]) + float64(node.Local[12+k]); math.Abs(got-want[k]) > 1e-5 {
				t.Errorf("point %d lies at %v on axis %d, want %v", i, got, k, want[k])
			}
		}
	}
	if len(m.Warnings) != 1 || !strings.Contains(m.Warnings[0], "1 points") {
		t.Errorf("warnings %q", m.Warnings)
	}
}

func TestBounded(t *testing.T) {
	src := importer.Source{Name: "a.xyz", Data: []byte(strings.Repeat("1 2 3\n", 100_000))}
	if _, err := Open(t.Context(), src, importer.Options{MemoryBudget: 1_000_000}); arr.CodeOf(err) != arr.CodeBadRequest {
		t.Errorf("over the budget: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, src, importer.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
}

func TestParseFloat(t *testing.T) {
	for _, s := range []string{"0", "-0", "1", "+1.5", ".5", "5.", "-637177.980", "0.000000000000001", "123456789012345", "1234567890123456789", "1e5", "-1E-5",
		"0x10", "1_000", "", "-", "+", ".", "-.", "1.2.3", "nan", "inf", "1e999", "12a", "--1", "９"} {
		want, err := strconv.ParseFloat(s, 64)
		if got, ok := parseFloat([]byte(s)); ok != (err == nil || errors.Is(err, strconv.ErrRange)) || ok && math.Float64bits(got) != math.Float64bits(want) && got == got {
			t.Errorf("%q: %v %v, want %v %v", s, got, ok, want, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, s := range []string{"1 2 3 255 0 0\n4 5 6 0 0 0\n", "X;Y;Z;Intensity\n1;2;3;4\n", "2\n1 2 3 -4 5 6 7\n1 2 3 -4 5 6 7", "#x y z nx ny nz\n1e5 -2. nan 0 0 1\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		importertest.Fuzz(t, Open, importer.Source{Name: "a.pts", Data: data})
	})
}

func BenchmarkOpen(b *testing.B) {
	text := []byte(strings.Repeat("637177.980 849393.950 411.190 84 102 93\n", 500_000))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Open(b.Context(), importer.Source{Name: "a.xyz", Data: text}, importer.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
