package bcn

import (
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/heliograph/heliograph/internal/scene"
)

// lastMip is the 1 x 1 level before it is compressed.
func lastMip(im *image.NRGBA, o Options) color.NRGBA {
	o.Threads = 2
	m := newMips(im, o)
	for m.w > 1 || m.h > 1 {
		m.halve()
	}
	return m.pixels().NRGBAAt(0, 0)
}

// columns makes an image of vertical stripes.
func columns(h int, colors ...color.NRGBA) *image.NRGBA {
	im := image.NewNRGBA(image.Rect(0, 0, len(colors), h))
	for x, c := range colors {
		for y := range h {
			im.SetNRGBA(x, y, c)
		}
	}
	return im
}

func TestMips(t *testing.T) {
	black, white := color.NRGBA{0, 0, 0, 255}, color.NRGBA{255, 255, 255, 255}
	red, ghost := color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 255, 0, 0}
	for _, c := range []struct {
		name string
		im   *image.NRGBA
		o    Options
		want color.NRGBA
	}{
		{"half the light is sRGB 188", columns(4, black, white), Options{SRGB: true}, color.NRGBA{188, 188, 188, 255}},
		{"half of a linear value is 128", columns(4, black, white), Options{}, color.NRGBA{128, 128, 128, 255}},
		{"an odd size counts every texel alike", columns(3, black, black, white), Options{}, color.NRGBA{85, 85, 85, 255}},
		{"seven of them", columns(5, black, black, white, black, black, white, black), Options{}, color.NRGBA{73, 73, 73, 255}},
		{"what is transparent has no colour", columns(2, red, ghost), Options{SRGB: true}, color.NRGBA{255, 1, 0, 128}},
		{"unless all is", columns(2, ghost, ghost), Options{SRGB: true}, color.NRGBA{0, 255, 0, 0}},
		{"a row", columns(1, white, black, white, black), Options{}, color.NRGBA{128, 128, 128, 255}},
	} {
		if got := lastMip(c.im, c.o); !near(got, c.want, 1) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func near(a, b color.NRGBA, most float64) bool {
	for _, p := range [4][2]uint8{{a.R, b.R}, {a.G, b.G}, {a.B, b.B}, {a.A, b.A}} {
		if math.Abs(float64(p[0])-float64(p[1])) > most {
			return false
		}
	}
	return true
}

// TestSRGBRoundTrip wants bytes back when a mip averages equal texels.
func TestSRGBRoundTrip(t *testing.T) {
	for v := range 256 {
		c := color.NRGBA{uint8(v), uint8(v), uint8(v), 255}
		if got := lastMip(columns(1, c, c), Options{SRGB: true}); got != c {
			t.Errorf("got %v, want %v", got, c)
		}
	}
}

// TestNormals averages two normals that lean to either side, and wants every decoded one of unit length.
func TestNormals(t *testing.T) {
	left, right := color.NRGBA{38, 128, 218, 255}, color.NRGBA{218, 128, 218, 255} // 45 degrees
	if got := lastMip(columns(2, left, right), Options{Normal: true}); !near(got, color.NRGBA{128, 128, 255, 255}, 1) {
		t.Errorf("got %v, want straight up", got)
	}
	half := color.NRGBA{128, 128, 192, 255} // up, but not of length 1
	b := Encode(columns(8, left, right, half, left, half), scene.BC5, Options{Normal: true})
	for l := range b.Levels {
		im := decode(t, b, l)
		for i := 0; i < len(im.Pix); i += 4 {
			var sum float64
			for c := range 3 {
				v := float64(im.Pix[i+c])/127.5 - 1
				sum += v * v
			}
			if math.Abs(math.Sqrt(sum)-1) > 0.02 {
				t.Errorf("level %d: %v has length %.3f", l, im.Pix[i:i+3], math.Sqrt(sum))
			}
		}
	}
}
