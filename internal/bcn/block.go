package bcn

import (
	"image"
	"math"
)

// vec is one texel, red, green, blue and alpha in 0..255.
type vec [4]float32

func (a vec) dot(b *vec) float32 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] + a[3]*b[3] }

// block is what an encoder works on.
type block struct {
	texels [16]vec
	lo, hi vec // bounding box
}

// load reads the 4 x 4 texels at x, y. What lies outside the image repeats its last row and column.
func (b *block) load(im *image.NRGBA, x, y int) {
	w, h := im.Rect.Dx(), im.Rect.Dy()
	lo, hi := [4]uint8{255, 255, 255, 255}, [4]uint8{}
	for j := range 4 {
		row := im.Pix[im.PixOffset(im.Rect.Min.X, im.Rect.Min.Y+min(y+j, h-1)):]
		for i := range 4 {
			p := row[4*min(x+i, w-1):][:4]
			t := &b.texels[4*j+i]
			for c := range 4 {
				t[c] = float32(p[c])
				lo[c], hi[c] = min(lo[c], p[c]), max(hi[c], p[c])
			}
		}
	}
	for c := range 4 {
		b.lo[c], b.hi[c] = float32(lo[c]), float32(hi[c])
	}
}

// line fits a line through the texels (their mean and first principal component) and returns the ends of their span on
// it. Channels that do not vary do not contribute.
func (b *block) line() (from, to vec) {
	var mean vec
	for i := range b.texels {
		for c, v := range b.texels[i] {
			mean[c] += v * (1.0 / 16)
		}
	}
	var rr, rg, rb, ra, gg, gb, ga, bb, ba, aa float32
	for i := range b.texels {
		t := &b.texels[i]
		r, g, l, a := t[0]-mean[0], t[1]-mean[1], t[2]-mean[2], t[3]-mean[3]
		rr, rg, rb, ra = rr+r*r, rg+r*g, rb+r*l, ra+r*a
		gg, gb, ga = gg+g*g, gb+g*l, ga+g*a
		bb, ba, aa = bb+l*l, ba+l*a, aa+a*a
	}
	rows := [4]vec{{rr, rg, rb, ra}, {rg, gg, gb, ga}, {rb, gb, bb, ba}, {ra, ga, ba, aa}}
	// Power iteration from the row of the channel that varies most: it cannot be orthogonal to the component.
	axis, most := rows[0], rr
	for c, v := range [4]float32{rr, gg, bb, aa} {
		if v > most {
			axis, most = rows[c], v
		}
	}
	for range 5 {
		peak := max(abs(axis[0]), abs(axis[1]), abs(axis[2]), abs(axis[3]))
		if peak < 1e-6 {
			return mean, mean
		}
		s := 1 / peak
		axis = vec{axis[0] * s, axis[1] * s, axis[2] * s, axis[3] * s}
		axis = vec{rows[0].dot(&axis), rows[1].dot(&axis), rows[2].dot(&axis), rows[3].dot(&axis)}
	}
	length := axis.dot(&axis)
	if length < 1e-12 {
		return mean, mean
	}
	s := float32(1 / math.Sqrt(float64(length)))
	axis = vec{axis[0] * s, axis[1] * s, axis[2] * s, axis[3] * s}
	offset := mean.dot(&axis)
	least, greatest := float32(math.MaxFloat32), float32(-math.MaxFloat32)
	for i := range b.texels {
		t := b.texels[i].dot(&axis) - offset
		least, greatest = min(least, t), max(greatest, t)
	}
	for c := range mean {
		from[c] = mean[c] + least*axis[c]
		to[c] = mean[c] + greatest*axis[c]
	}
	return from, to
}

// solve finds the end points that fit the texels best (least squares) when texel i lies weights[i] of the way between
// them. It fails when all weights are equal.
func (b *block) solve(weights *[16]float32) (from, to vec, ok bool) {
	var ff, ft, tt float32
	var sf, st vec
	for i := range b.texels {
		t := weights[i]
		f := 1 - t
		ff, ft, tt = ff+f*f, ft+f*t, tt+t*t
		for c, v := range b.texels[i] {
			sf[c] += f * v
			st[c] += t * v
		}
	}
	det := ff*tt - ft*ft
	if det < 1e-4 {
		return from, to, false
	}
	s := 1 / det
	for c := range sf {
		from[c] = (sf[c]*tt - st[c]*ft) * s
		to[c] = (st[c]*ff - sf[c]*ft) * s
	}
	return from, to, true
}

func abs(v float32) float32 { return max(v, -v) }

// quantize rounds a channel of 0..255 to 0..steps.
func quantize(v float32, steps int) int {
	return min(max(int(v*float32(steps)*(1.0/255)+0.5), 0), steps)
}
