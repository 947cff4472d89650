package builtin

import (
	"math"
	"slices"

	"github.com/heliograph/heliograph/internal/geom"
)

// points is a profile, an outline or a path in the plane.
type points = []geom.Vec2

// ring returns a circle as a polygon, counter-clockwise.
func ring(radius float32, segments int) []geom.Vec2 { return ringAt(0, 0, radius, segments) }

func ringAt(x, y, radius float32, segments int) []geom.Vec2 {
	p := make([]geom.Vec2, segments)
	for i := range p {
		c, s := circle(i, segments)
		p[i] = geom.Vec2{x + radius*c, y + radius*s}
	}
	return p
}

func rect(x0, y0, x1, y1 float32) []geom.Vec2 {
	return points{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}
}

func reversed(p []geom.Vec2) []geom.Vec2 {
	r := slices.Clone(p)
	slices.Reverse(r)
	return r
}

// rounded replaces every corner of a closed polygon by an arc of that radius, or less where an edge is too short.
func rounded(p []geom.Vec2, radius float32) []geom.Vec2 {
	return fillet(p, radius, true)
}

// filleted does the same for the inner corners of an open polyline.
func filleted(p []geom.Vec2, radius float32) []geom.Vec2 {
	return fillet(p, radius, false)
}

func fillet(p []geom.Vec2, radius float32, closed bool) []geom.Vec2 {
	const step = 30 * math.Pi / 180 // less than the crease angle
	n := len(p)
	var out []geom.Vec2
	same := func(a, b geom.Vec2) bool { // two arcs may meet in the middle of an edge
		return math.Hypot(float64(a[0]-b[0]), float64(a[1]-b[1])) < 0.05*float64(radius)
	}
	for i := range p {
		if !closed && (i == 0 || i == n-1) {
			out = append(out, p[i])
			continue
		}
		a, b, c := p[(i+n-1)%n], p[i], p[(i+1)%n]
		ux, uy := float64(a[0]-b[0]), float64(a[1]-b[1])
		vx, vy := float64(c[0]-b[0]), float64(c[1]-b[1])
		ul, vl := math.Hypot(ux, uy), math.Hypot(vx, vy)
		ux, uy, vx, vy = ux/ul, uy/ul, vx/vl, vy/vl
		half := math.Acos(max(-1, min(1, ux*vx+uy*vy))) / 2 // between the edges and their bisector
		if half > math.Pi/2-0.05 || half < 0.02 {
			out = append(out, b)
			continue
		}
		back := min(float64(radius)/math.Tan(half), ul/2, vl/2) // along the edges to the tangent points
		r := back * math.Tan(half)
		bx, by := ux+vx, uy+vy
		bl := math.Hypot(bx, by)
		cx, cy := float64(b[0])+bx/bl*r/math.Sin(half), float64(b[1])+by/bl*r/math.Sin(half)
		a0 := math.Atan2(float64(b[1])+uy*back-cy, float64(b[0])+ux*back-cx)
		a1 := math.Atan2(float64(b[1])+vy*back-cy, float64(b[0])+vx*back-cx)
		sweep := math.Remainder(a1-a0, 2*math.Pi)
		steps := max(2, int(math.Ceil(math.Abs(sweep)/step)))
		for k := range steps + 1 {
			s, cs := math.Sincos(a0 + sweep*float64(k)/float64(steps))
			if q := (geom.Vec2{float32(cx + r*cs), float32(cy + r*s)}); len(out) == 0 || !same(out[len(out)-1], q) {
				out = append(out, q)
			}
		}
	}
	if closed && same(out[0], out[len(out)-1]) {
		out = out[:len(out)-1]
	}
	return out
}

// triangulate cuts a polygon (counter-clockwise) with holes (clockwise) into triangles by ear clipping, after joining
// each hole to the outline by a bridge (Eberly, "Triangulation by Ear Clipping", 2002). Indices run over the outline,
// then over the holes in order.
func triangulate(outline []geom.Vec2, holes [][]geom.Vec2) []uint32 {
	all := slices.Clone(outline)
	loop := make([]uint32, len(outline))
	for i := range loop {
		loop[i] = uint32(i)
	}
	type hole struct {
		first, size, right int // right: the vertex of largest x
	}
	var order []hole
	for _, h := range holes {
		right := 0
		for i := range h {
			if h[i][0] > h[right][0] {
				right = i
			}
		}
		order = append(order, hole{len(all), len(h), right})
		all = append(all, h...)
	}
	slices.SortStableFunc(order, func(a, b hole) int {
		return -cmpFloat(all[a.first+a.right][0], all[b.first+b.right][0])
	})
	for _, h := range order {
		at := bridge(all, loop, all[h.first+h.right])
		insert := make([]uint32, 0, h.size+2)
		for i := range h.size + 1 {
			insert = append(insert, uint32(h.first+(h.right+i)%h.size))
		}
		loop = slices.Insert(loop, at+1, append(insert, loop[at])...)
	}

	var tri []uint32
	for at, tries := 0, 0; len(loop) > 3 && tries < 2*len(loop); {
		n := len(loop)
		i, j, k := loop[at%n], loop[(at+1)%n], loop[(at+2)%n]
		if ear(all, loop, i, j, k) {
			tri = append(tri, i, j, k)
			loop = slices.Delete(loop, (at+1)%n, (at+1)%n+1)
			at, tries = at+1, 0 // skip on: fans of slivers look bad
			continue
		}
		at++
		tries++
		if at >= 2*n {
			at -= n
		}
	}
	return append(tri, loop[:3]...)
}

func cmpFloat(a, b float32) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// bridge returns the position in loop of a vertex that p sees to its right.
func bridge(all []geom.Vec2, loop []uint32, p geom.Vec2) int {
	best, bestX := 0, float32(math.Inf(1))
	var hit geom.Vec2
	for i := range loop {
		a, b := all[loop[i]], all[loop[(i+1)%len(loop)]]
		if a[1] > p[1] || b[1] < p[1] || a[1] == b[1] { // only edges that go up have the inside on their left
			continue
		}
		x := a[0] + (p[1]-a[1])/(b[1]-a[1])*(b[0]-a[0])
		if x < p[0] || x >= bestX {
			continue
		}
		bestX, hit = x, geom.Vec2{x, p[1]}
		best = i
		if b[0] > a[0] {
			best = (i + 1) % len(loop)
		}
	}
	// A reflex vertex inside the triangle p, hit, best hides best: take the one closest in angle to the ray.
	far := all[loop[best]]
	bestTan := float32(math.Inf(1))
	for i, v := range loop {
		q := all[v]
		if q == far || q[0] < p[0] || !inside(p, hit, far, q) && !inside(p, far, hit, q) {
			continue
		}
		if tan := float32(math.Abs(float64((q[1] - p[1]) / (q[0] - p[0])))); tan < bestTan && locallyInside(all, loop, i, p) {
			best, bestTan = i, tan
		}
	}
	return best
}

// locallyInside reports whether the segment from loop's vertex i to p starts into the polygon.
func locallyInside(all []geom.Vec2, loop []uint32, i int, p geom.Vec2) bool {
	n := len(loop)
	a, b, c := all[loop[(i+n-1)%n]], all[loop[i]], all[loop[(i+1)%n]]
	if cross(a, b, c) > 0 {
		return cross(b, p, a) >= 0 && cross(b, c, p) >= 0
	}
	return !(cross(b, a, p) > 0 && cross(b, p, c) > 0)
}

func ear(all []geom.Vec2, loop []uint32, i, j, k uint32) bool {
	a, b, c := all[i], all[j], all[k]
	if cross(a, b, c) <= 0 {
		return false
	}
	for _, v := range loop {
		if q := all[v]; v != i && v != j && v != k && q != a && q != b && q != c && inside(a, b, c, q) {
			return false
		}
	}
	return true
}

// cross is twice the signed area of the triangle a, b, c.
func cross(a, b, c geom.Vec2) float32 {
	return (b[0]-a[0])*(c[1]-a[1]) - (b[1]-a[1])*(c[0]-a[0])
}

func inside(a, b, c, q geom.Vec2) bool {
	return cross(a, b, q) >= 0 && cross(b, c, q) >= 0 && cross(c, a, q) >= 0
}

// convexHull returns the hull of the points, counter-clockwise (Andrew's monotone chain).
func convexHull(points []geom.Vec2) []geom.Vec2 {
	p := slices.Clone(points)
	slices.SortFunc(p, func(a, b geom.Vec2) int {
		if c := cmpFloat(a[0], b[0]); c != 0 {
			return c
		}
		return cmpFloat(a[1], b[1])
	})
	half := func(p []geom.Vec2) []geom.Vec2 {
		var h []geom.Vec2
		for _, q := range p {
			for len(h) >= 2 && cross(h[len(h)-2], h[len(h)-1], q) <= 0 {
				h = h[:len(h)-1]
			}
			h = append(h, q)
		}
		return h[:len(h)-1]
	}
	lower := half(p)
	slices.Reverse(p)
	return append(lower, half(p)...)
}
