package asset_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/geom"
)

// cast returns how far along dir from origin the first triangle is that the tree leads to, +Inf for none.
func cast(c *asset.Collision, origin, dir geom.Vec3) float64 {
	nearest := math.Inf(1)
	var walk func(i uint32)
	walk = func(i uint32) {
		n := c.Nodes[i]
		lo, hi := 0.0, math.Inf(1)
		for k := range 3 {
			a, b := float64(n.Box.Min[k]-origin[k])/float64(dir[k]), float64(n.Box.Max[k]-origin[k])/float64(dir[k])
			lo, hi = max(lo, min(a, b)-1e-5), min(hi, max(a, b)+1e-5)
		}
		if lo > hi {
			return
		}
		if n.Count == 0 {
			walk(n.First)
			walk(n.First + 1)
		}
		for _, tri := range c.Triangles[n.First:][:n.Count] {
			nearest = min(nearest, hit(c.Positions[tri[0]], c.Positions[tri[1]], c.Positions[tri[2]], origin, dir))
		}
	}
	walk(0)
	return nearest
}

// hit is the algorithm of Möller and Trumbore.
func hit(a, b, c, origin, dir geom.Vec3) float64 {
	e, f := b.Sub(a), c.Sub(a)
	p := dir.Cross(f)
	det := e.Dot(p)
	s := origin.Sub(a)
	q := s.Cross(e)
	u, v, d := s.Dot(p)/det, dir.Dot(q)/det, f.Dot(q)/det
	if u < 0 || v < 0 || u+v > 1 || d < 0 || det == 0 {
		return math.Inf(1)
	}
	return float64(d)
}

// TestCollision casts rays at a shape and at its collision mesh.
func TestCollision(t *testing.T) {
	p := bumpySphere(80, 1, false)
	m := modelOf(p, cloud(100, 1))
	without, _, _ := write(t, m, asset.WriteOptions{})
	if c, err := without.Collision(t.Context(), &without.Model().Meshes[0].Primitives[0]); c != nil || err != nil {
		t.Errorf("a collision mesh that nobody asked for: %v, %v", c, err)
	}
	f, _, _ := write(t, m, asset.WriteOptions{Collision: true})
	if c, err := f.Collision(t.Context(), &f.Model().Meshes[1].Primitives[0]); c != nil || err != nil {
		t.Errorf("a collision mesh of points: %v, %v", c, err)
	}
	c, err := f.Collision(t.Context(), &f.Model().Meshes[0].Primitives[0])
	if err != nil {
		t.Fatal(err)
	}
	full := int(p.Triangles())
	if c.Error <= 0 || len(c.Triangles) < full/100 || len(c.Triangles) > full {
		t.Errorf("%d of %d triangles at error %v", len(c.Triangles), full, c.Error)
	}
	t.Logf("%d of %d triangles at error %v", len(c.Triangles), full, c.Error)
	rng := rand.New(rand.NewPCG(1, 1))
	center := geom.Vec3{10, 0, -3}
	for range 60 {
		dir := geom.Vec3{float32(rng.NormFloat64()), float32(rng.NormFloat64()), float32(rng.NormFloat64())}.Normalize()
		origin := center.Sub(dir.Mul(5))
		want := math.Inf(1)
		for i := p.Indices; len(i) > 0; i = i[3:] {
			want = min(want, hit(p.Positions[i[0]], p.Positions[i[1]], p.Positions[i[2]], origin, dir))
		}
		// The rays meet the surface nearly head on.
		if got := cast(c, origin, dir); !(math.Abs(got-want) < 2*float64(c.Error)) {
			t.Errorf("a ray hits at %v, want %v", got, want)
		}
	}
}
