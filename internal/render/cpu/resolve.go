package cpu

// accumulation sums the samples of a still view, linear and tone-mapped.
type accumulation struct {
	plane   [3][]float32 // stride x height
	samples int          // including the one being added
}

// pixelPad is how many pixels of border a row of Target.color has on each side, for the filter's neighbourhood.
const pixelPad = 16

// encode turns radiance into an sRGB pixel, adding it to the accumulated samples if any: see frame.shade for c.
func (f *frame) encode(c *[7]float32, x, y int) uint32 {
	t := f.t
	rgb := neutral([3]float32{c[0], c[1], c[2]})
	var px uint32 = 255 << 24
	for k := range rgb {
		v := clampf(rgb[k]+c[3+k], 0, 1)
		if t.sample > 0 {
			s := &t.sum.plane[k][y*t.stride+x]
			if t.sum.samples > 1 {
				v += *s
			}
			*s = v
			v = float32(v * (1 / float32(t.sum.samples)))
		}
		px |= uint32(int32(mad(linearToSRGB(v), 255, 0.5))) << (8 * k)
	}
	return px
}

// resolveRows implements kernels.
func (scalar) resolveRows(f *frame, y0, y1 int, filter bool) {
	for y := y0; y < y1; y += 2 {
		f.resolvePair(y, filter)
	}
}

func (f *frame) resolvePair(y int, filter bool) {
	t := f.t
	for r := y; r < y+2; r++ {
		mid := t.color[r*t.colorStride:][:t.w+2*pixelPad]
		dst := t.final[r*t.stride:][:t.w]
		if !filter {
			copy(dst, mid[pixelPad:])
			continue
		}
		up := t.color[max(r-1, 0)*t.colorStride:][:t.w+2*pixelPad]
		down := t.color[min(r+1, t.h-1)*t.colorStride:][:t.w+2*pixelPad]
		for x := range dst {
			i := pixelPad + x
			dst[x] = smooth(up[i-1:i+2], mid[i-1:i+2], down[i-1:i+2])
		}
	}
	for r := y; r < y+2; r++ {
		dst := t.planeY[r*t.w:]
		for x, p := range t.final[r*t.stride:][:t.w] {
			dst[x] = byte(lumaBT709(p))
		}
	}
	a, b := t.final[y*t.stride:], t.final[(y+1)*t.stride:]
	for x := 0; x < t.w; x += 2 {
		var s [3]int32
		for k := range s {
			at := func(p uint32) int32 { return int32(p >> (8 * k) & 255) }
			s[k] = at(a[x]) + at(a[x+1]) + at(b[x]) + at(b[x+1])
		}
		o := y/2*(t.w/2) + x/2
		// BT.709 limited range, weights times 65536, of a sum of four.
		t.planeU[o] = byte((-6596*s[0] - 22189*s[1] + 28785*s[2] + 128<<18 + 1<<17) >> 18)
		t.planeV[o] = byte((28785*s[0] - 26145*s[1] - 2640*s[2] + 128<<18 + 1<<17) >> 18)
	}
}

func lumaBT709(p uint32) int32 {
	r, g, b := int32(p&255), int32(p>>8&255), int32(p>>16&255)
	return (5983*r + 20127*g + 2032*b + 16<<15 + 1<<14) >> 15
}

// smooth is the sub-pixel part of FXAA 3.11 (Lottes 2009): where the neighbourhood has contrast, the middle pixel moves
// towards its neighbour across the edge by how far it stands out from the local mean.
func smooth(up, mid, down []uint32) uint32 {
	l := func(p uint32) int32 { return int32(77*(p&255)+150*(p>>8&255)+29*(p>>16&255)) >> 8 }
	m, n, s, w, e := l(mid[1]), l(up[1]), l(down[1]), l(mid[0]), l(mid[2])
	nw, ne, sw, se := l(up[0]), l(up[2]), l(down[0]), l(down[2])
	hi, lo := max(m, n, s, w, e), min(m, n, s, w, e)
	contrast := hi - lo
	if contrast < max(12, hi>>3) {
		return mid[1]
	}
	off := absInt(2*(n+s+w+e)+nw+ne+sw+se-12*m) * 256 / (12 * contrast)
	q := min(off, 256)
	blend := q * q * (768 - 2*q) >> 16 // smoothstep, of 256
	blend = blend * blend * 3 >> 10
	horizontal := absInt(n+s-2*m)*2+absInt(ne+se-2*e)+absInt(nw+sw-2*w) >=
		absInt(w+e-2*m)*2+absInt(nw+ne-2*n)+absInt(sw+se-2*s)
	other, far, a, b := up[1], down[1], n, s
	if !horizontal {
		other, far, a, b = mid[0], mid[2], w, e
	}
	if absInt(b-m) > absInt(a-m) {
		other = far
	}
	var out uint32
	for k := 0; k < 32; k += 8 {
		c, o := int32(mid[1]>>k&255), int32(other>>k&255)
		out |= uint32(c+((o-c)*blend+128)>>8) << k
	}
	return out
}

func absInt(x int32) int32 { return max(x, -x) }
