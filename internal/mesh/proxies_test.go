package mesh_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// parts is a model of n spheres of two kinds and sizes, every third mirrored, below one node.
func parts(t *testing.T, n int) *scene.Model {
	t.Helper()
	root := geom.TRS(geom.Vec3{5, 0, 0}, geom.Quat{0, 1, 0, 0}, geom.Vec3{2, 2, 2})
	m := &scene.Model{Roots: []int{0}, Nodes: []scene.Node{{Parent: -1, Mesh: -1, Local: root}}}
	for _, size := range []int{4, 8} {
		p := sphere(size, 0)
		for range p.Positions {
			p.Colors = append(p.Colors, geom.Vec4{1, 0.25, 0, 1})
		}
		ms := &scene.Mesh{Primitives: []scene.Primitive{{Material: p.Material, Paged: resident(t, p)}}}
		ms.Measure()
		m.Meshes = append(m.Meshes, ms)
	}
	at := rand.New(rand.NewPCG(1, 2)).Perm(n)
	for i := range n {
		size := float32(1)
		if i >= n/2 {
			size = 0.1
		}
		scale := geom.Vec3{size, size, size}
		if i%3 == 0 {
			scale[i/3%3] *= -1
		}
		k := at[i]
		place := geom.Vec3{3 * float32(k%20), 3 * float32(k/20%20), 3 * float32(k/400)}
		m.Nodes[0].Children = append(m.Nodes[0].Children, len(m.Nodes))
		m.Nodes = append(m.Nodes, scene.Node{Parent: 0, Mesh: i % 2, Local: geom.TRS(place, geom.Quat{0.6, 0, 0, 0.8}, scale)})
	}
	m.Measure()
	return m
}

func TestProxies(t *testing.T) {
	m := parts(t, 1200)
	proxies, err := mesh.Proxies(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := mesh.Proxies(t.Context(), m); err != nil || !reflect.DeepEqual(proxies, again) {
		t.Errorf("another run gives other proxies, %v", err)
	}
	seen := map[int]bool{}
	for _, p := range proxies {
		var centers []geom.Vec3
		var radii []float64
		for _, n := range p.Nodes {
			if seen[n] {
				t.Fatalf("node %d is in two proxies", n)
			}
			seen[n] = true
			world := m.Nodes[0].Local.Mul(m.Nodes[n].Local)
			centers = append(centers, world.Point(geom.Vec3{}))
			radii = append(radii, float64(world.Dir(geom.Vec3{1, 0, 0}).Len()))
			if box := m.Meshes[m.Nodes[n].Mesh].Bounds.Transform(world); p.Bounds.Union(box) != p.Bounds {
				t.Errorf("node %d is outside of the bounds", n)
			}
			if r := radii[len(radii)-1]; float64(p.Part) < r || float64(p.Part) > 4*r || float64(p.Error) > r {
				t.Errorf("a sphere of radius %v in a proxy of parts up to %v with an error of %v", r, p.Part, p.Error)
			}
		}
		for i := range p.Mesh.Primitives {
			checkProxy(t, &p.Mesh.Primitives[i], float64(p.Error), centers, radii)
		}
	}
	if len(seen) != 1200 || len(proxies) > 12 {
		t.Errorf("%d proxies of %d nodes", len(proxies), len(seen))
	}
}

// checkProxy wants that all triangles lie within an error of one of the spheres, and face away from its centre.
func checkProxy(t *testing.T, p *scene.Primitive, off float64, centers []geom.Vec3, radii []float64) {
	t.Helper()
	for i := 0; i < len(p.Indices); i += 3 {
		a, b, c := p.Positions[p.Indices[i]], p.Positions[p.Indices[i+1]], p.Positions[p.Indices[i+2]]
		mid := a.Add(b).Add(c).Mul(1.0 / 3)
		nearest, least := 0, math.Inf(1)
		for k, center := range centers {
			if d := float64(mid.Sub(center).Len()) / radii[k]; d < least {
				nearest, least = k, d
			}
		}
		out := mid.Sub(centers[nearest])
		if face := b.Sub(a).Cross(c.Sub(a)); face.Dot(out) <= 0 {
			t.Fatalf("triangle %d faces inwards", i/3)
		}
		for _, v := range p.Indices[i : i+3] {
			if p.Normals[v].Dot(out) <= 0 {
				t.Fatalf("a normal of triangle %d points inwards", i/3)
			}
			if d := math.Abs(float64(p.Positions[v].Sub(centers[nearest]).Len()) - radii[nearest]); d > off+0.02*radii[nearest] {
				t.Fatalf("a vertex is off by %v, the error is %v", d, off)
			}
			if c := p.Colors[v]; math.Abs(float64(c[0]-1)) > 0.01 || math.Abs(float64(c[1]-0.25)) > 0.01 || c[2] != 0 || c[3] != 1 {
				t.Fatalf("a vertex has the colour %v", c)
			}
		}
	}
}

// TestNoProxies: what has few parts, or parts that cannot be merged, has none.
func TestNoProxies(t *testing.T) {
	for name, m := range map[string]*scene.Model{
		"few":      parts(t, 100),
		"blended":  parts(t, 300),
		"skinned":  parts(t, 300),
		"not read": parts(t, 300),
	} {
		switch name {
		case "blended":
			for _, ms := range m.Meshes {
				ms.Primitives[0].Material.Alpha = scene.AlphaBlend
			}
		case "skinned":
			for i := range m.Nodes {
				m.Nodes[i].Skin = 1
			}
		case "not read":
			for _, ms := range m.Meshes {
				ms.Primitives[0] = *sphere(4, 0)
			}
		}
		if proxies, err := mesh.Proxies(t.Context(), m); err != nil || len(proxies) > 0 {
			t.Errorf("%s: %d proxies, %v", name, len(proxies), err)
		}
	}
}
