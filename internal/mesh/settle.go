package mesh

// settle moves every vertex that others have collapsed onto along its normal to where it is nearest to the planes of all of
// them, which balances what sticks out on either side. It returns the number of positions moved, which get new numbers. Seams,
// borders and edges stay: there the planes do not agree on a normal.
func (s *simplifier) settle() (moved int) {
	for p := range uint32(len(s.head)) {
		if !s.grown[p] || s.rim[p] != 0 || s.locked[p] {
			continue
		}
		v, n, ok := s.fan(p)
		if !ok {
			continue
		}
		q := &s.quadrics[p]
		d, ok := q.along(s.pos[p], n)
		if !ok {
			continue
		}
		// A step of more than the star's size means that the planes are nearly parallel to n.
		if limit := sqrt32(s.weight[v]) / 2; !(d < limit && d > -limit) {
			continue
		}
		from := s.pos[p]
		to := from.add(n.mul(d))
		if s.turns(p, to) {
			continue
		}
		x := to.array()
		for k := range 3 {
			x[k] = float32(float64(s.center[k]) + float64(x[k])*float64(s.size))
		}
		s.prim.Positions[v], s.pos[p], s.changed[v] = x, s.local(x), true
		s.ids[p] = uint32(moved) | newBit
		moved++
		s.remember(v, p, s.weight[v])
	}
	return moved
}

// fan returns the one vertex at p and the mean normal of its triangles; it is not ok if there are several.
func (s *simplifier) fan(p uint32) (v uint32, n vec, ok bool) {
	v = none
	pp := s.pos[p]
	for c := s.head[p]; c != end; {
		k := &s.corners[c]
		c = k.next
		if v == none {
			v = uint32(k.vertex)
		} else if uint32(k.vertex) != v {
			return 0, n, false
		}
		n = n.add(s.pos[k.a].sub(pp).cross(s.pos[k.b].sub(pp)))
	}
	l := n.length()
	if v == none || !(l > 0) {
		return 0, n, false
	}
	return v, n.mul(1 / l), true
}

// turns reports whether a triangle at p would tilt by much if p moved.
func (s *simplifier) turns(p uint32, to vec) bool {
	for c := s.head[p]; c != end; {
		k := &s.corners[c]
		c = k.next
		a, b := s.pos[k.a], s.pos[k.b]
		e := b.sub(a)
		old, n := e.cross(s.pos[p].sub(a)), e.cross(to.sub(a))
		if tilted(old.dot(n), old.dot(old), n.dot(n), settleTilt) {
			return true
		}
	}
	return false
}

// unify makes one of the vertices at a position that look the same but for what the collapses have cost anyway. What was
// flat shading becomes smooth where the facets are too small to be seen, and no longer needs three vertices a triangle.
func (s *simplifier) unify() {
	for p := range uint32(len(s.head)) {
		if s.rim[p] == 0 || s.locked[p] {
			continue
		}
		s.moved = s.moved[:0]
		for c := s.head[p]; c != end; c = s.corners[c].next {
			s.move(uint32(s.corners[c].vertex))
		}
		if len(s.moved) < 2 {
			continue
		}
		area := s.area()
		for i := range s.moved {
			m := &s.moved[i]
			m.to = m.from
			for j := range s.moved[:i] {
				to := s.moved[j].to
				l := s.look.at(to, area)
				if e := l.error(m.from, m.from, m.from, vec{x: 1}); e <= s.worst {
					s.other = max(s.other, e)
					m.to, m.bary, m.near = to, vec{x: 1}, [2]uint32{to, to}
					s.spread(m)
					break
				}
			}
		}
		for c := s.head[p]; c != end; c = s.corners[c].next {
			k := &s.corners[c]
			to := s.move(uint32(k.vertex)).to
			s.tris[c/3][c%3], k.vertex = to, uint16(to)
		}
	}
}
