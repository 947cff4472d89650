package mesh

import (
	"math"
	"math/bits"
	"sync"

	"github.com/heliograph/heliograph/internal/geom"
)

// weldBits is the resolution at which positions count as one, of the greatest coordinate or, if less, of the size: exporters
// split vertices along seams, and some do so after a rounding of their own, which would leave hair cracks that could never be
// simplified. Of coordinates far from the origin, such as those of national grids, all that float32 tells apart stay apart.
const weldBits = 22

// weld gives the vertices at one position one id, counted from 0 in the order of the first of each, and returns the number of ids.
func weld(pos []geom.Vec3, threads int) (ids []uint32, n int) {
	w := welder{pos: pos, ids: make([]uint32, len(pos)), inv: 1}
	w.scale()
	// Each goroutine takes the positions whose hash is its own.
	shards := 1
	if len(pos) > 1<<14 {
		shards = threads
	}
	var wg sync.WaitGroup
	for s := range shards {
		wg.Go(func() { w.shard(uint64(s), uint64(shards)) })
	}
	wg.Wait()
	for i, first := range w.ids {
		if first == uint32(i) {
			w.ids[i] = uint32(n)
			n++
		} else {
			w.ids[i] = w.ids[first]
		}
	}
	return w.ids, n
}

type welder struct {
	pos []geom.Vec3
	ids []uint32 // of each vertex, the first one at its position

	origin [3]float64 // of the cells
	inv    float64    // cells in a unit
}

// scale chooses the cells.
func (w *welder) scale() {
	var low, high [3]float64
	for k := range 3 {
		low[k], high[k] = math.Inf(1), math.Inf(-1)
	}
	for i := range w.pos {
		for k, x := range w.pos[i] {
			if x > -maxCoordinate && x < maxCoordinate {
				low[k], high[k] = min(low[k], float64(x)), max(high[k], float64(x))
			}
		}
	}
	var most, size float64
	for k := range 3 {
		if low[k] <= high[k] {
			most, size = max(most, -low[k], high[k]), max(size, high[k]-low[k])
		}
	}
	if size > 0 && size < most { // the origin is outside: cells are counted from a corner, or they would be too many
		most, w.origin = size, low
	}
	if most > 0 {
		w.inv = math.Ldexp(1, weldBits) / most
	}
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

func (c cell) hash() uint64 {
	h := uint64(uint32(c[0]))*0x9e3779b97f4a7c15 ^ uint64(uint32(c[1]))*0xc2b2ae3d27d4eb4f ^ uint64(uint32(c[2]))*0x165667b19e3779f9
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

func (w *welder) shard(s, shards uint64) {
	size := 1 << bits.Len(uint(len(w.pos)/int(shards)*3/2+16))
	table := make([]uint32, size) // vertex + 1
	used := 0
	for i := range w.pos {
		c := w.cell(uint32(i))
		h := c.hash()
		if shards > 1 && h>>40%shards != s {
			continue
		}
		at := h & uint64(len(table)-1)
		for ; table[at] != 0; at = (at + 1) & uint64(len(table)-1) {
			if first := table[at] - 1; w.cell(first) == c {
				w.ids[i] = first
				break
			}
		}
		if table[at] != 0 {
			continue
		}
		table[at], w.ids[i] = uint32(i)+1, uint32(i)
		if used++; used > len(table)*3/4 {
			table = w.grown(table)
		}
	}
}

// grown is table with twice the room; hostile input can put most positions into one shard.
func (w *welder) grown(table []uint32) []uint32 {
	out := make([]uint32, 2*len(table))
	for _, v := range table {
		if v == 0 {
			continue
		}
		at := w.cell(v-1).hash() & uint64(len(out)-1)
		for out[at] != 0 {
			at = (at + 1) & uint64(len(out)-1)
		}
		out[at] = v
	}
	return out
}
