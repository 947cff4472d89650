package importer

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
)

// workPerCorner bounds ear clipping, which takes quadratic time or worse: a polygon of a million corners gets no more
// per corner than one of a few hundred.
const workPerCorner = 2000

// ImproperPolygons is the warning for polygons that Triangulator could not cut properly.
const ImproperPolygons = "Some faces cross themselves or are too intricate; they are filled in part."

// Triangulator cuts polygons into triangles. It keeps its memory from one polygon to the next.
type Triangulator struct {
	flat       [][2]float64
	next, prev []int32
}

// Cut calls emit with the corners of each triangle of the polygon, counter-clockwise as the polygon is. Convex ones are
// cut into a fan, others by ear clipping in the plane of their mean normal (Newell's method); n corners always make n-2
// triangles. It reports false where a polygon crosses itself or has too many concave corners to be cut properly.
func (t *Triangulator) Cut(polygon []geom.Vec3, emit func(a, b, c int)) bool {
	n := len(polygon)
	if n == 3 {
		emit(0, 1, 2)
		return true
	}
	if n < 3 {
		return true
	}
	if t.project(polygon) {
		for i := 2; i < n; i++ {
			emit(0, i-1, i)
		}
		return true
	}
	t.next, t.prev = t.next[:0], t.prev[:0]
	for i := range n {
		t.next = append(t.next, int32((i+1)%n))
		t.prev = append(t.prev, int32((i+n-1)%n))
	}
	proper := true
	work, at := n*workPerCorner, int32(0)
	for left, tries := n, 0; left > 3; {
		a, b := t.prev[at], t.next[at]
		ear := tries >= left || work < 0 // no ear left: clip what comes
		proper = proper && !ear
		if !ear {
			var steps int
			ear, steps = t.ear(a, at, b)
			work -= steps
		}
		if !ear {
			at, tries = b, tries+1
			continue
		}
		emit(int(a), int(at), int(b))
		t.next[a], t.prev[b] = b, a
		left, tries = left-1, 0
		at = t.next[b] // skip on: fans of slivers look bad
	}
	emit(int(t.prev[at]), int(at), int(t.next[at]))
	return proper
}

// project drops the axis along which the polygon is seen best, and reports whether what is left is convex.
func (t *Triangulator) project(p []geom.Vec3) (convex bool) {
	var normal [3]float64
	for i := range p {
		a, b := p[i], p[(i+1)%len(p)]
		for k := range 3 {
			u, v := (k+1)%3, (k+2)%3
			normal[k] += (float64(a[u]) - float64(b[u])) * (float64(a[v]) + float64(b[v]) - 2*float64(p[0][v]))
		}
	}
	axis := 0
	for k := range 3 {
		if math.Abs(normal[k]) > math.Abs(normal[axis]) {
			axis = k
		}
	}
	u, v := (axis+1)%3, (axis+2)%3
	if normal[axis] < 0 {
		u, v = v, u
	}
	t.flat = t.flat[:0]
	for _, q := range p {
		t.flat = append(t.flat, [2]float64{float64(q[u]), float64(q[v])})
	}
	// Convex = no right turn, and one full turn only: a pentagram turns left everywhere, but twice.
	n, turn := len(p), 0.0
	for i := range n {
		a, b, c := t.flat[i], t.flat[(i+1)%n], t.flat[(i+2)%n]
		cr := cross(a, b, c)
		if cr < 0 {
			return false
		}
		turn += math.Atan2(cr, (b[0]-a[0])*(c[0]-b[0])+(b[1]-a[1])*(c[1]-b[1]))
	}
	return turn < 3*math.Pi
}

// ear reports whether the corner b between a and c may be clipped, and how much looking that took.
func (t *Triangulator) ear(a, b, c int32) (ear bool, steps int) {
	p, q, r := t.flat[a], t.flat[b], t.flat[c]
	switch cr := cross(p, q, r); {
	case cr < 0:
		return false, 1
	case cr == 0: // nothing of the polygon is cut off, unless it doubles back
		return true, 1
	}
	for i := t.next[c]; i != a; i = t.next[i] {
		steps++
		s := t.flat[i]
		if s == p || s == q || s == r { // a bridge to a hole passes twice through the same place
			continue
		}
		if cross(p, q, s) >= 0 && cross(q, r, s) >= 0 && cross(r, p, s) >= 0 && cross(t.flat[t.prev[i]], s, t.flat[t.next[i]]) <= 0 {
			return false, steps
		}
	}
	return true, steps + 1
}

// cross is twice the signed area of the triangle a, b, c.
func cross(a, b, c [2]float64) float64 {
	return (b[0]-a[0])*(c[1]-a[1]) - (b[1]-a[1])*(c[0]-a[0])
}
