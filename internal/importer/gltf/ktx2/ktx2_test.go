package ktx2

import (
	"encoding/binary"
	"errors"
	"image"
	_ "image/jpeg" // of the originals
	_ "image/png"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/heliograph/heliograph/internal/testassets"
)

func free(int64) error { return nil }

func file(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// TestSigns decodes two pictures of white letters on ochre: the word in the upper rows, BASIS, is the same in both.
func TestSigns(t *testing.T) {
	var words [2]string
	for k, name := range []string{"etc1s", "uastc"} {
		m, err := Decode(file(t, "testdata/"+name+".ktx2"), free)
		if err != nil {
			t.Fatal(err)
		}
		if m.Rect != image.Rect(0, 0, 40, 40) {
			t.Fatalf("%s: %v", name, m.Rect)
		}
		for y := range 12 {
			for x := range 40 {
				words[k] += map[bool]string{true: "#", false: "."}[m.NRGBAAt(x, y).B > 100]
			}
			words[k] += "\n"
		}
		if c := m.NRGBAAt(20, 32); c.R < 180 || c.R > 190 || c.G < 145 || c.G > 155 || c.B > 5 || c.A != 255 {
			t.Errorf("%s: background %v", name, c)
		}
	}
	if words[0] != words[1] || strings.Count(words[0], "#") != 88 {
		t.Errorf("%d letter pixels:\n%s\n%s", strings.Count(words[0], "#"), words[0], words[1])
	}
}

// TestOriginals compares textures to the pictures that they were made of.
func TestOriginals(t *testing.T) {
	for name, least := range map[string]float64{ // as much as the encoders kept
		"base_normal.jpg": 40.5, "grill_basecolor-alpha.png": 38.5, "hardware_basecolor.jpg": 40.5, "hardware_normal.jpg": 38.5,
	} {
		base := name[:len(name)-len(".jpg")]
		f, err := os.Open(testassets.Path(t, "golden/ktx2/StainedGlassLamp_"+name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		want, _, err := image.Decode(f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(file(t, testassets.Path(t, "gltf/StainedGlassLamp/glTF-KTX-BasisU/StainedGlassLamp_"+base+".ktx2")), free)
		if err != nil {
			t.Fatal(err)
		}
		if db := psnr(got, want); db < least {
			t.Errorf("%s: %.1f dB, want %.1f", base, db, least)
		}
	}
}

// psnr is the likeness of the colors, and of the alpha of images that are not premultiplied, in decibels.
func psnr(a *image.NRGBA, b image.Image) float64 {
	if a.Rect != b.Bounds() {
		return 0
	}
	var sum, n float64
	for y := range a.Rect.Dy() {
		for x := range a.Rect.Dx() {
			p := a.NRGBAAt(x, y)
			r, g, bl, al := b.At(x, y).RGBA()
			q := [4]uint32{r >> 8, g >> 8, bl >> 8, al >> 8}
			if m, ok := b.(*image.NRGBA); ok {
				c := m.NRGBAAt(x, y)
				q = [4]uint32{uint32(c.R), uint32(c.G), uint32(c.B), uint32(c.A)}
			}
			for i, v := range [4]uint8{p.R, p.G, p.B, p.A} {
				d := float64(v) - float64(q[i])
				sum += d * d
				n++
			}
		}
	}
	return 10 * math.Log10(255*255*n/sum)
}

// zstdFile makes the pixels of a UASTC file compressed.
func zstdFile(tb testing.TB) []byte {
	tb.Helper()
	data := file(tb, "testdata/uastc.ktx2")
	le := binary.LittleEndian
	offset, length := le.Uint64(data[80:]), le.Uint64(data[88:])
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		tb.Fatal(err)
	}
	packed := e.EncodeAll(data[offset:offset+length], nil)
	out := slices.Concat(data, packed)
	le.PutUint32(out[44:], schemeZstd)
	le.PutUint64(out[80:], uint64(len(data)))
	le.PutUint64(out[88:], uint64(len(packed)))
	return out
}

func TestZstd(t *testing.T) {
	got, err := Decode(zstdFile(t), free)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Decode(file(t, "testdata/uastc.ktx2"), free)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Pix, want.Pix) {
		t.Error("differs from the one without zstd")
	}
}

func TestErrors(t *testing.T) {
	le := binary.LittleEndian
	etc1s, uastc, packed := file(t, "testdata/etc1s.ktx2"), file(t, "testdata/uastc.ktx2"), zstdFile(t)
	change := func(data []byte, at int, v uint32) []byte {
		out := slices.Clone(data)
		le.PutUint32(out[at:], v)
		return out
	}
	for name, data := range map[string][]byte{
		"nothing":           nil,
		"magic only":        []byte(Magic),
		"another format":    change(etc1s, 12, 37),
		"no width":          change(etc1s, 20, 0),
		"too wide":          change(etc1s, 20, 1<<20),
		"wider":             change(uastc, 20, 44),
		"3D":                change(etc1s, 28, 2),
		"cube":              change(etc1s, 36, 6),
		"levels":            change(etc1s, 40, 99),
		"scheme":            change(etc1s, 44, 3),
		"ETC1S as UASTC":    change(etc1s, 44, schemeZstd),
		"descriptor":        change(etc1s, 48, 1<<30),
		"global":            change(etc1s, 64, 1<<30),
		"level":             change(etc1s, 80, 1<<30),
		"endpoints":         change(etc1s, int(le.Uint64(etc1s[64:]))+4, 1<<30),
		"size in zstd":      change(packed, 96, 16),
		"damaged zstd":      change(packed, len(packed)-8, 0xffffffff),
		"reserved mode 19":  change(uastc, int(le.Uint64(uastc[80:])), 0x45),
		"damaged codebooks": change(etc1s, int(le.Uint64(etc1s[64:]))+globalBytes+6*imageBytes, 0),
	} {
		if m, err := Decode(data, free); err == nil {
			t.Errorf("%s: %v", name, m.Rect)
		}
	}
	full := errors.New("full")
	if _, err := Decode(uastc, func(int64) error { return full }); !errors.Is(err, full) {
		t.Error(err)
	}
}

// TestTruncation cuts the file everywhere: it never panics, nor invents pixels.
func TestTruncation(t *testing.T) {
	for _, data := range [][]byte{file(t, "testdata/etc1s.ktx2"), zstdFile(t)} {
		end := binary.LittleEndian.Uint64(data[80:]) + binary.LittleEndian.Uint64(data[88:])
		for n := range end {
			if _, err := Decode(data[:n], free); err == nil {
				t.Errorf("%d of %d bytes are enough", n, end)
			}
		}
	}
}

// FuzzDecode decodes anything: it ends, without panic, in an error or in a picture.
func FuzzDecode(f *testing.F) {
	f.Add(file(f, "testdata/etc1s.ktx2"))
	f.Add(file(f, "testdata/uastc.ktx2"))
	f.Add(zstdFile(f))
	full := errors.New("full")
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data, func(n int64) error {
			if n > 1<<20 {
				return full
			}
			return nil
		})
		if err == nil && len(m.Pix) != 4*m.Rect.Dx()*m.Rect.Dy() {
			t.Errorf("%d bytes for %v", len(m.Pix), m.Rect)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"etc1s", "uastc"} {
		data := file(b, "testdata/"+name+".ktx2")
		b.Run(name, func(b *testing.B) {
			b.SetBytes(40 * 40 * 4)
			for b.Loop() {
				if _, err := Decode(data, free); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
