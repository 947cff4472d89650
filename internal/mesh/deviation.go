package mesh

import (
	"cmp"
	"slices"
)

// witnesses is how many points of finer levels a cluster keeps to be compared with.
const witnesses = 8

// irrelevant is the square of the share of a group's error below which the error of a sample may be anything.
const irrelevant = 0.7 * 0.7

// witness is a point of full detail that some level removed, with the look that it had then.
type witness struct {
	src    uint32 // vertex of the source
	at     uint32 // welded position of the cluster it belongs to that is near it
	normal vec
	area   float32 // object space
}

// finding is what deviation found for a sample.
type finding struct {
	sample   int
	triangle uint32
	at       uint32  // local position
	error    float32 // squared
	certain  bool    // no triangle of the patch is nearer
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
	w.findings = w.findings[:0]
	least := floor / s.size * (floor / s.size)
	most := least
	for i := len(s.gone) - 1; i >= 0; i-- { // dearest collapses first
		// What was pruned is not found; s.other bounds it.
		if f, ok := s.nearest(&s.gone[i], irrelevant*most); ok && f.error > irrelevant*most {
			f.sample = i
			most = max(most, f.error)
			w.findings = append(w.findings, f)
		}
	}
	slices.SortFunc(w.findings, worstFirst)
	w.ascertain(least)
	if len(w.findings) > 0 {
		e = w.findings[0].error
	}
	w.perRun = sized(w.perRun, n)
	for i := range w.perRun {
		w.perRun[i] = w.perRun[i][:0]
	}
	for _, f := range w.findings {
		if run := &w.perRun[w.runOf[f.triangle]]; len(*run) < witnesses {
			g := &s.gone[f.sample]
			*run = append(*run, witness{g.src, w.patch.ids[f.at], g.normal, g.area * s.size * s.size})
		}
	}
	for _, run := range w.perRun {
		kept = append(kept, run...)
		ends = append(ends, uint32(len(kept)))
	}
	return sqrt32(max(e, s.other)) * s.size, kept, ends
}

func worstFirst(a, b finding) int {
	return cmp.Or(cmp.Compare(b.error, a.error), cmp.Compare(a.sample, b.sample))
}

// ascertain compares the worst finding with all triangles, in case its walk ended somewhere bad, until the worst is certain
// or below floor.
func (w *worker) ascertain(floor float32) {
	for len(w.findings) > 0 && !w.findings[0].certain && w.findings[0].error > floor {
		f := w.findings[0]
		w.simplify.nearestOfAll(&w.simplify.gone[f.sample], &f)
		f.certain = true
		at, _ := slices.BinarySearchFunc(w.findings[1:], f, worstFirst)
		copy(w.findings, w.findings[1:at+1])
		w.findings[at] = f
	}
}

// recall is the sample that c was.
func (w *worker) recall(c witness, at uint32) sample {
	p, s := w.h.p, &w.simplify
	g := sample{position: at, src: c.src, pos: s.local(p.Positions[c.src])}
	g.a, g.normal, g.area = &s.look, c.normal, c.area/s.size/s.size
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

// nearest compares g with the triangles around where it went: with those that it stands over, which mostly will do, and then
// with all. It walks on while that helps, since what a vertex collapsed onto can be far away where the surface is even. A
// nearer triangle elsewhere makes the error no smaller than it is. It stops where the error is small enough.
func (s *simplifier) nearest(g *sample, enough float32) (f finding, ok bool) {
	p := g.position
	for s.into[p] != p {
		s.into[p] = s.into[s.into[p]]
		p = s.into[p]
	}
	f.error = far
	for {
		if s.over(g, p, &f, enough); f.error <= enough {
			break
		}
		next := s.beside(g, p, &f)
		if next == none || next == p {
			break
		}
		p = next
	}
	return f, f.error < far
}

// nearestOfAll compares g with all triangles whose boxes are as near as f.
func (s *simplifier) nearestOfAll(g *sample, f *finding) {
	d := sqrt32(f.error)
	lo, hi := g.pos.sub(vec{d, d, d}), g.pos.add(vec{d, d, d})
	for t := range s.tris {
		tri := &s.tris[t]
		if tri[0] == none {
			continue
		}
		a, b, c := &s.pos[s.at[tri[0]]], &s.pos[s.at[tri[1]]], &s.pos[s.at[tri[2]]]
		if a.x > hi.x && b.x > hi.x && c.x > hi.x || a.x < lo.x && b.x < lo.x && c.x < lo.x ||
			a.y > hi.y && b.y > hi.y && c.y > hi.y || a.y < lo.y && b.y < lo.y && c.y < lo.y ||
			a.z > hi.z && b.z > hi.z && c.z > hi.z || a.z < lo.z && b.z < lo.z && c.z < lo.z {
			continue
		}
		s.compare(g, uint32(t), f)
	}
}

// over compares g with the triangles at p that it stands over.
func (s *simplifier) over(g *sample, p uint32, f *finding, enough float32) {
	pp := s.pos[p]
	u := g.pos.sub(pp)
	for c := s.head[p]; c != end; {
		k, here := &s.corners[c], c
		c = k.next
		ea, eb := s.pos[k.a].sub(pp), s.pos[k.b].sub(pp)
		n := ea.cross(eb)
		n2, side := n.dot(n), n.cross(u)
		wa, wb := side.dot(eb), -side.dot(ea)
		if wa < 0 || wb < 0 || wa+wb > n2 || !(n2 > 0) {
			continue
		}
		h := n.dot(u)
		d2 := h * h / n2
		if !(d2 < f.error) {
			continue
		}
		bary, y := vec{(n2 - wa - wb) / n2, wa / n2, wb / n2}, s.others(here)
		if e := max(d2, g.error(uint32(k.vertex), y[0], y[1], bary)); e < f.error {
			f.error, f.triangle, f.at = e, uint32(here/3), p
			if e <= enough {
				return
			}
		}
	}
}

// beside compares g with all triangles at p, and returns the corner nearest to it of the best one; none unless one is better
// than f.
func (s *simplifier) beside(g *sample, p uint32, f *finding) (next uint32) {
	next = none
	for c := s.head[p]; c != end; c = s.corners[c].next {
		if s.compare(g, uint32(c/3), f) {
			next = f.at
		}
	}
	return next
}

// compare compares g with triangle t, and reports whether it is better than f.
func (s *simplifier) compare(g *sample, t uint32, f *finding) bool {
	x, y, z := s.tris[t][0], s.tris[t][1], s.tris[t][2]
	a, b, c := s.at[x], s.at[y], s.at[z]
	d2, bary := nearestPoint(g.pos, s.pos[a], s.pos[b], s.pos[c])
	if !(d2 < f.error) {
		return false
	}
	e := max(d2, g.error(x, y, z, bary))
	if !(e < f.error) {
		return false
	}
	f.error, f.triangle, f.at = e, t, [3]uint32{a, b, c}[greatest(bary)]
	return true
}

// greatest is which of w is.
func greatest(w vec) int {
	switch {
	case w.x >= w.y && w.x >= w.z:
		return 0
	case w.y >= w.z:
		return 1
	}
	return 2
}
