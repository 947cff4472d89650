package assets

import (
	"math"
	"testing"

	"github.com/heliograph/heliograph/internal/importer/formats"
	"github.com/heliograph/heliograph/internal/importer/importertest"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/testassets"
)

// TestIdenticalPoints: a scan as LAS, LAZ, PLY and XYZ is the same points in the same order and colours.
func TestIdenticalPoints(t *testing.T) {
	open := func(ext string) *scene.Model {
		file := testassets.Path(t, "pointcloud/autzen_trim"+ext)
		f, _ := formats.Of(file)
		m, err := importertest.File(t, f.Open, file)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	const points, step = 110_000, 0.01 // of the coordinates of the file
	want := open(".las")
	for _, ext := range []string{".laz", ".ply", ".xyz"} {
		got := open(ext)
		if got.Points != points || want.Points != points {
			t.Fatalf("%s: %d points, LAS %d", ext, got.Points, want.Points)
		}
		a, b := &want.Meshes[0].Primitives[0], &got.Meshes[0].Primitives[0]
		for i := range a.Positions {
			for k := range 3 {
				x := float64(want.Nodes[0].Local[12+k]) + float64(a.Positions[i][k])
				y := float64(got.Nodes[0].Local[12+k]) + float64(b.Positions[i][k])
				if math.Abs(x-y) > step/100 || math.Abs(float64(a.Colors[i][k]-b.Colors[i][k])) > 1e-4 {
					t.Fatalf("%s: point %d is at %v on axis %d with %v, as LAS at %v with %v", ext, i, y, k, b.Colors[i], x, a.Colors[i])
				}
			}
		}
	}
}
