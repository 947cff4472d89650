package cpu_test

import (
	"image"
	"math"
	"testing"

	"github.com/heliograph/heliograph/internal/bcn"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/render/cpu"
	"github.com/heliograph/heliograph/internal/scene"
)

// TestBlocks: a textured object looks the same with its textures in blocks, but for what their compression loses.
func TestBlocks(t *testing.T) {
	colors, bumps := image.NewNRGBA(image.Rect(0, 0, 256, 128)), image.NewNRGBA(image.Rect(0, 0, 128, 128))
	for i := range 256 * 128 {
		x, y := float64(i%256)/256, float64(i/256)/128
		wave := math.Sin(2*math.Pi*x) * math.Cos(2*math.Pi*y)
		copy(colors.Pix[4*i:], []uint8{uint8(128 + 100*wave), uint8(128 + 100*x), uint8(255 * y), 255})
	}
	for i := range 128 * 128 {
		x, y := 0.4*math.Sin(float64(i%128)*math.Pi/16), 0.4*math.Cos(float64(i/128)*math.Pi/16)
		z := math.Sqrt(1 - x*x - y*y)
		copy(bumps.Pix[4*i:], []uint8{uint8(127.5 + 127.5*x), uint8(127.5 + 127.5*y), uint8(127.5 + 127.5*z), 255})
	}
	ball := bumpySphere(6000, 0.3)
	made := func(format scene.BlockFormat) *stage {
		m := material(geom.Vec4{1, 1, 1, 1}, 0.3, 0.4)
		m.BaseColorTex, m.NormalTex = texture(colors), texture(bumps)
		if format != 0 {
			m.BaseColorTex.Texture = &scene.Texture{Blocks: bcn.Encode(colors, format, bcn.Options{SRGB: true})}
			m.NormalTex.Texture = &scene.Texture{Blocks: bcn.Encode(bumps, scene.BC5, bcn.Options{Normal: true})}
		}
		s := newStage()
		s.place(s.mesh(ball, m), at(0, 0, 0, 1))
		return s
	}
	e := newEngine(t, cpu.Config{})
	want, got := newTarget(t, e, 320, 180), newTarget(t, e, 320, 180)
	plain := made(0)
	prepare(t, e, plain)
	converge(t, want, plain, orbit(2.6, 20))
	for format, least := range map[scene.BlockFormat]float64{scene.BC1: 36, scene.BC7: 40} {
		s := made(format)
		prepare(t, e, s)
		converge(t, got, s, orbit(2.6, 20))
		if db := psnr(picture(got), picture(want)); db < least {
			t.Errorf("BC%d: PSNR %.1f dB, want %.0f", format, db, least)
		}
		e.Forget(&s.model)
	}
	broken := made(scene.BC1)
	broken.model.Meshes[0].Primitives[0].Material.BaseColorTex.Texture.Blocks.Levels[1] = nil
	if err := e.Prepare(t.Context(), &broken.model, nil); err == nil {
		t.Error("a texture without its second level was prepared")
	}
	e.Forget(&plain.model)
	if meshes, textures := e.Cached(); meshes != 0 || textures != 0 {
		t.Errorf("%d meshes and %d textures are left", meshes, textures)
	}
}
