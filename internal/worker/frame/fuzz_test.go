package frame

import (
	"math"
	"testing"

	"github.com/heliograph/heliograph/internal/streampb"
)

// FuzzPose: whatever a viewer sends, the renderer gets a camera.
func FuzzPose(f *testing.F) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	f.Add(float32(0), float32(0), float32(5), float32(0), float32(0), float32(0), float32(1), float32(0.8), float32(0.1))
	f.Add(nan, inf, -inf, float32(0), float32(0), float32(0), float32(0), float32(0), float32(0))
	f.Add(float32(1), float32(1), float32(1), float32(1e30), float32(1e30), float32(-1e30), float32(1e30), float32(4), float32(-1))
	f.Fuzz(func(t *testing.T, x, y, z, qx, qy, qz, qw, fov, near float32) {
		v, ok := viewOf(&streampb.Pose{
			Position: &streampb.Vec3{X: x, Y: y, Z: z}, Orientation: &streampb.Quat{X: qx, Y: qy, Z: qz, W: qw}, FovY: fov, Near: near,
		})
		if !ok {
			return
		}
		var norm float64
		for _, c := range v.Orientation {
			norm += float64(c) * float64(c)
		}
		if math.Abs(norm-1) > 1e-4 || !(v.FovY > 0 && v.FovY < math.Pi) || !(v.Near > 0) {
			t.Errorf("%+v is no camera", v)
		}
		for _, c := range []float32{v.Position[0], v.Position[1], v.Position[2], v.Near} {
			if math.IsNaN(float64(c)) || math.IsInf(float64(c), 0) {
				t.Errorf("%+v is not finite", v)
			}
		}
	})
}
