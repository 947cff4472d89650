package builtin

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// shape is a triangle soup in the making. Positions need not be shared: mesh welds equal ones, so patches that meet
// must only compute the same numbers along their common edge.
type shape struct {
	pos []geom.Vec3
	tri []uint32
}

// grid adds a patch of nu x nv quads through the points f(i, j), 0 <= i <= nu, 0 <= j <= nv. It faces the side of
// (df/di) x (df/dj).
func (s *shape) grid(nu, nv int, f func(i, j int) geom.Vec3) {
	base := uint32(len(s.pos))
	for j := range nv + 1 {
		for i := range nu + 1 {
			s.pos = append(s.pos, f(i, j))
		}
	}
	row := uint32(nu + 1)
	for j := range uint32(nv) {
		for i := range uint32(nu) {
			a := base + j*row + i
			s.tri = append(s.tri, a, a+1, a+row+1, a, a+row+1, a+row)
		}
	}
}

// add appends o, transformed. A mirroring matrix keeps the outside out.
func (s *shape) add(o *shape, m geom.Mat4) {
	base := uint32(len(s.pos))
	for _, p := range o.pos {
		s.pos = append(s.pos, m.Point(p))
	}
	flip := m.Dir(geom.Vec3{1}).Cross(m.Dir(geom.Vec3{0, 1})).Dot(m.Dir(geom.Vec3{0, 0, 1})) < 0
	for i := 0; i < len(o.tri); i += 3 {
		a, b, c := base+o.tri[i], base+o.tri[i+1], base+o.tri[i+2]
		if flip {
			b, c = c, b
		}
		s.tri = append(s.tri, a, b, c)
	}
}

// moved returns a transformed copy.
func (s *shape) moved(m geom.Mat4) *shape {
	r := &shape{}
	r.add(s, m)
	return r
}

// circle returns the point at i/n of a turn around the unit circle; i and i+n give the same bits.
func circle(i, n int) (cos, sin float32) {
	sn, cs := math.Sincos(2 * math.Pi * float64(i%n) / float64(n))
	return float32(cs), float32(sn)
}

// lathe turns a profile of (radius, height) points around the Y axis. Going up an outer wall faces outwards.
func lathe(profile []geom.Vec2, segments int) *shape {
	s := &shape{}
	s.grid(segments, len(profile)-1, func(i, j int) geom.Vec3 {
		c, sn := circle(i, segments)
		return geom.Vec3{profile[j][0] * c, profile[j][1], -profile[j][0] * sn}
	})
	return s
}

// arc turns a closed profile, counter-clockwise in (radius, height), from angle a0 to a1 around the Y axis, measured
// from +X towards -Z. cut holds the two end faces, so that they can have a material of their own.
func arc(profile []geom.Vec2, a0, a1 float64, segments int) (wall, cut *shape) {
	wall, cut = &shape{}, &shape{}
	at := func(i, j int) geom.Vec3 {
		sn, cs := math.Sincos(a0 + (a1-a0)*float64(i)/float64(segments))
		p := profile[j%len(profile)]
		return geom.Vec3{p[0] * float32(cs), p[1], -p[0] * float32(sn)}
	}
	wall.grid(segments, len(profile), at)
	tri := triangulate(profile, nil)
	for _, end := range []int{0, segments} {
		base := uint32(len(cut.pos))
		for j := range profile {
			cut.pos = append(cut.pos, at(end, j))
		}
		for i := 0; i < len(tri); i += 3 {
			a, b, c := base+tri[i], base+tri[i+1], base+tri[i+2]
			if end != 0 {
				b, c = c, b
			}
			cut.tri = append(cut.tri, a, b, c)
		}
	}
	return wall, cut
}

// extrude makes a plate out of an outline (counter-clockwise) with holes (counter-clockwise, too), from z = 0 to depth,
// its edges rounded by bevel. The corners of the outline should be rounder than the bevel.
func extrude(outline []geom.Vec2, holes [][]geom.Vec2, depth, bevel float32) *shape {
	const steps = 3
	s := &shape{}
	type level struct{ inset, z float32 }
	levels := []level{{0, 0}, {0, depth}}
	if bevel > 0 {
		levels = nil
		for k := range steps + 1 {
			sn, cs := math.Sincos(math.Pi / 2 * float64(k) / steps)
			levels = append(levels, level{bevel * (1 - float32(sn)), bevel * (1 - float32(cs))})
		}
		for k := range steps + 1 {
			l := levels[steps-k]
			levels = append(levels, level{l.inset, depth - l.z})
		}
	}
	loops := [][]geom.Vec2{outline}
	for _, h := range holes {
		loops = append(loops, reversed(h))
	}
	inner := make([][]geom.Vec2, len(loops)) // as inset at the caps
	for n, loop := range loops {
		normals := miters(loop)
		at := func(i int, l level) geom.Vec3 {
			i %= len(loop)
			return geom.Vec3{loop[i][0] - normals[i][0]*l.inset, loop[i][1] - normals[i][1]*l.inset, l.z}
		}
		s.grid(len(loop), len(levels)-1, func(i, j int) geom.Vec3 { return at(i, levels[j]) })
		for i := range loop {
			p := at(i, levels[0])
			inner[n] = append(inner[n], geom.Vec2{p[0], p[1]})
		}
	}
	var flat []geom.Vec2
	for _, loop := range inner {
		flat = append(flat, loop...)
	}
	tri := triangulate(inner[0], inner[1:])
	for _, top := range []bool{false, true} {
		base, z := uint32(len(s.pos)), levels[0].z
		if top {
			z = levels[len(levels)-1].z
		}
		for _, p := range flat {
			s.pos = append(s.pos, geom.Vec3{p[0], p[1], z})
		}
		for i := 0; i < len(tri); i += 3 {
			a, b, c := base+tri[i], base+tri[i+1], base+tri[i+2]
			if !top {
				b, c = c, b
			}
			s.tri = append(s.tri, a, b, c)
		}
	}
	return s
}

// miters returns, for every corner of a closed loop, the vector along which an offset by 1 of both edges moves it
// outwards (to the right of the direction of travel), limited at sharp corners.
func miters(loop []geom.Vec2) []geom.Vec2 {
	n := len(loop)
	out := make([]geom.Vec2, n)
	for i := range loop {
		a, b := edgeNormal(loop[(i+n-1)%n], loop[i]), edgeNormal(loop[i], loop[(i+1)%n])
		k := 1 / max(0.3, 1+a[0]*b[0]+a[1]*b[1])
		out[i] = geom.Vec2{(a[0] + b[0]) * k, (a[1] + b[1]) * k}
	}
	return out
}

func edgeNormal(a, b geom.Vec2) geom.Vec2 {
	dx, dy := b[0]-a[0], b[1]-a[1]
	l := float32(math.Hypot(float64(dx), float64(dy)))
	return geom.Vec2{dy / l, -dx / l}
}

// tube sweeps a circle along a path. A closed path must not repeat its first point; an open one gets flat caps.
func tube(path []geom.Vec3, radius float32, segments int, closed bool) *shape {
	return sweep(path, ring(radius, segments), closed)
}

// sweep moves a section (counter-clockwise around the direction of travel) along a path, turning it as little as
// possible. At the start, the section's first axis is horizontal where that can be.
func sweep(path []geom.Vec3, section []geom.Vec2, closed bool) *shape {
	n := len(path)
	s := &shape{}
	side, up := make([]geom.Vec3, n), make([]geom.Vec3, n)
	dir := func(i int) geom.Vec3 {
		a, b := max(i-1, 0), min(i+1, n-1)
		if closed {
			a, b = (i+n-1)%n, (i+1)%n
		}
		return path[b].Sub(path[a]).Normalize()
	}
	for i := range path {
		d := dir(i)
		hint := geom.Vec3{0, 1, 0}.Cross(d)
		if i > 0 {
			hint = side[i-1].Sub(d.Mul(side[i-1].Dot(d)))
		}
		if hint.Len() < 1e-4 {
			hint = geom.Vec3{1, 0, 0}
		}
		side[i] = hint.Normalize()
		up[i] = d.Cross(side[i])
	}
	at := func(i, j int) geom.Vec3 {
		i, p := i%n, section[j%len(section)]
		return path[i].Add(side[i].Mul(p[0])).Add(up[i].Mul(p[1]))
	}
	last := n - 1
	if closed {
		last = n
	}
	s.grid(len(section), last, func(j, i int) geom.Vec3 { return at(i, j) })
	if !closed {
		tri := triangulate(section, nil)
		for _, end := range []int{0, n - 1} {
			base := uint32(len(s.pos))
			for j := range section {
				s.pos = append(s.pos, at(end, j))
			}
			for i := 0; i < len(tri); i += 3 {
				a, b, c := base+tri[i], base+tri[i+1], base+tri[i+2]
				if end == 0 {
					b, c = c, b
				}
				s.tri = append(s.tri, a, b, c)
			}
		}
	}
	return s
}

// creaseCos is the cosine of the angle between faces up to which an edge looks smooth.
var creaseCos = float32(math.Cos(40 * math.Pi / 180))

// primitive welds the shape and gives it normals: smooth, weighted by area so that flat faces beside a bevel stay flat,
// but never across an edge sharper than the crease angle. Degenerate triangles are dropped.
func (s *shape) primitive(m *scene.Material) scene.Primitive {
	weld := make(map[geom.Vec3]uint32, len(s.pos)/2)
	id := make([]uint32, len(s.pos))
	var pos []geom.Vec3
	for i, p := range s.pos {
		v, ok := weld[p]
		if !ok {
			v = uint32(len(pos))
			weld[p] = v
			pos = append(pos, p)
		}
		id[i] = v
	}
	var tri []uint32
	var area, unit []geom.Vec3 // of each face: normal times twice the area, and normal
	first := make([]uint32, len(pos)+1)
	for i := 0; i < len(s.tri); i += 3 {
		a, b, c := id[s.tri[i]], id[s.tri[i+1]], id[s.tri[i+2]]
		n := pos[b].Sub(pos[a]).Cross(pos[c].Sub(pos[a]))
		u := n.Normalize()
		if a == b || b == c || c == a || u.Len() < 0.5 {
			continue
		}
		tri = append(tri, a, b, c)
		area, unit = append(area, n), append(unit, u)
		first[a+1]++
		first[b+1]++
		first[c+1]++
	}
	for i := range pos {
		first[i+1] += first[i]
	}
	faces := make([]uint32, len(tri)) // faces around vertex v: faces[first[v]:first[v+1]]
	fill := append([]uint32(nil), first...)
	for k, v := range tri {
		faces[fill[v]] = uint32(k / 3)
		fill[v]++
	}

	p := scene.Primitive{Indices: make([]uint32, len(tri)), Material: m}
	type corner struct{ next, vertex int32 } // the distinct normals of one position, a list
	lists := make([]int32, len(pos))
	for i := range lists {
		lists[i] = -1
	}
	var corners []corner
	for k, v := range tri {
		var n geom.Vec3
		for _, f := range faces[first[v]:first[v+1]] {
			if unit[f].Dot(unit[k/3]) >= creaseCos {
				n = n.Add(area[f])
			}
		}
		n = n.Normalize()
		c := lists[v]
		for c >= 0 && p.Normals[corners[c].vertex].Dot(n) < 0.9999 {
			c = corners[c].next
		}
		if c < 0 {
			c = int32(len(corners))
			corners = append(corners, corner{lists[v], int32(len(p.Positions))})
			lists[v] = c
			p.Positions, p.Normals = append(p.Positions, pos[v]), append(p.Normals, n)
		}
		p.Indices[k] = uint32(corners[c].vertex)
	}
	return p
}
