package fbx

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
)

// FBX gives transforms as chains of up to eleven steps in float64, which float32 would blur.

type (
	vec3 [3]float64
	quat [4]float64 // x, y, z, w
	// affine is a matrix without its last row; column c is a[3c], a[3c+1], a[3c+2].
	affine [12]float64
)

var identity = affine{0: 1, 4: 1, 8: 1}

func (a vec3) add(b vec3) vec3      { return vec3{a[0] + b[0], a[1] + b[1], a[2] + b[2]} }
func (a vec3) sub(b vec3) vec3      { return vec3{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }
func (a vec3) times(s float64) vec3 { return vec3{a[0] * s, a[1] * s, a[2] * s} }
func (a vec3) dot(b vec3) float64   { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }
func (a vec3) len() float64         { return math.Sqrt(a.dot(a)) }

func (a vec3) cross(b vec3) vec3 {
	return vec3{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

func (a vec3) geom() geom.Vec3 { return geom.Vec3{float32(a[0]), float32(a[1]), float32(a[2])} }

func finite(v ...float64) bool {
	for _, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}

func translation(t vec3) affine { return affine{1, 0, 0, 0, 1, 0, 0, 0, 1, t[0], t[1], t[2]} }
func scaling(s vec3) affine     { return affine{0: s[0], 4: s[1], 8: s[2]} }

func (a affine) column(c int) vec3 { return vec3{a[3*c], a[3*c+1], a[3*c+2]} }

// mul returns a*b: b first.
func (a affine) mul(b affine) affine {
	var r affine
	for c := range 4 {
		v := a.dir(b.column(c))
		if c == 3 {
			v = v.add(a.column(3))
		}
		copy(r[3*c:], v[:])
	}
	return r
}

func (a affine) dir(v vec3) vec3 {
	return vec3{
		a[0]*v[0] + a[3]*v[1] + a[6]*v[2],
		a[1]*v[0] + a[4]*v[1] + a[7]*v[2],
		a[2]*v[0] + a[5]*v[1] + a[8]*v[2],
	}
}

func (a affine) point(v vec3) vec3 { return a.dir(v).add(a.column(3)) }

// linear is a without its translation.
func (a affine) linear() affine {
	a[9], a[10], a[11] = 0, 0, 0
	return a
}

func (a affine) det() float64 { return a.column(0).dot(a.column(1).cross(a.column(2))) }

// inverse reports false where there is none.
func (a affine) inverse() (affine, bool) {
	x, y, z := a.column(0), a.column(1), a.column(2)
	d := x.dot(y.cross(z))
	if !finite(1 / d) {
		return identity, false
	}
	r0, r1, r2 := y.cross(z).times(1/d), z.cross(x).times(1/d), x.cross(y).times(1/d) // rows
	r := affine{r0[0], r1[0], r2[0], r0[1], r1[1], r2[1], r0[2], r1[2], r2[2]}
	t := r.dir(a.column(3))
	r[9], r[10], r[11] = -t[0], -t[1], -t[2]
	return r, true
}

func (a affine) geom() geom.Mat4 {
	m := geom.Identity()
	for c := range 4 {
		for row := range 3 {
			m[4*c+row] = float32(a[3*c+row])
		}
	}
	return m
}

// near reports whether no element differs by more than what rounding in float32 would do.
func (a affine) near(b affine) bool {
	for i := range a {
		if !(math.Abs(a[i]-b[i]) <= 1e-7*max(1, math.Abs(b[i]))) {
			return false
		}
	}
	return true
}

// The rotation orders of FBX, each the axes in the order in which they turn; the last, "spheric", is XYZ.
var rotationOrders = [7][3]int{{0, 1, 2}, {0, 2, 1}, {1, 2, 0}, {1, 0, 2}, {2, 0, 1}, {2, 1, 0}, {0, 1, 2}}

// euler is the rotation by angles in degrees about the axes, in an order.
func euler(degrees vec3, order int) affine {
	r := identity
	if order < 0 || order >= len(rotationOrders) {
		order = 0
	}
	for _, axis := range rotationOrders[order] {
		if degrees[axis] == 0 {
			continue
		}
		s, c := math.Sincos(degrees[axis] * math.Pi / 180)
		u, v := (axis+1)%3, (axis+2)%3
		m := identity
		m[3*u+u], m[3*v+v] = c, c
		m[3*u+v], m[3*v+u] = s, -s
		r = m.mul(r)
	}
	return r
}

// decompose takes a matrix apart into translation, rotation and scale. What shear there is gets lost.
func (a affine) decompose() (t vec3, q quat, s vec3) {
	t = a.column(3)
	var axes [3]vec3
	for c := range 3 {
		axes[c] = a.column(c)
		s[c] = axes[c].len()
	}
	// Gram-Schmidt; an axis that is flat is made up from the others.
	for c := range 3 {
		v := axes[c]
		for k := range c {
			v = v.sub(axes[k].times(v.dot(axes[k])))
		}
		l := v.len()
		if !(l > 1e-9*max(s[0], s[1], s[2])) || l == 0 {
			v, l = perpendicular(axes[:c]), 1
		}
		axes[c] = v.times(1 / l)
	}
	if axes[0].dot(axes[1].cross(axes[2])) < 0 {
		axes[0], s[0] = axes[0].times(-1), -s[0]
	}
	return t, quaternion(axes), s
}

// perpendicular is a unit vector that is perpendicular to up to two perpendicular ones.
func perpendicular(to []vec3) vec3 {
	if len(to) == 2 {
		return to[0].cross(to[1])
	}
	best := vec3{1, 0, 0}
	if len(to) == 1 {
		if math.Abs(to[0][0]) > 0.8 {
			best = vec3{0, 1, 0}
		}
		best = best.sub(to[0].times(best.dot(to[0])))
		best = best.times(1 / best.len())
	}
	return best
}

// quaternion converts a rotation, given by its columns (Shepperd's method).
func quaternion(m [3]vec3) quat {
	xx, yy, zz := m[0][0], m[1][1], m[2][2]
	var q quat
	switch {
	case xx+yy+zz > 0:
		w := math.Sqrt(1+xx+yy+zz) * 2
		q = quat{(m[1][2] - m[2][1]) / w, (m[2][0] - m[0][2]) / w, (m[0][1] - m[1][0]) / w, w / 4}
	case xx >= yy && xx >= zz:
		w := math.Sqrt(1+xx-yy-zz) * 2
		q = quat{w / 4, (m[1][0] + m[0][1]) / w, (m[2][0] + m[0][2]) / w, (m[1][2] - m[2][1]) / w}
	case yy >= zz:
		w := math.Sqrt(1-xx+yy-zz) * 2
		q = quat{(m[1][0] + m[0][1]) / w, w / 4, (m[2][1] + m[1][2]) / w, (m[2][0] - m[0][2]) / w}
	default:
		w := math.Sqrt(1-xx-yy+zz) * 2
		q = quat{(m[2][0] + m[0][2]) / w, (m[2][1] + m[1][2]) / w, w / 4, (m[0][1] - m[1][0]) / w}
	}
	l := math.Sqrt(q[0]*q[0] + q[1]*q[1] + q[2]*q[2] + q[3]*q[3])
	return quat{q[0] / l, q[1] / l, q[2] / l, q[3] / l}
}
