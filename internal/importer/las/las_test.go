package las

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/importertest"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/testassets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) { importertest.Conformance(t, Open, "testdata/conformance.tsv") }

func asset(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(testassets.Path(t, "pointcloud/"+name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustRead(t testing.TB, data []byte) *scene.Model {
	t.Helper()
	m, err := Open(t.Context(), importer.Source{Name: "a.laz", Data: data}, importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	importertest.CheckModel(t, m)
	return m
}

// TestLayersEndWhereTheyShould: the decoders of all layers have used up their bytes after the last point, and no more. A
// single wrong model would leave them elsewhere.
func TestLayersEndWhereTheyShould(t *testing.T) {
	for name, wantChannels := range map[string]int{"las_with_several_extra_byte_bloc.laz": 1, "1.2-with-color.copc.laz": 1} {
		data := asset(t, name)
		in, err := importer.Open(t.Context(), importer.Source{Name: name, Data: data}, importer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		f, err := readHeader(in)
		if err != nil {
			t.Fatal(err)
		}
		in.Close()
		list, err := f.zip.chunks(data[f.start:], f.start, f.points)
		if err != nil {
			t.Fatal(err)
		}
		channels := map[int]bool{}
		for k, c := range list {
			p, err := newPoints14(f.zip.items, c.data[:f.recordLength], c.data[f.recordLength:])
			if err != nil {
				t.Fatal(err)
			}
			for range c.count - 1 {
				p.next()
				channels[p.current] = true
			}
			for l, d := range append(p.layers[:], p.color) {
				if d != nil && (d.at < len(d.data)-1 || d.ended()) {
					t.Errorf("%s: chunk %d, layer %d: at byte %d of %d", name, k, l, d.at, len(d.data))
				}
			}
		}
		if len(channels) != wantChannels {
			t.Errorf("%s: channels %v", name, channels)
		}
	}
}

// header is LAS 1.minor with records of a format, and where they begin.
func header(minor, format, length, points int) []byte {
	size := 227
	if minor == 4 {
		size = 375
	}
	h := make([]byte, size)
	le := binary.LittleEndian
	copy(h, "LASF")
	h[24], h[25], h[104] = 1, byte(minor), byte(format)
	copy(h[58:], "a test")
	le.PutUint16(h[94:], uint16(size))
	le.PutUint32(h[96:], uint32(size))
	le.PutUint16(h[105:], uint16(length))
	if minor == 4 {
		le.PutUint64(h[247:], uint64(points))
	} else {
		le.PutUint32(h[107:], uint32(points))
	}
	for k, x := range []float64{0.01, 0.01, 0.1, 1000, -2000, 0.5} {
		le.PutUint64(h[131+8*k:], math.Float64bits(x))
	}
	return h
}

// record is a point of any format with some extra bytes.
func record(format, length int, x, y, z int32, intensity uint16, color [3]uint16) []byte {
	r := make([]byte, length)
	le := binary.LittleEndian
	le.PutUint32(r, uint32(x))
	le.PutUint32(r[4:], uint32(y))
	le.PutUint32(r[8:], uint32(z))
	le.PutUint16(r[12:], intensity)
	if at := formats[format].color; at > 0 {
		for k, c := range color {
			le.PutUint16(r[at+2*k:], c)
		}
	}
	return r
}

func TestFormats(t *testing.T) {
	for format, f := range formats {
		minor := 3
		if format > 5 {
			minor = 4
		}
		data := header(minor, format, f.length+3, 2)
		data = append(data, record(format, f.length+3, 100, 200, 10, 50, [3]uint16{65535, 0, 32768})...)
		data = append(data, record(format, f.length+3, -100, 0, -5, 100, [3]uint16{0, 257, 0})...)
		m := mustRead(t, data)
		p, origin := m.Meshes[0].Primitives[0], m.Nodes[0].Local
		var got [2][3]float64
		for i, v := range p.Positions {
			for k := range v {
				got[i][k] = math.Round(1000*(float64(v[k])+float64(origin[12+k]))) / 1000
			}
		}
		if got != [2][3]float64{{1001, -1998, 1.5}, {999, -2000, 0}} {
			t.Errorf("format %d: positions %v", format, got)
		}
		want := [2]geom.Vec4{{importer.Linear(0.5), importer.Linear(0.5), importer.Linear(0.5), 1}, {1, 1, 1, 1}}
		if f.color > 0 {
			want = [2]geom.Vec4{{1, 0, importer.Linear(32768. / 65535), 1}, {0, importer.Linear(1. / 255), 0, 1}}
		}
		for i, c := range p.Colors {
			for k := range c {
				if math.Abs(float64(c[k]-want[i][k])) > 1e-4 {
					t.Errorf("format %d: colour %v, want %v", format, c, want[i])
				}
			}
		}
		if s := m.Source; s.Format != "LAS" || s.FormatVersion != "1."+string(rune('0'+minor)) || s.Generator != "a test" || !s.GammaSpaceColors {
			t.Errorf("source %+v", s)
		}
	}
}

func TestColorRange(t *testing.T) {
	for most, white := range map[uint16]float32{1: 255, 255: 255, 256: 65535, 65535: 65535} {
		data := append(header(2, 2, 26, 1), record(2, 26, 0, 0, 0, 0, [3]uint16{most, 0, 0})...)
		got := mustRead(t, data).Meshes[0].Primitives[0].Colors[0][0]
		if want := importer.Linear(float32(most) / white); math.Abs(float64(got-want)) > 1e-5 {
			t.Errorf("%d of %v: %v, want %v", most, white, got, want)
		}
	}
}

// TestIdenticalSet: the same points as LAS, LAZ and, elsewhere, as PLY and XYZ.
func TestIdenticalSet(t *testing.T) {
	a, b := mustRead(t, asset(t, "autzen_trim.las")), mustRead(t, asset(t, "autzen_trim.laz"))
	p, q := a.Meshes[0].Primitives[0], b.Meshes[0].Primitives[0]
	if !slices.Equal(p.Positions, q.Positions) || !slices.Equal(p.Colors, q.Colors) || a.Nodes[0].Local != b.Nodes[0].Local || len(p.Positions) != 110_000 {
		t.Error("LAS and LAZ differ")
	}
}

func TestErrors(t *testing.T) {
	good := append(header(2, 0, 20, 2), make([]byte, 40)...)
	laz := asset(t, "laszip-generated.laz")
	vlr := bytes.Index(laz, []byte("laszip encoded")) - 2
	change := func(data []byte, at int, to ...byte) []byte {
		data = slices.Clone(data)
		copy(data[at:], to)
		return data
	}
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"empty":              {[]byte{}, "ends too early"},
		"other":              {make([]byte, 400), "does not begin"},
		"version":            {change(good, 25, 5), "does not begin"},
		"short header":       {change(good, 94, 100, 0), "header of 100 bytes"},
		"format":             {change(good, 104, 11), "format 11"},
		"length":             {change(good, 105, 19), "19 bytes"},
		"start in header":    {change(good, 96, 10, 0), "cannot begin"},
		"start behind":       {change(good, 96, 0, 0, 1, 0), "cannot begin"},
		"too few":            {good[:len(good)-1], "only room for 1"},
		"none":               {change(good, 107, 0), "no points"},
		"compressed":         {change(good, 104, 0x80), "nothing says how"},
		"not finite":         {change(good, 131, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f), "no points"},
		"no LASzip":          {change(laz, vlr+2, 'x'), "nothing says how"},
		"compressor":         {change(laz, vlr+54, 4), "compressor 4"},
		"old":                {change(laz, vlr+54+34+4, 1), "part 0 of its points"},
		"no parts":           {change(laz, vlr+54+32, 0), "have 0 bytes"},
		"empty chunks":       {change(laz, vlr+54+12, 0, 0, 0, 0), "no points"},
		"too many in chunks": {change(laz, vlr+54+12, 100, 0, 0, 0), "the chunks have"},
		"truncated":          {laz[:len(laz)-10], ""},
	} {
		m, err := importertest.Text(t, Open, "a.las", string(c.data))
		if err == nil && c.says == "" {
			t.Errorf("%s: %d points", name, m.Points)
			continue
		}
		if importertest.WantError(t, err, c.says); t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestBounded(t *testing.T) {
	src := importer.Source{Name: "a.laz", Data: asset(t, "autzen_trim.laz")}
	if _, err := Open(t.Context(), src, importer.Options{MemoryBudget: 1_000_000}); arr.CodeOf(err) != arr.CodeBadRequest {
		t.Errorf("over the budget: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, src, importer.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	for format := range formats {
		f.Add(append(header(4, format, formats[format].length, 1), record(format, formats[format].length, 1, 2, 3, 4, [3]uint16{5, 6, 7})...))
	}
	for _, data := range [][]byte{laz(5, items5, false, 3, 1), laz(7, items7, true, 2, 3), laz(10, items9, false, 2)} {
		if _, err := importertest.Text(f, Open, "a.laz", string(data)); err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		importertest.Fuzz(t, Open, importer.Source{Name: "a.laz", Data: data})
	})
}

func BenchmarkOpen(b *testing.B) {
	for _, name := range []string{"autzen_trim.las", "lone-star.laz", "las_with_several_extra_byte_bloc.laz"} {
		b.Run(strings.TrimSuffix(name, ".laz"), func(b *testing.B) {
			data := asset(b, name)
			points := int64(0)
			for b.Loop() {
				points = mustRead(b, data).Points
			}
			b.ReportMetric(float64(points)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpt/s")
		})
	}
}
