package asset

import (
	"slices"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// TestIdentities: equal geometries have one number, whichever of them comes first, and others of their size have not.
func TestIdentities(t *testing.T) {
	shape := func(vertices int, x float32) *geometry {
		p := &scene.Primitive{Material: scene.DefaultMaterial(), Positions: make([]geom.Vec3, vertices)}
		p.Positions[0][0] = x
		return &geometry{p: p}
	}
	known := newIdentities()
	var unique []*geometry
	var got []uint32
	for _, g := range []*geometry{
		shape(3, 1), shape(4, 1), shape(3, 1), shape(3, 2), shape(3, 1), shape(4, 2), shape(3, 2), shape(4, 1), shape(5, 1),
	} {
		id := known.put(g, unique)
		if id == uint32(len(unique)) {
			unique = append(unique, g)
		}
		got = append(got, id)
	}
	if want := []uint32{0, 1, 0, 2, 0, 3, 2, 1, 4}; !slices.Equal(got, want) {
		t.Errorf("numbers %v, want %v", got, want)
	}
}
