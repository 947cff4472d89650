package asset

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// TestPageSizes wants pages to be full, and no fuller than they may be.
func TestPageSizes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := scene.Primitive{Material: scene.DefaultMaterial()}
	const n = 130
	for y := range n + 1 {
		for x := range n + 1 {
			p.Positions = append(p.Positions, geom.Vec3{float32(x), rng.Float32(), float32(y)})
			p.Normals = append(p.Normals, geom.Vec3{rng.Float32() - 0.5, 1, rng.Float32() - 0.5}.Normalize())
			p.UV0 = append(p.UV0, geom.Vec2{rng.Float32(), float32(y) * 1000})
			p.UV1 = append(p.UV1, geom.Vec2{rng.Float32(), rng.Float32()})
			p.Colors = append(p.Colors, geom.Vec4{rng.Float32(), rng.Float32(), rng.Float32(), rng.Float32()})
		}
	}
	for y := range uint32(n) {
		for x := range uint32(n) {
			a := y*(n+1) + x
			p.Indices = append(p.Indices, a, a+n+1, a+1, a+1, a+n+1, a+n+2)
		}
	}
	ms := &scene.Mesh{Primitives: []scene.Primitive{p}}
	m := &scene.Model{Meshes: []*scene.Mesh{ms}, Nodes: []scene.Node{{Parent: -1, Local: geom.Identity()}}, Roots: []int{0}}
	f, err := Open(t.Context(), bytes.NewReader(encode(t, m, WriteOptions{})), OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	full, level0 := 0, 0
	for i, pl := range f.places {
		if pl.raw > targetRaw && len(f.groupsOf[i]) > 1 {
			t.Errorf("page %d has %d bytes", i, pl.raw)
		}
		if pl.level == 0 {
			level0++
		}
		if pl.raw > targetRaw*3/4 {
			full++
		}
	}
	if full < level0-1 || level0 < 3 {
		t.Errorf("%d pages, %d of full detail, only %d are full", len(f.places), level0, full)
	}
}
