package bcn

import (
	"image"
	"math"
	"slices"
	"sync"
)

// mips makes the levels of an image one after the other. Each level is averaged from the one before in float32: colour in
// linear light and weighted by alpha, normals as vectors; it is rounded and normalised on the way out only.
type mips struct {
	base   *image.NRGBA // level 0 as it came in
	o      Options
	w, h   int
	texels []texel // of the current level from level 1 on
	curve  *curves
}

// texel is colour times alpha, and alpha; or a vector.
type texel [4]float32

func newMips(im *image.NRGBA, o Options) *mips {
	return &mips{base: im, o: o, w: im.Rect.Dx(), h: im.Rect.Dy(), curve: newCurves(o.SRGB && !o.Normal)}
}

// halve goes to the next level. Where a side is odd, three texels contribute to each new one by the share of it that they
// cover, so that nothing shifts; their sum is the average of the level before.
func (m *mips) halve() {
	w, h := max(m.w/2, 1), max(m.h/2, 1)
	next := make([]texel, w*h)
	columns := make([]taps, w)
	for x := range columns {
		columns[x] = tapsOf(m.w, x)
	}
	buffers := sync.Pool{New: func() any { return new([]texel) }}
	parallel(h, m.o.Threads, func(y int) {
		buffer := buffers.Get().(*[]texel)
		defer buffers.Put(buffer)
		out, rows := next[y*w:][:w], tapsOf(m.h, y)
		for j, wy := range rows.weights[:rows.n] {
			row := m.row(rows.first+j, buffer)
			for x := range out {
				t := &columns[x]
				for i, wx := range t.weights[:t.n] {
					from, k := &row[t.first+i], wx*wy
					for c := range from {
						out[x][c] += k * from[c]
					}
				}
			}
		}
	})
	m.w, m.h, m.texels = w, h, next
}

// taps are the source texels of one texel of the next level, in one direction.
type taps struct {
	first, n int
	weights  [3]float32
}

// tapsOf gives the taps of texel i; n is the source's size.
func tapsOf(n, i int) taps {
	switch {
	case n == 1:
		return taps{0, 1, [3]float32{1}}
	case n%2 == 0:
		return taps{2 * i, 2, [3]float32{0.5, 0.5}}
	}
	// Texel i covers [i, i+1) * n/(n/2) of the source, which starts i/half into texel 2i.
	half := n / 2
	return taps{2 * i, 3, [3]float32{float32(half-i) / float32(n), float32(half) / float32(n), float32(i+1) / float32(n)}}
}

// row is a row of the current level as it is averaged; buffer keeps memory from call to call.
func (m *mips) row(y int, buffer *[]texel) []texel {
	if m.texels != nil {
		return m.texels[y*m.w:][:m.w]
	}
	*buffer = slices.Grow((*buffer)[:0], m.w)[:m.w]
	row, pix := *buffer, m.base.Pix[m.base.PixOffset(m.base.Rect.Min.X, m.base.Rect.Min.Y+y):][:4*m.w]
	if m.o.Normal {
		for x := range row {
			p := pix[4*x:][:4]
			n := unit([3]float32{float32(p[0])*2 - 255, float32(p[1])*2 - 255, float32(p[2])*2 - 255})
			row[x] = texel{n[0], n[1], n[2], 1}
		}
		return row
	}
	toLinear := &m.curve.toLinear
	for x := range row {
		p := pix[4*x:][:4]
		// A trace of weight keeps the colour of what is fully transparent, which bilinear filtering still touches.
		a := float32(p[3])*(1.0/255) + invisible
		row[x] = texel{a * toLinear[p[0]], a * toLinear[p[1]], a * toLinear[p[2]], a}
	}
	return row
}

const invisible = 1.0 / (1 << 12)

// pixels is the current level, 8 bits a channel.
func (m *mips) pixels() *image.NRGBA {
	if m.texels == nil && !m.o.Normal {
		return m.base
	}
	im := image.NewNRGBA(image.Rect(0, 0, m.w, m.h))
	parallel(m.h, m.o.Threads, func(y int) {
		pix := im.Pix[y*im.Stride:][:4*m.w]
		for x, t := range m.row(y, new([]texel)) {
			p := pix[4*x:][:4]
			if m.o.Normal {
				n := unit([3]float32(t[:3]))
				for c := range n {
					p[c] = byte(n[c]*127.5 + 128)
				}
				p[3] = 255
				continue
			}
			for c := range 3 {
				p[c] = m.curve.encode(t[c] / t[3])
			}
			p[3] = byte(min(max(t[3]-invisible, 0), 1)*255 + 0.5)
		}
	})
	return im
}

// unit scales v to length 1. The average of opposite normals has no direction: it looks up.
func unit(v [3]float32) [3]float32 {
	l := v[0]*v[0] + v[1]*v[1] + v[2]*v[2]
	if l < 1e-12 {
		return [3]float32{0, 0, 1}
	}
	s := 1 / float32(math.Sqrt(float64(l)))
	return [3]float32{v[0] * s, v[1] * s, v[2] * s}
}

// curves are the tables between stored bytes and linear light, 0..1.
type curves struct {
	toLinear [256]float32
	toByte   []byte // of linear light in steps of 1/(len-1), to the nearest byte; enough of them for sRGB's steepest part
}

func newCurves(srgb bool) *curves {
	c := &curves{toByte: make([]byte, 1<<14)}
	for i := range c.toLinear {
		v := float64(i) / 255
		if srgb {
			v = srgbToLinear(v)
		}
		c.toLinear[i] = float32(v)
	}
	// A step belongs to the byte whose span of light it lies in.
	b := 0
	for i := range c.toByte {
		v := float64(i) / float64(len(c.toByte)-1)
		for b < 255 && v > edge(b, srgb) {
			b++
		}
		c.toByte[i] = byte(b)
	}
	return c
}

// edge is the light halfway between bytes b and b+1.
func edge(b int, srgb bool) float64 {
	v := (float64(b) + 0.5) / 255
	if srgb {
		return srgbToLinear(v)
	}
	return v
}

func (c *curves) encode(v float32) byte {
	n := float32(len(c.toByte) - 1)
	return c.toByte[int(min(max(v*n+0.5, 0), n))]
}

// srgbToLinear is the transfer function of IEC 61966-2-1.
func srgbToLinear(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}
