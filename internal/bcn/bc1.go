package bcn

import (
	"encoding/binary"
	"math"
)

// encodeBC1 writes 8 bytes: two colours of 5, 6 and 5 bits, of which the greater comes first, and 16 indices of 2 bits.
func encodeBC1(b *block, dst []byte) {
	b.opaque()
	best := bc1Block{error: math.MaxFloat32}
	if b.nearlyFlat() { // else steps between two colours win
		best = bc1Flat(b)
	}
	if b.lo != b.hi {
		from, to := b.line()
		// The spans' ends are rare: what lies between is better met by ends a little inside.
		for c := range from {
			inset := (to[c] - from[c]) * (1.0 / 16)
			from[c], to[c] = from[c]+inset, to[c]-inset
		}
		for range 3 {
			try, weights := bc1Fit(b, pack565(to), pack565(from))
			if try.error >= best.error {
				break
			}
			best = try
			var ok bool
			if to, from, ok = b.solve(&weights); !ok {
				break
			}
		}
	}
	binary.LittleEndian.PutUint16(dst, best.c0)
	binary.LittleEndian.PutUint16(dst[2:], best.c1)
	binary.LittleEndian.PutUint32(dst[4:], best.indices)
}

// nearlyFlat reports whether no channel varies by more than the 5 bits of BC1's colours tell apart.
func (b *block) nearlyFlat() bool {
	for c := range b.lo {
		if b.hi[c]-b.lo[c] > 8 {
			return false
		}
	}
	return true
}

// opaque takes alpha out of the fit.
func (b *block) opaque() {
	for i := range b.texels {
		b.texels[i][3] = 255
	}
	b.lo[3], b.hi[3] = 255, 255
}

type bc1Block struct {
	c0, c1  uint16
	indices uint32
	error   float32
}

// bc1Fit finds the nearest of the four colours for every texel, and how far towards the second colour each is.
func bc1Fit(b *block, c0, c1 uint16) (r bc1Block, weights [16]float32) {
	if c0 < c1 {
		c0, c1 = c1, c0
	}
	r = bc1Block{c0: c0, c1: c1}
	palette := bc1Palette(c0, c1)
	if c0 == c1 {
		palette[2], palette[3] = palette[0], palette[0]
	}
	var p [4]vec
	for k := range p {
		p[k] = vec{float32(palette[k][0]), float32(palette[k][1]), float32(palette[k][2]), 255}
	}
	axis := vec{p[1][0] - p[0][0], p[1][1] - p[0][1], p[1][2] - p[0][2], 0}
	scale, offset := float32(0), p[0].dot(&axis)
	if l := axis.dot(&axis); l > 0 {
		scale = 3 / l
	}
	order := [4]uint32{0, 2, 3, 1} // indices from the first colour to the second
	for i := range b.texels {
		t := &b.texels[i]
		k := min(max(int((t.dot(&axis)-offset)*scale+0.5), 0), 3)
		weights[i] = float32(k) * (1.0 / 3)
		q := &p[order[k]]
		dr, dg, db := t[0]-q[0], t[1]-q[1], t[2]-q[2]
		r.error += dr*dr + dg*dg + db*db
		r.indices |= order[k] << (2 * i)
	}
	return r, weights
}

// bc1Flat is the block of one colour that fits best. Index 2 reaches three times as many values as the ends do.
func bc1Flat(b *block) bc1Block {
	var mean vec
	for i := range b.texels {
		for c, v := range b.texels[i] {
			mean[c] += v * (1.0 / 16)
		}
	}
	r0, r1 := flat5.ends(mean[0])
	g0, g1 := flat6.ends(mean[1])
	b0, b1 := flat5.ends(mean[2])
	r := bc1Block{c0: r0<<11 | g0<<5 | b0, c1: r1<<11 | g1<<5 | b1}
	index := 2
	switch {
	case r.c0 < r.c1:
		r.c0, r.c1, index = r.c1, r.c0, 3
	case r.c0 == r.c1:
		index = 0 // equal ends mean the three-colour mode, where index 3 is black
	}
	r.indices = uint32(index) * 0x55555555
	p := bc1Palette(r.c0, r.c1)[index]
	for i := range b.texels {
		for c := range 3 {
			d := b.texels[i][c] - float32(p[c])
			r.error += d * d
		}
	}
	return r
}

// flatTable has for every value two neighbouring steps, of which two thirds of the first and one third of the second come
// nearest to it.
type flatTable [256][2]uint16

var flat5, flat6 = newFlatTable(31), newFlatTable(63)

func newFlatTable(steps int) *flatTable {
	var t flatTable
	for v := range t {
		near, best := quantize(float32(v), steps), 256
		for first := max(near-2, 0); first <= min(near+2, steps); first++ {
			for second := max(first-1, 0); second <= min(first+1, steps); second++ {
				miss := third(expand(first, steps), expand(second, steps)) - v
				if miss = max(miss, -miss); miss < best {
					best, t[v] = miss, [2]uint16{uint16(first), uint16(second)}
				}
			}
		}
	}
	return &t
}

func (t *flatTable) ends(v float32) (first, second uint16) {
	e := t[int(v+0.5)]
	return e[0], e[1]
}

// pack565 rounds a colour to 16 bits.
func pack565(v vec) uint16 {
	return uint16(quantize(v[0], 31)<<11 | quantize(v[1], 63)<<5 | quantize(v[2], 31))
}

// expand turns a value of 0..31 or 0..63 into 0..255 by repeating its high bits.
func expand(v, steps int) int {
	if steps == 31 {
		return v<<3 | v>>2
	}
	return v<<2 | v>>4
}

// third is two thirds of a and one of b, rounded.
func third(a, b int) int { return (2*a + b + 1) / 3 }

// bc1Palette is what the four indices mean.
func bc1Palette(c0, c1 uint16) (p [4][3]uint8) {
	for c, shift := range [3]int{11, 5, 0} {
		steps := 31
		if c == 1 {
			steps = 63
		}
		a, b := expand(int(c0)>>shift&steps, steps), expand(int(c1)>>shift&steps, steps)
		p[0][c], p[1][c] = uint8(a), uint8(b)
		if c0 > c1 {
			p[2][c], p[3][c] = uint8(third(a, b)), uint8(third(b, a))
		} else {
			p[2][c] = uint8((a + b + 1) / 2) // and p[3] is black
		}
	}
	return p
}

func decodeBC1(src []byte, texels *[64]byte) {
	p := bc1Palette(binary.LittleEndian.Uint16(src), binary.LittleEndian.Uint16(src[2:]))
	indices := binary.LittleEndian.Uint32(src[4:])
	for i := range 16 {
		k := indices >> (2 * i) & 3
		t := texels[4*i : 4*i+4]
		t[0], t[1], t[2], t[3] = p[k][0], p[k][1], p[k][2], 255
	}
}
