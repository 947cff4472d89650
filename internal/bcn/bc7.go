package bcn

import "encoding/binary"

// bc7Weights2, 3 and 4 are how far an index is from the first end to the second, in 64ths (table 119).
var (
	bc7Weights2 = [4]int{0, 21, 43, 64}
	bc7Weights3 = [8]int{0, 9, 18, 27, 37, 46, 55, 64}
	bc7Weights4 = [16]int{0, 4, 9, 13, 17, 21, 26, 30, 34, 38, 43, 47, 51, 55, 60, 64}
)

func lerp64(a, b, w int) int { return (a*(64-w) + b*w + 32) >> 6 }

// encodeBC7 writes 16 bytes of mode 6 (one line through RGBA with 16 steps), or of mode 5 (colour with 4 steps and alpha
// with 4 of its own) where alpha goes another way than colour does.
func encodeBC7(b *block, dst []byte) {
	best := fitMode6(b)
	if best.error > 0 && b.lo[3] != b.hi[3] {
		if m5 := fitMode5(b); m5.error < best.error {
			m5.put(dst)
			return
		}
	}
	best.put(dst)
}

// bc7Ends are the two ends of a line as mode 6 stores them: 7 bits a channel and one more for all channels of an end.
type bc7Ends struct{ from, to [4]int } // 0..255

// mode6 is a block of mode 6.
type mode6 struct {
	ends    bc7Ends
	indices [16]uint8
	error   float32
}

func fitMode6(b *block) mode6 {
	from, to := b.line()
	var best mode6
	for try := range 3 {
		m, weights := mode6Indices(b, bc7Ends{withSharedBit(from), withSharedBit(to)})
		if try > 0 && m.error >= best.error {
			break
		}
		best = m
		if best.error == 0 {
			break
		}
		var ok bool
		if from, to, ok = b.solve(&weights); !ok {
			break
		}
	}
	return best
}

// withSharedBit rounds to 8 bits of which the lowest is the same in all channels.
func withSharedBit(v vec) [4]int {
	var even, odd [4]int
	var missEven, missOdd float32
	for c, x := range v {
		even[c] = 2 * min(max(int(x*0.5+0.5), 0), 127)
		odd[c] = 2*min(max(int(x*0.5), 0), 127) + 1
		d, e := float32(even[c])-x, float32(odd[c])-x
		missEven, missOdd = missEven+d*d, missOdd+e*e
	}
	if missOdd < missEven {
		return odd
	}
	return even
}

// mode6Indices finds the nearest of the 16 steps for every texel.
func mode6Indices(b *block, e bc7Ends) (m mode6, weights [16]float32) {
	m.ends = e
	var palette [16]vec
	var start, axis vec
	for c := range axis {
		start[c], axis[c] = float32(e.from[c]), float32(e.to[c]-e.from[c])
		for k, w := range bc7Weights4 {
			palette[k][c] = float32(lerp64(e.from[c], e.to[c], w))
		}
	}
	scale, offset := float32(0), start.dot(&axis)
	if l := axis.dot(&axis); l > 0 {
		scale = 15 / l
	}
	for i := range b.texels {
		t := &b.texels[i]
		k := min(max(int((t.dot(&axis)-offset)*scale+0.5), 0), 15)
		m.indices[i], weights[i] = uint8(k), float32(bc7Weights4[k])*(1.0/64)
		p := &palette[k]
		d0, d1, d2, d3 := t[0]-p[0], t[1]-p[1], t[2]-p[2], t[3]-p[3]
		m.error += d0*d0 + d1*d1 + d2*d2 + d3*d3
	}
	return m, weights
}

func (m *mode6) put(dst []byte) {
	e := m.ends
	if m.indices[0] >= 8 { // the first index has no high bit
		e.from, e.to = e.to, e.from
		for i := range m.indices {
			m.indices[i] = 15 - m.indices[i]
		}
	}
	var w bitWriter
	w.put(1<<6, 7)
	for c := range 4 {
		w.put(e.from[c]>>1, 7)
		w.put(e.to[c]>>1, 7)
	}
	w.put(e.from[0]&1, 1)
	w.put(e.to[0]&1, 1)
	w.put(int(m.indices[0]), 3)
	for _, k := range m.indices[1:] {
		w.put(int(k), 4)
	}
	w.flush(dst)
}

// mode5 is a block of mode 5: colour ends of 7 bits, alpha ends of 8.
type mode5 struct {
	ends          bc7Ends // alpha as stored, colour as 0..127
	colour, alpha [16]uint8
	error         float32
}

func fitMode5(b *block) mode5 {
	colour := *b
	colour.opaque()
	from, to := colour.line()
	var best mode5
	for try := range 3 {
		m, weights := mode5Colour(&colour, from, to)
		if try > 0 && m.error >= best.error {
			break
		}
		best = m
		if best.error == 0 {
			break
		}
		var ok bool
		if from, to, ok = colour.solve(&weights); !ok {
			break
		}
	}
	lo, hi := int(b.lo[3]), int(b.hi[3])
	best.ends.from[3], best.ends.to[3] = lo, hi
	scale := 3 / float32(hi-lo) // mode 5 is for blocks whose alpha varies
	for i := range b.texels {
		k := int((b.texels[i][3]-b.lo[3])*scale + 0.5)
		best.alpha[i] = uint8(k)
		d := b.texels[i][3] - float32(lerp64(lo, hi, bc7Weights2[k]))
		best.error += d * d
	}
	return best
}

func mode5Colour(b *block, from, to vec) (m mode5, weights [16]float32) {
	var palette [4]vec
	var start, axis vec
	for c := range 3 {
		f, t := quantize(from[c], 127), quantize(to[c], 127)
		m.ends.from[c], m.ends.to[c] = f, t
		f, t = f<<1|f>>6, t<<1|t>>6
		start[c], axis[c] = float32(f), float32(t-f)
		for k, w := range bc7Weights2 {
			palette[k][c] = float32(lerp64(f, t, w))
		}
	}
	scale, offset := float32(0), start.dot(&axis)
	if l := axis.dot(&axis); l > 0 {
		scale = 3 / l
	}
	for i := range b.texels {
		t := &b.texels[i]
		k := min(max(int((t.dot(&axis)-offset)*scale+0.5), 0), 3)
		m.colour[i], weights[i] = uint8(k), float32(bc7Weights2[k])*(1.0/64)
		p := &palette[k]
		d0, d1, d2 := t[0]-p[0], t[1]-p[1], t[2]-p[2]
		m.error += d0*d0 + d1*d1 + d2*d2
	}
	return m, weights
}

func (m *mode5) put(dst []byte) {
	e := m.ends
	if m.colour[0] >= 2 {
		for c := range 3 {
			e.from[c], e.to[c] = e.to[c], e.from[c]
		}
		for i := range m.colour {
			m.colour[i] = 3 - m.colour[i]
		}
	}
	if m.alpha[0] >= 2 {
		e.from[3], e.to[3] = e.to[3], e.from[3]
		for i := range m.alpha {
			m.alpha[i] = 3 - m.alpha[i]
		}
	}
	var w bitWriter
	w.put(1<<5, 6)
	w.put(0, 2) // no rotation of channels
	for c := range 4 {
		bits := 7 + c/3
		w.put(e.from[c], bits)
		w.put(e.to[c], bits)
	}
	for _, indices := range [2]*[16]uint8{&m.colour, &m.alpha} {
		w.put(int(indices[0]), 1)
		for _, k := range indices[1:] {
			w.put(int(k), 2)
		}
	}
	w.flush(dst)
}

// bitWriter gathers the 128 bits of a block, low bits first.
type bitWriter struct {
	lo, hi uint64
	n      int
}

func (w *bitWriter) put(v, bits int) {
	if w.n < 64 {
		w.lo |= uint64(v) << w.n
		if w.n+bits > 64 {
			w.hi |= uint64(v) >> (64 - w.n)
		}
	} else {
		w.hi |= uint64(v) << (w.n - 64)
	}
	w.n += bits
}

func (w *bitWriter) flush(dst []byte) {
	binary.LittleEndian.PutUint64(dst, w.lo)
	binary.LittleEndian.PutUint64(dst[8:], w.hi)
}
