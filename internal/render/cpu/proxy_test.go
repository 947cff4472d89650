package cpu_test

import (
	"image"
	"image/draw"
	"math"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/render/cpu"
	"github.com/heliograph/heliograph/internal/scene"
)

// crowd is a block of side*side*side small parts, without and with proxies.
func crowd(t *testing.T, side int) (plain, merged *stage) {
	t.Helper()
	s := newStage()
	for i, p := range []scene.Primitive{bumpySphere(600, 1), box()} {
		s.mesh(p, material(geom.Vec4{0.9, 0.3 + 0.5*float32(i), 0.2, 1}, 0, 0.6))
	}
	for i := range side * side * side {
		c := float32(side-1) / 2
		s.place(s.model.Meshes[i%2], at(float32(i%side)-c, float32(i/side%side)-c, float32(i/side/side)-c, 0.4))
	}
	plain = resident(t, s)
	for _, m := range plain.model.Meshes {
		m.Measure()
	}
	merged = &stage{model: plain.model}
	for i, in := range plain.snap.Instances {
		merged.model.Nodes = append(merged.model.Nodes, scene.Node{Parent: -1, Local: in.World, Mesh: i % 2})
		merged.model.Roots = append(merged.model.Roots, i)
	}
	var err error
	if merged.model.Proxies, err = mesh.Proxies(t.Context(), &merged.model); err != nil {
		t.Fatal(err)
	}
	e := scene.NewEditor()
	e.AddModel(&merged.model)
	merged.snap = *e.Snapshot()
	merged.snap.Version = 2
	if len(merged.snap.Proxies) < 2 || len(merged.snap.Instances) != len(plain.snap.Instances) {
		t.Fatalf("%d proxies, %d instances of %d", len(merged.snap.Proxies), len(merged.snap.Instances), len(plain.snap.Instances))
	}
	return plain, merged
}

// far and near are views of crowds of 20 parts a side, in which parts have less than a pixel, and some.
func far() render.View  { return orbit(190, 30) }
func near() render.View { return orbit(14, 30) }

// TestProxiesMoving: a moving view's picture with proxies is close to that without them, of fewer pieces; what a pixel shows is
// the same part. Near by there are no proxies.
func TestProxiesMoving(t *testing.T) {
	plain, merged := crowd(t, 20)
	e := newEngine(t, cpu.Config{})
	prepare(t, e, plain)
	prepare(t, e, merged)
	a, b := newTarget(t, e, 256, 144), newTarget(t, e, 256, 144)
	moving := func(v render.View) (before, after render.Stats) {
		for range 4 { // what hides what is known from the frame before
			v.Near *= 1.0001
			before, after = mustRender(t, a, plain, v), mustRender(t, b, merged, v)
		}
		return before, after
	}
	before, after := moving(far())
	if all, there := psnr(picture(b), picture(a)), psnr(middle(b), middle(a)); all < 40 || there < 30 {
		t.Errorf("PSNR %.1f dB, %.1f dB where there are parts", all, there)
	}
	if after.ClustersDrawn == 0 || after.ClustersDrawn > before.ClustersDrawn/2 {
		t.Errorf("%d clusters drawn, %d without proxies", after.ClustersDrawn, before.ClustersDrawn)
	}
	shown, right := 0, 0
	for y := range 144 {
		for x := range 256 {
			want, _ := a.Pick(x, y)
			if want == 0 {
				continue
			}
			shown++
			if got, _ := b.Pick(x, y); plain.snap.Instances[want-1].World == worldOf(merged, got) {
				right++
			}
		}
	}
	if shown < 300 || right < shown*8/10 {
		t.Errorf("%d of %d pixels show the right part", right, shown)
	}
	if before, after := moving(near()); after.TrianglesDrawn != before.TrianglesDrawn {
		t.Errorf("near by, %d triangles are drawn, %d without proxies", after.TrianglesDrawn, before.TrianglesDrawn)
	}
}

// middle is the part of a picture where the far crowd is.
func middle(t render.Target) *image.NRGBA {
	all, out := picture(t), image.NewNRGBA(image.Rect(0, 0, 24, 24))
	center := image.Pt(all.Rect.Dx()/2, all.Rect.Dy()/2)
	draw.Draw(out, out.Rect, all, center.Sub(image.Pt(12, 12)), draw.Src)
	return out
}

func worldOf(s *stage, e scene.EntityID) geom.Mat4 {
	for _, in := range s.snap.Instances {
		if in.Entity == e {
			return in.World
		}
	}
	return geom.Mat4{}
}

// TestProxiesConverge: what a resting view ends with has no proxies.
func TestProxiesConverge(t *testing.T) {
	plain, merged := crowd(t, 20)
	e := newEngine(t, cpu.Config{})
	prepare(t, e, plain)
	prepare(t, e, merged)
	a, b := newTarget(t, e, 128, 72), newTarget(t, e, 128, 72)
	settle(t, a, plain, far())
	settle(t, b, merged, far())
	if db := psnr(picture(b), picture(a)); !math.IsInf(db, 1) {
		t.Errorf("the pictures differ; PSNR %.1f dB", db)
	}
}

// TestProxiesBitIdentical: kernels and threads do not matter.
func TestProxiesBitIdentical(t *testing.T) {
	_, merged := crowd(t, 8)
	var want []uint64
	for _, threads := range []int{1, 3} {
		for level, e := range cpu.NewPerLevel(threads) {
			t.Cleanup(func() { _ = e.Close() })
			prepare(t, e, merged)
			target := newTarget(t, e, 318, 182)
			settle(t, target, merged, orbit(60, 11))
			for i, distance := range []float64{60, 61, 90, 300, 3000} {
				mustRender(t, target, merged, orbit(distance, 12))
				got := fingerprint(t, target)
				if len(want) <= i {
					want = append(want, got)
				} else if got != want[i] {
					t.Errorf("level %d with %d threads: frame %d differs from the scalar one", level, threads, i)
				}
			}
		}
	}
}
