package importer

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
)

// Ear clipping takes quadratic time or worse. Every polygon may take what a usual one does, and one of several thousand
// concave corners more; but all polygons of a hostile model together take some seconds.
const (
	usualPerCorner = 100 // steps
	mostPerCorner  = 4000
	extraPerModel  = 300_000_000
)

// ImproperPolygons is the warning for polygons that Triangulator could not cut properly.
const ImproperPolygons = "Some faces cross themselves or are too intricate; they are filled in part."

// Triangulator cuts polygons into triangles. It keeps its memory from one polygon to the next.
type Triangulator struct {
	flat       [][2]float64
	next, prev []int32
	reflex     []int32 // the corners that may lie in an ear, in any order
	where      []int32 // corner -> index into reflex; -1 = not there
	extra      int     // steps beyond the usual ones that were spent
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
	t.link(n)
	proper := true
	work, at := min(n*mostPerCorner, n*usualPerCorner+extraPerModel-t.extra), int32(0)
	t.extra -= n * usualPerCorner
	for left, tries := n, 0; left > 3; {
		a, b := t.prev[at], t.next[at]
		ear := tries >= left || work < 0 // no ear left: clip what comes
		proper = proper && !ear
		if !ear {
			var steps int
			ear, steps = t.ear(a, at, b)
			work -= steps
			t.extra += steps
		}
		if !ear {
			at, tries = b, tries+1
			continue
		}
		emit(int(a), int(at), int(b))
		t.next[a], t.prev[b] = b, a
		t.forget(at)
		for _, c := range []int32{a, b} {
			if t.turn(c) > 0 {
				t.forget(c)
			}
		}
		left, tries = left-1, 0
		at = t.next[b] // skip on: fans of slivers look bad
	}
	t.extra = max(0, t.extra)
	emit(int(t.prev[at]), int(at), int(t.next[at]))
	return proper
}

// link makes a ring of the corners, and finds the concave ones.
func (t *Triangulator) link(n int) {
	t.next, t.prev, t.where, t.reflex = t.next[:0], t.prev[:0], t.where[:0], t.reflex[:0]
	for i := range n {
		t.next = append(t.next, int32((i+1)%n))
		t.prev = append(t.prev, int32((i+n-1)%n))
	}
	for i := range int32(n) {
		t.where = append(t.where, -1)
		if t.turn(i) <= 0 {
			t.where[i] = int32(len(t.reflex))
			t.reflex = append(t.reflex, i)
		}
	}
}

// forget takes a corner out of the concave ones: it is clipped, or has become convex.
func (t *Triangulator) forget(corner int32) {
	i := t.where[corner]
	if i < 0 {
		return
	}
	last := t.reflex[len(t.reflex)-1]
	t.reflex[i], t.where[last] = last, i
	t.reflex, t.where[corner] = t.reflex[:len(t.reflex)-1], -1
}

// turn is positive at a convex corner.
func (t *Triangulator) turn(corner int32) float64 {
	return cross(t.flat[t.prev[corner]], t.flat[corner], t.flat[t.next[corner]])
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
	loX, hiX := min(p[0], q[0], r[0]), max(p[0], q[0], r[0])
	loY, hiY := min(p[1], q[1], r[1]), max(p[1], q[1], r[1])
	for k, i := range t.reflex {
		s := t.flat[i]
		if s[0] < loX || s[0] > hiX || s[1] < loY || s[1] > hiY { // most are far away
			continue
		}
		if cross(p, q, s) >= 0 && cross(q, r, s) >= 0 && cross(r, p, s) >= 0 &&
			s != p && s != q && s != r { // a bridge to a hole passes twice through the same place
			return false, k + 1
		}
	}
	return true, len(t.reflex) + 1
}

// cross is twice the signed area of the triangle a, b, c.
func cross(a, b, c [2]float64) float64 {
	return (b[0]-a[0])*(c[1]-a[1]) - (b[1]-a[1])*(c[0]-a[0])
}
