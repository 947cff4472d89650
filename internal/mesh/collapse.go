package mesh

// evaluate returns what it costs to collapse position v onto w, and leaves in moved what happens to the vertices of v. It is
// not ok where a triangle would turn over, or none would be left.
func (s *simplifier) evaluate(v, w uint32) (cost float32, ok bool) {
	s.moved = s.moved[:0]
	pv, pw := s.pos[v], s.pos[w]
	u := pv.sub(pw)
	vanish := 0
	for c := s.head[v]; c != none; c = s.next[c] {
		tri := &s.tris[c/3]
		if tri[0] == none {
			continue
		}
		k := c % 3
		ya, yb := tri[after[k]], tri[before[k]]
		a, b := s.at[ya], s.at[yb]
		m := s.move(tri[k])
		if a == w || b == w {
			vanish++
			if m.to == none {
				m.to = ya
				if b == w {
					m.to = yb
				}
			}
			continue
		}
		pa, pb := s.pos[a], s.pos[b]
		e := pb.sub(pa)
		old, n := e.cross(pv.sub(pa)), e.cross(pw.sub(pa))
		l2, n2, d := old.dot(old), n.dot(n), old.dot(n)
		if l2 > 0 && tilted(d, l2, n2, greatestTilt) {
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
			m.d2, m.bary, m.near = d2, vec{d / n2, wa / n2, wb / n2}, [2]uint32{ya, yb}
		}
	}
	if vanish == s.live {
		return 0, false
	}
	extent := s.extent()
	cost = s.planes(v, w)
	for i := range s.moved {
		m := &s.moved[i]
		if m.to == none {
			if m.to = s.closestWedge(m.from, w, extent); m.to == none {
				return 0, false // all of w's triangles have vanished
			}
		}
		if m.d2 == far {
			if s.clampedFoot(m, v, w); m.d2 == far {
				return 0, false // not measurable: nothing finite is near
			}
		}
		l := s.look.at(m.from, extent)
		cost = max(cost, sqrt32(m.d2), l.error(m.to, m.near[0], m.near[1], m.bary))
	}
	return cost, true
}

// clampedFoot finds the point nearest to v on what becomes of the triangles of m: new ones, and edges for those that vanish.
func (s *simplifier) clampedFoot(m *wedgeMove, v, w uint32) {
	pv, pw := s.pos[v], s.pos[w]
	for c := s.head[v]; c != none; c = s.next[c] {
		tri := &s.tris[c/3]
		if tri[0] == none || tri[c%3] != m.from {
			continue
		}
		ya, yb := tri[after[c%3]], tri[before[c%3]]
		if s.at[ya] == w {
			ya = yb
		} else if s.at[yb] == w {
			yb = ya
		}
		if d2, bary := nearestPoint(pv, pw, s.pos[s.at[ya]], s.pos[s.at[yb]]); d2 < m.d2 {
			m.d2, m.bary, m.near = d2, bary, [2]uint32{ya, yb}
		}
	}
}

// extent is the radius of the star that the vertices in moved stand for: a third of a star of six equal triangles is nearly
// the square of an edge.
func (s *simplifier) extent() float32 {
	var area float32
	for i := range s.moved {
		area += s.weight[s.moved[i].from]
	}
	return sqrt32(area)
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
func (s *simplifier) closestWedge(x, w uint32, extent float32) uint32 {
	best, least := none, far
	look := s.look.at(x, extent)
	for c := s.head[w]; c != none; c = s.next[c] {
		tri := &s.tris[c/3]
		if tri[0] == none || tri[c%3] == best {
			continue
		}
		y := tri[c%3]
		if e := look.error(y, y, y, vec{x: 1}); best == none || e < least || e == least && y < best {
			best, least = y, e
		}
	}
	return best
}

// collapse does what evaluate looked at.
func (s *simplifier) collapse(v, w uint32) {
	extent := s.extent()
	for i := range s.moved {
		m := &s.moved[i]
		s.spread(m)
		near := [3]uint32{m.to, m.near[0], m.near[1]}[greatest(m.bary)]
		s.remember(m.from, s.at[near], extent)
	}
	for c := s.head[v]; c != none; c = s.next[c] {
		tri := &s.tris[c/3]
		if tri[0] == none {
			continue
		}
		if s.at[tri[after[c%3]]] == w || s.at[tri[before[c%3]]] == w {
			tri[0] = none
			s.live--
			continue
		}
		tri[c%3] = s.move(tri[c%3]).to
	}
	s.quadrics[w].add(&s.quadrics[v])
	s.own[w] = s.quadrics[w].at(s.pos[w])
	s.tidy(w) // marks its neighbours
	s.enqueue(w, v)
	if s.head[w] == none {
		s.head[w] = s.head[v]
	} else {
		s.next[s.tail[w]] = s.head[v]
	}
	s.tail[w] = s.tail[v]
	s.head[v], s.into[v], s.grown[w] = none, w, true
	s.rim[w] |= s.rim[v]
}

// tidy drops the dead corners from p's list, and marks p and its neighbours as seen in a new round.
func (s *simplifier) tidy(p uint32) {
	s.round++
	s.seen[p] = s.round
	last := none
	for c := s.head[p]; c != none; c = s.next[c] {
		tri := &s.tris[c/3]
		if tri[0] == none {
			continue
		}
		s.seen[s.at[tri[after[c%3]]]], s.seen[s.at[tri[before[c%3]]]] = s.round, s.round
		if last == none {
			s.head[p] = c
		} else {
			s.next[last] = c
		}
		last = c
	}
	if last == none {
		s.head[p] = none
	} else {
		s.next[last] = none
	}
	s.tail[p] = last
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
func (s *simplifier) remember(x, position uint32, extent float32) {
	src := s.src[x]
	s.gone = append(s.gone, sample{s.look.at(x, extent), s.local(s.from.Positions[src]), position, src})
}

// tilted reports whether two normals with the product d and squares l2 and n2 differ by more than the angle of squared cosine c.
func tilted(d, l2, n2, c float32) bool { return d <= 0 || d*d < c*l2*n2 }
