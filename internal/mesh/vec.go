package mesh

import "github.com/heliograph/heliograph/internal/geom"

// vec is a geom.Vec3 for inner loops: the compiler keeps the fields of a struct in registers, but not the elements of an array.
type vec struct{ x, y, z float32 }

func vecOf(v geom.Vec3) vec     { return vec{v[0], v[1], v[2]} }
func (a vec) array() geom.Vec3  { return geom.Vec3{a.x, a.y, a.z} }
func (a vec) add(b vec) vec     { return vec{a.x + b.x, a.y + b.y, a.z + b.z} }
func (a vec) sub(b vec) vec     { return vec{a.x - b.x, a.y - b.y, a.z - b.z} }
func (a vec) mul(s float32) vec { return vec{a.x * s, a.y * s, a.z * s} }
func (a vec) dot(b vec) float32 { return a.x*b.x + a.y*b.y + a.z*b.z }
func (a vec) cross(b vec) vec   { return vec{a.y*b.z - a.z*b.y, a.z*b.x - a.x*b.z, a.x*b.y - a.y*b.x} }
func (a vec) length() float32   { return sqrt32(a.dot(a)) }

// minMax is a geom.AABB for inner loops.
type minMax struct{ lo, hi vec }

func emptyMinMax() minMax {
	return minMax{vec{far, far, far}, vec{-far, -far, -far}}
}

func (e *minMax) extend(v vec) {
	e.lo.x, e.hi.x = stretched(e.lo.x, e.hi.x, v.x)
	e.lo.y, e.hi.y = stretched(e.lo.y, e.hi.y, v.y)
	e.lo.z, e.hi.z = stretched(e.lo.z, e.hi.z, v.z)
}

func stretched(lo, hi, x float32) (float32, float32) {
	if x < lo {
		lo = x
	}
	if x > hi {
		hi = x
	}
	return lo, hi
}

func (e *minMax) box() geom.AABB { return geom.AABB{Min: e.lo.array(), Max: e.hi.array()} }
