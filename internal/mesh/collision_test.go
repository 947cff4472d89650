package mesh_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// TestCollision: rays at a sphere hit where the sphere is, and rays past it do not.
func TestCollision(t *testing.T) {
	c, err := mesh.BuildCollision(context.Background(), sphere(80, 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	if n := len(c.Indices) / 3; n < 100 || n > 6*2*80*80/4 {
		t.Errorf("%d triangles", n)
	}
	const off = 2*1e-3*3.5 + 1e-3 // twice the allowed error, and that of a source made of flat triangles
	rnd := rand.New(rand.NewPCG(5, 6))
	point := func() geom.Vec3 {
		return geom.Vec3{rnd.Float32()*2 - 1, rnd.Float32()*2 - 1, rnd.Float32()*2 - 1}
	}
	for range 2000 {
		from, to := point().Normalize().Mul(3), point()
		dir := to.Sub(from)
		// The distance of the line from the centre, and where it enters.
		a, b, q := float64(dir.Dot(dir)), float64(from.Dot(dir)), float64(from.Dot(from))-1
		miss := math.Sqrt(max(0, q+1-b*b/a))
		at, i, ok := c.Raycast(from, dir)
		switch {
		case miss > 1+off && ok:
			t.Fatalf("a ray that passes at %g hits triangle %d", miss, i)
		case miss < 1-off && !ok:
			t.Fatalf("a ray that passes at %g hits nothing", miss)
		case miss < 0.9:
			want := (-b - math.Sqrt(b*b-a*q)) / a
			if d := math.Abs(at-want) * math.Sqrt(a); d > 4*off {
				t.Fatalf("a hit is %g off", d)
			}
		}
	}
	if _, _, ok := c.Raycast(geom.Vec3{3, 0, 0}, geom.Vec3{1, 0, 0}); ok {
		t.Error("hit behind the origin")
	}
	if at, _, ok := c.Raycast(geom.Vec3{}, geom.Vec3{0, 0, 1}); !ok || math.Abs(at-1) > off {
		t.Errorf("from inside: %g, %v", at, ok)
	}
}

func TestCollisionCheck(t *testing.T) {
	empty, err := mesh.BuildCollision(context.Background(), &scene.Primitive{})
	if err != nil || empty.Check() != nil {
		t.Fatal(err, empty.Check())
	}
	if _, _, ok := empty.Raycast(geom.Vec3{}, geom.Vec3{1, 0, 0}); ok {
		t.Error("hit nothing")
	}
	for name, spoil := range map[string]func(c *mesh.Collision){
		"index":  func(c *mesh.Collision) { c.Indices[4] = uint32(len(c.Positions)) },
		"odd":    func(c *mesh.Collision) { c.Indices = c.Indices[1:] },
		"circle": func(c *mesh.Collision) { c.Nodes[1] = mesh.CollisionNode{First: 1} },
		"last":   func(c *mesh.Collision) { c.Nodes[0].First = uint32(len(c.Nodes) - 1) },
		"leaf":   func(c *mesh.Collision) { c.Nodes[len(c.Nodes)-1].Count = 1 << 31 },
	} {
		c, err := mesh.BuildCollision(context.Background(), sphere(8, 0))
		if err != nil {
			t.Fatal(err)
		}
		if spoil(c); c.Check() == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}
