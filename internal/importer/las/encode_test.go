package las

import (
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/importertest"
)

// encoder is the counterpart of decoder, with the same models.
type encoder struct {
	out          []byte
	base, length uint32
}

func newEncoder() *encoder { return &encoder{length: math.MaxUint32} }

// narrow takes a part of the interval.
func (e *encoder) narrow(begin, length uint32) {
	was := e.base
	e.base += begin
	e.length = length
	if e.base < was {
		for i := len(e.out) - 1; ; i-- {
			if e.out[i]++; e.out[i] != 0 {
				break
			}
		}
	}
	for e.length < minLength {
		e.out = append(e.out, byte(e.base>>24))
		e.base <<= 8
		e.length <<= 8
	}
}

func (e *encoder) finish() []byte {
	e.narrow(e.length/2, minLength)
	return binary.BigEndian.AppendUint32(e.out, e.base)
}

func (e *encoder) bits(n, v uint32) {
	if n > 19 {
		e.bits(16, v&0xffff)
		e.bits(n-16, v>>16)
		return
	}
	unit := e.length >> n
	e.narrow(v*unit, unit)
}

func (e *encoder) bit(m *bitModel, v uint32) {
	bound := m.zero * (e.length >> bitPrecision)
	// The decoder's model learns from what it decodes: let it.
	d := &decoder{length: math.MaxUint32}
	if v == 0 {
		e.narrow(0, bound)
	} else {
		e.narrow(bound, e.length-bound)
		d.value = math.MaxUint32
	}
	d.bit(m)
}

func (e *encoder) symbol(m *symbolModel, s uint32) {
	unit := e.length >> symbolPrecision
	begin, length := m.cumulative[s]*unit, e.length-m.cumulative[s]*unit
	d := &decoder{length: math.MaxUint32, value: m.cumulative[s] * (math.MaxUint32 >> symbolPrecision)}
	if s+1 < uint32(len(m.cumulative)) {
		length = m.cumulative[s+1]*unit - begin
	}
	e.narrow(begin, length)
	d.symbol(m)
}

func (e *encoder) integer(c *integers, prediction, v int32, context uint32) {
	x := v - prediction
	if c.wrap > 0 {
		if x < c.smallest {
			x += int32(c.wrap)
		} else if x > -c.smallest-1 {
			x -= int32(c.wrap)
		}
	}
	size := x - 1
	if x <= 0 {
		size = -x
	}
	k := uint32(bits.Len32(uint32(size)))
	c.k = k
	e.symbol(lazy(&c.size[context], c.bits+1), k)
	switch {
	case k == 0:
		e.bit(&c.one, uint32(x))
	case k < 32:
		if x < 0 {
			x += 1<<k - 1
		} else {
			x--
		}
		low := uint32(0)
		if k > highBits {
			low = k - highBits
		}
		e.symbol(lazy(&c.values[k], 1<<min(k, highBits)), uint32(x)>>low)
		if low > 0 {
			e.bits(low, uint32(x)&(1<<low-1))
		}
	}
}

// TestArithmetic: what is encoded is decoded, for all widths of integers and all kinds of values.
func TestArithmetic(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	type value struct {
		coder           int
		v, prediction   int32
		context, symbol uint32
	}
	widths := []uint32{8, 16, 32}
	coders := func() (c []*integers) {
		for _, w := range widths {
			c = append(c, newIntegers(w, 3))
		}
		return c
	}
	pick := func(w uint32) int32 {
		v := int32(r.Uint32()) >> r.IntN(32)
		if w < 32 {
			v = int32(uint32(v) & (1<<w - 1))
		}
		return v
	}
	var values []value
	for range 20_000 {
		k := r.IntN(len(widths))
		values = append(values, value{k, pick(widths[k]), pick(widths[k]), uint32(r.IntN(3)), uint32(r.IntN(1 + r.IntN(300)))})
	}
	values = append(values, value{2, math.MinInt32, 0, 0, 0}, value{2, math.MaxInt32, -1, 0, 0}, value{2, 0, math.MinInt32, 1, 299})
	e, c, symbols := newEncoder(), coders(), newSymbolModel(300)
	for _, v := range values {
		e.integer(c[v.coder], v.prediction, v.v, v.context)
		e.symbol(symbols, v.symbol)
		n := 7 + v.symbol%26
		e.bits(n, v.symbol&(1<<n-1))
	}
	data := e.finish()
	d, c, symbols := newDecoder(data), coders(), newSymbolModel(300)
	for i, v := range values {
		if got := c[v.coder].next(d, v.prediction, v.context); got != v.v {
			t.Fatalf("value %d, %+v: %d", i, v, got)
		}
		if got := d.symbol(symbols); got != v.symbol {
			t.Fatalf("symbol %d, %+v: %d", i, v, got)
		}
		n := 7 + v.symbol%26
		if got := d.bits(n); got != v.symbol&(1<<n-1) {
			t.Fatalf("bits %d, %+v: %d", i, v, got)
		}
	}
	if d.ended() || d.at < len(data)-4 {
		t.Errorf("at byte %d of %d", d.at, len(data))
	}
}

func TestMedian(t *testing.T) {
	var m medianOf5
	for range 10 {
		for _, x := range []int32{5, -3, 8, 1, 2} {
			m.add(x)
		}
	}
	if got := m.median(); got < 1 || got > 5 {
		t.Errorf("median %d of 5, -3, 8, 1, 2", got)
	}
	if v := m.values; !slices.IsSorted(v[:]) {
		t.Errorf("values %v", v)
	}
}

// laz is a file with chunks of bytes at random, which decode to something. Chunks of variable size say how many points
// they have.
func laz(format int, items []itemInfo, variable bool, counts ...int) []byte {
	length, points := 0, 0
	for _, i := range items {
		length += i.size
	}
	for _, n := range counts {
		points += n
	}
	le := binary.LittleEndian
	h := header(4, format|0x80, length, points)
	vlr := make([]byte, 34)
	compressor, size := compressorChunks, uint32(counts[0])
	if format > 5 {
		compressor = compressorLayers
	}
	if variable {
		size = variableChunks
	}
	le.PutUint16(vlr, uint16(compressor))
	le.PutUint32(vlr[12:], size)
	le.PutUint16(vlr[32:], uint16(len(items)))
	for _, i := range items {
		for _, x := range []int{i.kind, i.size, i.version} {
			vlr = le.AppendUint16(vlr, uint16(x))
		}
	}
	record := make([]byte, 54)
	copy(record[2:], "laszip encoded")
	le.PutUint16(record[18:], 22204)
	le.PutUint16(record[20:], uint16(len(vlr)))
	h = append(append(h, record...), vlr...)
	le.PutUint32(h[96:], uint32(len(h)))
	le.PutUint32(h[100:], 1)
	r := rand.New(rand.NewPCG(uint64(format), 0))
	noise := func(n int) (b []byte) {
		for range n {
			b = append(b, byte(r.Uint32()))
		}
		return b
	}
	e, sizes, previous, previousCount := newEncoder(), newIntegers(32, 2), int32(0), int32(0)
	var body []byte
	for _, n := range counts {
		c := noise(length)
		const perPoint = 60 // more than any point takes
		if compressor == compressorLayers {
			c = le.AppendUint32(c, uint32(n))
			layers := 0
			for _, i := range items {
				layers += layers14(i)
			}
			for range layers {
				c = le.AppendUint32(c, uint32(perPoint*n))
			}
			c = append(c, noise(layers*perPoint*n)...)
		} else {
			c = append(c, noise(perPoint*n)...)
		}
		if variable {
			e.integer(sizes, previousCount, int32(n), 0)
			previousCount = int32(n)
		}
		e.integer(sizes, previous, int32(len(c)), 1)
		previous = int32(len(c))
		body = append(body, c...)
	}
	h = le.AppendUint64(h, uint64(len(h)+8+len(body)))
	h = append(h, body...)
	h = le.AppendUint32(le.AppendUint32(h, 0), uint32(len(counts)))
	return append(h, e.finish()...)
}

var (
	items5 = []itemInfo{{itemPoint10, 20, 2}, {itemGPSTime11, 8, 2}, {itemRGB12, 6, 2}, {itemWavepacket13, 29, 1}, {itemByte, 3, 2}}
	items7 = []itemInfo{{itemPoint14, 30, 3}, {itemRGB14, 6, 3}, {itemByte14, 2, 3}}
	items9 = []itemInfo{{itemPoint14, 30, 4}, {itemRGBNIR14, 8, 4}, {itemWavepacket14, 29, 4}}
)

// TestChunks: chunks of fixed and of variable size, with one point and with several, of all items there are.
func TestChunks(t *testing.T) {
	for name, data := range map[string][]byte{
		"items":           laz(5, items5, false, 50, 50, 7),
		"items, variable": laz(5, items5, true, 20, 1, 30),
		"layers":          laz(7, items7, false, 40, 40, 1),
		"layers of 10":    laz(10, items9, true, 3, 100, 1),
	} {
		m := mustRead(t, data)
		if m.Source.Format != "LAZ" || m.Points < 44 {
			t.Errorf("%s: %d points of %+v", name, m.Points, m.Source)
		}
		if !strings.Contains(name, "layers") {
			continue
		}
		in, err := importer.Open(t.Context(), importer.Source{Name: "a", Data: data}, importer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		f, err := readHeader(in)
		if err != nil {
			t.Fatal(err)
		}
		in.Close()
		list, err := f.zip.chunks(data[f.start:], f.start, f.points)
		if err != nil || len(list) != 3 {
			t.Fatalf("%s: %d chunks, %v", name, len(list), err)
		}
	}
	// A table at the end, and no table at all.
	data := laz(5, items5, false, 50, 9)
	start := binary.LittleEndian.Uint32(data[96:])
	streamed := append(slices.Clone(data), data[start:start+8]...)
	binary.LittleEndian.PutUint64(streamed[start:], math.MaxUint64)
	if m := mustRead(t, streamed); m.Points != 59 {
		t.Errorf("with its table at the end: %d points", m.Points)
	}
	one := laz(5, items5, false, 50)
	binary.LittleEndian.PutUint16(one[start-uint32(34+6*len(items5)):], compressorOneChunk)
	one = slices.Delete(one, int(start), int(start)+8)
	got, want := mustRead(t, one), mustRead(t, laz(5, items5, false, 50))
	if !slices.Equal(got.Meshes[0].Primitives[0].Positions, want.Meshes[0].Primitives[0].Positions) {
		t.Error("without chunks the points differ")
	}
	broken := laz(7, items7, false, 40)
	_, err := importertest.Text(t, Open, "a.laz", string(broken[:len(broken)-3000])+string(broken[len(broken)-20:]))
	importertest.WantError(t, err, "")
}

// TestColorOfChannels: a channel that is new takes the colour of the one before. One that is not keeps its own, except in
// version 3.
func TestColorOfChannels(t *testing.T) {
	a, b := [3]uint16{1, 2, 3}, [3]uint16{4, 5, 6}
	for _, quirk := range []bool{true, false} {
		p := &points14{hasColor: true, quirk: quirk}
		p.channels[0].colorUsed, p.channels[0].lastColor = true, a
		p.channels[2].colorUsed, p.channels[2].lastColor = true, b
		var got [][3]uint16
		for _, p.current = range []int{0, 1, 2, 2, 0} {
			got = append(got, p.nextColor())
		}
		want := [][3]uint16{a, a, b, b, a}
		if quirk {
			want = [][3]uint16{a, a, a, b, b}
		}
		if !slices.Equal(got, want) {
			t.Errorf("quirk %v: %v, want %v", quirk, got, want)
		}
	}
}
