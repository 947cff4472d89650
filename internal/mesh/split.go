package mesh

import (
	"runtime"
	"sync"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// normalWeight is how much of a node's extent a full turn of its normals counts for when a split axis is chosen. It keeps
// the two sides of a thin wall apart, so that the back one can be culled by its cone.
const normalWeight = 0.35

// centroid is a triangle as a point to split by: position (sum of the corners), then unit normal.
type centroid struct {
	key [6]float32
	tri uint32
}

// split orders triangles so that each run of MaxTriangles is compact: a kd-tree over centroids whose left halves hold a
// multiple of MaxTriangles, so that all clusters but the last are full.
func split(p *scene.Primitive, tris [][3]uint32) []uint32 {
	cs := make([]centroid, len(tris))
	for i, t := range tris {
		a, b, c := p.Positions[t[0]], p.Positions[t[1]], p.Positions[t[2]]
		cs[i] = newCentroid(a, b, c, uint32(i))
	}
	var wg sync.WaitGroup
	kd(cs, MaxTriangles, fullHalf, runtime.GOMAXPROCS(0), &wg)
	wg.Wait()
	order := make([]uint32, len(cs))
	for i, c := range cs {
		order[i] = c.tri
	}
	return order
}

func newCentroid(a, b, c geom.Vec3, tri uint32) centroid {
	n, _ := unitNormal(a, b, c)
	return centroid{[6]float32{
		a[0]/3 + b[0]/3 + c[0]/3, a[1]/3 + b[1]/3 + c[1]/3, a[2]/3 + b[2]/3 + c[2]/3, n[0], n[1], n[2],
	}, tri}
}

// kd splits cs in place into compact runs of no more than leaf, where halfOf says that a run of some length is cut, the
// halves in parallel while workers allows.
func kd(cs []centroid, leaf int, halfOf func(n int) int, workers int, wg *sync.WaitGroup) {
	for len(cs) > leaf {
		half := halfOf(len(cs))
		nth(cs, half, longestAxis(cs))
		left := cs[:half]
		if workers > 1 && len(cs) > 1<<14 {
			share := workers / 2
			workers -= share
			wg.Go(func() { kd(left, leaf, halfOf, share, wg) })
		} else {
			kd(left, leaf, halfOf, 1, wg)
		}
		cs = cs[half:]
	}
}

// fullHalf is a multiple of MaxTriangles, so that all runs but the last become full.
func fullHalf(n int) int { return (n + MaxTriangles) / (2 * MaxTriangles) * MaxTriangles }

// evenHalf makes all runs of about one length, and no more of them than fullHalf does.
func evenHalf(n int) int {
	runs := (n + MaxTriangles - 1) / MaxTriangles
	return n * (runs / 2) / runs
}

// evenRuns calls yield with the ends of the runs that kd by evenHalf leaves of n triangles.
func evenRuns(n int, yield func(lo, hi int)) {
	var walk func(lo, hi int)
	walk = func(lo, hi int) {
		if hi-lo <= MaxTriangles {
			yield(lo, hi)
			return
		}
		half := lo + evenHalf(hi-lo)
		walk(lo, half)
		walk(half, hi)
	}
	if n > 0 {
		walk(0, n)
	}
}

func longestAxis(cs []centroid) int {
	var size [6]float32
	for k := range size {
		lo, hi := cs[0].key[k], cs[0].key[k]
		for i := range cs {
			lo, hi = stretched(lo, hi, cs[i].key[k])
		}
		size[k] = hi - lo
	}
	scale := normalWeight * max(size[0], size[1], size[2])
	axis, most := 0, float32(-1)
	for k, s := range size {
		if k >= 3 {
			s *= scale / 2
		}
		if s > most {
			axis, most = k, s
		}
	}
	return axis
}

// less orders by key, then by triangle, so that the order is total and the result deterministic.
func less(a, b *centroid, axis int) bool {
	if a.key[axis] != b.key[axis] {
		return a.key[axis] < b.key[axis]
	}
	return a.tri < b.tri
}

// nth partially sorts cs so that its n smallest elements come first (Hoare's quickselect, median of three).
func nth(cs []centroid, n, axis int) {
	lo, hi := 0, len(cs)-1
	for lo < hi {
		mid := lo + (hi-lo)/2
		if less(&cs[mid], &cs[lo], axis) {
			cs[mid], cs[lo] = cs[lo], cs[mid]
		}
		if less(&cs[hi], &cs[lo], axis) {
			cs[hi], cs[lo] = cs[lo], cs[hi]
		}
		if less(&cs[hi], &cs[mid], axis) {
			cs[hi], cs[mid] = cs[mid], cs[hi]
		}
		pivot := cs[mid]
		i, j := lo, hi
		for i <= j {
			for less(&cs[i], &pivot, axis) {
				i++
			}
			for less(&pivot, &cs[j], axis) {
				j--
			}
			if i <= j {
				cs[i], cs[j] = cs[j], cs[i]
				i++
				j--
			}
		}
		switch {
		case n <= j:
			hi = j
		case n >= i:
			lo = i
		default:
			return
		}
	}
}
