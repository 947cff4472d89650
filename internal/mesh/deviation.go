package mesh

import (
	"cmp"
	"slices"

	"github.com/heliograph/heliograph/internal/geom"
)

// witnesses is how many points of finer levels a cluster keeps to be compared with.
const witnesses = 16

// irrelevant is the share of a group's error below which the error of a sample may be anything.
const irrelevant = 0.5

// witness is a point of full detail that some level removed, with the look that it had then.
type witness struct {
	src    uint32 // vertex of the source
	at     uint32 // welded position of the cluster it belongs to that is near it
	normal geom.Vec3
	extent float32 // object space
}

// finding is what deviation found for a sample.
type finding struct {
	sample   int
	triangle uint32
	at       uint32 // local position
	error    float32
}

// deviation is the greatest error, in object space, of the simplified patch: over the places of all vertices that vanished
// in this group, and the worst of those that vanished in the groups below. Each is compared with the nearest triangle, so
// errors of successive levels are measured, neither added up nor averaged. It need not be exact below floor, the error of
// the groups below. The worst findings of each of the n clusters that replace the group become its witnesses: those of
// cluster i end at ends[i].
func (w *worker) deviation(n int, floor float32) (e float32, kept []witness, ends []uint32) {
	s := &w.simplify
	for _, c := range w.carried {
		at, known := w.patch.positions.get(c.at)
		if known {
			s.gone = append(s.gone, w.recall(c, at))
		}
	}
	floor /= s.size
	worst := make([][]finding, n)
	for i := range s.gone {
		f, ok := s.nearest(&s.gone[i], irrelevant*max(e, floor))
		if !ok {
			continue // pruned: s.pruned bounds it
		}
		f.sample = i
		e = max(e, f.error)
		run := &worst[w.runOf[f.triangle]]
		at, _ := slices.BinarySearchFunc(*run, f.error, func(o finding, e float32) int { return cmp.Compare(e, o.error) })
		if at < witnesses {
			*run = slices.Insert((*run)[:min(len(*run), witnesses-1)], at, f)
		}
	}
	for _, run := range worst {
		for _, f := range run {
			g := &s.gone[f.sample]
			kept = append(kept, witness{g.src, w.patch.ids[f.at], g.normal, g.extent * s.size})
		}
		ends = append(ends, uint32(len(kept)))
	}
	return max(e, s.pruned) * s.size, kept, ends
}

// recall is the sample that c was.
func (w *worker) recall(c witness, at uint32) sample {
	p, s := w.h.p, &w.simplify
	g := sample{position: at, src: c.src, pos: s.local(p.Positions[c.src])}
	g.a, g.normal, g.extent = &s.look, c.normal, c.extent/s.size
	if p.UV0 != nil {
		g.uv[0] = p.UV0[c.src]
	}
	if p.UV1 != nil {
		g.uv[1] = p.UV1[c.src]
	}
	if p.Colors != nil {
		g.color = p.Colors[c.src]
	}
	return g
}

// longestWalk is how many stars nearest looks at.
const longestWalk = 12

// nearest compares g with the triangles around where it went: with those that it stands over, which mostly will do, and then
// with all. It walks on while that helps, since what a vertex collapsed onto can be far away where the surface is even. A
// nearer triangle further off makes the error no smaller than it is. It stops where the error is small enough.
func (s *simplifier) nearest(g *sample, enough float32) (f finding, ok bool) {
	p := g.position
	for s.into[p] != p {
		s.into[p] = s.into[s.into[p]]
		p = s.into[p]
	}
	f.error = far
	for step, last := 0, none; step < longestWalk; step++ {
		if s.over(g, p, &f, enough); f.error <= enough {
			break
		}
		next, other := s.beside(g, p, &f)
		switch {
		case next != none && next != p:
			last = other
		case last != none:
			next, last = last, none
		default:
			return f, f.error < far
		}
		p = next
	}
	return f, f.error < far
}

// over compares g with the triangles at p that it stands over.
func (s *simplifier) over(g *sample, p uint32, f *finding, enough float32) {
	pp := s.pos[p]
	u := g.pos.Sub(pp)
	for c := s.head[p]; c != none; c = s.next[c] {
		t := &s.tris[c/3]
		if t[0] == none {
			continue
		}
		k := c % 3
		ya, yb := t[after[k]], t[before[k]]
		ea, eb := s.pos[s.at[ya]].Sub(pp), s.pos[s.at[yb]].Sub(pp)
		n := ea.Cross(eb)
		n2, side := n.Dot(n), n.Cross(u)
		wa, wb := side.Dot(eb), -side.Dot(ea)
		if wa < 0 || wb < 0 || wa+wb > n2 || !(n2 > 0) {
			continue
		}
		h := n.Dot(u)
		d2 := h * h / n2
		if d2 >= f.error*f.error {
			continue
		}
		bary := geom.Vec3{(n2 - wa - wb) / n2, wa / n2, wb / n2}
		if e := max(sqrt32(d2), g.error(t[k], ya, yb, bary)); e < f.error {
			f.error, f.triangle, f.at = e, c/3, p
			if e <= enough {
				return
			}
		}
	}
}

// beside compares g with all triangles at p, and returns the two corners nearest to it of the best one; none unless one is
// better than f.
func (s *simplifier) beside(g *sample, p uint32, f *finding) (next, other uint32) {
	next, other = none, none
	for c := s.head[p]; c != none; c = s.next[c] {
		t := &s.tris[c/3]
		if t[0] == none {
			continue
		}
		corners := [3]uint32{s.at[t[0]], s.at[t[1]], s.at[t[2]]}
		d2, bary := nearestPoint(g.pos, s.pos[corners[0]], s.pos[corners[1]], s.pos[corners[2]])
		if d2 >= f.error*f.error {
			continue
		}
		e := max(sqrt32(d2), g.error(t[0], t[1], t[2], bary))
		if e >= f.error {
			continue
		}
		i, j := order3(bary)
		f.error, f.triangle, f.at = e, c/3, corners[i]
		next, other = corners[i], corners[j]
	}
	return next, other
}

// order3 returns which of w is greatest, and which comes second.
func order3(w geom.Vec3) (first, second int) {
	if w[1] > w[0] {
		first = 1
	} else {
		second = 1
	}
	switch {
	case w[2] > w[first]:
		return 2, first
	case w[2] > w[second]:
		return first, 2
	}
	return first, second
}
