package cpu_test

import (
	"flag"
	"image"
	"image/draw"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/render/cpu"
)

var update = flag.Bool("update", false, "rewrite the golden images; look at them before committing")

// materials is a row of spheres a metalness, roughness growing to the right.
func materials() *stage {
	s := newStage()
	ball := bumpySphere(4000, 0)
	for row := range 2 {
		for i := range 5 {
			base := geom.Vec4{0.8, 0.15, 0.1, 1}
			if row == 1 {
				base = geom.Vec4{1, 0.78, 0.34, 1}
			}
			m := s.mesh(ball, material(base, float32(row), float32(i)/4))
			s.place(m, at(1.1*float32(i)-2.2, 0.55-1.1*float32(row), 0, 0.5))
		}
	}
	return s
}

// clouds is two clouds of points, one of which knows its normals, before a wall.
func clouds(t *testing.T) *stage {
	s := newStage()
	addPoints(t, s)
	s.place(s.mesh(quad(), material(geom.Vec4{0.5, 0.5, 0.5, 1}, 0, 1)), at(0, 0, 1.6, 1.2))
	return s
}

// TestGolden compares with pictures somebody has looked at. The metric is the mean colour difference over 4x4 pixel blocks
// (0..255, worst block) and PSNR: it forgives other rounding, not another picture.
func TestGolden(t *testing.T) {
	for _, c := range []struct {
		name      string
		scene     *stage
		view      render.View
		converged bool
	}{
		{"materials", materials(), lookAt(geom.Vec3{0, 0, 4}, geom.Vec3{}), true},
		{"everything", everything(), orbit(6, 10), true},
		{"moving", everything(), orbit(6, 10), false},
		{"inside", everything(), orbit(1.2, 200), true},
		{"points", clouds(t), orbit(4, 25), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEngine(t, cpu.Config{})
			prepare(t, e, c.scene)
			target := newTarget(t, e, 320, 180)
			mustRender(t, target, c.scene, c.view)
			if c.converged {
				settle(t, target, c.scene, c.view)
			}
			got := picture(target)
			path := filepath.Join("testdata", c.name+".png")
			if *update {
				writePNG(t, path, got)
				return
			}
			want := readPNG(t, path)
			worst, at := worstBlock(got, want)
			if db := psnr(got, want); worst > 6 || db < 40 {
				out := filepath.Join(t.ArtifactDir(), c.name+".png")
				writePNG(t, out, got)
				t.Errorf("differs from %s: worst block at %v by %.1f, PSNR %.1f dB; got %s", path, at, worst, db, out)
			}
		})
	}
}

func readPNG(t *testing.T, path string) *image.NRGBA {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	src, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	img := image.NewNRGBA(src.Bounds())
	draw.Draw(img, img.Rect, src, image.Point{}, draw.Src)
	return img
}

func worstBlock(a, b *image.NRGBA) (worst float64, at image.Point) {
	if a.Rect != b.Rect {
		return math.Inf(1), image.Point{}
	}
	for y := 0; y+4 <= a.Rect.Dy(); y += 4 {
		for x := 0; x+4 <= a.Rect.Dx(); x += 4 {
			for k := range 3 {
				var sum float64
				for i := range 16 {
					o := a.PixOffset(x+i%4, y+i/4) + k
					sum += float64(a.Pix[o]) - float64(b.Pix[o])
				}
				if d := math.Abs(sum / 16); d > worst {
					worst, at = d, image.Pt(x, y)
				}
			}
		}
	}
	return worst, at
}
