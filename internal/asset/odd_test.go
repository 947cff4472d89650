package asset_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// TestOddModels writes what importers may hand out though nobody wants it; each must come back as a model that can be read.
func TestOddModels(t *testing.T) {
	nan := float32(math.NaN())
	tri := func(a, b, c geom.Vec3) scene.Primitive {
		return scene.Primitive{
			Positions: []geom.Vec3{a, b, c}, Normals: []geom.Vec3{{0, 0, 1}, {}, {nan, 1, 0}}, UV0: []geom.Vec2{{nan, 0}, {1e30, -5e8}, {1, 1}},
			Indices: []uint32{0, 1, 2}, Material: scene.DefaultMaterial(),
		}
	}
	lines := modelOf(tri(geom.Vec3{}, geom.Vec3{1}, geom.Vec3{0, 1}))
	lines.Nodes[0].Local[5] = nan
	for name, m := range map[string]*scene.Model{
		"empty":         {},
		"no primitives": {Meshes: []*scene.Mesh{{Name: "void", Bounds: geom.Empty()}}},
		"no vertices":   modelOf(scene.Primitive{Material: scene.DefaultMaterial()}),
		"no points":     modelOf(scene.Primitive{Material: scene.DefaultMaterial(), IsPoints: true}),
		"one corner":    modelOf(tri(geom.Vec3{1, 2, 3}, geom.Vec3{1, 2, 3}, geom.Vec3{1, 2, 3})),
		"not a number":  modelOf(tri(geom.Vec3{nan}, geom.Vec3{1}, geom.Vec3{0, 1})),
		"huge":          modelOf(tri(geom.Vec3{8e37, -8e37, 8e37}, geom.Vec3{-8e37, 8e37, -8e37}, geom.Vec3{0, 8e37})),
		"tiny":          modelOf(tri(geom.Vec3{1e-44}, geom.Vec3{0, 3e-44}, geom.Vec3{0, 0, 1e-40})),
		"far":           modelOf(tri(geom.Vec3{1e7}, geom.Vec3{1e7, 1}, geom.Vec3{1e7, 0, 1})),
		"matrix":        lines,
	} {
		f, _, _ := write(t, m, asset.WriteOptions{Collision: true, Progress: func(stage string, done float64) {
			if !(done >= 0 && done <= 1) {
				t.Errorf("%s: %s is at %v", name, stage, done)
			}
		}})
		if err := f.Verify(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := json.Marshal(f.Info()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := f.Model(); len(got.Meshes) != len(m.Meshes) || len(got.Nodes) != len(m.Nodes) {
			t.Errorf("%s: %d meshes and %d nodes", name, len(got.Meshes), len(got.Nodes))
		}
	}
}

// TestInconsistentModels wants an error for what a reader would refuse.
func TestInconsistentModels(t *testing.T) {
	for name, spoil := range map[string]func(m *scene.Model){
		"parent":   func(m *scene.Model) { m.Nodes[1].Parent = 7 },
		"two":      func(m *scene.Model) { m.Roots = append(m.Roots, 0) },
		"circle":   func(m *scene.Model) { m.Roots = m.Roots[:1]; m.Nodes[1].Parent, m.Nodes[1].Children = 1, []int{1} },
		"mesh":     func(m *scene.Model) { m.Nodes[0].Mesh = 99 },
		"material": func(m *scene.Model) { m.Meshes[0].Primitives[0].Material = nil },
		"index":    func(m *scene.Model) { m.Meshes[0].Primitives[0].Indices[0] = 1 << 30 },
		"channel": func(m *scene.Model) {
			m.Animations = []scene.Animation{{Channels: []scene.Channel{{Times: []float32{1}}}}}
		},
		"metadata": func(m *scene.Model) { m.Nodes[0].Metadata = []scene.Metadata{{Key: "k", Value: 'x'}} },
	} {
		m := modelOf(bumpySphere(4, 1, false), cloud(5, 1))
		m.Roots = slices.Clone(m.Roots)
		spoil(m)
		if err := tryWrite(t, m); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
