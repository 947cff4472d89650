package importer

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

func TestPhong(t *testing.T) {
	for _, c := range []struct {
		in                  Phong
		base                geom.Vec3
		metallic, roughness float64
	}{
		{Phong{Diffuse: geom.Vec3{0.5, 0.5, 0.5}}, geom.Vec3{0.521, 0.521, 0.521}, 0, 1}, // 0.5/0.96
		{Phong{Diffuse: geom.Vec3{}, Specular: geom.Vec3{1, 0.8, 0.3}, Shininess: 100}, geom.Vec3{1, 0.8, 0.3}, 1, 0.155},
		{Phong{Diffuse: geom.Vec3{1, 0, 0}, Specular: geom.Vec3{0.04, 0.04, 0.04}, Shininess: 50}, geom.Vec3{1, 0, 0}, 0, 0.707},
		{Phong{Shininess: -5}, geom.Vec3{}, 0, 1},
	} {
		base, metallic, roughness := c.in.MetallicRoughness()
		if base.Sub(c.base).Len() > 0.05 || math.Abs(float64(metallic)-c.metallic) > 0.02 || math.Abs(float64(roughness)-c.roughness) > 0.02 {
			t.Errorf("%+v: %v %v %v, want %v %v %v", c.in, base, metallic, roughness, c.base, c.metallic, c.roughness)
		}
	}
}

// TestTextureBomb: small files that decode to much run out of budget, each with a warning, and the memory is not taken.
func TestTextureBomb(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1000, 1000))); err != nil {
		t.Fatal(err)
	}
	root := fstest.MapFS{"a.png": {Data: b.Bytes()}, "b.png": {Data: b.Bytes()}}
	var w Warnings
	x := NewTextures(Source{Root: root, Name: "a.obj"}, Options{MemoryBudget: 12_500_000}, 0, &w)
	if first := x.Load("m", "a.png"); first == nil || x.Load("m", "a.png") != first || x.Load("m", "b.png") != nil {
		t.Error("not just the first of two images fits")
	}
	for range 2 {
		if x.Derive("c", 4_000_000, func() *image.NRGBA { t.Error("made"); return nil }) != nil {
			t.Error("derived without budget")
		}
	}
	if l := w.List(); len(l) != 2 || !strings.Contains(l[0], "memory allowed") {
		t.Errorf("warnings %q", l)
	}
}

// TestTGA: all kinds of pixels, orders and encodings give the same picture.
func TestTGA(t *testing.T) {
	header := func(kind, depth, descriptor byte, palette ...byte) string {
		h := make([]byte, 18)
		h[2], h[12], h[14], h[16], h[17] = kind, 2, 2, depth, descriptor
		if len(palette) > 0 {
			h[1], h[5], h[7] = 1, byte(len(palette)/3), 24
		}
		return string(h) + string(palette)
	}
	const red, blue = "\x00\x00\xff", "\xff\x00\x00"
	for name, data := range map[string]string{
		"colours":    header(2, 24, 32) + red + blue + blue + blue,
		"bottom up":  header(2, 24, 0) + blue + blue + red + blue,
		"from right": header(2, 24, 48) + blue + red + blue + blue,
		"runs":       header(10, 24, 32) + "\x00" + red + "\x82" + blue,
		"long run":   header(10, 24, 32) + "\x00" + red + "\xff" + blue,
		"alpha":      header(2, 32, 32|8) + red + "\xff" + blue + "\xff" + blue + "\xff" + blue + "\xff",
		"no alpha":   header(2, 32, 32) + red + "\x00" + blue + "\x00" + blue + "\x00" + blue + "\x00",
		"16 bits":    header(2, 16, 32) + "\x00\x7c\x1f\x00\x1f\x00\x1f\x00",
		"palette":    header(1, 8, 32, 0xff, 0, 0, 0, 0, 0xff) + "\x01\x00\x00\x00",
	} {
		var b Budget
		b.Set(1 << 20)
		im, err := DecodeImage([]byte(data), &b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if string(im.Pix) != "\xff\x00\x00\xff\x00\x00\xff\xff\x00\x00\xff\xff\x00\x00\xff\xff" {
			t.Errorf("%s: %v", name, im.Pix)
		}
		for n := range data {
			_, _ = DecodeImage([]byte(data[:n]), &b) // must not crash
		}
	}
}

// TestTextureLookup: the longest end of a path that exists counts, nothing outside of the root is read, and what is missing
// is listed with the materials that name it.
func TestTextureLookup(t *testing.T) {
	file := func(w int) *fstest.MapFile {
		var b bytes.Buffer
		if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, 1))); err != nil {
			t.Fatal(err)
		}
		return &fstest.MapFile{Data: b.Bytes()}
	}
	root := fstest.MapFS{"m/a.png": file(1), "m/tex/a.png": file(2), "m/work/tex/a.png": file(3), "b c.png": file(4), "m/tex": {Mode: 0o755 | 1<<31}}
	for name, width := range map[string]int{
		"a.png": 1, "tex/a.png": 2, `C:\work\tex\a.png`: 3, "/home/work/tex/a.png": 3, `..\..\far\tex\a.png`: 2, `D:\none\a.png`: 1,
		"../b c.png": 4, "../b%20c.png": 4, "b c.png": 0, "../../m/a.png": 1, "none.png": 0, "": 0, "///": 0, "http://host/m/a.png": 0, "..": 0,
	} {
		var w Warnings
		x := NewTextures(Source{Root: root, Name: "m/model.fbx"}, Options{}, 0, &w)
		im := x.Load("red", name)
		if im == nil && width != 0 || im != nil && im.Rect.Dx() != width {
			t.Errorf("%q: %v, want a width of %d; %q", name, im, width, w.List())
		}
		if im == nil && len(w.List()) != 1 {
			t.Errorf("%q: warnings %q", name, w.List())
		}
	}
	var w Warnings
	x := NewTextures(Source{Root: root, Name: "m/model.fbx"}, Options{}, 0, &w)
	for _, material := range []string{"red", "blue", "red"} {
		x.Load(material, "none.png")
	}
	if m := x.Missing(); len(m) != 2 || m[1] != (scene.MissingTexture{Texture: "none.png", Material: "blue"}) || len(w.List()) != 1 {
		t.Errorf("missing %v, warnings %q", m, w.List())
	}
}

func TestStream(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	last, calls := -1.0, 0
	s, err := Open(t.Context(), Source{Name: "a", Data: []byte("one\r\n\n" + long + "\nlast")}, Options{Progress: func(_ string, done float64) {
		if calls++; done < last || done > 1 {
			t.Errorf("progress %v after %v", done, last)
		}
		last = done
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, want := range []string{"one", "", long, "last"} {
		if line, err := s.NextLine(); err != nil || string(line) != want || s.Line != i+1 {
			t.Errorf("line %d: %.20q, %v", s.Line, line, err)
		}
	}
	if _, err := s.NextLine(); !errors.Is(err, io.EOF) || last != 1 || calls < 3 || s.Offset() != s.Size {
		t.Errorf("at the end: %v, progress %v in %d calls, %d of %d bytes", err, last, calls, s.Offset(), s.Size)
	}
	for _, src := range []Source{{Name: "a"}, {Root: fstest.MapFS{}, Name: "a"}, {Root: fstest.MapFS{"a/b": {}}, Name: "a"}} {
		if _, err := Open(t.Context(), src, Options{}); err == nil {
			t.Errorf("%+v opens", src)
		}
	}
}
