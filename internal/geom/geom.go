// Package geom is the small linear algebra of the renderer: float32, right-handed, +Y up, a camera looks along its -Z
// (glTF 2.0 section 3.4). Matrices are column-major and multiply column vectors: p' = M * p. Lengths are metres, angles
// radians. Values only, no state.
package geom

import "math"

// Vec2, Vec3 and Vec4 are plain arrays so that slices of them are dense.
type (
	Vec2 [2]float32
	Vec3 [3]float32
	Vec4 [4]float32
)

// Quat is a rotation (x, y, z, w), unit length.
type Quat [4]float32

// Mat4 is column-major: element (row r, column c) is m[4*c+r].
type Mat4 [16]float32

// AABB is an axis-aligned box; it is empty while Min > Max on any axis.
type AABB struct {
	Min Vec3 `json:"min"`
	Max Vec3 `json:"max"`
}

// Identity is the unit matrix.
func Identity() Mat4 { return Mat4{0: 1, 5: 1, 10: 1, 15: 1} }

// Add returns a+b.
func (a Vec3) Add(b Vec3) Vec3 { return Vec3{a[0] + b[0], a[1] + b[1], a[2] + b[2]} }

// Sub returns a-b.
func (a Vec3) Sub(b Vec3) Vec3 { return Vec3{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

// Mul returns a scaled by s.
func (a Vec3) Mul(s float32) Vec3 { return Vec3{a[0] * s, a[1] * s, a[2] * s} }

// Dot returns the inner product.
func (a Vec3) Dot(b Vec3) float32 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

// Cross returns the right-handed outer product.
func (a Vec3) Cross(b Vec3) Vec3 {
	return Vec3{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

// Len returns the Euclidean length.
func (a Vec3) Len() float32 { return float32(math.Sqrt(float64(a.Dot(a)))) }

// Normalize returns a with length 1, or a itself when its length is 0.
func (a Vec3) Normalize() Vec3 {
	l := a.Len()
	if l == 0 {
		return a
	}
	return a.Mul(1 / l)
}

// Mul returns m*n: apply n first.
func (m Mat4) Mul(n Mat4) Mat4 {
	var r Mat4
	for c := range 4 {
		for row := range 4 {
			r[4*c+row] = m[row]*n[4*c] + m[4+row]*n[4*c+1] + m[8+row]*n[4*c+2] + m[12+row]*n[4*c+3]
		}
	}
	return r
}

// Point transforms a position (w = 1), without perspective division.
func (m Mat4) Point(p Vec3) Vec3 {
	return Vec3{
		m[0]*p[0] + m[4]*p[1] + m[8]*p[2] + m[12],
		m[1]*p[0] + m[5]*p[1] + m[9]*p[2] + m[13],
		m[2]*p[0] + m[6]*p[1] + m[10]*p[2] + m[14],
	}
}

// Dir transforms a direction (w = 0).
func (m Mat4) Dir(p Vec3) Vec3 {
	return Vec3{
		m[0]*p[0] + m[4]*p[1] + m[8]*p[2],
		m[1]*p[0] + m[5]*p[1] + m[9]*p[2],
		m[2]*p[0] + m[6]*p[1] + m[10]*p[2],
	}
}

// Inverse returns the inverse and whether m has one.
func (m Mat4) Inverse() (Mat4, bool) {
	var a [16]float64
	for i, v := range m {
		a[i] = float64(v)
	}
	b00, b01, b02 := a[0]*a[5]-a[1]*a[4], a[0]*a[6]-a[2]*a[4], a[0]*a[7]-a[3]*a[4]
	b03, b04, b05 := a[1]*a[6]-a[2]*a[5], a[1]*a[7]-a[3]*a[5], a[2]*a[7]-a[3]*a[6]
	b06, b07, b08 := a[8]*a[13]-a[9]*a[12], a[8]*a[14]-a[10]*a[12], a[8]*a[15]-a[11]*a[12]
	b09, b10, b11 := a[9]*a[14]-a[10]*a[13], a[9]*a[15]-a[11]*a[13], a[10]*a[15]-a[11]*a[14]
	det := b00*b11 - b01*b10 + b02*b09 + b03*b08 - b04*b07 + b05*b06
	if det == 0 || math.IsNaN(det) || math.IsInf(det, 0) {
		return Identity(), false
	}
	d := 1 / det
	out := [16]float64{
		a[5]*b11 - a[6]*b10 + a[7]*b09, a[2]*b10 - a[1]*b11 - a[3]*b09, a[13]*b05 - a[14]*b04 + a[15]*b03, a[10]*b04 - a[9]*b05 - a[11]*b03,
		a[6]*b08 - a[4]*b11 - a[7]*b07, a[0]*b11 - a[2]*b08 + a[3]*b07, a[14]*b02 - a[12]*b05 - a[15]*b01, a[8]*b05 - a[10]*b02 + a[11]*b01,
		a[4]*b10 - a[5]*b08 + a[7]*b06, a[1]*b08 - a[0]*b10 - a[3]*b06, a[12]*b04 - a[13]*b02 + a[15]*b00, a[9]*b02 - a[8]*b04 - a[11]*b00,
		a[5]*b07 - a[4]*b09 - a[6]*b06, a[0]*b09 - a[1]*b07 + a[2]*b06, a[13]*b01 - a[12]*b03 - a[14]*b00, a[8]*b03 - a[9]*b01 + a[10]*b00,
	}
	var r Mat4
	for i, v := range out {
		r[i] = float32(v * d)
	}
	return r, true
}

// TRS returns the matrix that scales, then rotates, then translates.
func TRS(t Vec3, q Quat, s Vec3) Mat4 {
	x, y, z, w := q[0], q[1], q[2], q[3]
	return Mat4{
		(1 - 2*(y*y+z*z)) * s[0], 2 * (x*y + z*w) * s[0], 2 * (x*z - y*w) * s[0], 0,
		2 * (x*y - z*w) * s[1], (1 - 2*(x*x+z*z)) * s[1], 2 * (y*z + x*w) * s[1], 0,
		2 * (x*z + y*w) * s[2], 2 * (y*z - x*w) * s[2], (1 - 2*(x*x+y*y)) * s[2], 0,
		t[0], t[1], t[2], 1,
	}
}

// Empty is the box that contains nothing.
func Empty() AABB {
	inf := float32(math.Inf(1))
	return AABB{Vec3{inf, inf, inf}, Vec3{-inf, -inf, -inf}}
}

// IsEmpty reports whether b contains no point.
func (b AABB) IsEmpty() bool {
	return !(b.Min[0] <= b.Max[0] && b.Min[1] <= b.Max[1] && b.Min[2] <= b.Max[2])
}

// Extend returns the smallest box around b and p.
func (b AABB) Extend(p Vec3) AABB {
	for i := range 3 {
		b.Min[i], b.Max[i] = min(b.Min[i], p[i]), max(b.Max[i], p[i])
	}
	return b
}

// Union returns the smallest box around both.
func (b AABB) Union(o AABB) AABB {
	for i := range 3 {
		b.Min[i], b.Max[i] = min(b.Min[i], o.Min[i]), max(b.Max[i], o.Max[i])
	}
	return b
}

// Center returns the middle of the box.
func (b AABB) Center() Vec3 { return b.Min.Add(b.Max).Mul(0.5) }

// Size returns the edge lengths.
func (b AABB) Size() Vec3 { return b.Max.Sub(b.Min) }

// Transform returns the box around m applied to b's eight corners.
func (b AABB) Transform(m Mat4) AABB {
	if b.IsEmpty() {
		return b
	}
	r := Empty()
	for i := range 8 {
		p := b.Min
		for k := range 3 {
			if i>>k&1 == 1 {
				p[k] = b.Max[k]
			}
		}
		r = r.Extend(m.Point(p))
	}
	return r
}
