package cpu_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
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
	stats := still(t, target, s, v, func(stats render.Stats) bool { return stats.Converged })
	if !stats.Converged {
		t.Fatal("does not converge")
	}
	return stats
}

// complete draws a view until no page is missing.
func complete(t testing.TB, target render.Target, s *stage, v render.View) {
	t.Helper()
	if stats := still(t, target, s, v, func(stats render.Stats) bool { return stats.PagesMissing == 0 }); stats.PagesMissing > 0 {
		t.Fatal("pages are missing for ever")
	}
}

// still draws a view until it is done, waiting for pages as a snapshot does, and returns what is known of the last picture.
func still(t testing.TB, target render.Target, s *stage, v render.View, done func(render.Stats) bool) (last render.Stats) {
	t.Helper()
	err := render.Still(t.Context(), func() (render.Stats, error) {
		last = mustRender(t, target, s, v)
		return render.Stats{Converged: done(last), PagesMissing: last.PagesMissing}, nil
	}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return last
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

// TestPagingWithinABudget: with memory for a fraction of the pages, every picture is without holes, what is missing never
// comes, and drawing goes on.
func TestPagingWithinABudget(t *testing.T) {
	p := resident(t, grid(1, 200_000))
	solid := newStage() // a shape that every level of detail covers
	solid.place(solid.mesh(bumpySphere(2000, 0), material(geom.Vec4{1, 0, 0, 1}, 0, 1)), at(0, 0, 0, 0.7))
	p.model.Meshes = append(p.model.Meshes, solid.model.Meshes...)
	p.place(solid.model.Meshes[0], at(0, 0, 0, 0.7)) // red, inside of everything: shows through every hole
	m := p.model.Meshes[0].Primitives[0].Material
	m.BaseColor, m.Metallic, m.Roughness = geom.Vec4{0, 1, 0, 1}, 0, 1
	var total int64
	for _, i := range p.model.Meshes[0].Primitives[0].Paged.(*mesh.Paged).Source.Pages() {
		total += int64(i.Vertices)*28 + int64(i.Triangles)*4
	}
	e := newEngine(t, cpu.Config{PageBytes: total / 5})
	prepare(t, e, p)
	target := newTarget(t, e, 320, 180)
	for a := range 12 {
		stats := settle(t, target, p, orbit(2.2, float64(a*30+1)))
		if used := e.PageBytes(); used > total/5+total/20 { // root pages count, but are never refused
			t.Errorf("%d bytes of pages, more than %d", used, total/5)
		}
		if stats.TrianglesDrawn == 0 {
			t.Fatal("nothing is drawn")
		}
		img := picture(target)
		for i := 0; i < len(img.Pix); i += 4 {
			if r, g := img.Pix[i], img.Pix[i+1]; int(r) > int(g)+20 {
				t.Fatalf("angle %d: a hole at %d, %d", a*30, i/4%320, i/4/320)
			}
		}
	}
}

// TestPagesThatCannotBeRead: the picture stays coarse there, one line is logged, and nothing waits for them.
func TestPagesThatCannotBeRead(t *testing.T) {
	s := grid(1, 100_000)
	p := resident(t, s)
	roots := rootPages(p)
	withSource(p, func(src mesh.PageSource) mesh.PageSource {
		return &faulty{PageSource: src, fail: func(page int) bool { return !roots[uint32(page)] && page%3 == 0 }}
	})
	var log bytes.Buffer
	e := newEngine(t, cpu.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	prepare(t, e, p)
	prepare(t, e, s)
	target, flat := newTarget(t, e, 320, 180), newTarget(t, e, 320, 180)
	settle(t, target, p, orbit(3, 10))
	converge(t, flat, s, orbit(3, 10))
	if db := psnr(picture(target), picture(flat)); db < 25 || math.IsInf(db, 1) {
		t.Errorf("PSNR %.1f dB: neither coarse nor whole", db)
	}
	if err := e.Close(); err != nil { // ends the readers, which write the log
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "cannot be read"); n != 1 {
		t.Errorf("%d lines were logged: %s", n, log.String())
	}
}

// rootPages are the pages without which nothing is drawn.
func rootPages(s *stage) map[uint32]bool {
	roots := map[uint32]bool{}
	for _, m := range s.model.Meshes {
		p := m.Primitives[0].Paged.(*mesh.Paged)
		for _, g := range p.Groups {
			if math.IsInf(float64(g.Error), 1) {
				roots[g.Page] = true
			}
		}
	}
	return roots
}

func TestRootPageThatCannotBeRead(t *testing.T) {
	p := resident(t, grid(1, 50_000))
	withSource(p, func(src mesh.PageSource) mesh.PageSource {
		return &faulty{PageSource: src, fail: func(int) bool { return true }}
	})
	e := newEngine(t, cpu.Config{})
	if err := e.Prepare(t.Context(), &p.model, nil); err == nil {
		t.Error("a model without a first picture was prepared")
	}
	if meshes, _ := e.Cached(); meshes != 0 || e.PageBytes() != 0 {
		t.Errorf("%d meshes and %d bytes of pages are left", meshes, e.PageBytes())
	}
}

// TestForgetWhilePagesAreRead: Forget and Close end reading at once, and nothing is left.
func TestForgetWhilePagesAreRead(t *testing.T) {
	for _, forget := range []bool{true, false} {
		p := resident(t, grid(1, 200_000))
		withSource(p, func(src mesh.PageSource) mesh.PageSource {
			return &faulty{PageSource: src, delay: 50 * time.Millisecond}
		})
		e := newEngine(t, cpu.Config{})
		var arrivals atomic.Int64
		e.OnArrival(func() { arrivals.Add(1) })
		prepare(t, e, p)
		target := newTarget(t, e, 320, 180)
		if stats := mustRender(t, target, p, orbit(3, 0)); stats.PagesMissing == 0 || stats.Converged {
			t.Fatalf("nothing is missing: %+v", stats)
		}
		if forget {
			e.Forget(&p.model)
			if e.PageBytes() != 0 {
				t.Errorf("%d bytes of pages are left", e.PageBytes())
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHostileTables: tables that lead out of their pages, or in a circle, are refused before anything is drawn.
func TestHostileTables(t *testing.T) {
	for name, spoil := range map[string]func(p *mesh.Paged, info []mesh.PageInfo){
		"page":          func(p *mesh.Paged, _ []mesh.PageInfo) { p.Groups[0].Page = 1 << 30 },
		"clusters":      func(p *mesh.Paged, _ []mesh.PageInfo) { p.Groups[0].Clusters = math.MaxUint32 },
		"first vertex":  func(p *mesh.Paged, _ []mesh.PageInfo) { p.Clusters[0].FirstVertex = math.MaxUint32 &^ 15 },
		"alignment":     func(p *mesh.Paged, _ []mesh.PageInfo) { p.Clusters[0].FirstVertex++ },
		"triangles":     func(p *mesh.Paged, _ []mesh.PageInfo) { p.Clusters[0].Triangles = mesh.MaxTriangles + 1 },
		"vertices":      func(p *mesh.Paged, _ []mesh.PageInfo) { p.Clusters[0].Vertices = mesh.MaxVertices + 1 },
		"maker":         func(p *mesh.Paged, _ []mesh.PageInfo) { p.Makers[0] = int32(len(p.Groups)) },
		"makers":        func(p *mesh.Paged, _ []mesh.PageInfo) { p.Makers = p.Makers[1:] },
		"node":          func(p *mesh.Paged, _ []mesh.PageInfo) { p.Nodes[0].First, p.Nodes[0].Leaf = 0, false },
		"leaf":          func(p *mesh.Paged, _ []mesh.PageInfo) { p.Nodes[0].First, p.Nodes[0].Leaf = math.MaxUint32, true },
		"no nodes":      func(p *mesh.Paged, _ []mesh.PageInfo) { p.Nodes = nil },
		"attributes":    func(p *mesh.Paged, _ []mesh.PageInfo) { p.HasUV1 = true },
		"needs itself":  func(_ *mesh.Paged, info []mesh.PageInfo) { info[0].Needs = []uint32{0} },
		"needs nothing": func(_ *mesh.Paged, info []mesh.PageInfo) { info[0].Needs = []uint32{1 << 30} },
	} {
		t.Run(name, func(t *testing.T) {
			s := resident(t, grid(1, 20_000))
			p := s.model.Meshes[0].Primitives[0].Paged.(*mesh.Paged)
			info := slices.Clone(p.Source.Pages())
			spoil(p, info)
			p.Source = &hostile{p.Source, info}
			e := newEngine(t, cpu.Config{})
			if err := e.Prepare(t.Context(), &s.model, nil); err == nil {
				t.Error("it was prepared")
			}
		})
	}
}

// hostile is a PageSource with another table.
type hostile struct {
	mesh.PageSource
	info []mesh.PageInfo
}

func (h *hostile) Pages() []mesh.PageInfo { return h.info }

// TestHostilePages: whatever a page holds, drawing it neither crashes nor hangs.
func TestHostilePages(t *testing.T) {
	for level, e := range cpu.NewPerLevel(2) {
		t.Cleanup(func() { _ = e.Close() })
		p := resident(t, grid(1, 20_000))
		withSource(p, func(src mesh.PageSource) mesh.PageSource { return noise{src} })
		prepare(t, e, p)
		target := newTarget(t, e, 320, 180)
		settle(t, target, p, orbit(3, float64(level)))
		settle(t, target, p, orbit(0.3, float64(level)))
	}
}

// noise fills pages with any bits.
type noise struct{ mesh.PageSource }

func (n noise) ReadPage(ctx context.Context, i int, dst mesh.Page) error {
	r := rand.New(rand.NewPCG(3, uint64(i)))
	for k := range dst.Positions {
		dst.Positions[k] = math.Float32frombits(r.Uint32())
	}
	for k := range dst.Surface {
		dst.Surface[k] = r.Uint32()
	}
	for k := range dst.Triangles {
		dst.Triangles[k] = r.Uint32() & 0xffffff
	}
	return nil
}

// TestInterrupt: a picture that is refined is left when it is asked to, and keeps what it was; a moving one is not.
func TestInterrupt(t *testing.T) {
	s := grid(2, 400_000)
	e := newEngine(t, cpu.Config{Threads: 1})
	prepare(t, e, s)
	target := newTarget(t, e, 640, 360)
	stopper := target.(render.Interrupter)
	stopped := false
	for try := 0; try < 200 && !stopped; try++ {
		v := orbit(6, float64(try))
		stopper.Interrupt()
		if stats := mustRender(t, target, s, v); stats.Interrupted {
			t.Fatal("a moving view was interrupted")
		}
		before := picture(target)
		done := make(chan struct{})
		go func() {
			defer close(done)
			stopper.Interrupt()
		}()
		stats := mustRender(t, target, s, v)
		<-done
		if stopped = stats.Interrupted; stopped && !bytes.Equal(picture(target).Pix, before.Pix) {
			t.Error("an interrupted picture changed")
		}
		if again := mustRender(t, target, s, v); stopped && again.Sample != 0 {
			t.Errorf("sample %d after an interruption", again.Sample)
		}
	}
	if !stopped {
		t.Error("no picture was interrupted")
	}
}

// heavy is a PageSource whose pages are too large for many to be read before the first picture.
type heavy struct {
	mesh.PageSource
	info []mesh.PageInfo
}

func (h *heavy) Pages() []mesh.PageInfo { return h.info }

// TestFewPagesAreWaitedFor: pages that are being read count as missing however few they are, so that no sample is taken without
// them.
func TestFewPagesAreWaitedFor(t *testing.T) {
	s := newStage()
	addPoints(t, s)
	s = resident(t, s)
	withSource(s, func(src mesh.PageSource) mesh.PageSource {
		info := slices.Clone(src.Pages())
		for i := range info {
			info[i].Bytes = 16 << 20
		}
		return &heavy{src, info}
	})
	e := newEngine(t, cpu.Config{})
	prepare(t, e, s)
	target := newTarget(t, e, 320, 180)
	if stats := mustRender(t, target, s, orbit(4, 25)); stats.PagesMissing == 0 {
		t.Errorf("nothing is missing: %+v", stats)
	}
	stats := settle(t, target, s, orbit(4, 25))
	if stats.PointsDrawn < 30_000 {
		t.Errorf("it converged with %d points", stats.PointsDrawn)
	}
}
