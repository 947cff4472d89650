package ktx2

import (
	"encoding/binary"
	"image"
	"math/bits"
	"slices"
)

// mode is how a UASTC block is laid out (UASTC LDR 4x4 specification, "List of UASTC Modes").
type mode struct {
	code, codeBits int
	hintBits       int // help for other formats, which is skipped
	weightBits     int
	bits, radix    int // of an endpoint's value: plain bits, and 3 for a trit, 5 for a quint above them
	subsets        int
	planes         int // of weights
	components     int // 2 = gray and alpha, 3 = RGB, 4 = RGBA
}

const (
	solidMode    = 8
	threePattern = 7 // the mode with two subsets out of patterns of three
	grayPlanes   = 17
)

var modes = [...]mode{
	{0x01, 4, 15, 4, 6, 3, 1, 1, 3},
	{0x35, 6, 15, 2, 8, 0, 1, 1, 3},
	{0x1d, 5, 15, 3, 4, 0, 2, 1, 3},
	{0x03, 5, 15, 2, 2, 3, 3, 1, 3},
	{0x13, 5, 15, 2, 3, 5, 2, 1, 3},
	{0x0b, 5, 15, 3, 8, 0, 1, 1, 3},
	{0x1b, 5, 15, 2, 5, 5, 1, 2, 3},
	{0x07, 5, 15, 2, 3, 5, 2, 1, 3},
	{0x17, 5, 0, 0, 8, 0, 1, 1, 4},
	{0x0f, 5, 23, 2, 4, 0, 2, 1, 4},
	{0x02, 3, 17, 4, 4, 3, 1, 1, 4},
	{0x00, 2, 17, 2, 4, 3, 1, 2, 4},
	{0x06, 3, 17, 3, 6, 3, 1, 1, 4},
	{0x1f, 5, 23, 1, 8, 0, 1, 2, 4},
	{0x0d, 5, 23, 2, 8, 0, 1, 1, 4},
	{0x05, 7, 23, 4, 8, 0, 1, 1, 2},
	{0x15, 6, 23, 2, 8, 0, 2, 1, 2},
	{0x25, 6, 23, 2, 8, 0, 1, 2, 2},
	{0x09, 4, 15, 5, 5, 0, 1, 1, 3},
}

// weights are the shares of the second endpoint, in 64ths, by bits of a weight.
var weights = [...][]uint32{
	1: {0, 64},
	2: {0, 21, 43, 64},
	3: {0, 9, 18, 27, 37, 46, 55, 64},
	4: {0, 4, 8, 12, 17, 21, 25, 29, 35, 39, 43, 47, 52, 56, 60, 64},
	5: {0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 34, 36, 38, 40, 42, 44, 46, 48, 50, 52, 54, 56, 58, 60, 62, 64},
}

// The subset of each pixel, for modes of 2 and of 3 subsets, and for threePattern.
var (
	patterns2 = [...]string{
		"0011001100110011", "0001000100010001", "1000100010001000", "0001001100110111", "1111111011101100", "0011011101111111",
		"1110110010000000", "1111111011001000", "0000000000010011", "1100100000000000", "0000000101111111", "1111111111101000",
		"1110100000000000", "1111111100000000", "0000111111111111", "1111111111110000", "1000111011111111", "1111111101110001",
		"0111001100010000", "0011000100000000", "0000100011001110", "1111111101110011", "1000110011001110", "0011000100010000",
		"1111011101110011", "0110011001100110", "1111000000001111", "1010101010101010", "1111000011110000", "1001001101101100",
	}
	patterns3 = [...]string{
		"0000000011221122", "1111111100002222", "1111000000002222", "1111222200000000", "1120112011201120", "0112011201120112",
		"0211021102110211", "2000200021112111", "2012201220122012", "1111000022221111", "0022001100110022",
	}
	patterns7 = [...]string{
		"0000111100000000", "0010001000100010", "1100110010000000", "0000000100110011", "1111111100001111", "0100010001000100",
		"0001001111111111", "0111001100110011", "1100000000111100", "0111011100000000", "0000000011101110", "1100000000001100",
		"0111001100000000", "0000000111111111", "1111111111110110", "1100110011001000", "1111111110001000", "0011011011001000",
		"1111011100000000",
	}
	onePattern = "0000000000000000"
)

// spread says, for the plain bits of a value with a trit or quint, which of them make up the 9 bits between the digits'
// steps, and how large these are (ASTC, "Endpoint Unquantization"). The lowest bit, a, is treated apart.
var spread = map[int]struct {
	bits string
	step int
}{
	2: {"b000b0bb0", 93}, 3: {"cb0000cbc", 26}, 4: {"dcb000dcb", 22}, 5: {"edcb0000e", 6}, 6: {"fedcb000f", 5},
}

// decodeUASTC decodes the blocks of an image.
func decodeUASTC(h *header) (*image.NRGBA, error) {
	m := image.NewNRGBA(image.Rect(0, 0, h.width, h.height))
	var d uastc
	d.prepare()
	columns := (h.width + 3) / 4
	for i := 0; i*blockBytes < len(h.level); i++ {
		b := h.level[i*blockBytes:]
		d.low, d.high = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		if !d.block() {
			return nil, errData
		}
		put(m, i%columns, i/columns, &d.pixels)
	}
	return m, nil
}

// uastc decodes one block after the other.
type uastc struct {
	values    [len(modes)][]byte // what the stored values of endpoints mean, by mode
	low, high uint64             // what is left of the block
	pixels    [16][4]byte
}

// prepare computes what endpoints mean.
func (d *uastc) prepare() {
	for i := range modes {
		m := &modes[i]
		d.values[i] = make([]byte, max(m.radix, 1)<<m.bits)
		for v := range d.values[i] {
			plain, digit := v&(1<<m.bits-1), v>>m.bits
			if m.radix == 0 { // the bits, repeated
				d.values[i][v] = byte(plain<<(8-m.bits) | plain<<8>>(2*m.bits))
				continue
			}
			s, between := spread[m.bits], 0
			for _, letter := range s.bits {
				between <<= 1
				if letter != '0' {
					between |= plain >> (letter - 'a') & 1
				}
			}
			invert := (plain & 1) * 511
			d.values[i][v] = byte(invert&0x80 | ((digit*s.step+between)^invert)>>2)
		}
	}
}

// take returns the next n bits of the block, at most 8.
func (d *uastc) take(n int) int {
	v := d.low & (1<<n - 1)
	d.low = d.low>>n | d.high<<(64-n)
	d.high >>= n
	return int(v)
}

// block decodes a block.
func (d *uastc) block() bool {
	k := slices.IndexFunc(modes[:], func(m mode) bool { return int(d.low)&(1<<m.codeBits-1) == m.code })
	if k < 0 {
		return false
	}
	m := &modes[k]
	d.take(m.codeBits)
	if k == solidMode {
		var c [4]byte
		for i := range c {
			c[i] = byte(d.take(8))
		}
		for i := range d.pixels {
			d.pixels[i] = c
		}
		return true
	}
	for n := m.hintBits; n > 0; n -= 8 {
		d.take(min(n, 8))
	}
	pattern, ok := d.pattern(k)
	if !ok {
		return false
	}
	second := -1 // the component with the second plane of weights
	switch {
	case k == grayPlanes:
		second = 3
	case m.planes == 2:
		second = d.take(2)
	}
	var ends [18]byte
	d.endpoints(&ends, k)
	d.blend(m, pattern, second, &ends)
	return true
}

// pattern reads which pixel is in which subset.
func (d *uastc) pattern(k int) (pattern string, ok bool) {
	list, width := patterns2[:], 5
	switch {
	case modes[k].subsets == 1:
		return onePattern, true
	case modes[k].subsets == 3:
		list, width = patterns3[:], 4
	case k == threePattern:
		list = patterns7[:]
	}
	i := d.take(width)
	if i >= len(list) {
		return "", false
	}
	return list[i], true
}

// endpoints reads the two endpoints of each component of each subset: first all trits or quints, then all plain bits.
func (d *uastc) endpoints(out *[18]byte, k int) {
	m := &modes[k]
	n := 2 * m.components * m.subsets
	var digits [18]int
	group := 5 // trits share a number, so many
	if m.radix == 5 {
		group = 3 // quints
	}
	for at := 0; at < n && m.radix > 0; at += group {
		most := 1
		for range min(group, n-at) {
			most *= m.radix
		}
		v := d.take(bits.Len(uint(most - 1)))
		for i := at; i < min(at+group, n); i++ {
			digits[i] = v % m.radix
			v /= m.radix
		}
	}
	for i := range n {
		out[i] = d.values[k][digits[i]<<m.bits|d.take(m.bits)]
	}
}

// blend reads the weights and computes the pixels. The first weight of each subset has a bit less: it is small.
func (d *uastc) blend(m *mode, pattern string, second int, ends *[18]byte) {
	var seen [3]bool
	for i := range d.pixels {
		subset := int(pattern[i] - '0')
		width := m.weightBits
		if !seen[subset] {
			seen[subset] = true
			width--
		}
		var w [2]uint32
		for p := range m.planes {
			w[p] = weights[m.weightBits][d.take(width)]
		}
		out := [4]byte{3: 255}
		for c := range m.components {
			to := c
			if m.components == 2 {
				to = 3 * c // gray, alpha
			}
			share := w[0]
			if to == second {
				share = w[1]
			}
			e := ends[2*(subset*m.components+c):]
			out[to] = byte((uint32(e[0])*257*(64-share) + uint32(e[1])*257*share + 32) >> 14)
		}
		if m.components == 2 {
			out[1], out[2] = out[0], out[0]
		}
		d.pixels[i] = out
	}
}
