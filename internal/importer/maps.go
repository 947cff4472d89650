package importer

import (
	"fmt"
	"image"
	"math"

	"github.com/heliograph/heliograph/internal/geom"
)

// Combine derives an image of the size of the larger of two, either of which may be nil, and white then. name says what it is.
func (t *Textures) Combine(name string, a, b *image.NRGBA, f func(a, b [4]uint8) [4]uint8) *image.NRGBA {
	w, h := 0, 0
	for _, im := range []*image.NRGBA{a, b} {
		if im != nil && im.Rect.Dx()*im.Rect.Dy() > w*h {
			w, h = im.Rect.Dx(), im.Rect.Dy()
		}
	}
	at := func(im *image.NRGBA, x, y int) (p [4]uint8) {
		if im == nil {
			return [4]uint8{255, 255, 255, 255}
		}
		copy(p[:], im.Pix[im.PixOffset(x*im.Rect.Dx()/w, y*im.Rect.Dy()/h):])
		return p
	}
	return t.Derive(name, w*h, func() *image.NRGBA {
		out := image.NewNRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				p := f(at(a, x, y), at(b, x, y))
				copy(out.Pix[out.PixOffset(x, y):], p[:])
			}
		}
		return out
	})
}

// Opaque returns an image without its alpha, which formats other than glTF give no meaning unless they say so.
func (t *Textures) Opaque(name string, im *image.NRGBA) *image.NRGBA {
	if t.IsOpaque(im) {
		return im
	}
	return t.Combine(name+" without alpha", im, nil, func(a, _ [4]uint8) [4]uint8 { return [4]uint8{a[0], a[1], a[2], 255} })
}

// IsOpaque reports whether no texel of an image is transparent. It looks at each image once.
func (t *Textures) IsOpaque(im *image.NRGBA) bool {
	opaque, ok := t.opaque[im]
	if !ok {
		opaque = im.Opaque()
		t.opaque[im] = opaque
	}
	return opaque
}

// Bump returns the normal map of a bump map, and the scale of its normals. A grey one holds heights, and a map is derived
// from it; many programs give a normal map for a bump map.
func (t *Textures) Bump(name string, im *image.NRGBA, multiplier float32) (*image.NRGBA, float32) {
	heights, ok := t.grey[im]
	if !ok {
		heights = grey(im)
		t.grey[im] = heights
	}
	if !heights {
		return im, multiplier
	}
	name = fmt.Sprintf("%s as normals, %g", name, multiplier)
	return t.Derive(name, im.Rect.Dx()*im.Rect.Dy(), func() *image.NRGBA { return slopes(im, multiplier) }), 1
}

func grey(im *image.NRGBA) bool {
	for i := 0; i+3 < len(im.Pix); i += 4 {
		if lo, hi := min(im.Pix[i], im.Pix[i+1], im.Pix[i+2]), max(im.Pix[i], im.Pix[i+1], im.Pix[i+2]); hi-lo > 8 { // JPEG
			return false
		}
	}
	return true
}

// slopes makes a tangent-space normal map out of heights, by central differences with repetition. A full step of the
// height over one texel, times the multiplier, is a slope of 4.
func slopes(h *image.NRGBA, multiplier float32) *image.NRGBA {
	const steepness = 4
	w, n := h.Rect.Dx(), h.Rect.Dy()
	at := func(x, y int) float32 { return float32(h.Pix[h.PixOffset((x+w)%w, (y+n)%n)]) / 255 }
	out := image.NewNRGBA(image.Rect(0, 0, w, n))
	for y := range n {
		for x := range w {
			du := (at(x+1, y) - at(x-1, y)) / 2 * steepness * multiplier
			dv := (at(x, y-1) - at(x, y+1)) / 2 * steepness * multiplier // V of a normal map is up
			v := Unit(geom.Vec3{-du, -dv, 1})
			p := out.Pix[out.PixOffset(x, y):]
			for c := range v {
				p[c] = uint8(math.Round(float64(v[c]*127.5 + 127.5)))
			}
			p[3] = 255
		}
	}
	return out
}
