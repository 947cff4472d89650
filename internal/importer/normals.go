package importer

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
)

// FaceNormal is the unit normal of a counter-clockwise triangle, or zero where it has none. In float64: products of
// large coordinates overflow.
func FaceNormal(a, b, c geom.Vec3) geom.Vec3 {
	var u, v [3]float64
	for k := range 3 {
		u[k], v[k] = float64(b[k])-float64(a[k]), float64(c[k])-float64(a[k])
	}
	x, y, z := u[1]*v[2]-u[2]*v[1], u[2]*v[0]-u[0]*v[2], u[0]*v[1]-u[1]*v[0]
	l := math.Sqrt(x*x + y*y + z*z)
	if l == 0 {
		return geom.Vec3{}
	}
	return geom.Vec3{float32(x / l), float32(y / l), float32(z / l)}
}

// Unit normalizes a normal; zero for one that has no direction.
func Unit(n geom.Vec3) geom.Vec3 {
	x, y, z := float64(n[0]), float64(n[1]), float64(n[2])
	l := math.Sqrt(x*x + y*y + z*z)
	if !(l > 1e-30) || math.IsInf(l, 0) {
		return geom.Vec3{}
	}
	return geom.Vec3{float32(x / l), float32(y / l), float32(z / l)}
}
