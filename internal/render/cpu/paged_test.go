package cpu_test

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/render/cpu"
	"github.com/heliograph/heliograph/internal/scene"
)

// resident is the stage with its geometry as hierarchies.
func resident(t testing.TB, s *stage) *stage {
	t.Helper()
	out := &stage{snap: s.snap}
	out.snap.Instances = nil
	paged := map[*scene.Mesh]*scene.Mesh{}
	for _, m := range s.model.Meshes {
		pm := &scene.Mesh{Name: m.Name, Primitives: make([]scene.Primitive, len(m.Primitives))}
		for i := range m.Primitives {
			h, err := mesh.Resident(t.Context(), &m.Primitives[i], mesh.HierarchyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			pm.Primitives[i] = scene.Primitive{Paged: h, Material: m.Primitives[i].Material}
		}
		paged[m] = pm
		out.model.Meshes = append(out.model.Meshes, pm)
	}
	for _, in := range s.snap.Instances {
		in.Mesh = paged[in.Mesh]
		out.snap.Instances = append(out.snap.Instances, in)
	}
	return out
}

// settle renders until nothing changes any more, waiting for pages.
func settle(t testing.TB, target render.Target, s *stage, v render.View) render.Stats {
	t.Helper()
	for range 10_000 {
		stats := mustRender(t, target, s, v)
		if stats.Converged {
			return stats
		}
		if stats.PagesMissing > 0 {
			time.Sleep(time.Millisecond) // reading goroutines run
		}
	}
	t.Fatal("does not converge")
	return render.Stats{}
}

// TestPagedConverges: what a resting view of a hierarchy ends with is the picture of the mesh that it was made of.
func TestPagedConverges(t *testing.T) {
	s := grid(3, 300_000)
	p := resident(t, s)
	e := newEngine(t, cpu.Config{})
	prepare(t, e, s)
	prepare(t, e, p)
	flat, paged := newTarget(t, e, 640, 360), newTarget(t, e, 640, 360)
	for _, v := range []render.View{orbit(6, 10), orbit(2.5, 100)} {
		converge(t, flat, s, v)
		settle(t, paged, p, v)
		if db := psnr(picture(paged), picture(flat)); db < 55 {
			t.Errorf("PSNR %.1f dB against full detail", db)
		}
	}
}

// TestPagedMoving: a moving view's picture of a hierarchy is close to that of full detail, with far fewer triangles.
func TestPagedMoving(t *testing.T) {
	s := grid(2, 250_000)
	p := resident(t, s)
	e := newEngine(t, cpu.Config{})
	prepare(t, e, s)
	prepare(t, e, p)
	flat, paged := newTarget(t, e, 640, 360), newTarget(t, e, 640, 360)
	v := orbit(5, 30)
	settle(t, paged, p, v) // every page is there
	v = orbit(5, 31)
	full := mustRender(t, flat, s, v)
	stats := mustRender(t, paged, p, v)
	db := psnr(picture(paged), picture(flat))
	t.Logf("%d of %d triangles, PSNR %.1f dB", stats.TrianglesDrawn, full.TrianglesDrawn, db)
	if db < 40 {
		t.Errorf("PSNR %.1f dB against full detail", db)
	}
}

// TestPagedBitIdentical: with all pages in memory, kernels, threads and runs do not matter.
func TestPagedBitIdentical(t *testing.T) {
	p := resident(t, grid(2, 60_000))
	addPoints(t, p)
	var want []uint64
	for _, threads := range []int{1, 3} {
		for level, e := range cpu.NewPerLevel(threads) {
			t.Cleanup(func() { _ = e.Close() })
			prepare(t, e, p)
			target := newTarget(t, e, 318, 182)
			settle(t, target, p, orbit(1.2, 200))
			settle(t, target, p, orbit(5, 11))
			var got []uint64
			for _, v := range []render.View{orbit(6, 10), orbit(6, 11), orbit(6, 11), orbit(6, 11), orbit(1.2, 200), orbit(0.5, 20)} {
				mustRender(t, target, p, v)
				got = append(got, fingerprint(t, target))
			}
			if want == nil {
				want = got
			}
			for i := range got {
				if got[i] != want[i] {
					t.Errorf("level %d with %d threads: frame %d differs from the scalar one", level, threads, i)
				}
			}
		}
	}
}

// addPoints puts a cloud with normals and one without into s.
func addPoints(t testing.TB, s *stage) {
	t.Helper()
	for i := range 2 {
		p := bumpySphere(40_000, 0.5)
		p.Indices, p.UV0, p.IsPoints = nil, nil, true
		for _, v := range p.Positions {
			p.Colors = append(p.Colors, geom.Vec4{v[0]/2 + 0.5, v[1]/2 + 0.5, v[2]/2 + 0.5, 1})
		}
		if i == 1 {
			p.Normals = nil
		}
		s.place(s.mesh(p, material(geom.Vec4{1, 1, 1, 1}, 0, 0.5)), at(1.3*float32(i)-0.6, 0.5, 2.2, 0.5))
	}
}

// faulty is a PageSource that another feeds, with faults.
type faulty struct {
	mesh.PageSource
	fail  func(page int) bool
	delay time.Duration
	reads atomic.Int64
}

func (f *faulty) ReadPage(ctx context.Context, i int, dst mesh.Page) error {
	f.reads.Add(1)
	if f.delay > 0 {
		select {
		case <-time.After(f.delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if f.fail != nil && f.fail(i) {
		for k := range dst.Triangles {
			dst.Triangles[k] = math.MaxUint32 // what a failed read leaves behind must not be drawn
		}
		return errors.New("the disk is on fire")
	}
	return f.PageSource.ReadPage(ctx, i, dst)
}

// withSource makes every primitive of s read its pages by way of what wrap returns.
func withSource(s *stage, wrap func(mesh.PageSource) mesh.PageSource) {
	for _, m := range s.model.Meshes {
		for i := range m.Primitives {
			p := m.Primitives[i].Paged.(*mesh.Paged)
			p.Source = wrap(p.Source)
		}
	}
}
