package bcn

import (
	"image"
	"math"
)

// mips makes the levels of an image one after the other. Each level is averaged from the one before in float32: colour in
// linear light and weighted by alpha, normals as vectors; it is rounded and normalised on the way out only.
type mips struct {
	base   *image.NRGBA // level 0 as it came in
	o      Options
	w, h   int
	texels [][4]float32 // of the current level from level 1 on; colour times alpha, or a vector
	curve  *curves
}

func newMips(im *image.NRGBA, o Options) *mips {
	return &mips{base: im, o: o, w: im.Rect.Dx(), h: im.Rect.Dy(), curve: newCurves(o.SRGB && !o.Normal)}
}

// halve goes to the next level. Where a side is odd, three texels contribute to each new one by the share of it that they
// cover, so that nothing shifts; their sum is the average of the level before.
func (m *mips) halve() {
	w, h := max(m.w/2, 1), max(m.h/2, 1)
	next := make([][4]float32, w*h)
	parallel(h, m.o.Threads, func(y int) {
		rows, wy := taps(m.h, y)
		for x := range w {
			columns, wx := taps(m.w, x)
			var sum [4]float32
			for j := range wy {
				if wy[j] == 0 {
					continue
				}
				for i := range wx {
					if wx[i] == 0 {
						continue
					}
					t := m.at(columns+i, rows+j)
					k := wx[i] * wy[j]
					for c := range sum {
						sum[c] += k * t[c]
					}
				}
			}
			next[y*w+x] = sum
		}
	})
	m.w, m.h, m.texels = w, h, next
}

// taps gives the first source texel and the weights of up to three for texel i of the next level; n is the source's size.
func taps(n, i int) (first int, weights [3]float32) {
	switch {
	case n == 1:
		return 0, [3]float32{1}
	case n%2 == 0:
		return 2 * i, [3]float32{0.5, 0.5}
	}
	// Texel i covers [i, i+1) * n/(n/2) of the source, which starts i/half into texel 2i.
	half := n / 2
	return 2 * i, [3]float32{float32(half-i) / float32(n), float32(half) / float32(n), float32(i+1) / float32(n)}
}

// at is the texel of the current level as it is averaged.
func (m *mips) at(x, y int) [4]float32 {
	if m.texels != nil {
		return m.texels[y*m.w+x]
	}
	p := m.base.Pix[m.base.PixOffset(m.base.Rect.Min.X+x, m.base.Rect.Min.Y+y):]
	if m.o.Normal {
		n := unit([3]float32{float32(p[0])*2 - 255, float32(p[1])*2 - 255, float32(p[2])*2 - 255})
		return [4]float32{n[0], n[1], n[2], 1}
	}
	// A trace of weight keeps the colour of what is fully transparent, which bilinear filtering still touches.
	a := float32(p[3])/255 + invisible
	t := &m.curve.toLinear
	return [4]float32{a * t[p[0]], a * t[p[1]], a * t[p[2]], a}
}

const invisible = 1.0 / (1 << 12)

// pixels is the current level, 8 bits a channel.
func (m *mips) pixels() *image.NRGBA {
	if m.texels == nil && !m.o.Normal {
		return m.base
	}
	im := image.NewNRGBA(image.Rect(0, 0, m.w, m.h))
	parallel(m.h, m.o.Threads, func(y int) {
		row := im.Pix[y*im.Stride:]
		for x := range m.w {
			t, p := m.at(x, y), row[4*x:4*x+4]
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
