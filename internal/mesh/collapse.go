package mesh

// evaluate returns what it costs to collapse position v onto w, and leaves in moved what happens to the vertices of v. It is
// not ok where a triangle would turn over, or none would be left.
func (s *simplifier) evaluate(v, w uint32) (cost float32, ok bool) {
	s.moved = s.moved[:0]
	pv, pw := s.pos[v], s.pos[w]
	u := pv.sub(pw)
	vanish := 0
	m := s.move(uint32(s.corners[s.head[v]].vertex))
	for c := s.head[v]; c != end; {
		k := &s.corners[c]
		a, b, here := uint32(k.a), uint32(k.b), c
		c = k.next
		if uint32(k.vertex) != m.from {
			m = s.move(uint32(k.vertex))
		}
		if a == w || b == w {
			vanish++
			if m.to == none {
				to := after[here%3]
				if b == w {
					to = before[here%3]
				}
				m.to = s.tris[here/3][to]
			}
			continue
		}
		pa, pb := s.pos[a], s.pos[b]
		e := pb.sub(pa)
		f := pw.sub(pa)
		old, n := e.cross(pv.sub(pa)), e.cross(f)
		l2, n2, d := old.dot(old), n.dot(n), old.dot(n)
		if l2 > 0 && (tilted(d, l2, n2, greatestTilt) || n2 < needle*e.dot(e)*f.dot(f)) {
			return 0, false
		}
		// The weights of the corners at the foot of v on the new triangle, times n2; d is that of w.
		side := n.cross(u)
		wa, wb := side.dot(pb.sub(pw)), -side.dot(pa.sub(pw))
		if wa < 0 || wb < 0 || !(n2 > 0) {
			continue
		}
		h := n.dot(u)
		if d2 := h * h / n2; d2 < m.d2 {
			m.d2, m.bary, m.near = d2, vec{d / n2, wa / n2, wb / n2}, s.others(here)
		}
	}
	if vanish == s.live {
		return 0, false
	}
	area := s.area()
	cost = s.planes(&s.quadrics[v], w)
	for i := range s.moved {
		m := &s.moved[i]
		if m.to == none {
			if m.to = s.closestWedge(m.from, w, area); m.to == none {
				return 0, false // all of w's triangles have vanished
			}
		}
		if m.d2 == far {
			if s.clampedFoot(m, v, w); m.d2 == far {
				return 0, false // not measurable: nothing finite is near
			}
		}
		l := s.look.at(m.from, area)
		cost = max(cost, m.d2, l.error(m.to, m.near[0], m.near[1], m.bary))
	}
	return cost, true
}

// clampedFoot finds the point nearest to v on what becomes of the triangles of m: new ones, and edges for those that vanish.
func (s *simplifier) clampedFoot(m *wedgeMove, v, w uint32) {
	pv, pw := s.pos[v], s.pos[w]
	for c := s.head[v]; c != end; {
		k := &s.corners[c]
		a, b, here := uint32(k.a), uint32(k.b), c
		c = k.next
		if uint32(k.vertex) != m.from {
			continue
		}
		near := s.others(here)
		if a == w {
			a, near[0] = b, near[1]
		} else if b == w {
			b, near[1] = a, near[0]
		}
		if d2, bary := nearestPoint(pv, pw, s.pos[a], s.pos[b]); d2 < m.d2 {
			m.d2, m.bary, m.near = d2, bary, near
		}
	}
}

// others are the vertices after and before corner c in its triangle.
func (s *simplifier) others(c uint16) [2]uint32 {
	tri := &s.tris[c/3]
	return [2]uint32{tri[after[c%3]], tri[before[c%3]]}
}

// area is the surface that the vertices in moved stand for: a third of a star of six equal triangles is nearly the square of
// an edge.
func (s *simplifier) area() (area float32) {
	for i := range s.moved {
		area += s.weight[s.moved[i].from]
	}
	return area
}

// move returns the entry of vertex x in moved.
func (s *simplifier) move(x uint32) *wedgeMove {
	for i := range s.moved {
		if s.moved[i].from == x {
			return &s.moved[i]
		}
	}
	s.moved = append(s.moved, wedgeMove{from: x, to: none, d2: far})
	return &s.moved[len(s.moved)-1]
}

// closestWedge is the vertex at position w that looks most like x.
func (s *simplifier) closestWedge(x, w uint32, area float32) uint32 {
	best, least := none, far
	look := s.look.at(x, area)
	for c := s.head[w]; c != end; c = s.corners[c].next {
		y := uint32(s.corners[c].vertex)
		if y == best {
			continue
		}
		if e := look.error(y, y, y, vec{x: 1}); best == none || e < least || e == least && y < best {
			best, least = y, e
		}
	}
	return best
}

// collapse does what evaluate looked at.
func (s *simplifier) collapse(v, w uint32) {
	area := s.area()
	for i := range s.moved {
		m := &s.moved[i]
		s.spread(m)
		near := [3]uint32{m.to, m.near[0], m.near[1]}[greatest(m.bary)]
		s.remember(m.from, s.at[near], area)
	}
	m := &s.moved[0]
	for c := s.head[v]; c != end; {
		k, here := &s.corners[c], c
		c = k.next
		t, i := here/3, here%3
		a, b := 3*t+uint16(after[i]), 3*t+uint16(before[i])
		if uint32(k.a) == w || uint32(k.b) == w {
			s.unlink(k.a, a)
			s.unlink(k.b, b)
			s.tris[t][0] = none
			s.live--
			continue
		}
		if uint32(k.vertex) != m.from {
			m = s.move(uint32(k.vertex))
		}
		s.tris[t][i], k.vertex = m.to, uint16(m.to)
		s.corners[a].b, s.corners[b].a = uint16(w), uint16(w)
		k.next, s.head[w] = s.head[w], here
	}
	s.head[v], s.queued[v], s.into[v], s.grown[w] = end, 0, w, true
	s.rim[w] |= s.rim[v]
	s.quadrics[w].add(&s.quadrics[v])
	s.own[w] = ownPlanes{s.quadrics[w].at(s.pos[w]), s.quadrics[w].weight}
	if !s.locked[w] {
		s.enqueue(w)
	}
}

// unlink removes corner c from the list of position p.
func (s *simplifier) unlink(p, c uint16) {
	at := &s.head[p]
	for *at != c {
		at = &s.corners[*at].next
	}
	*at = s.corners[c].next
}

// spread hands the surface that a vanishing vertex stood for, and its normal and colour, to the corners of the triangle that
// covers its place. That keeps the mean look of the surface, and changes nothing where it is even.
func (s *simplifier) spread(m *wedgeMove) {
	p := &s.prim
	if p.Normals == nil && p.Colors == nil {
		return
	}
	bary := [3]float32{m.bary.x, m.bary.y, m.bary.z}
	for i, y := range [3]uint32{m.to, m.near[0], m.near[1]} {
		share := s.weight[m.from] * bary[i]
		if !(share > 0) || s.locked[s.at[y]] {
			continue
		}
		total := s.weight[y] + share
		f := share / total
		s.weight[y], s.changed[y] = total, true
		if p.Normals != nil {
			n := vecOf(p.Normals[y]).mul(1 - f).add(vecOf(p.Normals[m.from]).mul(f))
			if l := n.length(); l > 1e-3 {
				p.Normals[y] = n.mul(1 / l).array()
			}
		}
		if p.Colors != nil {
			for k := range 4 {
				p.Colors[y][k] += f * (p.Colors[m.from][k] - p.Colors[y][k])
			}
		}
	}
}

// remember makes a sample of the source's vertex behind x.
func (s *simplifier) remember(x, position uint32, area float32) {
	src := s.src[x]
	s.gone = append(s.gone, sample{s.look.at(x, area), s.local(s.from.Positions[src]), position, src})
}

// tilted reports whether two normals with the product d and squares l2 and n2 differ by more than the angle of squared cosine c.
func tilted(d, l2, n2, c float32) bool { return d <= 0 || d*d < c*l2*n2 }
