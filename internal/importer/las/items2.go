package las

import "encoding/binary"

// item is a part of a point record as LASzip 2 compresses it. All items of a chunk share one decoder.
type item interface {
	// init takes the part of the first point, which is stored as it is.
	init(first []byte)
	// read reads the part of the next point into out.
	read(d *decoder, out []byte)
}

// Types of items in the record of LASzip.
const (
	itemByte         = 0
	itemPoint10      = 6
	itemGPSTime11    = 7
	itemRGB12        = 8
	itemWavepacket13 = 9
	itemPoint14      = 10
	itemRGB14        = 11
	itemRGBNIR14     = 12
	itemWavepacket14 = 13
	itemByte14       = 14
)

// newItem returns the decompressor of an item, or nil for one that this package does not know.
func newItem(i itemInfo) item {
	switch {
	case i.kind == itemPoint10 && i.size == 20 && i.version == 2:
		return &point10{}
	case i.kind == itemGPSTime11 && i.size == 8 && i.version == 2:
		return &gpsTime11{}
	case i.kind == itemRGB12 && i.size == 6 && i.version == 2:
		return &rgb12{}
	case i.kind == itemWavepacket13 && i.size == 29 && i.version == 1:
		return &wavepacket13{}
	case i.kind == itemByte && i.version == 2:
		return &extraBytes{}
	}
	return nil
}

// returnMap gives points a context by the number of returns of their pulse and which one they are.
var returnMap = [8][8]uint8{
	{15, 14, 13, 12, 11, 10, 9, 8}, {14, 0, 1, 3, 6, 10, 10, 9}, {13, 1, 2, 4, 7, 11, 11, 10}, {12, 3, 4, 5, 8, 12, 12, 11},
	{11, 6, 7, 8, 9, 13, 13, 12}, {10, 10, 11, 12, 13, 14, 14, 13}, {9, 10, 11, 12, 13, 14, 15, 14}, {8, 9, 10, 11, 12, 13, 14, 15},
}

// point10 is the core of formats 0 to 5.
type point10 struct {
	last                     [20]byte
	intensities              [16]uint16
	dx, dy                   [16]medianOf5
	heights                  [8]int32
	changed                  *symbolModel
	scanAngles               [2]*symbolModel
	flags, class, user       [256]*symbolModel
	intensity, source        *integers
	differenceX, differenceY *integers
	height                   *integers
}

func (p *point10) init(first []byte) {
	*p = point10{
		changed: newSymbolModel(64), intensity: newIntegers(16, 4), source: newIntegers(16, 1),
		differenceX: newIntegers(32, 2), differenceY: newIntegers(32, 22), height: newIntegers(32, 20),
	}
	copy(p.last[:], first)
	p.last[12], p.last[13] = 0, 0
}

func (p *point10) read(d *decoder, out []byte) {
	le, l := binary.LittleEndian, &p.last
	changed := d.symbol(p.changed)
	if changed&32 != 0 {
		l[14] = byte(d.symbol(lazy(&p.flags[l[14]], 256)))
	}
	r, n := l[14]&7, l[14]>>3&7
	m, level := returnMap[n][r], max(n, r)-min(n, r)
	if changed != 0 {
		if changed&16 != 0 {
			p.intensities[m] = uint16(p.intensity.next(d, int32(p.intensities[m]), uint32(min(m, 3))))
		}
		le.PutUint16(l[12:], p.intensities[m])
		if changed&8 != 0 {
			l[15] = byte(d.symbol(lazy(&p.class[l[15]], 256)))
		}
		if changed&4 != 0 {
			l[16] += byte(d.symbol(lazy(&p.scanAngles[l[14]>>6&1], 256)))
		}
		if changed&2 != 0 {
			l[17] = byte(d.symbol(lazy(&p.user[l[17]], 256)))
		}
		if changed&1 != 0 {
			le.PutUint16(l[18:], uint16(p.source.next(d, int32(le.Uint16(l[18:])), 0)))
		}
	}
	single := uint32(0)
	if n == 1 {
		single = 1
	}
	dx := p.differenceX.next(d, p.dx[m].median(), single)
	p.dx[m].add(dx)
	dy := p.differenceY.next(d, p.dy[m].median(), single+evenUpTo(p.differenceX.k, 20))
	p.dy[m].add(dy)
	p.heights[level] = p.height.next(d, p.heights[level], single+evenUpTo((p.differenceX.k+p.differenceY.k)/2, 18))
	le.PutUint32(l[0:], le.Uint32(l[0:])+uint32(dx))
	le.PutUint32(l[4:], le.Uint32(l[4:])+uint32(dy))
	le.PutUint32(l[8:], uint32(p.heights[level]))
	copy(out, l[:])
}

// evenUpTo makes k even, and no more than most.
func evenUpTo(k, most uint32) uint32 {
	if k < most {
		return k &^ 1
	}
	return most
}

// gpsTime11 is the time of a point: one of four interleaved sequences goes on by a multiple of its last step.
type gpsTime11 struct {
	last, next uint32
	times      [4]int64
	steps      [4]int32
	extreme    [4]int32
	multi      *symbolModel
	zero       *symbolModel
	difference *integers
}

// The symbols of multiples.
const (
	multiMost      = 500
	multiMinus     = -10
	multiUnchanged = multiMost - multiMinus + 1
	multiFull      = multiUnchanged + 1 // a new sequence
	multiCount     = multiFull + 4
)

func (g *gpsTime11) init(first []byte) {
	*g = gpsTime11{multi: newSymbolModel(multiCount), zero: newSymbolModel(6), difference: newIntegers(32, 9)}
	g.times[0] = int64(binary.LittleEndian.Uint64(first))
}

func (g *gpsTime11) read(d *decoder, out []byte) {
	for !g.step(d) {
		if d.ended() {
			break
		}
	}
	binary.LittleEndian.PutUint64(out, uint64(g.times[g.last]))
}

// step reports false where it only switched to another sequence.
func (g *gpsTime11) step(d *decoder) bool {
	i := g.last
	if g.steps[i] == 0 {
		switch m := d.symbol(g.zero); {
		case m == 1:
			g.steps[i] = g.difference.next(d, 0, 0)
			g.times[i] += int64(g.steps[i])
			g.extreme[i] = 0
		case m == 2:
			g.begin(d)
		case m > 2:
			g.last = (i + m - 2) & 3
			return false
		}
		return true
	}
	m := int32(d.symbol(g.multi))
	switch {
	case m == 1:
		g.times[i] += int64(g.difference.next(d, g.steps[i], 1))
		g.extreme[i] = 0
	case m < multiUnchanged:
		prediction, context, extreme := m*g.steps[i], uint32(3), false
		switch {
		case m == 0:
			prediction, context, extreme = 0, 7, true
		case m < 10:
			context = 2
		case m < multiMost:
		case m == multiMost:
			context, extreme = 4, true
		case multiMost-m > multiMinus:
			prediction, context = (multiMost-m)*g.steps[i], 5
		default:
			prediction, context, extreme = multiMinus*g.steps[i], 6, true
		}
		v := g.difference.next(d, prediction, context)
		if extreme {
			if g.extreme[i]++; g.extreme[i] > 3 {
				g.steps[i], g.extreme[i] = v, 0
			}
		}
		g.times[i] += int64(v)
	case m == multiUnchanged:
	case m == multiFull:
		g.begin(d)
	default:
		g.last = (i + uint32(m) - multiFull) & 3
		return false
	}
	return true
}

// begin starts a new sequence.
func (g *gpsTime11) begin(d *decoder) {
	high := g.difference.next(d, int32(uint64(g.times[g.last])>>32), 8)
	g.next = (g.next + 1) & 3
	g.last = g.next
	g.times[g.last] = int64(uint64(uint32(high))<<32 | uint64(d.bits(32)))
	g.steps[g.last], g.extreme[g.last] = 0, 0
}

// rgb12 is a colour of formats 2, 3 and 5.
type rgb12 struct {
	last   [3]uint16
	models colorModels
}

func (c *rgb12) init(first []byte) {
	*c = rgb12{}
	for i := range c.last {
		c.last[i] = binary.LittleEndian.Uint16(first[2*i:])
	}
}

func (c *rgb12) read(d *decoder, out []byte) {
	c.last = c.models.next(d, c.last)
	for i, v := range c.last {
		binary.LittleEndian.PutUint16(out[2*i:], v)
	}
}

// colorModels decode colours by their bytes: which of them changed, then the differences, of green and blue from what red
// lets expect.
type colorModels struct {
	changed *symbolModel
	bytes   [6]*symbolModel
}

func (c *colorModels) next(d *decoder, last [3]uint16) (out [3]uint16) {
	changed := d.symbol(lazy(&c.changed, 128))
	const gray = 1 << 6 // not set = all channels are equal
	var low, high [3]int
	for i, v := range last {
		low[i], high[i] = int(v&0xff), int(v>>8)
	}
	was, wasHigh := low, high
	read := func(i int, expected int) int { return int(byte(int(d.symbol(lazy(&c.bytes[i], 256))) + expected)) }
	if changed&1 != 0 {
		low[0] = read(0, low[0])
	}
	if changed&2 != 0 {
		high[0] = read(1, high[0])
	}
	if changed&gray == 0 {
		v := uint16(low[0] | high[0]<<8)
		return [3]uint16{v, v, v}
	}
	for half, v := range []*[3]int{&low, &high} {
		old := was
		if half == 1 {
			old = wasHigh
		}
		difference := v[0] - old[0]
		if changed&(4<<half) != 0 {
			v[1] = read(2+half, clampByte(difference+old[1]))
		}
		if changed&(16<<half) != 0 {
			difference = (difference + v[1] - old[1]) / 2
			v[2] = read(4+half, clampByte(difference+old[2]))
		}
	}
	for i := range out {
		out[i] = uint16(low[i] | high[i]<<8)
	}
	return out
}

func clampByte(x int) int { return max(0, min(255, x)) }

// extraBytes are bytes of no known meaning.
type extraBytes struct {
	last   []byte
	models []*symbolModel
}

func (b *extraBytes) init(first []byte) {
	b.last, b.models = append([]byte(nil), first...), make([]*symbolModel, len(first))
}

func (b *extraBytes) read(d *decoder, out []byte) {
	for i := range b.last {
		b.last[i] += byte(d.symbol(lazy(&b.models[i], 256)))
	}
	copy(out, b.last)
}

// wavepacket13 says where the waveform of a point is.
type wavepacket13 struct {
	offset                        uint64
	size                          int32
	values                        [4]int32 // the position in the waveform, and its direction
	step                          int32
	kind                          uint32
	index                         *symbolModel
	kinds                         [4]*symbolModel
	offsets, sizes, places, parts *integers
}

func (w *wavepacket13) init(first []byte) {
	*w = wavepacket13{
		index: newSymbolModel(256), offsets: newIntegers(32, 1), sizes: newIntegers(32, 1), places: newIntegers(32, 1), parts: newIntegers(32, 3),
	}
	le := binary.LittleEndian
	w.offset, w.size = le.Uint64(first[1:]), int32(le.Uint32(first[9:]))
	for i := range w.values {
		w.values[i] = int32(le.Uint32(first[13+4*i:]))
	}
}

func (w *wavepacket13) read(d *decoder, out []byte) {
	out[0] = byte(d.symbol(w.index))
	switch w.kind = d.symbol(lazy(&w.kinds[w.kind], 4)); w.kind {
	case 0:
	case 1:
		w.offset += uint64(uint32(w.size))
	case 2:
		w.step = w.offsets.next(d, w.step, 0)
		w.offset += uint64(int64(w.step))
	default:
		low := d.bits(32)
		w.offset = uint64(d.bits(32))<<32 | uint64(low)
	}
	w.size = w.sizes.next(d, w.size, 0)
	w.values[0] = w.places.next(d, w.values[0], 0)
	for i := range uint32(3) {
		w.values[1+i] = w.parts.next(d, w.values[1+i], i)
	}
	le := binary.LittleEndian
	le.PutUint64(out[1:], w.offset)
	le.PutUint32(out[9:], uint32(w.size))
	for i, v := range w.values {
		le.PutUint32(out[13+4*i:], uint32(v))
	}
}
