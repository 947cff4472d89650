package mesh

import (
	"math"
	"math/bits"
	"sync/atomic"

	"github.com/heliograph/heliograph/internal/geom"
)

// weldBits is the resolution at which positions count as one, of the greatest coordinate or, if less, of the size: exporters
// split vertices along seams, and some do so after a rounding of their own, which would leave hair cracks that could never be
// simplified. Of coordinates far from the origin, such as those of national grids, all that float32 tells apart stay apart.
const weldBits = 22

// A bucket is about so many vertices whose hashes begin with the same bits: their table stays in the processor's cache.
const (
	bucketVertices = 1 << 10
	maxBucketBits  = 12
)

// weld gives the vertices at one position one id, counted from 0 in the order of the first of each, and returns the number of ids.
func weld(pos []geom.Vec3, threads int) (ids []uint32, n int) {
	if len(pos) < 1<<14 {
		threads = 1
	}
	w := welder{pos: pos, ids: make([]uint32, len(pos)), hashes: make([]uint32, len(pos)), inv: 1}
	w.shift = 32 - min(maxBucketBits, bits.Len(uint(len(pos)/bucketVertices)))
	w.scale(threads)
	vertices, ends := w.bucketed(threads)
	var next atomic.Int32
	parallel(threads, threads, func(int, int, int) {
		var table []entry
		for b := int(next.Add(1)) - 1; b < len(ends); b = int(next.Add(1)) - 1 {
			first := 0
			if b > 0 {
				first = ends[b-1]
			}
			table = w.bucket(vertices[first:ends[b]], table)
		}
	})
	return w.ids, w.number(threads)
}

type welder struct {
	pos    []geom.Vec3
	ids    []uint32 // of each vertex, the first one at its position
	hashes []uint32
	shift  int // of a hash, to the number of its bucket

	origin [3]float64 // of the cells
	inv    float64    // cells in a unit
}

// scale chooses the cells.
func (w *welder) scale(threads int) {
	box := boxOf(threads, len(w.pos), func(i int) geom.Vec3 { return w.pos[i] })
	var low [3]float64
	var most, size float64
	for k := range 3 {
		if box.Min[k] <= box.Max[k] {
			low[k] = float64(box.Min[k])
			most, size = max(most, -low[k], float64(box.Max[k])), max(size, float64(box.Max[k])-low[k])
		}
	}
	if size > 0 && size < most { // the origin is outside: cells are counted from a corner, or they would be too many
		most, w.origin = size, low
	}
	if most > 0 {
		w.inv = math.Ldexp(1, weldBits) / most
	}
}

// bucketed sorts the vertices by buckets, and otherwise leaves their order; ends are the ends of the buckets.
func (w *welder) bucketed(threads int) (vertices []uint32, ends []int) {
	counts := make([][]int, threads) // of each part, of each bucket
	parallel(threads, len(w.pos), func(part, lo, hi int) {
		count := make([]int, 1<<(32-w.shift))
		for i := lo; i < hi; i++ {
			h := w.cell(uint32(i)).hash()
			w.hashes[i] = h
			count[h>>w.shift]++
		}
		counts[part] = count
	})
	ends = placed(counts)
	vertices = make([]uint32, len(w.pos))
	parallel(threads, len(w.pos), func(part, lo, hi int) {
		at := counts[part]
		for i := lo; i < hi; i++ {
			b := w.hashes[i] >> w.shift
			vertices[at[b]] = uint32(i)
			at[b]++
		}
	})
	return vertices, ends
}

// placed turns how often the parts of a list have each key into where the first of them goes when the list is sorted by keys, and
// returns where each key ends.
func placed(counts [][]int) (ends []int) {
	ends = make([]int, len(counts[0]))
	sum := 0
	for key := range ends {
		for _, count := range counts {
			count[key], sum = sum, sum+count[key]
		}
		ends[key] = sum
	}
	return ends
}

type cell [3]int32

func (w *welder) cell(v uint32) cell {
	var c cell
	for k, x := range w.pos[v] {
		if x > -maxCoordinate && x < maxCoordinate {
			c[k] = int32(math.Floor((float64(x)-w.origin[k])*w.inv + 0.5))
		} else {
			c[k] = math.MaxInt32 // never used
		}
	}
	return c
}

func (c cell) hash() uint32 {
	h := uint64(uint32(c[0]))*0x9e3779b97f4a7c15 ^ uint64(uint32(c[1]))*0xc2b2ae3d27d4eb4f ^ uint64(uint32(c[2]))*0x165667b19e3779f9
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return uint32(h >> 32)
}

// entry is a place of a hash table; vertex counts from 1, 0 = free.
type entry struct{ hash, vertex uint32 }

// bucket finds the first vertex at each position of a bucket, with the memory of a table or a larger one, which it returns.
func (w *welder) bucket(vertices []uint32, table []entry) []entry {
	size := 1 << bits.Len(uint(len(vertices)*3/2))
	table = sized(table, size)
	clear(table)
	for _, v := range vertices {
		h := w.hashes[v]
		at := h & uint32(size-1)
		for table[at].vertex != 0 && (table[at].hash != h || w.cell(table[at].vertex-1) != w.cell(v)) {
			at = (at + 1) & uint32(size-1)
		}
		if table[at].vertex == 0 {
			table[at] = entry{h, v + 1}
		}
		w.ids[v] = table[at].vertex - 1
	}
	return table
}

// number makes ids of the first vertices, counted from 0, and returns their number.
func (w *welder) number(threads int) (n int) {
	firsts := make([][]int, threads)
	parallel(threads, len(w.ids), func(part, lo, hi int) {
		count := 0
		for i := lo; i < hi; i++ {
			if w.ids[i] == uint32(i) {
				count++
			}
		}
		firsts[part] = []int{count}
	})
	n = placed(firsts)[0]
	numbers := w.hashes // which are not needed any more
	parallel(threads, len(w.ids), func(part, lo, hi int) {
		next := uint32(firsts[part][0])
		for i := lo; i < hi; i++ {
			if w.ids[i] == uint32(i) {
				numbers[i] = next
				next++
			}
		}
	})
	parallel(threads, len(w.ids), func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			w.ids[i] = numbers[w.ids[i]]
		}
	})
	return n
}
