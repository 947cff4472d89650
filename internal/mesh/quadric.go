package mesh

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
)

// quadric is a weighted sum of squared distances from planes, as a function of a point.
type quadric struct {
	xx, xy, xz, yy, yz, zz float64
	x, y, z, c             float64
	weight                 float64
}

// plane is the quadric of the plane through p with unit normal n. Its mean counts it by share.
func plane(n, p geom.Vec3, weight, share float64) quadric {
	x, y, z := float64(n[0]), float64(n[1]), float64(n[2])
	d := -(x*float64(p[0]) + y*float64(p[1]) + z*float64(p[2]))
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

// distance is the root mean square distance of p.
func (q *quadric) distance(p geom.Vec3) float32 {
	if q.weight == 0 {
		return 0
	}
	x, y, z := float64(p[0]), float64(p[1]), float64(p[2])
	sum := x*(q.xx*x+2*(q.xy*y+q.xz*z+q.x)) + y*(q.yy*y+2*(q.yz*z+q.y)) + z*(q.zz*z+2*q.z) + q.c
	return float32(math.Sqrt(math.Abs(sum) / q.weight))
}

// collapse is a queued collapse of an edge. to == none prunes the component from.
type collapse struct {
	cost     float32
	from, to uint32
	stamp    uint32 // sum of both ends' stamps when it was queued
	reversed bool   // the other direction was refused
}

// collapseQueue is a binary heap, least cost first; equal costs in the order of positions, so that the order is total.
type collapseQueue []collapse

func (c *collapse) before(o *collapse) bool {
	switch {
	case c.cost != o.cost:
		return c.cost < o.cost
	case c.from != o.from:
		return c.from < o.from
	}
	return c.to < o.to
}

func (q *collapseQueue) push(c collapse) {
	if !(c.cost >= 0) {
		c.cost = math.MaxFloat32
	}
	h := append(*q, c)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !c.before(&h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = c
	*q = h
}

func (q *collapseQueue) pop() (collapse, bool) {
	h := *q
	if len(h) == 0 {
		return collapse{}, false
	}
	top, c := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*q = h
	if len(h) == 0 {
		return top, true
	}
	i := 0
	for {
		down := 2*i + 1
		if down >= len(h) {
			break
		}
		if down+1 < len(h) && h[down+1].before(&h[down]) {
			down++
		}
		if !h[down].before(&c) {
			break
		}
		h[i] = h[down]
		i = down
	}
	h[i] = c
	return top, true
}

// least is the cost of the cheapest collapse.
func (q *collapseQueue) least() float32 {
	if len(*q) == 0 {
		return far
	}
	return (*q)[0].cost
}
