package mesh

import (
	"context"
	"math"
	"sync/atomic"

	"github.com/heliograph/heliograph/internal/geom"
)

const (
	// chunkTriangles is how many triangles are split into clusters at a time: few enough for their scratch memory to be
	// small beside the mesh, so many that the chunks' own borders do not matter.
	chunkTriangles = 1 << 13
	// chunkClusters is the same for grouping.
	chunkClusters = 1 << 10
)

// finest returns the level of full detail.
func (h *hierarchy) finest(ctx context.Context) (*level, error) {
	order := h.usable()
	ranges, err := h.chunks(ctx, order)
	if err != nil {
		return nil, err
	}
	n := len(order)
	l := &level{pieces: pieces{tris: make([][3]uint8, 0, n), verts: make([]uint32, 0, n*3/4)}}
	err = ordered(ctx, h.threads, len(ranges), func(thread, i int) pieces {
		return h.workers[thread].chunk(order[ranges[i].lo:ranges[i].hi])
	}, func(_ int, p pieces) error {
		l.append(&p)
		return nil
	})
	return l, err
}

// usable returns the triangles worth keeping.
func (h *hierarchy) usable() []uint32 {
	p := h.p
	order := make([]uint32, len(p.Indices)/3)
	kept := make([][]uint32, h.threads)
	parallel(h.threads, len(order), func(part, lo, hi int) {
		kept[part] = order[lo:lo]
		for t := lo; t < hi; t++ {
			a, b, c := p.Indices[3*t], p.Indices[3*t+1], p.Indices[3*t+2]
			wa, wb, wc := h.welded[a], h.welded[b], h.welded[c]
			if wa == wb || wb == wc || wa == wc || !isFinite(p.Positions[a]) || !isFinite(p.Positions[b]) || !isFinite(p.Positions[c]) {
				continue
			}
			kept[part] = append(kept[part], uint32(t))
		}
	})
	n := 0
	for _, k := range kept {
		n += copy(order[n:], k)
	}
	return order[:n]
}

// chunks sorts triangles along a Morton curve, as finely as is needed to cut them into runs of no more than chunkTriangles,
// and returns the runs.
func (h *hierarchy) chunks(ctx context.Context, order []uint32) (runs []run, err error) {
	m := mortonSorter{h: h, order: order}
	all := run{0, len(order)}
	if all.n() <= chunkTriangles {
		return m.sort(nil, all), nil
	}
	m.tmp, m.cells = make([]uint32, len(order)), make([]uint16, len(order))
	parts := m.step(all, h.threads)
	err = ordered(ctx, h.threads, len(parts), func(_, i int) []run { return m.sort(nil, parts[i]) },
		func(_ int, more []run) error {
			runs = append(runs, more...)
			return nil
		})
	return runs, err
}

// mortonSorter sorts runs of order; those that do not overlap at the same time.
type mortonSorter struct {
	h     *hierarchy
	order []uint32
	cells []uint16
	tmp   []uint32
}

// mortonBits is the number of bits an axis that one step sorts by.
const mortonBits = 5

// sort appends the runs into which it cuts r.
func (m *mortonSorter) sort(runs []run, r run) []run {
	switch {
	case r.n() > chunkTriangles:
		for _, part := range m.step(r, 1) {
			runs = m.sort(runs, part)
		}
	case r.n() > 0:
		runs = append(runs, r)
	}
	return runs
}

// step sorts r by the cells of a grid, and cuts it into single cells of more than chunkTriangles and runs of no more.
func (m *mortonSorter) step(r run, threads int) (parts []run) {
	order, cells, tmp := m.order[r.lo:r.hi], m.cells[r.lo:r.hi], m.tmp[r.lo:r.hi]
	box := boxOf(threads, len(order), func(i int) geom.Vec3 { return m.h.corner(order[i]) })
	e := box.Size()
	scale := (1<<mortonBits - 1) / float64(max(e[0], e[1], e[2]))
	if math.IsInf(scale, 0) {
		for ; r.lo < r.hi; r.lo += chunkTriangles { // all in one place: any order will do
			parts = append(parts, run{r.lo, min(r.hi, r.lo+chunkTriangles)})
		}
		return parts
	}
	counts := make([][]int, threads)
	parallel(threads, len(order), func(part, lo, hi int) {
		count := make([]int, 1<<(3*mortonBits))
		for i := lo; i < hi; i++ {
			p, c := m.h.corner(order[i]), uint16(0)
			for k := range 3 {
				c |= spreadBits(uint16((float64(p[k])-float64(box.Min[k]))*scale)) << k
			}
			cells[i] = c
			count[c]++
		}
		counts[part] = count
	})
	ends := placed(counts)
	parallel(threads, len(order), func(part, lo, hi int) {
		at := counts[part]
		for i := lo; i < hi; i++ {
			tmp[at[cells[i]]] = order[i]
			at[cells[i]]++
		}
	})
	copy(order, tmp)
	first, start := 0, 0
	cut := func(end int) {
		if end > first {
			parts = append(parts, run{r.lo + first, r.lo + end})
		}
		first = end
	}
	for _, end := range ends {
		if end-first > chunkTriangles {
			cut(start)
		}
		if end-start > chunkTriangles {
			cut(end)
		}
		start = end
	}
	cut(len(order))
	return parts
}

// spreadBits puts two zeros between the five low bits of x.
func spreadBits(x uint16) uint16 {
	return x&1 | x&2<<2 | x&4<<4 | x&8<<6 | x&16<<8
}

// corner is the first corner of triangle t: as good as its centre to sort by.
func (h *hierarchy) corner(t uint32) geom.Vec3 { return h.p.Positions[h.p.Indices[3*t]] }

// chunk splits triangles of the source into clusters.
func (w *worker) chunk(order []uint32) pieces {
	p := w.h.p
	w.cents, w.live = w.cents[:0], w.live[:0]
	for _, t := range order {
		w.cents = append(w.cents, newCentroid(p.Positions[p.Indices[3*t]], p.Positions[p.Indices[3*t+1]], p.Positions[p.Indices[3*t+2]], t))
	}
	kd(w.cents, MaxTriangles, evenHalf, 1, nil)
	for _, c := range w.cents {
		w.live = append(w.live, [3]uint32(p.Indices[3*c.tri:3*c.tri+3]))
	}
	return w.pieces()
}

// partition returns the clusters of each group of l, and marks the positions that groups share in owners.
func (h *hierarchy) partition(ctx context.Context, l *level) ([][]uint32, error) {
	h.levels++
	cents := make([]centroid, len(l.clusters))
	for i := range l.clusters {
		c := l.clusters[i].center
		cents[i] = centroid{key: [6]float32{c[0], c[1], c[2]}, tri: uint32(i)}
	}
	// Borders between groups cannot be simplified, so the chunks of one level must not be cut where those of the last were.
	shares := [...]float64{0.5, 0.4, 0.56, 0.45, 0.6}
	chunks := clusterChunks(cents, shares[h.levels%len(shares)], nil)
	groupers := make([]grouper, h.threads)
	var groups [][]uint32
	err := ordered(ctx, h.threads, len(chunks), func(thread, i int) [][]uint32 {
		g := &groupers[thread]
		g.h, g.l = h, l
		sortNear(chunks[i])
		return g.group(chunks[i])
	}, func(_ int, more [][]uint32) error {
		groups = append(groups, more...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return groups, h.own(ctx, l, groups)
}

// clusterChunks sorts clusters into compact runs of no more than chunkClusters, and appends these to chunks.
func clusterChunks(cs []centroid, share float64, chunks [][]centroid) [][]centroid {
	if len(cs) > chunkClusters {
		half := int(float64(len(cs)) * share)
		nth(cs, half, longestAxis(cs))
		chunks = clusterChunks(cs[:half], share, chunks)
		return clusterChunks(cs[half:], share, chunks)
	}
	return append(chunks, cs)
}

// sortNear sorts clusters so that neighbours are near each other.
func sortNear(cs []centroid) {
	for len(cs) > 2 {
		half := len(cs) / 2
		nth(cs, half, longestAxis(cs))
		sortNear(cs[:half])
		cs = cs[half:]
	}
}

// own marks every position that more than one group of l uses.
func (h *hierarchy) own(ctx context.Context, l *level, groups [][]uint32) error {
	const batch = 64
	base := h.grouped // no group of a former level has a higher number, so that its marks count for nothing here
	h.grouped += uint32(len(groups))
	return ordered(ctx, h.threads, (len(groups)+batch-1)/batch, func(_, i int) struct{} {
		for g := i * batch; g < min(len(groups), (i+1)*batch); g++ {
			mine := base + uint32(g) + 1
			for _, c := range groups[g] {
				s := &l.clusters[c]
				for _, id := range l.vertices(s) {
					h.ownPosition(l.position(h, id), mine, base)
				}
			}
		}
		return struct{}{}
	}, func(int, struct{}) error { return nil })
}

// ownPosition notes that group mine uses a position. What is left of former levels is no more than base.
func (h *hierarchy) ownPosition(position, mine, base uint32) {
	owner := &h.owners[position]
	for {
		old := atomic.LoadUint32(owner)
		fresh := mine
		if old&^sharedBit > base {
			if old&^sharedBit == mine || old&sharedBit != 0 {
				return
			}
			fresh = old | sharedBit
		}
		if atomic.CompareAndSwapUint32(owner, old, fresh) {
			return
		}
	}
}
