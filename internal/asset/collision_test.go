package asset_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
)

// TestCollision wants the collision mesh back that was built, where one was asked for and of triangles.
func TestCollision(t *testing.T) {
	p := bumpySphere(40, 1, true)
	m := modelOf(p, cloud(100, 1))
	without, _, _ := write(t, m, asset.WriteOptions{})
	if c, err := without.Collision(t.Context(), &without.Model().Meshes[0].Primitives[0]); c != nil || err != nil {
		t.Errorf("a collision mesh that nobody asked for: %v, %v", c, err)
	}
	f, _, _ := write(t, m, asset.WriteOptions{Collision: true})
	if c, err := f.Collision(t.Context(), &f.Model().Meshes[1].Primitives[0]); c != nil || err != nil {
		t.Errorf("a collision mesh of points: %v, %v", c, err)
	}
	want, err := mesh.BuildCollision(t.Context(), &p)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Collision(t.Context(), &f.Model().Meshes[0].Primitives[0])
	if err != nil || len(got.Indices) == 0 {
		t.Fatalf("%v, %v", got, err)
	}
	// Positions are on a grid of 2^-14 of the extent, boxes with them.
	near := cmp.Comparer(func(a, b geom.Vec3) bool { return a.Sub(b).Len() < 1e-4*3 })
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Error(diff)
	}
	for i, n := range got.Nodes {
		for _, v := range got.Indices[3*n.First*min(n.Count, 1):][:3*n.Count] {
			p := got.Positions[v]
			if box := (geom.AABB{Min: n.Min, Max: n.Max}); box.Extend(p) != box {
				t.Errorf("node %d does not hold its triangles", i)
			}
		}
	}
	if hit, _, ok := got.Raycast(geom.Vec3{10, 0, 7}, geom.Vec3{0, 0, -1}); !ok || math.Abs(hit-9) > 0.06 {
		t.Errorf("a ray hits at %v, %v", hit, ok)
	}
}
