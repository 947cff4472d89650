package cpu

import (
	"slices"

	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// cullUnit is how many clusters one step of parallel culling looks at.
const cullUnit = 1024

// candidate is a cluster inside the view, with the pixels its box may touch.
type candidate struct {
	item
	x0, x1  int16
	nearest float32 // upper bound of its 1/w; 0 = crosses the near plane, never occluded
}

// culled is what culling one unit found.
type culled struct {
	first []candidate // visible in the last frame: drawn first
	rest  []candidate // to be tested against the depth of those
	blend []candidate
	tris  int64   // of the clusters rejected
	wants []want  // pages that a finer picture needs
	more  bool    // a lower tolerance would show more
	gap   float32 // pixels between points where pages are missing
}

// span is a part of a draw that one step of culling looks at: a run of clusters, or a node of a hierarchy.
type span struct{ draw, from, to int }

// weight is how much work a span is, in clusters.
func (s span) weight() int {
	if s.from == s.to {
		return cullUnit / 4
	}
	return s.to - s.from + 16
}

// cull sorts all clusters of f's draws. The order of the result does not depend on the number of threads.
func (f *frame) cull() []culled {
	var spans []span
	for i := range f.draws {
		p := f.draws[i].prim
		if p.paged != nil {
			for _, node := range p.paged.entries {
				spans = append(spans, span{i, int(node), int(node)})
			}
			continue
		}
		n := len(p.Clusters)
		for from := 0; from < n; from += cullUnit {
			spans = append(spans, span{i, from, min(from+cullUnit, n)})
		}
	}
	// Many draws have one cluster: several spans make a unit.
	var units [][]span
	for size := cullUnit; len(spans) > 0; spans = spans[1:] {
		s := spans[0]
		if size+s.weight() > cullUnit {
			units, size = append(units, nil), 0
		}
		size += s.weight()
		units[len(units)-1] = append(units[len(units)-1], s)
	}
	out := make([]culled, len(units))
	f.t.e.parallel(len(units), func(i int) {
		w := walker{f: f, out: &out[i]}
		for _, s := range units[i] {
			if s.from == s.to {
				w.walk(s.draw, uint32(s.from))
			}
			for ci := s.from; ci < s.to; ci++ {
				f.cullCluster(&out[i], s.draw, ci, place{})
			}
		}
	})
	n := 1
	for i := range out {
		n += len(out[i].first) + len(out[i].rest) + len(out[i].blend)
	}
	f.items = slices.Grow(f.items[:0], n) // kernels keep its address while it fills
	return out
}

// cullCluster adds a cluster to out if it may show. Its page begins at at.
func (f *frame) cullCluster(out *culled, di, ci int, at place) {
	d := &f.draws[di]
	mat := d.prim.mat
	c := &d.prim.Clusters[ci]
	cand, ok := f.test(d, c)
	if !ok {
		out.tris += int64(c.Triangles)
		return
	}
	cand.draw, cand.cluster = uint32(di), uint32(ci)
	cand.firstVertex, cand.firstTriangle = at.vertex+c.FirstVertex, at.triangle+c.FirstTriangle
	cand.textured = mat.textured()
	switch {
	case mat.Alpha == scene.AlphaBlend:
		cand.slow = true
		out.blend = append(out.blend, cand)
	case f.t.visible[d.history+ci]:
		out.first = append(out.first, cand)
	default:
		out.rest = append(out.rest, cand)
	}
}

// test is the frustum, cone and sample-miss test of one cluster by interval arithmetic on its box.
func (f *frame) test(d *draw, c *mesh.Cluster) (cand candidate, ok bool) {
	m := &d.clip
	bound := func(r int) (mid, ext float32) {
		mid = m[r]*c.Center[0] + m[r+1]*c.Center[1] + m[r+2]*c.Center[2] + m[r+3]
		ext = abs(m[r])*c.Half[0] + abs(m[r+1])*c.Half[1] + abs(m[r+2])*c.Half[2]
		return mid, ext + 1e-6*(abs(mid)+ext) // rounding
	}
	wMid, wExt := bound(8)
	if !(wMid+wExt > f.near) {
		return cand, false
	}
	if !d.prim.mat.DoubleSided && d.eyeOK && c.ConeCutoff <= 1 {
		v := [3]float32(c.Center.Sub(d.eye))
		if dot(v, c.ConeAxis) >= c.ConeCutoff*sqrt(dot(v, v))+c.Radius {
			return cand, false
		}
	}
	xMid, xExt := bound(0)
	yMid, yExt := bound(4)
	w, h := float32(f.t.w), float32(f.t.h)
	masked := d.prim.mat.Alpha == scene.AlphaMask
	wMin, wMax := wMid-wExt, wMid+wExt
	if !(wMin > f.near) {
		// The box crosses the near plane: only half-space tests hold.
		if xMid+xExt < 0 || yMid+yExt < 0 ||
			xMid-w*subpixel*wMid > xExt+w*subpixel*wExt || yMid-h*subpixel*wMid > yExt+h*subpixel*wExt {
			return cand, false
		}
		return candidate{item: item{y1: int16(f.t.h - 1), slow: true}, x1: int16(f.t.w - 1)}, true
	}
	near, far := 1/wMin, 1/wMax
	lo := func(v float32) float32 { return v * pick(v < 0, near, far) }
	hi := func(v float32) float32 { return v * pick(v > 0, near, far) }
	x0, x1, y0, y1 := lo(xMid-xExt), hi(xMid+xExt), lo(yMid-yExt), hi(yMid+yExt)
	// One subpixel of margin for snapping.
	const slack = 1
	px0, px1, okX := pixels(x0-slack, x1+slack, f.t.w)
	py0, py1, okY := pixels(y0-slack, y1+slack, f.t.h)
	if !okX || !okY {
		return cand, false
	}
	fits := x0 > -maxSnapped+2 && y0 > -maxSnapped+2 && x1 < maxSnapped-2 && y1 < maxSnapped-2
	return candidate{
		item:    item{y0: py0, y1: py1, slow: masked || !fits},
		x0:      px0,
		x1:      px1,
		nearest: near * (1 + 1e-5),
	}, true
}

func pick(c bool, a, b float32) float32 {
	if c {
		return a
	}
	return b
}

// pixels returns the pixels of 0..n-1 whose centres lie in lo..hi (subpixels), false if none. NaN means all.
func pixels(lo, hi float32, n int) (p0, p1 int16, ok bool) {
	end := float32(n * subpixel)
	if lo > end || hi < 0 {
		return 0, 0, false
	}
	a := int(clampf(lo, 0, end))
	b := n*subpixel - int(clampf(end-hi, 0, end))
	a, b = (a+subpixel/2-1)/subpixel, (b-subpixel/2)>>8
	b = min(b, n-1)
	return int16(a), int16(b), a <= b
}

// occlusion is the hierarchical depth buffer: per tile of 8, 64 and 512 pixels the farthest 1/w.
type occlusion struct {
	w, h [3]int
	far  [3][]float32
}

func newOcclusion(w, h int) (o occlusion) {
	for l := range o.far {
		w, h = (w+7)/8, (h+7)/8
		o.w[l], o.h[l], o.far[l] = w, h, make([]float32, w*h)
	}
	return o
}

// coarsen derives the upper levels from the first.
func (o *occlusion) coarsen() {
	for l := 1; l < len(o.far); l++ {
		src, sw, sh := o.far[l-1], o.w[l-1], o.h[l-1]
		for y := range o.h[l] {
			for x := range o.w[l] {
				far := src[8*y*sw+8*x]
				for v := 8 * y; v < min(8*y+8, sh); v++ {
					far = min(far, slices.Min(src[v*sw+8*x:v*sw+min(8*x+8, sw)]))
				}
				o.far[l][y*o.w[l]+x] = far
			}
		}
	}
}

// hides reports whether everything c can cover is nearer already.
func (o *occlusion) hides(c *candidate) bool {
	if c.nearest == 0 {
		return false
	}
	l, shift := 0, 3
	for l < 2 && (int(c.x1)>>shift-int(c.x0)>>shift > 8 || int(c.y1)>>shift-int(c.y0)>>shift > 8) {
		l, shift = l+1, shift+3
	}
	for y := int(c.y0) >> shift; y <= int(c.y1)>>shift; y++ {
		row := o.far[l][y*o.w[l]:]
		for x := int(c.x0) >> shift; x <= int(c.x1)>>shift; x++ {
			if c.nearest > row[x] {
				return false
			}
		}
	}
	return true
}
