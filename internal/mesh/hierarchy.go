package mesh

import (
	"context"
	"runtime"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

const (
	// groupClusters is about how many full clusters are merged and simplified together. Measured: 8 leave fewer triangles in a
	// cut than 16 or 32 do, at the same cost.
	groupClusters  = 8
	groupTriangles = groupClusters * MaxTriangles
	// fewTriangles are not simplified further.
	fewTriangles = 12
	// stuckShare is how much of a group may be left for it to be worth a level.
	stuckShare = 0.85
	// leastProgress is how much of a level may be left for it to be worth another one.
	leastProgress = 0.97
	// errorMargin keeps a coarser error above a finer one when both are projected in float32.
	errorMargin = 1 + 1e-5
)

// HierarchyOptions say how to build a hierarchy. None of them changes the result.
type HierarchyOptions struct {
	Threads  int                // 0 = GOMAXPROCS
	Progress func(done float64) // 0..1, never falling, from one goroutine at a time; nil = not wanted
}

// BuildHierarchy makes the cluster hierarchy of a triangle primitive and hands each group to sink, finest level first; group i is
// the i-th call. members holds the group's clusters laid out as Mesh (arrays start at 0). makers[k] is the index of the group that made
// members.Clusters[k], -1 = full detail. Calls of sink do not overlap; it may keep its arguments. g.Page is for the caller to set.
//
// Equal input gives equal calls, whatever the options are. Triangles without a finite position or with two corners at one
// place are dropped. It fails when ctx ends, or with sink's error.
func BuildHierarchy(ctx context.Context, p *scene.Primitive, o HierarchyOptions,
	sink func(g Group, members *Mesh, makers []int32) error) error {
	h := newHierarchy(p, o, sink)
	l, err := h.finest(ctx)
	if err != nil {
		return err
	}
	h.total = float64(2 * len(l.tris))
	for last := false; len(l.clusters) > 0; {
		last = last || len(l.tris) <= fewTriangles
		next, err := h.simplifyLevel(ctx, l, last)
		if err != nil {
			return err
		}
		last = float64(len(next.tris)) > leastProgress*float64(len(l.tris))
		l = next
	}
	if o.Progress != nil {
		o.Progress(1)
	}
	return nil
}

// hierarchy is what all levels share.
type hierarchy struct {
	p        *scene.Primitive
	tangents []geom.Vec4 // of p, given or derived
	threads  int
	workers  []worker // one a thread
	sink     func(g Group, members *Mesh, makers []int32) error
	progress func(float64)

	vertices uint32   // of p
	welded   []uint32 // vertex of p -> position
	owners   []uint32 // position -> group that uses it, with sharedBit where others do too
	grouped  uint32   // groups made so far, stuck ones as well; what owners counts, from 1
	spheres  []sphere // groups so far
	errors   []float32
	clusters uint32 // handed out so far

	levels      int
	done, total float64 // triangles
}

const sharedBit = 1 << 31

// newBit marks a position that a group has made, counted from 0 in the group; commit gives it its number.
const newBit = 1 << 31

type sphere struct {
	center geom.Vec3
	radius float32
}

// level is all that is left to be drawn at one level. Vertices are those of the source, or, from the number of those on,
// copies of them with a place, a normal and a colour of their own.
type level struct {
	pieces
	derived   []derivedVertex
	colors    []geom.Vec4 // of derived; nil = none
	witnesses []witness
}

// pieces are clusters.
type pieces struct {
	clusters []span
	verts    []uint32   // of each cluster in turn, none of them twice
	tris     [][3]uint8 // corners, counted from the cluster's first vertex
}

// append adds o, without rebasing its vertices.
func (p *pieces) append(o *pieces) {
	for _, c := range o.clusters {
		c.first += uint32(len(p.tris))
		c.vert += uint32(len(p.verts))
		p.clusters = append(p.clusters, c)
	}
	p.verts = append(p.verts, o.verts...)
	p.tris = append(p.tris, o.tris...)
}

// span is a cluster of a level.
type span struct {
	first, count        uint32 // in tris
	vert, verts         uint32
	witness, witnessEnd uint32
	maker               int32
	center              geom.Vec3
}

// vertices are the vertices of cluster c.
func (p *pieces) vertices(c *span) []uint32 { return p.verts[c.vert : c.vert+c.verts] }

type derivedVertex struct {
	src         uint32
	position    uint32 // as welded; one of its own if it was moved
	pos, normal geom.Vec3
}

func newHierarchy(p *scene.Primitive, o HierarchyOptions, sink func(Group, *Mesh, []int32) error) *hierarchy {
	h := &hierarchy{p: p, threads: o.Threads, sink: sink, progress: o.Progress, vertices: uint32(len(p.Positions)), tangents: p.Tangents}
	if h.threads <= 0 {
		h.threads = runtime.GOMAXPROCS(0)
	}
	if h.tangents == nil && p.Material != nil && p.Material.NormalTex.Texture != nil {
		h.tangents = deriveTangents(p, usable(p))
	}
	h.workers = make([]worker, h.threads)
	for i := range h.workers {
		h.workers[i].h = h
	}
	var positions int
	h.welded, positions = weld(p.Positions, h.threads)
	h.owners = make([]uint32, positions)
	return h
}

// position is the welded position of vertex id of l.
func (l *level) position(h *hierarchy, id uint32) uint32 {
	if id < h.vertices {
		return h.welded[id]
	}
	return l.derived[id-h.vertices].position
}

// simplifyLevel hands out the groups of l and returns the level above; nothing is above the last level.
func (h *hierarchy) simplifyLevel(ctx context.Context, l *level, last bool) (*level, error) {
	groups, err := h.partition(ctx, l)
	if err != nil {
		return nil, err
	}
	for i := range h.workers {
		w := &h.workers[i]
		w.l, w.spheres, w.errors, w.owners = l, h.spheres, h.errors, h.owners
	}
	// About half of the triangles are left, and half of their vertices have changed.
	n := len(l.tris)
	next := &level{
		pieces:    pieces{tris: make([][3]uint8, 0, n/2+n/32), verts: make([]uint32, 0, len(l.verts)/2+n/32)},
		derived:   make([]derivedVertex, 0, n/4),
		witnesses: make([]witness, 0, n/2*witnesses/MaxTriangles),
	}
	err = ordered(ctx, h.threads, len(groups),
		func(thread, i int) product { return h.workers[thread].group(groups[i], last) },
		func(_ int, r product) error { return h.commit(next, &r) })
	return next, err
}

// commit hands out a group and appends what replaces it to next.
func (h *hierarchy) commit(next *level, r *product) error {
	if !r.stuck {
		index := int32(len(h.spheres))
		r.group.FirstCluster = h.clusters
		h.clusters += r.group.Clusters
		h.spheres = append(h.spheres, sphere{r.group.Center, r.group.Radius})
		h.errors = append(h.errors, r.group.Error)
		for i := range r.clusters {
			r.clusters[i].maker = index
		}
		if err := h.sink(r.group, r.members, r.makers); err != nil {
			return err
		}
		h.done += float64(len(r.members.Triangles))
		if h.progress != nil {
			h.progress(min(1, h.done/h.total))
		}
	}
	for i := range r.clusters {
		r.clusters[i].witness += uint32(len(next.witnesses))
		r.clusters[i].witnessEnd += uint32(len(next.witnesses))
	}
	for i, id := range r.verts {
		if id >= h.vertices {
			r.verts[i] += uint32(len(next.derived))
		}
	}
	next.append(&r.pieces)
	positions := uint32(len(h.owners))
	for _, d := range r.derived {
		if d.position&newBit != 0 {
			d.position = d.position&^newBit + positions
		}
		next.derived = append(next.derived, d)
	}
	next.colors = append(next.colors, r.colors...)
	for _, w := range r.witnesses {
		if w.at&newBit != 0 {
			w.at = w.at&^newBit + positions
		}
		next.witnesses = append(next.witnesses, w)
	}
	for range r.moved {
		h.owners = append(h.owners, 0)
	}
	return nil
}
