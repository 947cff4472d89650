package frame

import (
	"math"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/streampb"
)

// The default camera: from the right and above, as products are photographed.
const (
	defaultFovY      = 45 * math.Pi / 180
	defaultAzimuth   = 35 * math.Pi / 180
	defaultElevation = 22 * math.Pi / 180
	defaultMargin    = 1.08 // room around the bounds
)

// DefaultView frames box in a picture of the given width over height. An empty box is taken for a cube of one metre.
func DefaultView(box geom.AABB, aspect float32) render.View {
	if box.IsEmpty() {
		box = geom.AABB{Min: geom.Vec3{-0.5, -0.5, -0.5}, Max: geom.Vec3{0.5, 0.5, 0.5}}
	}
	half := func(angle float64) (sin, cos float32) {
		s, c := math.Sincos(angle / 2)
		return float32(s), float32(c)
	}
	sy, cy := half(defaultAzimuth)
	sx, cx := half(-defaultElevation)
	// The yaw about +Y times the pitch about +X.
	q := geom.Quat{cy * sx, sy * cx, -sy * sx, cy * cx}
	back := geom.TRS(geom.Vec3{}, q, geom.Vec3{1, 1, 1})
	tanY := float32(math.Tan(defaultFovY / 2))
	tanX := tanY * aspect
	// The camera must be so far out that each corner lies inside all four side planes.
	axis := [3]geom.Vec3{back.Dir(geom.Vec3{1, 0, 0}), back.Dir(geom.Vec3{0, 1, 0}), back.Dir(geom.Vec3{0, 0, 1})}
	var dist float32
	for i := range 8 {
		c := box.Size().Mul(0.5)
		for k := range 3 {
			if i>>k&1 == 1 {
				c[k] = -c[k]
			}
		}
		x, y, z := abs(c.Dot(axis[0])), abs(c.Dot(axis[1])), c.Dot(axis[2])
		dist = max(dist, z+x/tanX, z+y/tanY)
	}
	dist = max(dist*defaultMargin, 1e-3)
	return render.View{
		Position: box.Center().Add(axis[2].Mul(dist)), Orientation: q, FovY: defaultFovY, Near: dist * 0.01,
	}
}

// viewOf translates a pose and reports whether it is one that can be drawn with: finite, with a field of view between
// about half a degree and 170 degrees. The orientation is normalised, since float32 quaternions drift in viewers.
func viewOf(p *streampb.Pose) (render.View, bool) {
	pos, q := p.GetPosition(), p.GetOrientation()
	v := render.View{
		Position:    geom.Vec3{pos.GetX(), pos.GetY(), pos.GetZ()},
		Orientation: geom.Quat{q.GetX(), q.GetY(), q.GetZ(), q.GetW()},
		FovY:        p.GetFovY(),
		Near:        p.GetNear(),
	}
	var norm float32
	for _, c := range v.Orientation {
		norm += c * c
	}
	norm = float32(math.Sqrt(float64(norm)))
	for _, f := range []float32{v.Position[0], v.Position[1], v.Position[2], norm, v.FovY, v.Near} {
		if f64 := float64(f); math.IsNaN(f64) || math.IsInf(f64, 0) {
			return render.View{}, false
		}
	}
	if norm < 1e-3 || v.FovY < 0.01 || v.FovY > 3 || v.Near <= 0 {
		return render.View{}, false
	}
	for i := range v.Orientation {
		v.Orientation[i] /= norm
	}
	return v, true
}

// unproject returns the world position of what pixel (x, y) of a picture of the given size shows at depth.
func unproject(v render.View, size Size, x, y int, depth float32) geom.Vec3 {
	tan := float32(math.Tan(float64(v.FovY) / 2))
	nx := (2*(float32(x)+0.5)/float32(size.W) - 1) * tan * float32(size.W) / float32(size.H)
	ny := (1 - 2*(float32(y)+0.5)/float32(size.H)) * tan
	return geom.TRS(v.Position, v.Orientation, geom.Vec3{1, 1, 1}).Point(geom.Vec3{nx * depth, ny * depth, -depth})
}

func abs(f float32) float32 { return max(f, -f) }
