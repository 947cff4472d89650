package bcn

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/jpeg"
	_ "image/png"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/testassets"
)

// load returns the middle of an image, half as wide and high: tests run under the race detector, too.
func load(tb testing.TB, name string) *image.NRGBA {
	tb.Helper()
	f, err := os.Open(testassets.Path(tb, name))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	src, _, err := image.Decode(f)
	if err != nil {
		tb.Fatal(err)
	}
	size := src.Bounds().Size()
	im := image.NewNRGBA(image.Rect(0, 0, size.X/2, size.Y/2))
	draw.Draw(im, im.Rect, src, src.Bounds().Min.Add(size.Div(4)), draw.Src)
	return im
}

// psnr compares the first channels of two images, in dB.
func psnr(a, b *image.NRGBA, channels int) float64 {
	var sum float64
	for i := range a.Pix {
		if i%4 < channels {
			d := float64(a.Pix[i]) - float64(b.Pix[i])
			sum += d * d
		}
	}
	mse := sum / float64(len(a.Pix)/4*channels)
	return 10 * math.Log10(255*255/max(mse, 1e-9))
}

func decode(tb testing.TB, b *scene.Blocks, level int) *image.NRGBA {
	tb.Helper()
	im, err := Decode(b, level)
	if err != nil {
		tb.Fatal(err)
	}
	return im
}

// TestQuality bounds from below what textures of real models come back as. The bounds are a little under what was measured.
func TestQuality(t *testing.T) {
	for _, c := range []struct {
		name     string
		format   scene.BlockFormat
		channels int
		want     float64 // dB
	}{
		{"gltf/Avocado/glTF/Avocado_baseColor.png", scene.BC1, 3, 46},
		{"gltf/Avocado/glTF/Avocado_baseColor.png", scene.BC7, 4, 53},
		{"gltf/Avocado/glTF/Avocado_roughnessMetallic.png", scene.BC1, 3, 57},
		{"gltf/Avocado/glTF/Avocado_normal.png", scene.BC5, 3, 57},
		{"gltf/LightsPunctualLamp/glTF/material0_normal.png", scene.BC5, 3, 54},
		{"golden/ktx2/StainedGlassLamp_grill_basecolor-alpha.png", scene.BC7, 4, 51},
	} {
		im := load(t, c.name)
		ref := im
		o := Options{SRGB: c.format != scene.BC5, Normal: c.format == scene.BC5}
		if o.Normal {
			ref = newMips(im, o).pixels() // unit normals
		}
		b := &scene.Blocks{Format: c.format, Width: im.Rect.Dx(), Height: im.Rect.Dy(), Levels: [][]byte{encodeLevel(ref, c.format, 2)}}
		got := psnr(ref, decode(t, b, 0), c.channels)
		t.Logf("%s as BC%d: %.1f dB", c.name, c.format, got)
		if got < c.want {
			t.Errorf("%s as BC%d: %.1f dB, want at least %.0f", c.name, c.format, got, c.want)
		}
	}
}

// TestDecodeBC7 compares 32 random blocks of each of the eight modes with what another decoder makes of them (SwiftShader,
// by WebGL's EXT_texture_compression_bptc). BC7 is exact.
func TestDecodeBC7(t *testing.T) {
	blocks, err := os.ReadFile("testdata/bc7.blocks")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/bc7.rgba")
	if err != nil {
		t.Fatal(err)
	}
	im := decode(t, &scene.Blocks{Format: scene.BC7, Width: 64, Height: 64, Levels: [][]byte{blocks}}, 0)
	for i := range 256 {
		x, y := i%16*4, i/16*4
		for row := range 4 {
			o := im.PixOffset(x, y+row)
			if !bytes.Equal(im.Pix[o:o+16], want[o:o+16]) {
				t.Errorf("mode %d, block %d, row %d: got %v, want %v", i/32, i%32, row, im.Pix[o:o+16], want[o:o+16])
			}
		}
	}
}

func TestDecodeBC7Reserved(t *testing.T) {
	texels := [64]byte{1, 2, 3}
	DecodeBlock(scene.BC7, make([]byte, 16), &texels)
	if texels != [64]byte{} {
		t.Errorf("a block of no mode is %v, want transparent black", texels)
	}
}

// TestDecodeBC1ThreeColours has a block whose first colour is the lesser: one step between them, and black.
func TestDecodeBC1ThreeColours(t *testing.T) {
	var texels [64]byte
	DecodeBlock(scene.BC1, []byte{0x00, 0x00, 0xff, 0xff, 0b11100100, 0, 0, 0}, &texels)
	want := []byte{0, 0, 0, 255, 255, 255, 255, 255, 128, 128, 128, 255, 0, 0, 0, 255}
	if !bytes.Equal(texels[:16], want) {
		t.Errorf("got %v, want %v", texels[:16], want)
	}
}

// TestFlat wants a flat image back as it is: BC1 as near as its 565 colours and their thirds allow.
func TestFlat(t *testing.T) {
	for v := range 256 {
		im := image.NewNRGBA(image.Rect(0, 0, 4, 4))
		draw.Draw(im, im.Rect, image.NewUniform(color.NRGBA{uint8(v), uint8(255 - v), uint8(v), 255}), image.Point{}, draw.Src)
		for f, most := range map[scene.BlockFormat]float64{scene.BC1: 2, scene.BC5: 0, scene.BC7: 1} {
			got := decode(t, Encode(im, f, Options{}), 0)
			for c := range 2 {
				if d := math.Abs(float64(got.Pix[c]) - float64(im.Pix[c])); d > most {
					t.Errorf("BC%d of %v is %v", f, im.Pix[:3], got.Pix[:3])
				}
			}
		}
	}
}

// TestSizes goes through sizes that are no multiples of the block.
func TestSizes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range [][2]int{{1, 1}, {2, 1}, {1, 7}, {3, 5}, {4, 4}, {5, 3}, {7, 130}, {17, 16}, {33, 1}} {
		w, h := s[0], s[1]
		im := image.NewNRGBA(image.Rect(2, 3, 2+w, 3+h)) // not at the origin
		for y := range h {
			for x := range w {
				im.SetNRGBA(2+x, 3+y, color.NRGBA{uint8(2*x + 50), uint8(y + 20), uint8(r.IntN(4)), 255})
			}
		}
		for _, f := range []scene.BlockFormat{scene.BC1, scene.BC5, scene.BC7} {
			b := Encode(im, f, Options{SRGB: true})
			last := len(b.Levels) - 1
			for l := range b.Levels {
				got := decode(t, b, l)
				if ww, hh := LevelSize(w, h, l); got.Rect.Dx() != ww || got.Rect.Dy() != hh {
					t.Errorf("%d x %d: level %d is %v", w, h, l, got.Rect)
				}
				if l == 0 {
					for y := range h {
						for x := range w {
							a, b := im.NRGBAAt(2+x, 3+y), got.NRGBAAt(x, y)
							if math.Abs(float64(a.R)-float64(b.R)) > 8 || math.Abs(float64(a.G)-float64(b.G)) > 8 {
								t.Fatalf("BC%d, %d x %d: pixel %d, %d is %v, want %v", f, w, h, x, y, b, a)
							}
						}
					}
				}
			}
			if ww, hh := LevelSize(w, h, last); ww != 1 || hh != 1 {
				t.Errorf("%d x %d: the last level is %d x %d", w, h, ww, hh)
			}
		}
	}
}

func TestDeterministic(t *testing.T) {
	im := noise(123, 77)
	for _, f := range []scene.BlockFormat{scene.BC1, scene.BC5, scene.BC7} {
		a, b := Encode(im, f, Options{SRGB: true, Threads: 1}), Encode(im, f, Options{SRGB: true, Threads: 7})
		for l := range a.Levels {
			if !bytes.Equal(a.Levels[l], b.Levels[l]) {
				t.Errorf("BC%d, level %d: differs with the number of threads", f, l)
			}
		}
	}
}

func TestFormatFor(t *testing.T) {
	opaque, clear := image.NewNRGBA(image.Rect(0, 0, 2, 2)), image.NewNRGBA(image.Rect(0, 0, 2, 2))
	draw.Draw(opaque, opaque.Rect, image.White, image.Point{}, draw.Src)
	if a, b, c := FormatFor(opaque, false), FormatFor(clear, false), FormatFor(opaque, true); a != scene.BC1 || b != scene.BC7 || c != scene.BC5 {
		t.Errorf("got BC%d, BC%d, BC%d, want 1, 7, 5", a, b, c)
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := Encode(noise(8, 8), scene.BC1, Options{})
	for name, b := range map[string]scene.Blocks{
		"format":   {Format: 3, Width: 8, Height: 8, Levels: good.Levels},
		"size":     {Format: scene.BC1, Width: 0, Height: 8, Levels: good.Levels},
		"huge":     {Format: scene.BC1, Width: 1 << 20, Height: 1 << 20, Levels: good.Levels},
		"truncate": {Format: scene.BC1, Width: 8, Height: 8, Levels: [][]byte{good.Levels[0][:31]}},
		"none":     {Format: scene.BC1, Width: 8, Height: 8},
	} {
		if im, err := Decode(&b, 0); err == nil {
			t.Errorf("%s: got an image of %v, want an error", name, im.Rect)
		}
	}
	if _, err := Decode(good, 4); err == nil {
		t.Error("level 4 of 4: want an error")
	}
}

// noise is an image of soft shapes with noise and alpha.
func noise(w, h int) *image.NRGBA {
	r := rand.New(rand.NewPCG(3, 4))
	im := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			im.SetNRGBA(x, y, color.NRGBA{
				uint8(128 + 100*math.Sin(float64(x)/9)), uint8(128 + 100*math.Sin(float64(y)/7)), uint8(r.IntN(256)),
				uint8(128 + 127*math.Sin(float64(x+y)/20)),
			})
		}
	}
	return im
}

func FuzzDecode(f *testing.F) {
	f.Add(uint8(1), 5, 3, []byte("0123456789abcdef"))
	f.Add(uint8(5), 4, 4, []byte("0123456789abcdef"))
	f.Add(uint8(7), 1, 8, bytes.Repeat([]byte{0x10, 0xff, 0x03, 0x80}, 8))
	f.Fuzz(func(t *testing.T, format uint8, w, h int, data []byte) {
		b := &scene.Blocks{Format: scene.BlockFormat(format), Width: w, Height: h, Levels: [][]byte{data, data}}
		for level := -1; level < 3; level++ {
			im, err := Decode(b, level)
			if err != nil {
				continue
			}
			if ww, hh := LevelSize(w, h, level); im.Rect != image.Rect(0, 0, ww, hh) {
				t.Errorf("level %d of %d x %d is %v", level, w, h, im.Rect)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	im := load(b, "gltf/Avocado/glTF/Avocado_baseColor.png")
	for _, f := range []scene.BlockFormat{scene.BC1, scene.BC5, scene.BC7} {
		b.Run(fmt.Sprintf("BC%d", f), func(b *testing.B) {
			b.SetBytes(int64(im.Rect.Dx() * im.Rect.Dy()))
			for b.Loop() {
				encodeLevel(im, f, 1)
			}
		})
	}
	b.Run("mips", func(b *testing.B) {
		b.SetBytes(int64(im.Rect.Dx() * im.Rect.Dy()))
		for b.Loop() {
			m := newMips(im, Options{SRGB: true, Threads: 1})
			for m.w > 1 || m.h > 1 {
				m.halve()
				m.pixels()
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	im := load(b, "gltf/Avocado/glTF/Avocado_baseColor.png")
	for _, f := range []scene.BlockFormat{scene.BC1, scene.BC5, scene.BC7} {
		blocks := Encode(im, f, Options{})
		b.Run(fmt.Sprintf("BC%d", f), func(b *testing.B) {
			b.SetBytes(int64(im.Rect.Dx() * im.Rect.Dy()))
			for b.Loop() {
				decode(b, blocks, 0)
			}
		})
	}
}
