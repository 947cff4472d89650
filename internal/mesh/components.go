package mesh

import "github.com/heliograph/heliograph/internal/geom"

// components are the connected parts of a patch. One without a locked position may be pruned, at the cost of its size: many
// small parts would else never become fewer than one triangle each.
type components struct {
	parent []uint32 // positions: union-find
	first  []uint32 // positions that are a root: its first triangle
	next   []uint32 // triangles
	boxes  []geom.AABB
	locked []bool
}

func (k *components) root(p uint32) uint32 {
	for k.parent[p] != p {
		k.parent[p] = k.parent[k.parent[p]]
		p = k.parent[p]
	}
	return p
}

func (k *components) union(a, b uint32) {
	x, y := k.root(a), k.root(b)
	r := min(x, y)
	k.parent[x], k.parent[y], k.parent[a], k.parent[b] = r, r, r, r
}

// find sets the components of s and queues those that may be pruned.
func (k *components) find(s *simplifier) {
	n := len(s.pos)
	k.parent = sized(k.parent, n)
	for i := range k.parent {
		k.parent[i] = uint32(i)
	}
	for _, t := range s.tris {
		a, b, c := s.at[t[0]], s.at[t[1]], s.at[t[2]]
		if r := k.parent[a]; k.parent[b] != r || k.parent[c] != r { // mostly they are joined already
			k.union(a, b)
			k.union(a, c)
		}
	}
	roots := 0
	for i, p := range k.parent {
		if p == uint32(i) {
			roots++
		}
	}
	if roots < 2 {
		return
	}
	k.first, k.boxes, k.locked, k.next = sized(k.first, n), sized(k.boxes, n), sized(k.locked, n), sized(k.next, len(s.tris))
	for i := range k.first {
		k.first[i], k.boxes[i], k.locked[i] = none, geom.Empty(), false
	}
	for i := range uint32(n) {
		r := k.root(i)
		k.boxes[r] = k.boxes[r].Extend(s.pos[i].array())
		k.locked[r] = k.locked[r] || s.locked[i]
	}
	for t, tri := range s.tris {
		r := k.root(s.at[tri[0]])
		k.next[t], k.first[r] = k.first[r], uint32(t)
	}
	for i := range uint32(n) {
		if k.parent[i] == i && !k.locked[i] {
			e := k.boxes[i].Size()
			s.queue.push(newCollapse(e.Dot(e), i, pruneTo))
		}
	}
}

// prune removes the component of a root, unless nothing would be left.
func (s *simplifier) prune(root uint32, cost float32) {
	n := 0
	for t := s.parts.first[root]; t != none; t = s.parts.next[t] {
		if s.tris[t][0] != none {
			n++
		}
	}
	if n == 0 || n == s.live {
		return
	}
	for t := s.parts.first[root]; t != none; t = s.parts.next[t] {
		if s.tris[t][0] == none {
			continue
		}
		for _, v := range s.tris[t] {
			s.head[s.at[v]], s.queued[s.at[v]] = end, 0
		}
		s.tris[t][0] = none
	}
	s.live -= n
	s.other = max(s.other, cost)
}
