package mesh

import "math"

// quadric is a weighted sum of squared distances from planes, as a function of a point.
type quadric struct {
	xx, xy, xz, yy, yz, zz float64
	x, y, z, c             float64
	weight                 float64
}

// plane is the quadric of the plane through p with unit normal n. Its mean counts it by share.
func plane(n, p vec, weight, share float64) quadric {
	x, y, z := float64(n.x), float64(n.y), float64(n.z)
	d := -(x*float64(p.x) + y*float64(p.y) + z*float64(p.z))
	wx, wy, wz := weight*x, weight*y, weight*z
	return quadric{wx * x, wx * y, wx * z, wy * y, wy * z, wz * z, wx * d, wy * d, wz * d, weight * d * d, share}
}

func (q *quadric) add(o *quadric) {
	q.xx += o.xx
	q.xy += o.xy
	q.xz += o.xz
	q.yy += o.yy
	q.yz += o.yz
	q.zz += o.zz
	q.x += o.x
	q.y += o.y
	q.z += o.z
	q.c += o.c
	q.weight += o.weight
}

// at is the weighted sum at p.
func (q *quadric) at(p vec) float64 {
	x, y, z := float64(p.x), float64(p.y), float64(p.z)
	return math.Abs(x*(q.xx*x+2*(q.xy*y+q.xz*z+q.x)) + y*(q.yy*y+2*(q.yz*z+q.y)) + z*(q.zz*z+2*q.z) + q.c)
}

// along is the step from p in direction n to the least sum.
func (q *quadric) along(p, n vec) (float32, bool) {
	x, y, z := float64(p.x), float64(p.y), float64(p.z)
	a, b, c := float64(n.x), float64(n.y), float64(n.z)
	slope := a*(q.xx*x+q.xy*y+q.xz*z+q.x) + b*(q.xy*x+q.yy*y+q.yz*z+q.y) + c*(q.xz*x+q.yz*y+q.zz*z+q.z)
	bend := a*(q.xx*a+2*(q.xy*b+q.xz*c)) + b*(q.yy*b+2*q.yz*c) + c*q.zz*c
	if !(bend > 1e-12*q.weight) {
		return 0, false
	}
	return float32(-slope / bend), true
}

// collapse is a queued collapse of an edge; to == pruneTo prunes the component from.
type collapse struct {
	cost     float32 // when it was queued; it may have grown since
	from, to uint32
	reversed bool // the other direction was refused
}

// pruneTo and turned are marks of a queue entry, whose positions have 15 bits: a group never has that many.
const (
	pruneTo = 1<<15 - 1
	turned  = 1 << 31
)

// collapseQueue is a binary heap, least cost first; equal costs in the order of positions, so that the order is total. An
// entry is the bits of the cost, the mark turned, and both positions.
type collapseQueue []uint64

func (c collapse) entry() uint64 {
	cost := c.cost
	if !(cost >= 0) {
		cost = math.MaxFloat32
	}
	e := uint64(math.Float32bits(cost))<<32 | uint64(c.from)<<15 | uint64(c.to)
	if c.reversed {
		e |= turned
	}
	return e
}

func (q *collapseQueue) push(c collapse) {
	e := c.entry()
	h := append(*q, e)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if e >= h[up] {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = e
	*q = h
}

func (q *collapseQueue) pop() (collapse, bool) {
	h := *q
	if len(h) == 0 {
		return collapse{}, false
	}
	top, e := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*q = h
	i := 0
	for down := 1; down < len(h); down = 2*i + 1 {
		if down+1 < len(h) && h[down+1] < h[down] {
			down++
		}
		if h[down] >= e {
			break
		}
		h[i] = h[down]
		i = down
	}
	if len(h) > 0 {
		h[i] = e
	}
	const position = 1<<15 - 1
	return collapse{math.Float32frombits(uint32(top >> 32)), uint32(top>>15) & position, uint32(top) & position, top&turned != 0}, true
}

// least is the cost of the cheapest collapse.
func (q collapseQueue) least() float32 {
	if len(q) == 0 {
		return far
	}
	return math.Float32frombits(uint32(q[0] >> 32))
}
