package cpu

import (
	"cmp"
	"math"
	"slices"

	"github.com/heliograph/heliograph/internal/mesh"
)

// tolerances are the errors in pixels that pictures of a view have, one after the other while it rests: the first while it
// moves, the last is full detail. Points stop at one in every half pixel: more could not be told apart.
var (
	tolerances      = [...]float32{0.25, 0.1, 0.03, 0}
	pointTolerances = [len(tolerances)]float32{1, 0.7, 0.5, 0.5}
)

// leastPart is the radius in pixels below which instances are not drawn while the view moves.
const leastPart = 0.12

// lod is what choosing levels of detail needs of a draw. Distances are in camera-relative world space, where an error of e in
// object space is at most e*scale, whatever the transform.
type lod struct {
	scale float32 // greatest stretch of the object-to-world transform
	focal float32 // pixels of a unit of world space at distance 1, times scale
}

// sphere is a bounding sphere in camera-relative world space.
type sphere struct {
	c [3]float32
	r float32
}

func (d *draw) sphere(center [3]float32, radius float32) sphere {
	return sphere{d.toWorld(center), radius * d.lod.scale}
}

// outside reports whether s is finite and out of view.
func (f *frame) outside(s *sphere) bool {
	for i := range f.sides {
		if dot(f.sides[i], s.c) < -s.r {
			return true
		}
	}
	return dot(f.forward, s.c)+s.r < f.near
}

// exceeds reports whether an error, seen at the nearest point of s, is above a tolerance in pixels.
func (f *frame) exceeds(d *draw, s *sphere, err, tolerance float32) bool {
	return err*d.lod.focal > tolerance*f.distance(s)
}

func (f *frame) distance(s *sphere) float32 { return max(sqrt(dot(s.c, s.c))-s.r, f.near) }

// behind reports whether the last picture of this same view hides s: what it holds needs no more detail than that of a moving
// view.
func (f *frame) behind(s *sphere) bool {
	if !f.resting {
		return false
	}
	w := dot(f.forward, s.c)
	if !(w-s.r > f.near) {
		return false
	}
	near, far := 1/(w-s.r), 1/(w+s.r)
	axis := func(c, center float32, n int) (p0, p1 int16, ok bool) {
		lo, hi := (c-s.r)*f.focal, (c+s.r)*f.focal
		lo, hi = lo*pick(lo < 0, near, far)+center, hi*pick(hi > 0, near, far)+center
		const margin = 2 // pixels: jitter, and what a coarser picture may be off
		return pixels((lo-margin)*subpixel, (hi+margin)*subpixel, n)
	}
	x0, x1, okX := axis(dot(f.right, s.c), float32(f.cam.centerX), f.t.w)
	y0, y1, okY := axis(-dot(f.up, s.c), float32(f.cam.centerY), f.t.h)
	return okX && okY && f.t.occ.hides(&candidate{item: item{y0: y0, y1: y1}, x0: x0, x1: x1, nearest: near})
}

// walker chooses the clusters of draws: mesh.Paged's rule, where a group that the view does not show counts as not refined.
// All of the rule's conditions hold for a group's sphere and error if they hold for a finer group's that it was made of.
type walker struct {
	f     *frame
	d     *draw
	p     *paged
	out   *culled
	stack []uint32
}

// walk draws what lies below a node.
func (w *walker) walk(di int, node uint32) {
	w.d = &w.f.draws[di]
	w.p = w.d.prim.paged
	w.stack = append(w.stack[:0], node)
	for len(w.stack) > 0 {
		n := &w.p.Nodes[w.stack[len(w.stack)-1]]
		w.stack = w.stack[:len(w.stack)-1]
		s := w.d.sphere(n.Center, n.Radius)
		if w.f.outside(&s) {
			continue
		}
		if !w.f.exceeds(w.d, &s, n.Error, w.tolerance()) {
			w.out.more = w.out.more || n.Error > 0
			continue
		}
		if !n.Leaf {
			for c := n.First + n.Count; c > n.First; c-- {
				w.stack = append(w.stack, c-1)
			}
			continue
		}
		for g := n.First; g < n.First+n.Count; g++ {
			w.group(di, g)
		}
	}
}

func (w *walker) tolerance() float32 {
	if w.d.prim.points {
		return w.f.pointTolerance
	}
	return w.f.tolerance
}

// refined applies the rule to a group. Unusable reports that only its page is missing, and how much it is missed.
func (w *walker) refined(g *mesh.Group) (refined bool, missed float32) {
	s := w.d.sphere(g.Center, g.Radius)
	if w.f.outside(&s) {
		return false, 0
	}
	if !w.f.exceeds(w.d, &s, g.Error, w.tolerance()) {
		w.out.more = w.out.more || g.Error > 0
		return false, 0
	}
	if w.f.resting && !w.f.exceeds(w.d, &s, g.Error, tolerances[0]) && !w.d.prim.points && w.f.behind(&s) {
		return false, 0
	}
	if !w.p.source.pages[g.Page].usable {
		return false, min(g.Error*w.d.lod.focal/w.f.distance(&s), math.MaxFloat32)
	}
	return true, 0
}

// group draws the members of a refined group whose makers are not.
func (w *walker) group(di int, gi uint32) {
	g := &w.p.Groups[gi]
	refined, missed := w.refined(g)
	if missed > 0 {
		w.out.wants = append(w.out.wants, want{w.p.source, g.Page, missed})
		if w.d.prim.points {
			w.out.gap = max(w.out.gap, missed)
		}
	}
	if !refined {
		return
	}
	page := &w.p.source.pages[g.Page]
	if page.drawn.Load() != w.f.clock {
		page.drawn.Store(w.f.clock)
	}
	if w.d.prim.points {
		for ci := range g.Clusters {
			w.f.cullPoints(w.out, di, int(g.FirstCluster+ci), page.place)
		}
		return
	}
	last, replaced := int32(-1), false
	for ci := g.FirstCluster; ci < g.FirstCluster+g.Clusters; ci++ {
		if m := w.p.Makers[ci]; m != last {
			last, replaced = m, false
			if m >= 0 {
				replaced, _ = w.refined(&w.p.Groups[m])
			}
		}
		if !replaced {
			w.f.cullCluster(w.out, di, int(ci), page.place)
		}
	}
}

// missed merges what the walks missed, best first.
func missed(units []culled) []want {
	most := map[want]float32{}
	for i := range units {
		for _, w := range units[i].wants {
			k := want{source: w.source, page: w.page}
			most[k] = max(most[k], w.priority)
		}
	}
	out := make([]want, 0, len(most))
	for w, priority := range most {
		w.priority = priority
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b want) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.source.order, b.source.order), cmp.Compare(a.page, b.page))
	})
	return out
}

// stretch is the greatest factor by which the linear map with these rows makes a vector longer.
func stretch(m *[3][4]float64) float32 {
	// The root of the greatest eigenvalue of the Gram matrix, found in closed form (Smith 1961).
	var g [3][3]float64
	for i := range 3 {
		for j := range 3 {
			g[i][j] = m[0][i]*m[0][j] + m[1][i]*m[1][j] + m[2][i]*m[2][j]
		}
	}
	off := g[0][1]*g[0][1] + g[0][2]*g[0][2] + g[1][2]*g[1][2]
	q := (g[0][0] + g[1][1] + g[2][2]) / 3
	most := max(g[0][0], g[1][1], g[2][2])
	if off > 1e-12*q*q {
		a, b, c := g[0][0]-q, g[1][1]-q, g[2][2]-q
		p := math.Sqrt((a*a + b*b + c*c + 2*off) / 6)
		det := a*(b*c-g[1][2]*g[1][2]) - g[0][1]*(g[0][1]*c-g[1][2]*g[0][2]) + g[0][2]*(g[0][1]*g[1][2]-b*g[0][2])
		r := min(max(det/(2*p*p*p), -1), 1)
		most = q + 2*p*math.Cos(math.Acos(r)/3)
	}
	return float32(math.Sqrt(most) * (1 + 1e-6))
}
