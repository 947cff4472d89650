package mesh

import (
	"context"
	"math"
	"math/bits"
	"runtime"
	"sync"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

const (
	// pointBits is how many levels of cells there are below the cube around all points: three axes fill a 63 bit key.
	pointBits = 21
	// rootPoints is about how many points the coarsest level has; they are always drawn.
	rootPoints = 8192
	// tailPoints is the part of all points that the finest level may take from levels finer still: chance neighbours are
	// not worth clusters of their own.
	tailPoints = 1.0 / 32
	// clusterPoints is the most points of a cluster of points, a multiple of Lane.
	clusterPoints = MaxVertices / Lane * Lane
)

// BuildPoints is BuildHierarchy for points: every point is in one cluster of one level, and a level is drawn in addition to
// those above it. Level l has the points that are the first of their cell, of 2^-l of the cube's edge, in Morton order, and
// are not in a coarser level. So the levels up to l are about one cell apart, which is the Error of the groups of level
// l+1. The coarsest level, which has Error infinity, and the finest one gather several. No cluster has a maker. Points
// without a finite position are dropped.
func BuildPoints(ctx context.Context, p *scene.Primitive, o HierarchyOptions,
	sink func(g Group, members *Mesh, makers []int32) error) error {
	b := pointBuilder{p: *p, threads: o.Threads}
	b.p.UV0, b.p.UV1, b.p.Tangents = nil, nil, nil
	if b.threads <= 0 {
		b.threads = runtime.GOMAXPROCS(0)
	}
	if err := b.sort(ctx); err != nil {
		return err
	}
	b.levels()
	progress := func(done float64) {
		if o.Progress != nil {
			o.Progress(done)
		}
	}
	const sorted = 0.5 // of the time
	progress(sorted)
	first, done := uint32(0), 0
	for level := pointBits; level >= 0; level-- {
		points := b.byLevel[b.start[level]:b.start[level+1]]
		groups := b.divide(points)
		e := float32(math.Inf(1))
		if level > b.root {
			e = b.edge * float32(math.Ldexp(1, 1-level))
		}
		const batch = 64 // groups that are made at once
		for len(groups) > 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(batch, len(groups))
			for i, m := range b.meshes(groups[:n]) {
				g := Group{Error: e, FirstCluster: first, Clusters: uint32(len(m.Clusters)), Center: m.Bounds.Center()}
				for _, c := range m.Clusters {
					g.Radius = max(g.Radius, reach(g.Center, c.Center, c.Radius))
				}
				makers := make([]int32, len(m.Clusters))
				for k := range makers {
					makers[k] = -1
				}
				if err := sink(g, m, makers); err != nil {
					return err
				}
				first += g.Clusters
				for _, c := range groups[i] {
					done += len(c)
				}
			}
			groups = groups[n:]
			progress(sorted + (1-sorted)*float64(done)/float64(len(b.byLevel)))
		}
	}
	return nil
}

type pointBuilder struct {
	p       scene.Primitive
	threads int
	edge    float32  // of the cube around all points
	keys    []uint64 // Morton codes, ascending
	order   []uint32 // the points in that order
	byLevel []uint32 // indices into keys and order: level by level, ascending in each
	start   [pointBits + 2]int
	root    int // the coarsest level with points
}

// sort orders the points along the Morton curve, equal ones as they come.
func (b *pointBuilder) sort(ctx context.Context) error {
	box := geom.Empty()
	b.order = make([]uint32, 0, len(b.p.Positions))
	for i, v := range b.p.Positions {
		if usablePoint(v) {
			box = box.Extend(v)
			b.order = append(b.order, uint32(i))
		}
	}
	if len(b.order) == 0 {
		return nil
	}
	size := box.Size()
	b.edge = max(size[0], size[1], size[2])
	scale := 0.0
	if b.edge > 0 {
		scale = (1<<pointBits - 1) / float64(b.edge)
	}
	b.keys = make([]uint64, len(b.order))
	b.parallel(len(b.order), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			v := b.p.Positions[b.order[i]]
			for k := range 3 {
				b.keys[i] |= spread(uint64((float64(v[k])-float64(box.Min[k]))*scale)) << k
			}
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	b.keys, b.order, b.byLevel = radixSort(b.keys, b.order)
	return ctx.Err()
}

// usablePoint asks for coordinates whose differences are finite.
func usablePoint(v geom.Vec3) bool {
	for _, c := range v {
		if !(math.Abs(float64(c)) < math.MaxFloat32/4) {
			return false
		}
	}
	return true
}

// spread puts two zero bits above each of the lowest 21 bits of x.
func spread(x uint64) uint64 {
	x = (x | x<<32) & 0x1f00000000ffff
	x = (x | x<<16) & 0x1f0000ff0000ff
	x = (x | x<<8) & 0x100f00f00f00f00f
	x = (x | x<<4) & 0x10c30c30c30c30c3
	return (x | x<<2) & 0x1249249249249249
}

// radixSort sorts keys of 63 bits, and values along with them; equal keys stay in order. The third result is memory for as
// many values.
func radixSort(keys []uint64, values []uint32) ([]uint64, []uint32, []uint32) {
	const digit = 11
	keys2, values2 := make([]uint64, len(keys)), make([]uint32, len(keys))
	for shift := 0; shift < 3*pointBits; shift += digit {
		var at [1 << digit]uint32
		for _, k := range keys {
			at[k>>shift&(1<<digit-1)]++
		}
		sum := uint32(0)
		for i, n := range at {
			at[i], sum = sum, sum+n
		}
		for i, k := range keys {
			d := k >> shift & (1<<digit - 1)
			keys2[at[d]], values2[at[d]] = k, values[i]
			at[d]++
		}
		keys, keys2, values, values2 = keys2, keys, values2, values
	}
	return keys, values, values2
}

// jump is the level at which two neighbours on the curve part: the coarsest whose cells hold one of them each; one more
// than there are for equal keys.
func (b *pointBuilder) jump(i, j uint32) int {
	return pointBits + 1 - (bits.Len64(b.keys[i]^b.keys[j])+2)/3
}

// levels gives every point its level.
func (b *pointBuilder) levels() {
	var counts [pointBits + 2]int
	level := func(i int) int {
		if i == 0 {
			return 0
		}
		return min(pointBits, b.jump(uint32(i-1), uint32(i)))
	}
	for i := range b.keys {
		counts[level(i)]++
	}
	total := len(b.keys)
	for sum := 0; b.root < pointBits; b.root++ {
		if sum += counts[b.root]; sum+counts[b.root+1] > rootPoints {
			break
		}
	}
	last, tail := pointBits, 0
	for last > b.root && float64(tail+counts[last]) <= tailPoints*float64(total) {
		tail += counts[last]
		last--
	}
	final := func(i int) int { return max(b.root, min(last, level(i))) }
	counts = [pointBits + 2]int{}
	for i := range b.keys {
		counts[final(i)]++
	}
	sum := 0
	for l, n := range counts {
		b.start[l], sum = sum, sum+n
	}
	at := b.start
	for i := range b.keys {
		l := final(i)
		b.byLevel[at[l]] = uint32(i)
		at[l]++
	}
}

// divide cuts the points of a level into clusters, and those into groups: where the curve jumps farthest, but no piece
// under half of what it may hold, except for the last.
func (b *pointBuilder) divide(points []uint32) [][][]uint32 {
	var clusters [][]uint32
	for len(points) > 0 {
		n := cutAt(len(points), clusterPoints, func(i int) int { return b.jump(points[i-1], points[i]) })
		clusters, points = append(clusters, points[:n]), points[n:]
	}
	var groups [][][]uint32
	for len(clusters) > 0 {
		n := cutAt(len(clusters), groupClusters, func(i int) int {
			before := clusters[i-1]
			return b.jump(before[len(before)-1], clusters[i][0])
		})
		groups, clusters = append(groups, clusters[:n]), clusters[n:]
	}
	return groups
}

// cutAt is how many of n things belong together, at most limit: up to the coarsest jump.
func cutAt(n, limit int, jump func(i int) int) int {
	if n <= limit {
		return n
	}
	best, coarsest := limit, math.MaxInt
	for i := limit; i >= limit/2; i-- {
		if j := jump(i); j < coarsest {
			best, coarsest = i, j
		}
	}
	return best
}

// meshes lays out groups.
func (b *pointBuilder) meshes(groups [][][]uint32) []*Mesh {
	out := make([]*Mesh, len(groups))
	b.parallel(len(groups), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			out[i] = b.mesh(groups[i])
		}
	})
	return out
}

func (b *pointBuilder) mesh(clusters [][]uint32) *Mesh {
	w := builder{p: &b.p, m: &Mesh{Bounds: geom.Empty(), HasNormals: b.p.Normals != nil, HasColors: b.p.Colors != nil}}
	n := 0
	for _, list := range clusters {
		n += (len(list) + Lane - 1) / Lane * Lane
	}
	w.m.Positions, w.m.Surface = make([]float32, 0, 3*n), make([]uint32, 0, 4*n)
	if w.m.HasColors {
		w.m.Detail = make([]uint32, 0, 4*n)
	}
	var points [clusterPoints]uint32
	for _, list := range clusters {
		for i, at := range list {
			points[i] = b.order[at]
		}
		c := Cluster{FirstVertex: uint32(w.m.NumVertices()), Vertices: uint32(len(list))}
		w.vertices(points[:len(list)])
		w.bounds(&c, points[:len(list)], nil)
		w.m.Clusters = append(w.m.Clusters, c)
	}
	return w.m
}

// parallel calls work for parts of 0..n-1, one a thread.
func (b *pointBuilder) parallel(n int, work func(lo, hi int)) {
	var wg sync.WaitGroup
	for t := range b.threads {
		wg.Go(func() { work(t*n/b.threads, (t+1)*n/b.threads) })
	}
	wg.Wait()
}
