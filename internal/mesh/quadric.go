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

// collapse is a queued collapse of one position onto another. Its order is that of its cost, equal ones by position. That is
// the cost when it was queued; it may have grown since.
type collapse uint64

const (
	// pruneTo is where a collapse leads that prunes the component from.
	pruneTo = math.MaxUint16
	// never is after all collapses.
	never = collapse(math.MaxUint64)
)

func newCollapse(cost float32, from, to uint32) collapse {
	if !(cost >= 0) {
		cost = math.MaxFloat32
	}
	return collapse(math.Float32bits(cost))<<32 | collapse(from)<<16 | collapse(to)
}

func (c collapse) cost() float32 { return math.Float32frombits(uint32(c >> 32)) }
func (c collapse) from() uint32  { return uint32(c >> 16 & math.MaxUint16) }
func (c collapse) to() uint32    { return uint32(c & math.MaxUint16) }

// collapseQueue is a binary heap, least first.
type collapseQueue []collapse

func (q *collapseQueue) push(c collapse) {
	h := append(*q, c)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if c >= h[up] {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = c
	*q = h
}

func (q *collapseQueue) pop() (top collapse, ok bool) {
	h := *q
	if len(h) == 0 {
		return 0, false
	}
	top, c := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*q = h
	i := 0
	for down := 1; down < len(h); down = 2*i + 1 {
		if down+1 < len(h) && h[down+1] < h[down] {
			down++
		}
		if h[down] >= c {
			break
		}
		h[i] = h[down]
		i = down
	}
	if len(h) > 0 {
		h[i] = c
	}
	return top, true
}

// least is the cost of the cheapest collapse.
func (q collapseQueue) least() float32 {
	if len(q) == 0 {
		return far
	}
	return q[0].cost()
}
