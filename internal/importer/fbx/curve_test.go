package fbx

import (
	"math"
	"testing"

	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/testassets"
)

// curveOf is the curve of the X translation of a file's one animated model.
func curveOf(t *testing.T, name string) *curve {
	t.Helper()
	d := parsed(t, testassets.Path(t, "fbx/ufbx/"+name))
	l := &loader{document: d, unit: 1, model: &scene.Model{}, curves: map[*node]*curve{}}
	if err := l.place(-1); err != nil {
		t.Fatal(err)
	}
	takes, err := l.takesOf()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range takes[0].moves {
		for _, y := range m.translation {
			if y.curves[0] != nil {
				return y.curves[0]
			}
		}
	}
	t.Fatal("there is no curve")
	return nil
}

// TestCurves compares with values that the authoring program shows, as the tests of ufbx have them.
func TestCurves(t *testing.T) {
	for _, c := range []struct {
		files  []string
		fps    float64
		values []float64
	}{
		{[]string{"maya_auto_clamp_6100_ascii", "maya_auto_clamp_7100_binary", "maya_auto_clamp_7700_ascii"}, 24, []float64{
			0.000, 0.000, 0.273, 0.515, 0.718, 0.868, 0.945, 0.920, 0.779, 0.611, 0.591, 0.747, 1.206, 2.059, 3.191, 4.489,
			5.837, 7.121, 8.228, 9.042, 9.449, 9.694, 10.128, 10.610, 10.873, 10.927, 10.854, 10.704, 10.502, 10.264, 10.000}},
		{[]string{"maya_tangent_spline_7100_ascii", "maya_tangent_spline_7700_binary"}, 24, []float64{
			0, 3.5, 6, 6.51562, 6.375, 6.04688, 6, 6.67313, 7.71167, 8.39438, 8, 3.63667, -1.04, -1.96474, -1.68059, -1, 0.277, 2}},
		{[]string{"maya_tangent_clamped_7100_ascii", "maya_tangent_clamped_7700_binary"}, 24, []float64{
			0, 3.75, 6, 6, 6, 6, 6, 6.5325, 7.58667, 8.3475, 8, 3.18667, -1.04, -1.02963, -1.01037, -1, 0.125, 2}},
		{[]string{"motionbuilder_tangent_linear_7700_ascii"}, 24, []float64{
			0, 0, 3.333333, 6.666667, 10, 8.75, 7.5, 6.25, 5, 3.75, 2.5, 1.25, 0, 0, 1.333333, 2.666667, 4, 0, -4, -4, -4, -4, -4, -1, 2, -1,
			-4, -4}},
		{[]string{"motionbuilder_tangent_auto_7700_ascii"}, 24, []float64{
			0, 0, 2.592592, 7.407408, 10, 9.570312, 8.4375, 6.835938, 5, 3.164062, 1.5625, 0.429688, 0, 0, 1.037037, 2.962963, 4, 0, -4, -4,
			-4, -4, -4, -1, 2, -1, -4, -4}},
		{[]string{"motionbuilder_tangent_spline_clamp_7700_ascii"}, 24, []float64{
			0, 0, 2.592592, 7.407408, 10, 9.570312, 8.4375, 6.835938, 5, 3.164062, 1.5625, 0.429688, 0, 0, 1.214815, 3.318519, 4, -0.2, -4, -4,
			-4, -4, -4, -1, 2, -1, -4, -4}},
		{[]string{"motionbuilder_tangent_smooth_clamp_7700_ascii"}, 24, []float64{
			0, 0, 2.361111, 6.944445, 10, 10.367839, 9.609375, 8.056641, 6.041667, 3.896484, 1.953125, 0.54362, 0, 0, 1.333333, 3.555556, 4,
			-0.333333, -4, -4, -4, -4, -4, -1, 2, -1, -4, -4}},
		{[]string{"motionbuilder_tangent_weight_split_7700_ascii"}, 24, []float64{
			0, 2.452671, 6.056693, 8.325726, 9.40159, 9.873834, 10, 8.333776, 6.667066, 5.000291, 3.3335, 1.666723, 0, -1.848064, -4.097735,
			-6.603552, -8.662155, -9.72383, -10, -9.925971, -9.635168, -8.897875, -6.736949, -2.281059, 0, 2.105399, 4.761521, 7.361103}},
		{[]string{"maya_anim_interpolation_6100_binary", "maya_anim_interpolation_7700_binary"}, 30, []float64{
			0, -0.855245, -1.13344, -1.17802, -1.10882, -0.991537, -0.875223, -0.808958, -0.858419, -1.14293, -2}},
	} {
		for _, f := range c.files {
			y := curveOf(t, f+".fbx")
			for i, want := range c.values {
				if got := y.at(int64(math.Round(float64(i) / c.fps * ticksPerSecond))); math.Abs(got-want) > 1e-3 {
					t.Errorf("%s: frame %d: %v, want %v", f, i, got, want)
				}
			}
		}
	}
}
