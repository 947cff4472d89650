package cpu

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/scene"
)

const (
	samples     = 16 // jittered samples of a converged picture
	peelLayers  = 4  // blended surfaces a pixel shows at most; those further back are left out
	filterUntil = 4  // accumulated samples from which on the edge filter would only blur
)

// Target implements render.Target.
//
// The first frame of a view has at most one sample a pixel and goes through an edge filter; the frames after it accumulate
// jittered samples. Blended surfaces are depth-peeled, so that they need no sorting and intersect correctly.
type Target struct {
	e                   *Engine
	w, h                int
	stride, colorStride int // pixels

	layer                            // the opaque visibility buffer
	peels                  []layer   // blended ones, front to back, allocated when first needed
	peeled                 int       // layers of the last frame
	occ                    occlusion //
	color                  []uint32  // shaded, with pixelPad pixels of border a side
	luma                   []byte    // of color, likewise; only kernels that are quicker with it fill it
	final                  []uint32  // filtered
	planeY, planeU, planeV []byte
	sum                    accumulation

	visible  []bool        // by cluster of snapshot order: was seen in the last frame
	shown    []int         // where visible is true
	seen     []atomic.Bool // by item: shows in the opaque layer
	layout   []layoutEntry
	placed   int  // meshes of layout that the frame has come to
	history  int  // clusters of those
	same     bool // they are as in the last frame
	frame    frame
	k        kernels     // bound to frame while Render runs
	stop     atomic.Bool // Interrupt was called
	version  uint64
	sky      scene.Sky
	light    scene.DirectionalLight
	view     render.View
	sample   int             // of the last frame; -1 before the first
	detail   int             // of the last frame: index into tolerances
	more     bool            // a lower tolerance would have shown more
	scene    *scene.Snapshot // of the last frame
	replaced []bool          // by instance: not drawn, as a proxy is
	standIn  bool            // proxies are drawn
	gap      float32         // pixels between points where the last frame missed pages
	stats    render.Stats
}

// layoutEntry is what Target.visible was indexed by.
type layoutEntry struct {
	mesh    *cachedMesh
	history int
}

func newTarget(e *Engine, w, h int) *Target {
	stride := (w + 15) &^ 15
	t := &Target{e: e, w: w, h: h, stride: stride, colorStride: stride + 2*pixelPad, sample: -1}
	t.layer = t.newLayer()
	t.occ = newOcclusion(w, h)
	t.color = make([]uint32, t.colorStride*h)
	t.luma = make([]byte, t.colorStride*h+64)
	t.final = make([]uint32, stride*h+pixelPad)
	t.planeY, t.planeU, t.planeV = make([]byte, w*h+64), make([]byte, w*h/4+64), make([]byte, w*h/4+64)
	return t
}

func (t *Target) newLayer() layer {
	n := t.stride*t.h + 64
	return layer{make([]float32, n), make([]uint32, n)}
}

// Size implements render.Target.
func (t *Target) Size() (width, height int) { return t.w, t.h }

// Close implements render.Target.
func (t *Target) Close() error {
	*t = Target{}
	return nil
}

// I420 implements render.Target.
func (t *Target) I420() (y, u, v []byte, strideY, strideUV int) {
	return t.planeY[:t.w*t.h], t.planeU[:t.w*t.h/4], t.planeV[:t.w*t.h/4], t.w, t.w / 2
}

// RGBA implements render.Target.
func (t *Target) RGBA(dst []byte) {
	for y := range t.h {
		for x, p := range t.final[y*t.stride:][:t.w] {
			binary.LittleEndian.PutUint32(dst[4*(y*t.w+x):], p)
		}
	}
}

// Pick implements render.Target.
func (t *Target) Pick(x, y int) (scene.EntityID, float32) {
	if x < 0 || y < 0 || x >= t.w || y >= t.h || t.sample < 0 {
		return 0, 0
	}
	i := y*t.stride + x
	l := &t.layer
	if t.peeled > 0 && t.peels[0].id[i] != noID {
		l = &t.peels[0]
	}
	if l.id[i] == noID {
		return 0, 0
	}
	d, depth := &t.frame.draws[t.frame.items[l.id[i]>>7].draw], 1/l.depth[i]
	if d.proxy != nil {
		return t.partOf(d, t.frame.point(x, y, depth)), depth
	}
	return d.entity, depth
}

// Render implements render.Target.
func (t *Target) Render(s *scene.Snapshot, v render.View) (render.Stats, error) {
	if err := checkView(v); err != nil {
		return render.Stats{}, err
	}
	resting := t.sample >= 0 && s.Version == t.version && v == t.view && s.Light == t.light && s.Sky == t.sky
	switch {
	case !resting:
		t.sample, t.detail = 0, 0
	case t.sample == samples:
		return t.stats, nil
	case t.sample == 0 && t.stats.PagesMissing > 0:
		// The same again, with the pages that have arrived.
	case t.sample == 0 && t.more && t.detail < len(tolerances)-1:
		t.detail++
	default:
		t.sample, t.detail = t.sample+1, len(tolerances)-1
	}
	t.scene, t.version, t.view, t.light, t.sky = s, s.Version, v, s.Light, s.Sky
	t.stats = render.Stats{Sample: t.sample, Converged: t.sample == samples}
	t.stop.Store(false)
	clock := t.e.pool.begin()
	wants, err := t.draw(s, v, resting, clock)
	t.stats.PagesMissing = t.e.pool.end(wants)
	switch {
	case errors.Is(err, errInterrupted):
		t.sample = -1
		return render.Stats{Interrupted: true}, nil
	case err != nil:
		t.sample = -1
		return render.Stats{}, err
	}
	return t.stats, nil
}

// errInterrupted ends a draw.
var errInterrupted = errors.New("interrupted")

// Interrupt implements render.Interrupter.
func (t *Target) Interrupt() { t.stop.Store(true) }

// interrupted reports whether the frame is to be left. From shading on it is not: that changes the picture.
func (t *Target) interrupted() bool { return t.frame.resting && t.stop.Load() }

// draw makes the picture, and returns the pages that it missed.
func (t *Target) draw(s *scene.Snapshot, v render.View, resting bool, clock uint64) ([]want, error) {
	start := time.Now()
	if err := t.begin(s, v, resting, clock); err != nil {
		return nil, err
	}
	cull := time.Now()
	units := t.frame.cull()
	gap := gapOf(units)
	if gap > 1.5*t.gap { // more is missing than in the last frame: larger points
		t.gap = gap
		units = t.frame.cull()
	}
	t.gap = gap
	wants := missed(units)
	t.more = t.standIn || slices.ContainsFunc(units, func(u culled) bool { return u.more })
	cullNS := time.Since(cull).Nanoseconds()
	t.seen = make([]atomic.Bool, cap(t.frame.items))
	if t.peels == nil && slices.ContainsFunc(units, func(u culled) bool { return len(u.blend) > 0 }) {
		for range peelLayers {
			t.peels = append(t.peels, t.newLayer())
		}
	}
	var release func()
	t.k, release = t.e.bind(&t.frame)
	defer release()
	cullNS += t.visibility(units)
	if t.interrupted() {
		return wants, errInterrupted
	}
	raster := time.Now()
	t.shade()
	t.remember()
	t.stats.CullNS = cullNS
	t.stats.RasterNS = raster.Sub(start).Nanoseconds() - cullNS
	t.stats.ShadeNS = time.Since(raster).Nanoseconds()
	return wants, nil
}

func checkView(v render.View) error {
	var sum, q float64
	for _, c := range v.Position {
		sum += float64(c)
	}
	for _, c := range v.Orientation {
		q += float64(c) * float64(c)
	}
	switch {
	case math.IsNaN(sum) || math.IsInf(sum, 0):
		return errors.New("cpu: view position is not finite")
	case !(q > 1e-12) || math.IsInf(q, 0):
		return errors.New("cpu: view orientation is not a rotation")
	case !(v.FovY > 0.001 && v.FovY < 3.14):
		return fmt.Errorf("cpu: field of view of %v radians", v.FovY)
	case !(v.Near >= 1e-6 && v.Near < 1e9):
		return fmt.Errorf("cpu: near plane at %v m", v.Near)
	}
	return nil
}

// begin sets up the frame: camera, lights, and the draws of all instances.
func (t *Target) begin(s *scene.Snapshot, v render.View, resting bool, clock uint64) error {
	f, detail := &t.frame, t.detail
	if t.e.full {
		detail = len(tolerances) - 1
	}
	*f = frame{
		t: t, near: v.Near, draws: f.draws[:0], items: f.items[:0], sky: t.e.sky(), lodScale: 0.5,
		tolerance: tolerances[detail], pointTolerance: pointTolerances[detail], resting: resting, clock: clock,
	}
	var jitter [2]float64
	if t.sample > 0 {
		jitter = [2]float64{halton(t.sample, 2) - 0.5, halton(t.sample, 3) - 0.5}
		f.trilinear, f.lodScale = true, 0.25 // many samples carry more detail than one
	}
	f.cam = newCamera(v, t.w, t.h, jitter)
	f.rays()
	f.planes()
	f.toLight = [3]float32(geom.Vec3{}.Sub(s.Light.Direction).Normalize())
	for k := range 3 {
		f.lightColor[k] = s.Light.Color[k] * (1 / math.Pi)
	}
	f.lit = s.Light.Color != geom.Vec3{}
	f.skyIntensity = s.Sky.Intensity
	if t.sample > 0 {
		if t.sum.plane[0] == nil {
			for i := range t.sum.plane {
				t.sum.plane[i] = make([]float32, t.stride*t.h)
			}
		}
		t.sum.samples = t.sample
	}
	for k := range 3 {
		f.background[k] = srgbToLinear(float32(s.Sky.Background[k]) / 255)
	}
	t.placed, t.history, t.same = 0, 0, len(t.layout) == len(s.Proxies)+len(s.Instances)
	if err := t.addProxies(s); err != nil {
		return err
	}
	for i := range s.Instances {
		in := &s.Instances[i]
		c := t.e.lookup(in.Mesh)
		if c == nil {
			return fmt.Errorf("cpu: mesh %q was not prepared", in.Mesh.Name)
		}
		history := t.place(c)
		switch {
		case t.replaced[i]:
		case f.shows(&in.World, c):
			f.addInstance(in, c.prims, history)
		default:
			t.stats.TrianglesCulled += c.triangles
		}
	}
	if !t.same {
		t.layout = t.layout[:t.placed]
		t.visible, t.shown = make([]bool, t.history), nil // another scene: nothing is known to be visible, all is drawn
	}
	return nil
}

// place gives the next mesh of the frame its part of t.visible, and returns the index of its first cluster.
func (t *Target) place(c *cachedMesh) (history int) {
	entry := layoutEntry{c, t.history}
	if t.placed < len(t.layout) {
		t.same = t.same && t.layout[t.placed] == entry
		t.layout[t.placed] = entry
	} else {
		t.layout = append(t.layout, entry)
	}
	t.placed++
	t.history += c.clusters
	return entry.history
}

// visibility fills the visibility buffers and returns the time occlusion culling took.
func (t *Target) visibility(units []culled) (cullNS int64) {
	f := &t.frame
	var rest, blend []candidate
	for i := range units {
		u := &units[i]
		for j := range u.first {
			f.push(&u.first[j])
		}
		rest, blend = append(rest, u.rest...), append(blend, u.blend...)
		t.stats.TrianglesCulled += u.tris
	}
	first := len(f.items)
	t.rasterBands(0, first, true)
	for rounds := occlusionRounds; ; rounds-- {
		start := time.Now()
		rest = t.unhidden(rest)
		n := len(rest)
		if rounds == occlusionRounds {
			if n <= 2*first {
				rounds = 1
			} else { // nearest first: what one round draws hides much of the next ones'
				slices.SortStableFunc(rest, func(a, b candidate) int { return cmp.Compare(b.nearest, a.nearest) })
			}
		}
		if rounds > 1 {
			n = min(n, max(n/4, leastRound))
		}
		from := len(f.items)
		for i := range rest[:n] {
			f.push(&rest[i])
		}
		rest = rest[n:]
		cullNS += time.Since(start).Nanoseconds()
		t.rasterBands(from, len(f.items), false)
		if len(rest) == 0 || t.interrupted() {
			break
		}
	}
	t.peel(blend)
	return cullNS
}

const (
	// What was not visible in the last frame is drawn in so many rounds, each tested against the depth that those before it left,
	// if it is much: after a jump of the view, or of the level of detail, there is little depth to begin with.
	occlusionRounds = 3
	leastRound      = 256 // clusters
)

// unhidden returns the candidates that the depth drawn so far does not hide.
func (t *Target) unhidden(cs []candidate) []candidate {
	if len(cs) == 0 {
		return cs
	}
	t.e.parallel(t.occ.h[0], func(y int) { t.k.hz(&t.frame, y, y+1) })
	t.occ.coarsen()
	hidden := make([]bool, len(cs))
	t.testOcclusion(cs, hidden)
	n := 0
	for i := range cs {
		if !hidden[i] {
			cs[n] = cs[i]
			n++
		}
	}
	return cs[:n]
}

// push makes c an item and counts it.
func (f *frame) push(c *candidate) {
	if len(f.items) == maxItems-1 {
		return
	}
	f.items = append(f.items, c.item)
	f.t.stats.ClustersDrawn++
	if p := f.draws[c.draw].prim; p.points {
		f.t.stats.PointsDrawn += int64(c.firstTriangle)
	} else {
		f.t.stats.TrianglesDrawn += int64(p.Clusters[c.cluster].Triangles)
	}
}

// covers is what occlusion.hides is, pixel by pixel: tiles say too little of a cluster that is hardly larger.
func (t *Target) covers(c *candidate) bool {
	const most = 32 // pixels a side
	if c.nearest == 0 || c.x1-c.x0 >= most || c.y1-c.y0 >= most {
		return false
	}
	for y := int(c.y0); y <= int(c.y1); y++ {
		row := t.depth[y*t.stride:]
		for _, z := range row[c.x0 : c.x1+1] {
			if c.nearest > z {
				return false
			}
		}
	}
	return true
}

func (t *Target) testOcclusion(cs []candidate, hidden []bool) {
	const unit = 1024
	t.e.parallel((len(cs)+unit-1)/unit, func(i int) {
		for j := i * unit; j < min((i+1)*unit, len(cs)); j++ {
			hidden[j] = t.occ.hides(&cs[j]) || t.covers(&cs[j])
		}
	})
	for i := range cs {
		if hidden[i] {
			t.stats.TrianglesCulled += int64(t.frame.draws[cs[i].draw].prim.Clusters[cs[i].cluster].Triangles)
		}
	}
}

// bandRows is the height of the strips that threads rasterise: several a thread for balance, but not so low that most
// clusters lie in two.
func (t *Target) bandRows() int {
	return max(32, (t.h/(3*t.e.threads)+7)&^7)
}

// bands sorts the items from..to by the strips they touch.
func (t *Target) bands(from, to int) [][]uint32 {
	rows := t.bandRows()
	out := make([][]uint32, (t.h+rows-1)/rows)
	for i := from; i < to; i++ {
		it := &t.frame.items[i]
		for b := int(it.y0) / rows; b <= int(it.y1)/rows; b++ {
			out[b] = append(out[b], uint32(i))
		}
	}
	return out
}

// mostItems is how many items are rasterised between two questions whether to go on.
const mostItems = 1024

// rasterBands draws the items from..to into the opaque layer.
func (t *Target) rasterBands(from, to int, clear bool) {
	f, rows := &t.frame, t.bandRows()
	bands := t.bands(from, to)
	t.e.parallel(len(bands), func(b int) {
		y0, y1 := b*rows, min((b+1)*rows, t.h)
		if clear {
			t.layer.clear(y0*t.stride, y1*t.stride)
		}
		for items := bands[b]; len(items) > 0; {
			if t.interrupted() {
				return
			}
			kind, n := f.kind(items[0]), 1
			for n < min(len(items), mostItems) && f.kind(items[n]) == kind {
				n++
			}
			switch kind {
			case kindFast:
				t.k.raster(f, items[:n], y0, y1)
			case kindPoints:
				t.k.points(f, items[:n], y0, y1)
			case kindSlow:
				for _, i := range items[:n] {
					f.rasterSlow(&t.layer, i, y0, y1, nil, false)
				}
			}
			items = items[n:]
		}
	})
}

// kind is how an item is rasterised.
type kind int

const (
	kindFast kind = iota
	kindPoints
	kindSlow
)

func (f *frame) kind(i uint32) kind {
	it := &f.items[i]
	switch {
	case it.slow:
		return kindSlow
	case f.draws[it.draw].prim.points:
		return kindPoints
	}
	return kindFast
}

func (l *layer) clear(from, to int) {
	clear(l.depth[from:to])
	const run = 4096 // in cache
	ids := l.id[from:to]
	for i := range ids[:min(run, len(ids))] {
		ids[i] = noID
	}
	for i := run; i < len(ids); i += run {
		copy(ids[i:], ids[:run])
	}
}

// remember notes which clusters the opaque layer shows: they are drawn first in the next frame.
func (t *Target) remember() {
	f := &t.frame
	for _, i := range t.shown {
		t.visible[i] = false
	}
	t.shown = t.shown[:0]
	for i := range f.items {
		if t.seen[i].Load() {
			it := &f.items[i]
			at := f.draws[it.draw].history + int(it.cluster)
			t.visible[at] = true
			t.shown = append(t.shown, at)
		}
	}
}

// peel draws blended clusters into layers, front to back (Everitt 2001).
func (t *Target) peel(cs []candidate) {
	t.peeled = 0
	if len(cs) == 0 {
		return
	}
	f, rows := &t.frame, t.bandRows()
	first := len(f.items)
	for _, c := range t.unhidden(cs) {
		f.push(&c)
	}
	bands := t.bands(first, len(f.items))
	for n := range peelLayers {
		var behind *layer
		if n > 0 {
			behind = &t.peels[n-1]
		}
		var any atomic.Bool
		t.e.parallel(len(bands), func(b int) {
			y0, y1 := b*rows, min((b+1)*rows, t.h)
			t.peels[n].clear(y0*t.stride, y1*t.stride)
			for _, i := range bands[b] {
				if f.rasterSlow(&t.peels[n], i, y0, y1, behind, true) {
					any.Store(true)
				}
			}
		})
		if !any.Load() {
			return
		}
		t.peeled = n + 1
	}
}

// shade turns the visibility buffers into the picture.
func (t *Target) shade() {
	const rows = 8
	bands := (t.h + rows - 1) / rows
	t.e.parallel(bands, func(b int) { t.k.paintRows(&t.frame, b*rows, min((b+1)*rows, t.h)) })
	filter := t.sample < filterUntil
	t.e.parallel(bands, func(b int) { t.k.resolveRows(&t.frame, b*rows, min((b+1)*rows, t.h), filter) })
}
