package mesh

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
)

// worker makes groups, one at a time.
type worker struct {
	h *hierarchy
	l *level
	// What earlier levels left; commit appends to the hierarchy's meanwhile.
	spheres []sphere
	errors  []float32
	owners  []uint32

	patch    patch
	simplify simplifier
	scratch  Mesh
	cents    []centroid
	live     [][3]uint32
	runOf    []uint32
	number   []uint32
	carried  []witness
	findings []finding
	perRun   [][]witness
	seen     idTable
}

// product is a group and what replaces it, with indices that start at 0. A stuck group is not handed out: its clusters are
// tried again among other neighbours.
type product struct {
	group   Group
	members *Mesh
	makers  []int32
	stuck   bool

	pieces
	derived   []derivedVertex
	colors    []geom.Vec4
	witnesses []witness
	moved     int // positions that are new
}

// group makes the group of some clusters of the level. The last level's groups are replaced by nothing.
func (w *worker) group(clusters []uint32, last bool) (r product) {
	l, q := w.l, &w.patch
	n := 0
	for _, c := range clusters {
		n += int(l.clusters[c].count)
	}
	q.reset(w.h.p, w.h.tangents, n)
	w.carried = w.carried[:0]
	for _, c := range clusters {
		s := &l.clusters[c]
		q.add(w.h, l, s)
		w.carried = append(w.carried, l.witnesses[s.witness:s.witnessEnd]...)
	}
	r.members, r.makers = w.members(clusters)
	r.group = w.bound(clusters, r.members)
	if last {
		r.group.Error = float32(math.Inf(1))
		return r
	}
	w.simplify.run(q, w.shared, n/2)
	if float64(w.simplify.live) > stuckShare*float64(n) {
		return w.keep(clusters)
	}
	var floor float32
	for _, c := range clusters {
		if maker := l.clusters[c].maker; maker >= 0 {
			floor = max(floor, w.errors[maker]*errorMargin)
		}
	}
	r.group.Error = min(max(floor, w.replace(&r, floor)), math.MaxFloat32)
	return r
}

// shared reports whether a welded position is used by another group of this level too, so that it must stay.
func (w *worker) shared(position uint32) bool { return w.owners[position]&sharedBit != 0 }

// members lays the clusters of the patch out.
func (w *worker) members(clusters []uint32) (*Mesh, []int32) {
	q, h := &w.patch, w.h
	m := &w.scratch
	*m = Mesh{
		Clusters: m.Clusters[:0], Positions: m.Positions[:0], Surface: m.Surface[:0], Detail: m.Detail[:0], UV1: m.UV1[:0],
		Triangles: m.Triangles[:0], Bounds: geom.Empty(),
		HasNormals: h.p.Normals != nil, HasTangents: h.tangents != nil, HasColors: h.p.Colors != nil, HasUV0: h.p.UV0 != nil,
	}
	b := builder{p: &q.prim, m: m, tangents: q.prim.Tangents}
	makers := make([]int32, len(clusters))
	vert, tri := uint32(0), uint32(0)
	for i, c := range clusters {
		s := &w.l.clusters[c]
		b.addPacked(q.listed[vert:vert+s.verts], q.tris[tri:tri+s.count], w.l.tris[s.first:s.first+s.count])
		vert, tri = vert+s.verts, tri+s.count
		makers[i] = s.maker
	}
	out := *m
	out.Clusters, out.Positions, out.Surface = clone(m.Clusters), clone(m.Positions), clone(m.Surface)
	out.Detail, out.UV1, out.Triangles = clone(m.Detail), clone(m.UV1), clone(m.Triangles)
	return &out, makers
}

// clone is a copy of s without spare room, nil if s is empty.
func clone[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	out := make([]T, len(s))
	copy(out, s)
	return out
}

// bound is the group without its error: its sphere holds its clusters and the spheres of the groups that made them.
func (w *worker) bound(clusters []uint32, m *Mesh) Group {
	g := Group{Clusters: uint32(len(clusters))}
	box := m.Bounds
	for _, c := range clusters {
		if maker := w.l.clusters[c].maker; maker >= 0 {
			s := &w.spheres[maker]
			box = box.Union(sphereBox(s.center, s.radius))
		}
	}
	g.Center = box.Center()
	for i, c := range clusters {
		g.Radius = max(g.Radius, reach(g.Center, m.Clusters[i].Center, m.Clusters[i].Radius))
		if maker := w.l.clusters[c].maker; maker >= 0 {
			g.Radius = max(g.Radius, reach(g.Center, w.spheres[maker].center, w.spheres[maker].radius))
		}
	}
	return g
}

// replace splits the simplified patch into the clusters of the next level and returns its error, which need not be exact
// below floor.
func (w *worker) replace(r *product, floor float32) float32 {
	q := &w.patch
	r.moved = w.simplify.settle()
	w.cents, w.live = w.cents[:0], w.live[:0]
	w.runOf = sized(w.runOf, len(q.tris))
	for t, tri := range q.tris {
		if tri[0] != none {
			p := q.prim.Positions
			w.cents = append(w.cents, newCentroid(p[tri[0]], p[tri[1]], p[tri[2]], uint32(t)))
		}
	}
	kd(w.cents, MaxTriangles, evenHalf, 1, nil)
	for _, c := range w.cents {
		w.live = append(w.live, q.tris[c.tri])
	}
	r.pieces = w.pieces()
	for i, c := range r.clusters {
		for _, t := range w.cents[c.first : c.first+c.count] {
			w.runOf[t.tri] = uint32(i)
		}
	}
	w.output(r)
	e, kept, ends := w.deviation(len(r.clusters), floor)
	r.witnesses = kept
	first := uint32(0)
	for i := range r.clusters {
		r.clusters[i].witness, r.clusters[i].witnessEnd = first, ends[i]
		first = ends[i]
	}
	return e
}

// output turns the vertices of r from those of the patch into those of the next level, which has copies of the ones that
// have changed.
func (w *worker) output(r *product) {
	s, q, h := &w.simplify, &w.patch, w.h
	w.number = sized(w.number, len(q.src))
	for i := range w.number {
		w.number[i] = none
	}
	for i, v := range r.verts {
		if w.number[v] == none {
			w.number[v] = q.src[v]
			if s.changed[v] {
				w.number[v] = h.vertices + uint32(len(r.derived))
				d := derivedVertex{src: q.src[v], position: q.ids[q.at[v]], pos: q.prim.Positions[v]}
				if q.prim.Normals != nil {
					d.normal = q.prim.Normals[v]
				}
				r.derived = append(r.derived, d)
				if q.prim.Colors != nil {
					r.colors = append(r.colors, q.prim.Colors[v])
				}
			}
		}
		r.verts[i] = w.number[v]
	}
}

// pieces cuts the triangles of live, in the order of cents, into clusters.
func (w *worker) pieces() pieces {
	p := pieces{verts: make([]uint32, 0, len(w.live)*3/4+8), tris: make([][3]uint8, 0, len(w.live))}
	evenRuns(len(w.live), func(lo, hi int) {
		for lo < hi {
			c := span{first: uint32(len(p.tris)), vert: uint32(len(p.verts)), maker: -1}
			lo += w.fill(&p, w.live[lo:hi])
			c.count, c.verts = uint32(len(p.tris))-c.first, uint32(len(p.verts))-c.vert
			all := emptyMinMax()
			for i := range w.cents[c.first:][:c.count] {
				key := &w.cents[int(c.first)+i].key
				all.extend(vec{key[0], key[1], key[2]})
			}
			box := all.box()
			c.center = box.Center()
			p.clusters = append(p.clusters, c)
		}
	})
	return p
}

// fill appends to p the first triangles that have no more than MaxVertices vertices, and returns their number.
func (w *worker) fill(p *pieces, tris [][3]uint32) int {
	w.seen.reset(MaxTriangles)
	n := uint32(0)
	for i, t := range tris {
		var local [3]uint8
		before := len(p.verts)
		for k, v := range t {
			at, known := w.seen.put(v, n)
			if !known {
				p.verts = append(p.verts, v)
				n++
			}
			local[k] = uint8(at)
		}
		if n > MaxVertices {
			p.verts = p.verts[:before]
			return i
		}
		p.tris = append(p.tris, local)
	}
	return len(tris)
}

// keep is a stuck group: its clusters go on as they are.
func (w *worker) keep(clusters []uint32) product {
	r := product{stuck: true}
	l, h := w.l, w.h
	w.seen.reset(len(w.patch.tris))
	for _, c := range clusters {
		s := l.clusters[c]
		one := pieces{verts: l.vertices(&s), tris: l.tris[s.first : s.first+s.count]}
		carried := l.witnesses[s.witness:s.witnessEnd]
		s.first, s.vert, s.witness = 0, 0, uint32(len(r.witnesses))
		r.witnesses = append(r.witnesses, carried...)
		s.witnessEnd = uint32(len(r.witnesses))
		one.clusters = []span{s}
		r.append(&one)
	}
	for i, id := range r.verts {
		if id < h.vertices {
			continue
		}
		d := id - h.vertices
		n, known := w.seen.put(d, uint32(len(r.derived)))
		if !known {
			r.derived = append(r.derived, l.derived[d])
			if l.colors != nil {
				r.colors = append(r.colors, l.colors[d])
			}
		}
		r.verts[i] = h.vertices + n
	}
	return r
}
