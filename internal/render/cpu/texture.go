package cpu

import (
	"encoding/binary"
	"image"
	"math"
	"math/bits"

	"github.com/heliograph/heliograph/internal/bcn"
	"github.com/heliograph/heliograph/internal/scene"
)

const maxMips = 15

// texture is an image with its mips in one allocation. Each level is padded by one column at the right and one row at the
// bottom that hold what wrapping finds there, so that a bilinear lookup is two loads of two neighbouring texels.
//
// Colour textures stay sRGB encoded: filtering is done on encoded values, decoding after it (exact where the colour is
// flat; mips are averaged in linear light).
type texture struct {
	texels       []uint32 // r | g<<8 | b<<16 | a<<24
	levels       int
	offset       [maxMips]int32
	width        [maxMips]int32
	height       [maxMips]int32
	wrapU, wrapV scene.Wrap
	nearest      bool
}

// build fills t from the image or the blocks that key names.
func (t *texture) build(key textureKey) error {
	src := key.texture
	t.wrapU, t.wrapV, t.nearest = src.WrapU, src.WrapV, src.Nearest
	if src.Image == nil {
		return t.decode(src.Blocks)
	}
	level, w, h := texels(src.Image), src.Image.Rect.Dx(), src.Image.Rect.Dy()
	t.levels = min(bits.Len(uint(max(w, h))), maxMips)
	for l := range t.levels {
		t.append(l, level, w, h)
		if l+1 < t.levels {
			level, w, h = halve(level, w, h, key.srgb)
		}
	}
	return nil
}

// decode takes the mips as they are.
func (t *texture) decode(b *scene.Blocks) error {
	t.levels = min(len(b.Levels), maxMips)
	for l := range t.levels {
		img, err := bcn.Decode(b, l)
		if err != nil {
			return err
		}
		t.append(l, texels(img), img.Rect.Dx(), img.Rect.Dy())
	}
	return nil
}

func texels(img *image.NRGBA) []uint32 {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	out := make([]uint32, w*h)
	for y := range h {
		row := img.Pix[img.PixOffset(img.Rect.Min.X, img.Rect.Min.Y+y):]
		for x := range w {
			out[y*w+x] = binary.LittleEndian.Uint32(row[4*x:])
		}
	}
	return out
}

func (t *texture) append(l int, px []uint32, w, h int) {
	t.offset[l], t.width[l], t.height[l] = int32(len(t.texels)), int32(w), int32(h)
	padX, padY := 0, 0
	if t.wrapU != scene.WrapRepeat {
		padX = w - 1
	}
	if t.wrapV != scene.WrapRepeat {
		padY = h - 1
	}
	for y := range h + 1 {
		if y == h {
			y = padY
		}
		t.texels = append(t.texels, px[y*w:(y+1)*w]...)
		t.texels = append(t.texels, px[y*w+padX])
	}
}

// halve averages 2x2 texels (1x2 or 2x1 at a size of one; an odd last row or column is averaged into its neighbour's).
func halve(px []uint32, w, h int, srgb bool) ([]uint32, int, int) {
	nw, nh := max(w/2, 1), max(h/2, 1)
	out := make([]uint32, nw*nh)
	for y := range nh {
		for x := range nw {
			x0, y0, x1, y1 := 2*x, 2*y, min(2*x+2, w), min(2*y+2, h)
			if x == nw-1 {
				x1 = w
			}
			if y == nh-1 {
				y1 = h
			}
			out[y*nw+x] = average(px, w, image.Rect(x0, y0, x1, y1), srgb)
		}
	}
	return out, nw, nh
}

func average(px []uint32, w int, r image.Rectangle, srgb bool) uint32 {
	var sum [4]float32
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			p := px[y*w+x]
			for k := range 4 {
				v := float32(p>>(8*k)&255) / 255
				if srgb && k < 3 {
					v = srgbToLinear(v)
				}
				sum[k] += v
			}
		}
	}
	var out uint32
	for k := range 4 {
		v := sum[k] / float32(r.Dx()*r.Dy())
		if srgb && k < 3 {
			v = linearToSRGB(v)
		}
		out |= uint32(math.Round(float64(v*255))) << (8 * k)
	}
	return out
}
