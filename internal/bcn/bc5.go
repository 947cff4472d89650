package bcn

import (
	"encoding/binary"
	"math"
)

// encodeBC5 writes 16 bytes: red and green as a BC4 block each.
func encodeBC5(b *block, dst []byte) {
	for c := range 2 {
		encodeBC4(b, c, dst[8*c:])
	}
}

// encodeBC4 writes one channel in 8 bytes: two ends, of which the greater comes first, and 16 indices of 3 bits.
func encodeBC4(b *block, c int, dst []byte) {
	hi, lo := int(b.hi[c]), int(b.lo[c])
	indices, weights, miss := bc4Fit(b, c, hi, lo)
	if hi-lo > 7 { // else every value is met exactly
		if from, to, ok := b.solve(&weights); ok {
			hi2, lo2 := quantize(from[c], 255), quantize(to[c], 255)
			if hi2 > lo2 {
				if i2, _, m2 := bc4Fit(b, c, hi2, lo2); m2 < miss {
					hi, lo, indices = hi2, lo2, i2
				}
			}
		}
	}
	binary.LittleEndian.PutUint64(dst, uint64(hi)|uint64(lo)<<8|indices<<16)
}

// bc4Fit finds the nearest of the eight values for every texel, and how far towards lo each is.
func bc4Fit(b *block, c, hi, lo int) (indices uint64, weights [16]float32, miss int) {
	palette := bc4Palette(hi, lo)
	scale := float32(0)
	if hi > lo {
		scale = 7 / float32(hi-lo)
	}
	for i := range b.texels {
		v := b.texels[i][c]
		k := min(max(int((float32(hi)-v)*scale+0.5), 0), 7)
		weights[i] = float32(k) * (1.0 / 7)
		index := [8]uint8{0, 2, 3, 4, 5, 6, 7, 1}[k]
		d := int(v) - int(palette[index])
		miss += d * d
		indices |= uint64(index) << (3 * i)
	}
	return indices, weights, miss
}

// bc4Palette is what the eight indices mean.
func bc4Palette(e0, e1 int) (p [8]uint8) {
	p[0], p[1] = uint8(e0), uint8(e1)
	if e0 > e1 {
		for k := 1; k < 7; k++ {
			p[k+1] = uint8(((7-k)*e0 + k*e1 + 3) / 7)
		}
		return p
	}
	for k := 1; k < 5; k++ {
		p[k+1] = uint8(((5-k)*e0 + k*e1 + 2) / 5)
	}
	p[7] = 255
	return p
}

func decodeBC5(src []byte, texels *[64]byte) {
	for c := range 2 {
		v := binary.LittleEndian.Uint64(src[8*c:])
		p := bc4Palette(int(v&255), int(v>>8&255))
		for i := range 16 {
			texels[4*i+c] = p[v>>(16+3*i)&7]
		}
	}
	for i := range 16 {
		x, y := float64(texels[4*i])/127.5-1, float64(texels[4*i+1])/127.5-1
		z := math.Sqrt(max(0, 1-x*x-y*y))
		texels[4*i+2], texels[4*i+3] = uint8(z*127.5+128), 255
	}
}
