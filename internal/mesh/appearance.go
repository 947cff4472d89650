package mesh

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// appearance compares attributes of a primitive's vertices. Errors are squares of displacements, in the units of
// areas.
type appearance struct {
	prim        *scene.Primitive
	uvScale     [2]float32 // area on the surface of a unit square of UV0 and UV1
	normalError float32    // what counts for a wrong normal, squared
}

// look is what a point of a surface looks like, and the size of the surface that it stands for.
type look struct {
	a      *appearance
	normal vec
	uv     [2]geom.Vec2
	color  geom.Vec4
	area   float32
}

// sample is a point of a finer surface that a coarser one is compared with.
type sample struct {
	look
	pos      vec
	position uint32 // near it
	src      uint32 // vertex of the source
}

// at is the look of vertex v.
func (a *appearance) at(v uint32, area float32) look {
	l := look{a: a, area: area}
	if a.prim.Normals != nil {
		l.normal = vecOf(a.prim.Normals[v])
	}
	if a.prim.UV0 != nil {
		l.uv[0] = a.prim.UV0[v]
	}
	if a.prim.UV1 != nil {
		l.uv[1] = a.prim.UV1[v]
	}
	if a.prim.Colors != nil {
		l.color = a.prim.Colors[v]
	}
	return l
}

// error compares l with the point bary of the triangle of vertices x, y and z.
func (l *look) error(x, y, z uint32, bary vec) float32 {
	var e float32
	p := l.a.prim
	if p.Normals != nil {
		n := mix3(p.Normals[x], p.Normals[y], p.Normals[z], bary)
		if d := n.dot(n); d > 0 {
			n = n.mul(1 / sqrt32(d))
		}
		d := n.sub(l.normal)
		e = l.a.normalError * l.area * d.dot(d)
	}
	if p.UV0 != nil {
		e = max(e, l.slide(0, p.UV0, x, y, z, bary))
	}
	if p.UV1 != nil {
		e = max(e, l.slide(1, p.UV1, x, y, z, bary))
	}
	if p.Colors != nil {
		var most float32
		for k, c := range l.color {
			d := p.Colors[x][k]*bary.x + p.Colors[y][k]*bary.y + p.Colors[z][k]*bary.z - c
			most = max(most, d, -d)
		}
		e = max(e, colorError*colorError*l.area*most*most)
	}
	if !(e < far) {
		return l.area // weights of a needle
	}
	return e
}

// slide is how far a texture is displaced; across a seam, no more than all of the surface in question counts.
func (l *look) slide(set int, uv []geom.Vec2, x, y, z uint32, bary vec) float32 {
	u := uv[x][0]*bary.x + uv[y][0]*bary.y + uv[z][0]*bary.z - l.uv[set][0]
	v := uv[x][1]*bary.x + uv[y][1]*bary.y + uv[z][1]*bary.z - l.uv[set][1]
	d := uvError * uvError * l.a.uvScale[set] * (u*u + v*v)
	if !(d < l.area) { // also where it is not a number
		return l.area
	}
	return d
}

func mix3(a, b, c geom.Vec3, w vec) vec {
	return vec{
		a[0]*w.x + b[0]*w.y + c[0]*w.z, a[1]*w.x + b[1]*w.y + c[1]*w.z, a[2]*w.x + b[2]*w.y + c[2]*w.z,
	}
}

// nearestPoint returns the squared distance of p from triangle abc and the weights of its corners at the nearest point
// (Ericson, "Real-Time Collision Detection", 2005, section 5.1.5).
func nearestPoint(p, a, b, c vec) (d2 float32, bary vec) {
	ab, ac, ap := b.sub(a), c.sub(a), p.sub(a)
	d1, e1 := ab.dot(ap), ac.dot(ap)
	if d1 <= 0 && e1 <= 0 {
		return ap.dot(ap), vec{1, 0, 0}
	}
	bp := p.sub(b)
	d3, e3 := ab.dot(bp), ac.dot(bp)
	if d3 >= 0 && e3 <= d3 {
		return bp.dot(bp), vec{0, 1, 0}
	}
	cp := p.sub(c)
	d5, e5 := ab.dot(cp), ac.dot(cp)
	if e5 >= 0 && d5 <= e5 {
		return cp.dot(cp), vec{0, 0, 1}
	}
	vc := d1*e3 - d3*e1
	if vc <= 0 && d1 >= 0 && d3 <= 0 {
		t := d1 / (d1 - d3)
		r := ap.sub(ab.mul(t))
		return r.dot(r), vec{1 - t, t, 0}
	}
	vb := d5*e1 - d1*e5
	if vb <= 0 && e1 >= 0 && e5 <= 0 {
		t := e1 / (e1 - e5)
		r := ap.sub(ac.mul(t))
		return r.dot(r), vec{1 - t, 0, t}
	}
	va := d3*e5 - d5*e3
	if va <= 0 && e3-d3 >= 0 && d5-e5 >= 0 {
		t := (e3 - d3) / (e3 - d3 + d5 - e5)
		r := bp.sub(c.sub(b).mul(t))
		return r.dot(r), vec{0, 1 - t, t}
	}
	sum := va + vb + vc
	if !(math.Abs(float64(sum)) > 0) {
		return ap.dot(ap), vec{1, 0, 0}
	}
	v, w := vb/sum, vc/sum
	r := ap.sub(ab.mul(v)).sub(ac.mul(w))
	return r.dot(r), vec{1 - v - w, v, w}
}
