package las

import "math"

// decoder is the adaptive arithmetic decoder of LASzip (Said, "Introduction to Arithmetic Coding", 2004, and his FastAC).
// Behind the end of the data it reads zeros; see ended.
type decoder struct {
	data          []byte
	at            int
	value, length uint32
}

func newDecoder(data []byte) *decoder {
	d := &decoder{data: data, length: math.MaxUint32}
	for range 4 {
		d.value = d.value<<8 | d.next()
	}
	return d
}

func (d *decoder) next() uint32 {
	at := d.at
	d.at++
	if at < len(d.data) {
		return uint32(d.data[at])
	}
	return 0
}

// ended reports whether the decoder needed more bytes than there are. An encoder may leave off the last few.
func (d *decoder) ended() bool {
	const slack = 4
	return d.at > len(d.data)+slack
}

// minLength is when the interval must grow again.
const minLength = 1 << 24

func (d *decoder) renormalize() {
	for d.length < minLength {
		d.value = d.value<<8 | d.next()
		d.length <<= 8
	}
}

// bits reads n <= 32 equally probable bits.
func (d *decoder) bits(n uint32) uint32 {
	if n > 19 {
		low := d.bits(16)
		return d.bits(n-16)<<16 | low
	}
	d.length >>= n
	s := d.value / d.length
	d.value -= d.length * s
	d.renormalize()
	return s
}

// bitModel is the adaptive probability of a bit.
type bitModel struct{ cycle, until, zero, zeros, count uint32 }

const (
	bitPrecision = 13
	bitCycleMax  = 64
)

func newBitModel() bitModel {
	return bitModel{cycle: 4, until: 4, zero: 1 << (bitPrecision - 1), zeros: 1, count: 2}
}

func (d *decoder) bit(m *bitModel) uint32 {
	bound := m.zero * (d.length >> bitPrecision)
	s := uint32(1)
	if d.value < bound {
		s = 0
		d.length = bound
		m.zeros++
	} else {
		d.value -= bound
		d.length -= bound
	}
	d.renormalize()
	if m.until--; m.until == 0 {
		if m.count += m.cycle; m.count > 1<<bitPrecision {
			m.count = (m.count + 1) >> 1
			m.zeros = (m.zeros + 1) >> 1
			if m.zeros == m.count {
				m.count++
			}
		}
		m.zero = m.zeros * (1 << 31 / m.count) >> (31 - bitPrecision)
		m.cycle = min(5*m.cycle>>2, bitCycleMax)
		m.until = m.cycle
	}
	return s
}

// symbolModel is the adaptive distribution of symbols.
type symbolModel struct {
	cumulative, counts  []uint32
	table               []uint32 // where to begin the search, by the topmost bits; nil for few symbols
	shift               uint32
	total, cycle, until uint32
}

const symbolPrecision = 15

func newSymbolModel(n uint32) *symbolModel {
	m := &symbolModel{cumulative: make([]uint32, n), counts: make([]uint32, n), cycle: n}
	if n > 16 {
		bits := uint32(3)
		for n > 1<<(bits+2) {
			bits++
		}
		m.table, m.shift = make([]uint32, 1<<bits+2), symbolPrecision-bits
	}
	for i := range m.counts {
		m.counts[i] = 1
	}
	m.update()
	m.cycle = (n + 6) >> 1
	m.until = m.cycle
	return m
}

// update makes the distribution that of the counts, and halves them once they are large.
func (m *symbolModel) update() {
	if m.total += m.cycle; m.total > 1<<symbolPrecision {
		m.total = 0
		for i, c := range m.counts {
			m.counts[i] = (c + 1) >> 1
			m.total += m.counts[i]
		}
	}
	sum, s, scale := uint32(0), uint32(0), 1<<31/m.total
	for k, c := range m.counts {
		m.cumulative[k] = scale * sum >> (31 - symbolPrecision)
		sum += c
		if m.table != nil {
			for w := m.cumulative[k] >> m.shift; s < w; {
				s++
				m.table[s] = uint32(k) - 1
			}
		}
	}
	if m.table != nil {
		m.table[0] = 0
		for s++; s < uint32(len(m.table)); s++ {
			m.table[s] = uint32(len(m.counts)) - 1
		}
	}
	m.cycle = min(5*m.cycle>>2, (uint32(len(m.counts))+6)<<3)
	m.until = m.cycle
}

func (d *decoder) symbol(m *symbolModel) uint32 {
	end := d.length
	d.length >>= symbolPrecision
	v := d.value / d.length
	s, n := uint32(0), uint32(len(m.cumulative))
	if m.table != nil {
		if v >= 1<<symbolPrecision { // only in damaged data
			v = 1<<symbolPrecision - 1
		}
		t := v >> m.shift
		s, n = m.table[t], m.table[t+1]+1
	}
	for n > s+1 {
		if k := (s + n) >> 1; m.cumulative[k] > v {
			n = k
		} else {
			s = k
		}
	}
	begin := m.cumulative[s] * d.length
	if s+1 < uint32(len(m.cumulative)) {
		end = m.cumulative[s+1] * d.length
	}
	d.value -= begin
	d.length = end - begin
	d.renormalize()
	m.counts[s]++
	if m.until--; m.until == 0 {
		m.update()
	}
	return s
}

// integers decodes integers as differences from predictions: the number k of bits of the difference as a symbol, then the
// difference.
type integers struct {
	bits     uint32
	k        uint32 // of the last one
	size     []*symbolModel
	one      bitModel
	values   []*symbolModel
	wrap     uint32 // the number of values; 0 = 2^32
	smallest int32
}

// highBits is how many bits of a difference are a symbol; the lower ones are coded as they are.
const highBits = 8

func newIntegers(bits, contexts uint32) *integers {
	c := &integers{bits: bits, one: newBitModel(), smallest: math.MinInt32}
	if bits < 32 {
		c.wrap = 1 << bits
		c.smallest = -1 << (bits - 1)
	}
	c.size = make([]*symbolModel, contexts)
	c.values = make([]*symbolModel, bits+1)
	return c
}

// lazy makes a model when it is first used.
func lazy(m **symbolModel, n uint32) *symbolModel {
	if *m == nil {
		*m = newSymbolModel(n)
	}
	return *m
}

func (c *integers) next(d *decoder, prediction int32, context uint32) int32 {
	k := d.symbol(lazy(&c.size[context], c.bits+1))
	c.k = k
	var v int32
	switch {
	case k == 0:
		v = int32(d.bit(&c.one))
	case k < 32:
		v = int32(d.symbol(lazy(&c.values[k], 1<<min(k, highBits))))
		if k > highBits {
			v = int32(uint32(v)<<(k-highBits) | d.bits(k-highBits))
		}
		if uint32(v) >= 1<<(k-1) {
			v++
		} else {
			v -= 1<<k - 1
		}
	default:
		v = c.smallest
	}
	v += prediction
	switch {
	case c.wrap == 0:
	case v < 0:
		v += int32(c.wrap)
	case uint32(v) >= c.wrap:
		v -= int32(c.wrap)
	}
	return v
}

// medianOf5 keeps the last values in order, and always drops an end, as LASzip does: it is not exactly the median.
type medianOf5 struct {
	values [5]int32
	low    bool // the lower end goes next
}

func (m *medianOf5) median() int32 { return m.values[2] }

func (m *medianOf5) add(x int32) {
	v := &m.values
	if !m.low {
		if x >= v[2] {
			v[4] = x
			if x < v[3] {
				v[4], v[3] = v[3], x
			}
			m.low = true
			return
		}
		v[4], v[3] = v[3], v[2]
		switch {
		case x < v[0]:
			v[2], v[1], v[0] = v[1], v[0], x
		case x < v[1]:
			v[2], v[1] = v[1], x
		default:
			v[2] = x
		}
		return
	}
	if x <= v[2] {
		v[0] = x
		if v[1] < x {
			v[0], v[1] = v[1], x
		}
		m.low = false
		return
	}
	v[0], v[1] = v[1], v[2]
	switch {
	case v[4] < x:
		v[2], v[3], v[4] = v[3], v[4], x
	case v[3] < x:
		v[2], v[3] = v[3], x
	default:
		v[2] = x
	}
}
