// Package bcn encodes textures to BC1, BC5 and BC7 blocks with their mips, and decodes them again. It knows pixels only: no
// file, no material. The formats are those of the Khronos Data Format Specification 1.3, chapters 18 (S3TC), 19 (RGTC) and
// 20 (BPTC).
package bcn

import (
	"fmt"
	"image"
	"math/bits"
	"runtime"
	"sync"

	"github.com/heliograph/heliograph/internal/scene"
)

// Options shape an encoding.
type Options struct {
	SRGB    bool // colour channels are sRGB encoded: mips are averaged in linear light
	Normal  bool // pixels are unit normals, 0..255 for -1..1: mips are averaged as vectors and made unit again
	Threads int  // 0 = GOMAXPROCS
}

// FormatFor is the format that suits an image: BC5 for normal maps, BC1 where every pixel is opaque, else BC7.
func FormatFor(im *image.NRGBA, normal bool) scene.BlockFormat {
	switch {
	case normal:
		return scene.BC5
	case im.Opaque():
		return scene.BC1
	}
	return scene.BC7
}

// Encode compresses an image of at least one pixel and all its mips. BC1 drops alpha; BC5 keeps the first two channels.
// Equal input gives equal bytes, whatever Threads is.
func Encode(im *image.NRGBA, f scene.BlockFormat, o Options) *scene.Blocks {
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	w, h := im.Rect.Dx(), im.Rect.Dy()
	b := &scene.Blocks{Format: f, Width: w, Height: h, Levels: make([][]byte, Levels(w, h))}
	mips := newMips(im, o)
	for l := range b.Levels {
		if l > 0 {
			mips.halve()
		}
		b.Levels[l] = encodeLevel(mips.pixels(), f, o.Threads)
	}
	return b
}

// Levels is the number of mips of an image, the full size included.
func Levels(w, h int) int { return bits.Len(uint(max(w, h))) }

// LevelSize is the width and height of a mip in pixels.
func LevelSize(w, h, level int) (int, int) { return max(w>>level, 1), max(h>>level, 1) }

// BlockBytes is the size of one block of 4 x 4 texels, 0 for an unknown format.
func BlockBytes(f scene.BlockFormat) int {
	switch f {
	case scene.BC1:
		return 8
	case scene.BC5, scene.BC7:
		return 16
	}
	return 0
}

// LevelBytes is the size in bytes of a mip of w x h pixels.
func LevelBytes(f scene.BlockFormat, w, h int) int {
	return (w + 3) / 4 * ((h + 3) / 4) * BlockBytes(f)
}

// maxSide bounds what Decode allocates for: the largest texture that GPUs take.
const maxSide = 1 << 15

// Decode returns the pixels of one mip. BC1 is opaque (the transparent black of its three-colour mode is black); for BC5,
// blue is the third component of the unit normal. Blocks of a reserved BC7 mode are transparent black, as the
// specification wants.
func Decode(b *scene.Blocks, level int) (*image.NRGBA, error) {
	size := BlockBytes(b.Format)
	switch {
	case size == 0:
		return nil, fmt.Errorf("bcn: unknown block format %d", b.Format)
	case b.Width < 1 || b.Height < 1 || b.Width > maxSide || b.Height > maxSide:
		return nil, fmt.Errorf("bcn: a texture of %d x %d pixels is out of bounds", b.Width, b.Height)
	case level < 0 || level >= len(b.Levels) || level >= Levels(b.Width, b.Height):
		return nil, fmt.Errorf("bcn: a texture of %d levels has no level %d", len(b.Levels), level)
	}
	w, h := LevelSize(b.Width, b.Height, level)
	src := b.Levels[level]
	if want := LevelBytes(b.Format, w, h); len(src) != want {
		return nil, fmt.Errorf("bcn: level %d has %d bytes, want %d", level, len(src), want)
	}
	im := image.NewNRGBA(image.Rect(0, 0, w, h))
	var texels [64]byte
	for y := 0; y < h; y += 4 {
		for x := 0; x < w; x += 4 {
			DecodeBlock(b.Format, src[:size], &texels)
			src = src[size:]
			n := 4 * min(w-x, 4)
			for row := range min(h-y, 4) {
				copy(im.Pix[im.PixOffset(x, y+row):][:n], texels[16*row:])
			}
		}
	}
	return im, nil
}

// DecodeBlock decodes one block to 4 rows of 4 RGBA texels. src has BlockBytes(f) bytes of a known format.
func DecodeBlock(f scene.BlockFormat, src []byte, texels *[64]byte) {
	switch f {
	case scene.BC1:
		decodeBC1(src, texels)
	case scene.BC5:
		decodeBC5(src, texels)
	case scene.BC7:
		decodeBC7(src, texels)
	}
}

// encodeLevel compresses one level, rows of blocks in parallel.
func encodeLevel(im *image.NRGBA, f scene.BlockFormat, threads int) []byte {
	w, h := im.Rect.Dx(), im.Rect.Dy()
	out := make([]byte, LevelBytes(f, w, h))
	stride := LevelBytes(f, w, 1)
	parallel((h+3)/4, threads, func(row int) {
		var b block
		dst := out[row*stride:][:stride]
		for x := 0; x < w; x += 4 {
			b.load(im, x, 4*row)
			switch f {
			case scene.BC1:
				encodeBC1(&b, dst)
				dst = dst[8:]
			case scene.BC5:
				encodeBC5(&b, dst)
				dst = dst[16:]
			case scene.BC7:
				encodeBC7(&b, dst)
				dst = dst[16:]
			}
		}
	})
	return out
}

// parallel calls f with 0..n-1, spread over threads.
func parallel(n, threads int, f func(i int)) {
	threads = min(threads, n)
	if threads <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var wg sync.WaitGroup
	for t := range threads {
		wg.Go(func() {
			for i := t; i < n; i += threads {
				f(i)
			}
		})
	}
	wg.Wait()
}
