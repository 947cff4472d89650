package builtin

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
)

// The parts every machine is made of. Lengths here and in engine*.go are millimetres; body.put converts to metres.

// hexBolt is a flange bolt of nominal diameter d along Y: the head above y = 0, the threaded shank below it.
func hexBolt(d, length, pitch float32) *shape {
	s := &shape{}
	hex := make([]geom.Vec2, 6)
	for i := range hex {
		c, sn := circle(i, 6)
		hex[i] = geom.Vec2{c * 0.95 * d, sn * 0.95 * d}
	}
	head := extrude(rounded(hex, 0.08*d), nil, 0.6*d, 0.07*d)
	s.add(head, move(0, 0.12*d, 0).Mul(turn(0, -math.Pi/2)))
	s.add(lathe(filleted(points{{0, 0}, {1.08 * d, 0}, {1.08 * d, 0.08 * d}, {0.95 * d, 0.16 * d},
		{0, 0.16 * d}}, 0.03*d), 32), geom.Identity())
	plain := 0.5 * length
	s.add(lathe(points{{0, -plain}, {0.5 * d, -plain}, {0.5 * d, 0}, {0, 0}}, 22), geom.Identity())
	s.add(thread(0.5*d, pitch, -length, -plain), geom.Identity())
	return s
}

// thread is a metric outer thread of that radius along Y, from y0 to y1: flank angle 60 degrees, depth 0.61 pitch.
func thread(radius, pitch, y0, y1 float32) *shape {
	const segments, rows = 22, 6
	depth := [rows]float32{1, 1, 0.5, 0, 0, 0.5}
	s := &shape{}
	turns := int((y1-y0)/pitch) + 2
	s.grid(segments, turns*rows, func(i, j int) geom.Vec3 {
		// Row j climbs one pitch per turn and meets row j+rows there. Beyond the ends it runs flat on the core.
		y := y0 - pitch + pitch*float32(j*segments+i*rows)/(rows*segments)
		r := radius - 0.61*pitch*depth[j%rows]
		if y <= y0 || y >= y1 {
			y, r = min(max(y, y0), y1), radius-0.61*pitch
		}
		c, sn := circle(i, segments)
		return geom.Vec3{r * c, y, -r * sn}
	})
	core := radius - 0.61*pitch
	s.grid(segments, 1, func(i, j int) geom.Vec3 {
		c, sn := circle(i, segments)
		return geom.Vec3{float32(j) * core * c, y0, -float32(j) * core * sn}
	})
	s.grid(segments, 1, func(i, j int) geom.Vec3 {
		c, sn := circle(i, segments)
		return geom.Vec3{float32(1-j) * core * c, y1, -float32(1-j) * core * sn}
	})
	return s
}

// toothed is the outline of a wheel with trapezoid teeth.
func toothed(teeth int, root, tip float32) []geom.Vec2 {
	var p []geom.Vec2
	for i := range teeth {
		for _, k := range []struct{ at, r float64 }{{0, float64(root)}, {0.3, float64(root)}, {0.45, float64(tip)}, {0.85, float64(tip)}} {
			sn, cs := math.Sincos(2 * math.Pi * (float64(i) + k.at) / float64(teeth))
			p = append(p, geom.Vec2{float32(k.r * cs), float32(k.r * sn)})
		}
	}
	return p
}

// boltCircle returns n holes of a radius around a circle.
func boltCircle(n int, at, radius float32, segments int) [][]geom.Vec2 {
	var holes [][]geom.Vec2
	for i := range n {
		c, s := circle(2*i+1, 2*n)
		holes = append(holes, ringAt(at*c, at*s, radius, segments))
	}
	return holes
}

// spring is a helical compression spring along Y from 0 to height.
func spring(radius, wire, height, turns float32) *shape {
	n := int(turns * 24)
	path := make([]geom.Vec3, n+1)
	for i := range path {
		f := float32(i) / float32(n)
		// The end coils lie flat.
		climb := min(max((f*turns-0.8)/(turns-1.6), 0), 1)
		sn, cs := math.Sincos(2 * math.Pi * float64(f*turns))
		path[i] = geom.Vec3{radius * float32(cs), wire + climb*(height-2*wire), radius * float32(sn)}
	}
	return tube(path, wire, 10, false)
}

// spline samples a Catmull-Rom curve through the points, n samples per span.
func spline(points []geom.Vec3, n int) []geom.Vec3 {
	var path []geom.Vec3
	at := func(i int) geom.Vec3 { return points[min(max(i, 0), len(points)-1)] }
	for i := range len(points) - 1 {
		a, b, c, d := at(i-1), at(i), at(i+1), at(i+2)
		for k := range n {
			t := float32(k) / float32(n)
			var p geom.Vec3
			for x := range 3 {
				p[x] = 0.5 * (2*b[x] + (c[x]-a[x])*t + (2*a[x]-5*b[x]+4*c[x]-d[x])*t*t + (3*b[x]-a[x]-3*c[x]+d[x])*t*t*t)
			}
			path = append(path, p)
		}
	}
	return append(path, points[len(points)-1])
}

// pulley is a wheel with a running surface, as a belt sees it.
type pulley struct{ z, y, r float32 }

// beltAround is the outline of a belt at a distance outside of the pulleys it runs around, counter-clockwise in (z, y).
func beltAround(pulleys []pulley, distance float32) []geom.Vec2 {
	const samples = 96
	var hull []geom.Vec2
	for _, w := range pulleys {
		hull = append(hull, ringAt(w.z, w.y, w.r+distance, samples)...)
	}
	return convexHull(hull)
}

// resample walks a closed outline in n equal steps.
func resample(p []geom.Vec2, n int) (at, along []geom.Vec2) {
	var length float64
	seg := make([]float64, len(p))
	for i := range p {
		q := p[(i+1)%len(p)]
		seg[i] = math.Hypot(float64(q[0]-p[i][0]), float64(q[1]-p[i][1]))
		length += seg[i]
	}
	i, gone := 0, 0.0
	for k := range n {
		want := length * float64(k) / float64(n)
		for gone+seg[i] < want {
			gone += seg[i]
			i++
		}
		q, f := p[(i+1)%len(p)], float32((want-gone)/seg[i])
		d := geom.Vec2{(q[0] - p[i][0]) / float32(seg[i]), (q[1] - p[i][1]) / float32(seg[i])}
		at = append(at, geom.Vec2{p[i][0] + f*(q[0]-p[i][0]), p[i][1] + f*(q[1]-p[i][1])})
		along = append(along, d)
	}
	return at, along
}

// turn rotates about an axis (0 = X, 1 = Y, 2 = Z) by an angle in radians.
func turn(axis int, angle float64) geom.Mat4 {
	sn, cs := math.Sincos(angle / 2)
	q := geom.Quat{3: float32(cs)}
	q[axis] = float32(sn)
	return geom.TRS(geom.Vec3{}, q, geom.Vec3{1, 1, 1})
}

// plateX extrudes an outline given in (z, y) from x0 to x1.
func plateX(outline []geom.Vec2, holes [][]geom.Vec2, x0, x1, bevel float32) *shape {
	mirror := func(p []geom.Vec2) []geom.Vec2 {
		r := reversed(p)
		for i := range r {
			r[i][0] = -r[i][0]
		}
		return r
	}
	var h [][]geom.Vec2
	for _, hole := range holes {
		h = append(h, mirror(hole))
	}
	return extrude(mirror(outline), h, x1-x0, bevel).moved(move(x0, 0, 0).Mul(turn(1, math.Pi/2)))
}

// plateY extrudes an outline given in (x, z) from y0 to y1.
func plateY(outline []geom.Vec2, holes [][]geom.Vec2, y0, y1, bevel float32) *shape {
	mirror := func(p []geom.Vec2) []geom.Vec2 {
		r := reversed(p)
		for i := range r {
			r[i][1] = -r[i][1]
		}
		return r
	}
	var h [][]geom.Vec2
	for _, hole := range holes {
		h = append(h, mirror(hole))
	}
	return extrude(mirror(outline), h, y1-y0, bevel).moved(move(0, y0, 0).Mul(turn(0, -math.Pi/2)))
}

// latheX turns a profile of (radius, x) points around the X axis, latheZ one of (radius, z) points around Z.
func latheX(profile []geom.Vec2, segments int) *shape {
	return lathe(profile, segments).moved(turn(2, -math.Pi/2))
}

func latheZ(profile []geom.Vec2, segments int) *shape {
	return lathe(profile, segments).moved(turn(0, math.Pi/2))
}

// rod is a profile for a cylinder with rounded edges from h0 to h1.
func rod(radius, h0, h1, edge float32) []geom.Vec2 {
	return filleted(points{{0, h0}, {radius, h0}, {radius, h1}, {0, h1}}, edge)
}

// pipe is a profile for a ring with rounded edges: a closed loop that starts and ends inside.
func pipe(inner, outer, h0, h1, edge float32) []geom.Vec2 {
	p := rounded(points{{inner, h0}, {outer, h0}, {outer, h1}, {inner, h1}}, edge)
	return append(p, p[0])
}
