package e57

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/importertest"
	"github.com/heliograph/heliograph/internal/scene"
)

func TestConformance(t *testing.T) { importertest.Conformance(t, Open, "testdata/conformance.tsv") }

// pack puts values of some bits each one behind the other, lowest bit first.
func pack(bits int, values ...uint64) (out []byte) {
	at := 0
	for _, v := range values {
		for b := range bits {
			if at%8 == 0 {
				out = append(out, 0)
			}
			out[at/8] |= byte(v>>b&1) << (at % 8)
			at++
		}
	}
	return out
}

func singles(values ...float32) (out []byte) {
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

func doubles(values ...float64) (out []byte) {
	for _, v := range values {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
	}
	return out
}

// packet is a data packet with the bytes of all columns.
func packet(columns ...[]byte) []byte {
	le := binary.LittleEndian
	p := le.AppendUint16([]byte{1, 0, 0, 0}, uint16(len(columns)))
	for _, c := range columns {
		p = le.AppendUint16(p, uint16(len(c)))
	}
	p = append(p, slices.Concat(columns...)...)
	for len(p)%4 != 0 {
		p = append(p, 0)
	}
	le.PutUint16(p[2:], uint16(len(p)-1))
	return p
}

const pageBytes = 256

// physical turns an offset in the data into one in the file.
func physical(at int) int {
	const payload = pageBytes - checksumBytes
	return at/payload*pageBytes + at%payload
}

// file writes sections of points and the description, in which "OFFSET" k stands for where section k is.
func file(description string, sections ...[]byte) []byte {
	le := binary.LittleEndian
	data := make([]byte, 48)
	for k, s := range sections {
		at := len(data)
		description = strings.ReplaceAll(description, fmt.Sprintf("OFFSET%d", k), fmt.Sprint(physical(at)))
		h := make([]byte, 32)
		h[0] = 1
		le.PutUint64(h[8:], uint64(32+len(s)))
		le.PutUint64(h[16:], uint64(physical(at+32)))
		data = append(append(data, h...), s...)
	}
	copy(data, "ASTM-E57")
	le.PutUint32(data[8:], 1)
	le.PutUint64(data[24:], uint64(physical(len(data))))
	le.PutUint64(data[32:], uint64(len(description)))
	le.PutUint64(data[40:], pageBytes)
	data = append(data, description...)
	const payload = pageBytes - checksumBytes
	for len(data)%payload != 0 {
		data = append(data, 0)
	}
	le.PutUint64(data[16:], uint64(len(data)/payload*pageBytes))
	var out []byte
	for page := range slices.Chunk(data, payload) {
		out = binary.BigEndian.AppendUint32(append(out, page...), crc32.Checksum(page, crc32.MakeTable(crc32.Castagnoli)))
	}
	return out
}

func root(scans ...string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><e57Root type="Structure" xmlns="http://www.astm.org/COMMIT/E57/2010-e57-v1.0">` +
		`<e57LibraryVersion type="String"><![CDATA[a test]]></e57LibraryVersion><data3D type="Vector">` + strings.Join(scans, "") + `</data3D></e57Root>`
}

// points is a scan with count records; the fields are of its prototype, what else it has comes before.
func points(section, count int, before string, fields ...string) string {
	return fmt.Sprintf(`<vectorChild type="Structure">%s<points type="CompressedVector" fileOffset="OFFSET%d" recordCount="%d"><prototype type="Structure">%s</prototype>`+
		`</points></vectorChild>`, before, section, count, strings.Join(fields, ""))
}

const (
	fieldX       = `<cartesianX type="Float"/>`
	fieldY       = `<cartesianY type="Float" precision="single"/>`
	fieldZ       = `<cartesianZ type="ScaledInteger" minimum="-10" maximum="100" scale="0.5" offset="1"/>`
	fieldInvalid = `<cartesianInvalidState type="Integer" minimum="0" maximum="2"/>`
)

// z packs what fieldZ reads as the values: 7 bits each.
func z(values ...float64) []byte {
	var raw []uint64
	for _, v := range values {
		raw = append(raw, uint64((v-1)/0.5+10))
	}
	return pack(7, raw...)
}

func must(t *testing.T, data []byte) *scene.Model {
	t.Helper()
	return importertest.Must(t, Open, "a.e57", string(data))
}

func near(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-4 }

// TestColumns: all types, skipped columns, values that packets cut in two, packets without data, and invalid points.
func TestColumns(t *testing.T) {
	fields := []string{
		`<rowIndex type="Integer" minimum="0" maximum="1000"/>`, fieldX, `<note type="String"/>`, fieldY, `<constant type="Integer" minimum="7" maximum="7"/>`, fieldZ, fieldInvalid,
		`<colorRed type="Integer" minimum="0" maximum="1023"/>`, `<colorGreen type="Integer" minimum="0" maximum="1023"/>`,
		`<colorBlue type="Float" precision="single"/>`, `<intensity type="Float"/>`,
	}
	x, y := doubles(1, 2, 3), singles(4, 5, 6)
	third := [][]byte{pack(10, 1, 2, 3), x, []byte("hi"), y, nil, z(1, 7.5, 51), pack(2, 0, 1, 0), pack(10, 0, 0, 1023), pack(10, 500, 0, 250), singles(1, 1, 0.5), doubles(0, 0, 0)}
	first, second := make([][]byte, len(third)), make([][]byte, len(third))
	for k, b := range third {
		first[k], second[k] = b[:len(b)/3], b[len(b)/3:]
	}
	section := slices.Concat(packet(first...), []byte{0, 0, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, []byte{2, 0, 3, 0}, packet(second...))
	limits := `<colorLimits type="Structure"><colorGreenMinimum type="Integer"/><colorGreenMaximum type="Integer">500</colorGreenMaximum></colorLimits>`
	m := must(t, file(root(points(0, 3, limits, fields...)), section))
	p := m.Meshes[0].Primitives[0]
	if !slices.Equal(p.Positions, []geom.Vec3{{1, 4, 1}, {3, 6, 51}}) {
		t.Errorf("positions %v", p.Positions)
	}
	for i, want := range []geom.Vec4{{0, 1, 1, 1}, {1, importer.Linear(0.5), importer.Linear(0.5), 1}} {
		for k := range want {
			if !near(p.Colors[i][k], want[k]) {
				t.Errorf("colour %v, want %v", p.Colors[i], want)
			}
		}
	}
	if m.Source != (scene.SourceInfo{Format: "E57", FormatVersion: "1.0", Generator: "a test", GammaSpaceColors: true}) {
		t.Errorf("source %+v", m.Source)
	}
}

func TestIntensity(t *testing.T) {
	section := packet(doubles(0, 0), singles(0, 1), z(1, 2), pack(8, 50, 100))
	for _, c := range []struct {
		field, limits string
		want          float32 // of the first point
	}{
		{`<intensity type="Integer" minimum="0" maximum="255"/>`, "", importer.Linear(50. / 255)},
		{`<intensity type="ScaledInteger" minimum="0" maximum="255" scale="2" offset="10"/>`, "", importer.Linear(50. / 255)},
		{`<intensity type="Integer" minimum="0" maximum="255"/>`, `<intensityMinimum>50</intensityMinimum><intensityMaximum>100</intensityMaximum>`, 0},
		{`<intensity type="Integer" minimum="0" maximum="255"/>`, `<intensityMinimum>5</intensityMinimum><intensityMaximum>5</intensityMaximum>`, importer.Linear(0.5)},
	} {
		m := must(t, file(root(points(0, 2, "<intensityLimits>"+c.limits+"</intensityLimits>", fieldX, fieldY, fieldZ, c.field)), section))
		if got := m.Meshes[0].Primitives[0].Colors[0]; !near(got[0], c.want) || got[0] != got[2] {
			t.Errorf("%s %s: %v, want %v", c.field, c.limits, got, c.want)
		}
	}
}

// TestScans: each scan has its node and its pose, and those of georeferenced ones stay exact.
func TestScans(t *testing.T) {
	const quarter = `<pose><rotation><w>0.5</w><z>0.5</z></rotation><translation><x>4500000.125</x><y>1</y></translation></pose>`
	const plain = `<name>second</name><pose><translation><x>4500010.3</x></translation></pose>`
	m := must(t, file(root(points(0, 1, quarter, fieldX, fieldY, fieldZ), points(0, 0, "", fieldX), points(1, 1, plain, fieldX, fieldY, fieldZ)),
		packet(doubles(3), singles(0), z(1)), packet(doubles(0.1), singles(0), z(2))))
	if len(m.Nodes) != 3 || m.Nodes[1].Name != "scan 0" || m.Nodes[2].Name != "second" || m.Points != 2 {
		t.Fatalf("nodes %+v", m.Nodes)
	}
	for i, want := range [][3]float64{{4500000.125, 4, 1}, {4500010.4, 0, 2}} {
		l, v := m.Nodes[1+i].Local, m.Meshes[i].Primitives[0].Positions[0]
		got := l.Point(v)
		for k := range want {
			if x := float64(m.Nodes[0].Local[12+k]) + float64(got[k]); math.Abs(x-want[k]) > 1e-5 {
				t.Errorf("scan %d: %v on axis %d, want %v", i, x, k, want[k])
			}
		}
	}
}

func TestSpherical(t *testing.T) {
	fields := []string{`<sphericalRange type="Float"/>`, `<sphericalAzimuth type="Float"/>`, `<sphericalElevation type="Float"/>`,
		`<sphericalInvalidState type="Integer" minimum="0" maximum="2"/>`, fieldX}
	m := must(t, file(root(points(0, 3, "", fields...)), packet(doubles(2, 2, 2), doubles(math.Pi/2, 0, 0), doubles(0, math.Pi/2, 0), pack(2, 0, 0, 2), doubles(9, 9, 9))))
	p := m.Meshes[0].Primitives[0].Positions
	if len(p) != 2 || p[0].Sub(geom.Vec3{0, 2, 0}).Len() > 1e-6 || p[1].Sub(geom.Vec3{0, 0, 2}).Len() > 1e-6 {
		t.Errorf("positions %v", p)
	}
}

// TestWords: integers of all widths, at all places.
func TestWords(t *testing.T) {
	for bits := 1; bits <= 64; bits++ {
		var values []uint64
		for i := range uint64(40) {
			values = append(values, (i*0x9e3779b97f4a7c15)>>(64-bits))
		}
		c := column{kind: kindInteger, bits: bits, data: pack(bits, values...)}
		for i, want := range values {
			if got := c.word(); got != want {
				t.Fatalf("%d bits, value %d: %x, want %x", bits, i, got, want)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	section := packet(doubles(1), singles(2), z(3))
	good := file(root(points(0, 1, "", fieldX, fieldY, fieldZ)), section)
	if must(t, good).Points != 1 {
		t.Error("the good one is not good")
	}
	change := func(at int, to ...byte) []byte {
		data := slices.Clone(good)
		copy(data[at:], to)
		if at < pageBytes-checksumBytes {
			binary.BigEndian.PutUint32(data[pageBytes-checksumBytes:], crc32.Checksum(data[:pageBytes-checksumBytes], crc32.MakeTable(crc32.Castagnoli)))
		}
		return data
	}
	xyz := []string{fieldX, fieldY, fieldZ}
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"empty":            {[]byte{}, "ends too early"},
		"other":            {change(0, 'x'), "does not begin"},
		"page size":        {change(40, 1, 0), "pages of 1 bytes"},
		"length":           {change(16, 1, 0), "the header says 1 bytes"},
		"truncated":        {good[:len(good)-1], "the header says"},
		"damaged":          {change(pageBytes, 'x'), "the checksum of page 1 is wrong"},
		"XML outside":      {change(24, 0, 0, 1), "outside"},
		"XML too long":     {change(32, 0, 0, 1), "has no room"},
		"XML in a sum":     {change(24, 253), "outside"},
		"no XML":           {file("<e57Root"), "is not XML"},
		"no root":          {file("<other/>"), "has no root"},
		"too deep":         {file(strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100)), "too many parts"},
		"no scans":         {file(root()), "no points"},
		"invalid only":     {file(root(points(0, 1, "", append(xyz, fieldInvalid)...)), packet(doubles(1), singles(2), z(3), pack(2, 1))), "no points"},
		"count":            {file(root(points(0, 1<<40, "", xyz...)), section), "no room for 1099511627776 points"},
		"no number":        {file(root(`<vectorChild><points fileOffset="48" recordCount="x"/></vectorChild>`)), "no number"},
		"coordinates":      {file(root(points(0, 1, "", fieldX, fieldY)), section), "neither Cartesian nor spherical"},
		"limits":           {file(root(points(0, 1, "", `<cartesianX type="Integer" minimum="5" maximum="1"/>`)), section), "column cartesianX"},
		"section outside":  {file(strings.Replace(root(points(0, 1, "", xyz...)), "OFFSET0", "99999", 1), section), "outside"},
		"section":          {file(strings.Replace(root(points(0, 1, "", xyz...)), "OFFSET0", "0", 1), section), "something else"},
		"too few packets":  {file(strings.Replace(root(points(0, 5, "", xyz...)), "</data3D>", "</data3D>", 1), section), ""},
		"columns differ":   {file(root(points(0, 1, "", xyz...)), packet(doubles(1), singles(2))), "other columns"},
		"packet type":      {file(root(points(0, 1, "", xyz...)), []byte{3, 0, 3, 0, 0, 0, 0, 0}), "type 3"},
		"packet too long":  {file(root(points(0, 1, "", xyz...)), []byte{1, 0, 255, 255, 0, 0, 0, 0}), "outside"},
		"packet too short": {file(root(points(0, 1, "", xyz...)), []byte{0, 0, 0, 0, 0, 0, 0, 0}), "outside"},
		"bytes too many":   {file(root(points(0, 1, "", xyz...)), []byte{1, 0, 11, 0, 3, 0, 255, 255, 0, 0, 0, 0}), "outside"},
	} {
		_, err := importertest.Text(t, Open, "a.e57", string(c.data))
		if importertest.WantError(t, err, c.says); t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestBounded(t *testing.T) {
	x := make([]float64, 4000)
	data := file(root(points(0, len(x), "", `<cartesianX type="Float"/>`, `<cartesianY type="Integer" minimum="0" maximum="0"/>`, `<cartesianZ type="Integer" minimum="0" maximum="0"/>`)),
		packet(doubles(x...), nil, nil))
	src := importer.Source{Name: "a.e57", Data: data}
	if _, err := Open(t.Context(), src, importer.Options{MemoryBudget: int64(len(data))}); arr.CodeOf(err) != arr.CodeBadRequest {
		t.Errorf("over the budget: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, src, importer.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	for _, s := range [][]byte{
		file(root(points(0, 1, "", fieldX, fieldY, fieldZ, fieldInvalid)), packet(doubles(1), singles(2), z(3), pack(2, 0))),
		file(root(points(0, 1, "<pose><rotation><w>1</w></rotation></pose>", `<sphericalRange type="Float"/>`, `<sphericalAzimuth type="Float"/>`, `<sphericalElevation type="Float"/>`,
			`<intensity type="Integer" minimum="0" maximum="255"/>`)), packet(doubles(1), doubles(2), doubles(3), pack(8, 9))),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = slices.Clone(data) // random changes rarely have the right checksums
		if len(data) >= 48 {
			size := int(min(binary.LittleEndian.Uint64(data[40:]), 1<<20))
			for at := 0; size >= 64 && at+size <= len(data); at += size {
				end := at + size - checksumBytes
				binary.BigEndian.PutUint32(data[end:], crc32.Checksum(data[at:end], crc32.MakeTable(crc32.Castagnoli)))
			}
		}
		importertest.Fuzz(t, Open, importer.Source{Name: "a.e57", Data: data})
	})
}
