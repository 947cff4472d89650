package asset_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heliograph/heliograph/internal/asset"
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
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
