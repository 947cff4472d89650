package mesh

import (
	"math/bits"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// patch is the mesh of one group by itself: local vertices, and beside them the positions that they share. It is the
// scratch memory of one worker.
type patch struct {
	prim scene.Primitive  // attributes of the vertices; those of a coarser level may differ from the source's
	tris [][3]uint32      // vertices
	src  []uint32         // of each vertex, in the source primitive
	at   []uint32         // of each vertex, its position
	ids  []uint32         // of each position, as welded
	from *scene.Primitive // the source

	listed []uint32 // the vertices of each cluster in turn

	derived []bool // of each vertex: it differs from the source's

	vertices, positions idTable
}

// reset empties the patch and gives it the attributes that from has.
func (q *patch) reset(from *scene.Primitive, tangents []geom.Vec4, triangles int) {
	p := &q.prim
	q.from, p.Material = from, from.Material
	p.Positions = p.Positions[:0]
	p.Normals = emptied(p.Normals, from.Normals != nil)
	p.Tangents = emptied(p.Tangents, tangents != nil)
	p.UV0 = emptied(p.UV0, from.UV0 != nil)
	p.UV1 = emptied(p.UV1, from.UV1 != nil)
	p.Colors = emptied(p.Colors, from.Colors != nil)
	q.tris, q.listed = q.tris[:0], q.listed[:0]
	q.src, q.at, q.ids, q.derived = q.src[:0], q.at[:0], q.ids[:0], q.derived[:0]
	q.vertices.reset(triangles)
	q.positions.reset(triangles)
}

// emptied is s without elements: nil only where it is not wanted.
func emptied[T any](s []T, wanted bool) []T {
	switch {
	case !wanted:
		return nil
	case s == nil:
		return []T{}
	}
	return s[:0]
}

// add appends a cluster of the level.
func (q *patch) add(h *hierarchy, l *level, c *span) {
	first := len(q.listed)
	for _, id := range l.vertices(c) {
		v, known := q.vertices.put(id, uint32(len(q.src)))
		if !known {
			q.vertex(h, l, id)
		}
		q.listed = append(q.listed, v)
	}
	local := q.listed[first:]
	for _, t := range l.tris[c.first : c.first+c.count] {
		q.tris = append(q.tris, [3]uint32{local[t[0]], local[t[1]], local[t[2]]})
	}
}

// vertex appends vertex id of the level.
func (q *patch) vertex(h *hierarchy, l *level, id uint32) {
	p, from := &q.prim, h.p
	position := l.position(h, id)
	at, known := q.positions.put(position, uint32(len(q.ids)))
	if !known {
		q.ids = append(q.ids, position)
	}
	src, derived := id, id >= h.vertices
	if derived {
		d := &l.derived[id-h.vertices]
		src = d.src
		p.Positions = append(p.Positions, d.pos)
		if p.Normals != nil {
			p.Normals = append(p.Normals, d.normal)
		}
		if p.Colors != nil {
			p.Colors = append(p.Colors, l.colors[id-h.vertices])
		}
	} else {
		p.Positions = append(p.Positions, from.Positions[src])
		if p.Normals != nil {
			p.Normals = append(p.Normals, saneNormal(from.Normals[src]))
		}
		if p.Colors != nil {
			c := from.Colors[src]
			p.Colors = append(p.Colors, geom.Vec4{clamp(c[0], 0, 1), clamp(c[1], 0, 1), clamp(c[2], 0, 1), clamp(c[3], 0, 1)})
		}
	}
	if p.UV0 != nil {
		p.UV0 = append(p.UV0, geom.Vec2{finiteOr0(from.UV0[src][0]), finiteOr0(from.UV0[src][1])})
	}
	if p.UV1 != nil {
		p.UV1 = append(p.UV1, geom.Vec2{finiteOr0(from.UV1[src][0]), finiteOr0(from.UV1[src][1])})
	}
	if p.Tangents != nil {
		p.Tangents = append(p.Tangents, h.tangents[src])
	}
	q.src, q.at, q.derived = append(q.src, src), append(q.at, at), append(q.derived, derived)
}

// saneNormal is n, or zero where n is no direction.
func saneNormal(n geom.Vec3) geom.Vec3 {
	if !(n.Dot(n) < 2) {
		return geom.Vec3{}
	}
	return n
}

// idTable maps ids to the numbers they were put with (open addressing).
type idTable struct {
	keys, vals []uint32 // keys are id + 1; 0 = free
	shift      int
	free       int // keys to be put until the table grows
}

// reset empties the table and makes room for about n ids.
func (t *idTable) reset(n int) {
	t.keys, t.vals = sized(t.keys, tableSize(n)), sized(t.vals, tableSize(n))
	t.clear()
}

func tableSize(n int) int { return 1 << bits.Len(uint(n)+uint(n)/2+8) }

func (t *idTable) clear() {
	clear(t.keys)
	t.shift = 32 - bits.TrailingZeros(uint(len(t.keys)))
	t.free = len(t.keys) * 3 / 4
}

// put returns the number of id, which becomes n where the id is new.
func (t *idTable) put(id, n uint32) (number uint32, known bool) {
	mask := uint32(len(t.keys) - 1)
	for at := id * 0x9e3779b1 >> t.shift; ; at = (at + 1) & mask {
		switch t.keys[at] {
		case id + 1:
			return t.vals[at], true
		case 0:
			t.keys[at], t.vals[at] = id+1, n
			if t.free--; t.free == 0 {
				t.grow()
			}
			return n, false
		}
	}
}

func (t *idTable) grow() {
	old := *t
	t.keys, t.vals = make([]uint32, 2*len(old.keys)), make([]uint32, 2*len(old.keys))
	t.clear()
	for i, k := range old.keys {
		if k != 0 {
			t.put(k-1, old.vals[i])
		}
	}
}

// get returns the number of id.
func (t *idTable) get(id uint32) (number uint32, known bool) {
	mask := uint32(len(t.keys) - 1)
	for at := id * 0x9e3779b1 >> t.shift; t.keys[at] != 0; at = (at + 1) & mask {
		if t.keys[at] == id+1 {
			return t.vals[at], true
		}
	}
	return 0, false
}

// sized is s with length n and whatever it held.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}
