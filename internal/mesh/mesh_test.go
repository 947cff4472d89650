package mesh_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// terrain is an n by n grid of quads.
func terrain(n int) *scene.Primitive {
	p := &scene.Primitive{Material: scene.DefaultMaterial()}
	for y := range n + 1 {
		for x := range n + 1 {
			z := float32(math.Sin(float64(x)/9) * math.Cos(float64(y)/7))
			p.Positions = append(p.Positions, geom.Vec3{float32(x), z, float32(y)})
			p.Normals = append(p.Normals, geom.Vec3{0, 1, 0})
		}
	}
	for y := range n {
		for x := range n {
			a := uint32(y*(n+1) + x)
			b, c, d := a+1, a+uint32(n)+1, a+uint32(n)+2
			p.Indices = append(p.Indices, a, c, b, b, c, d)
		}
	}
	return p
}

// soup shares no vertex: clusters meet the vertex limit before the triangle limit.
func soup(n int) *scene.Primitive {
	r := rand.New(rand.NewPCG(3, 4))
	p := &scene.Primitive{Material: scene.DefaultMaterial()}
	for i := range uint32(3 * n) {
		p.Positions = append(p.Positions, geom.Vec3{r.Float32(), r.Float32(), r.Float32()})
		p.Indices = append(p.Indices, i)
	}
	return p
}

// key identifies a triangle by its corners' positions, rotated so that the least comes first: winding stays.
func key(a, b, c geom.Vec3) [3]geom.Vec3 {
	t := [3]geom.Vec3{a, b, c}
	for slices.Compare(t[0][:], t[1][:]) > 0 || slices.Compare(t[0][:], t[2][:]) > 0 {
		t = [3]geom.Vec3{t[1], t[2], t[0]}
	}
	return t
}

func TestBuild(t *testing.T) {
	for name, p := range map[string]*scene.Primitive{"terrain": terrain(40), "soup": soup(700), "one": soup(1)} {
		t.Run(name, func(t *testing.T) {
			want := map[[3]geom.Vec3]int{}
			for i := 0; i < len(p.Indices); i += 3 {
				want[key(p.Positions[p.Indices[i]], p.Positions[p.Indices[i+1]], p.Positions[p.Indices[i+2]])]++
			}
			m := mesh.Build(p)
			if !reflect.DeepEqual(m, mesh.Build(p)) {
				t.Error("Build is not deterministic")
			}
			for ci, c := range m.Clusters {
				if c.Triangles == 0 || c.Triangles > mesh.MaxTriangles || c.Vertices > mesh.MaxVertices || c.FirstVertex%mesh.Lane != 0 {
					t.Fatalf("cluster %d: %+v", ci, c)
				}
				for i := range c.Triangles {
					q := m.Triangles[c.FirstTriangle+i]
					var v [3]geom.Vec3
					for k := range v {
						local := q >> (8 * k) & 255
						if local >= c.Vertices {
							t.Fatalf("cluster %d: corner %d of %d", ci, local, c.Vertices)
						}
						v[k] = m.Position(int(c.FirstVertex + local))
						inside(t, &c, v[k])
					}
					want[key(v[0], v[1], v[2])]--
					faces(t, &c, v)
				}
			}
			for k, n := range want {
				if n != 0 {
					t.Fatalf("triangle %v: %d too few", k, n)
				}
			}
		})
	}
}

func inside(t *testing.T, c *mesh.Cluster, v geom.Vec3) {
	t.Helper()
	d := v.Sub(c.Center)
	if d.Len() > c.Radius*(1+1e-6) {
		t.Fatalf("vertex %v outside the sphere of %+v", v, c)
	}
	for k := range 3 {
		if float32(math.Abs(float64(d[k]))) > c.Half[k] {
			t.Fatalf("vertex %v outside the box of %+v", v, c)
		}
	}
}

// faces checks that the cone holds the triangle's normal.
func faces(t *testing.T, c *mesh.Cluster, v [3]geom.Vec3) {
	t.Helper()
	n := v[1].Sub(v[0]).Cross(v[2].Sub(v[0])).Normalize()
	if c.ConeCutoff <= 1 && n.Dot(c.ConeAxis) < float32(math.Sqrt(max(0, float64(1-c.ConeCutoff*c.ConeCutoff))))-1e-3 {
		t.Fatalf("normal %v outside the cone of %+v", n, c)
	}
}

// TestFill: clusters of a connected surface are full and share most of their vertices.
func TestFill(t *testing.T) {
	m := mesh.Build(terrain(200))
	if n := len(m.Clusters); n != (80000+127)/128 {
		t.Errorf("%d clusters for 80000 triangles", n)
	}
	if v := m.NumVertices(); v > 110*len(m.Clusters) {
		t.Errorf("%d vertices in %d clusters", v, len(m.Clusters))
	}
}

func TestDrops(t *testing.T) {
	nan := float32(math.NaN())
	p := &scene.Primitive{
		Positions: []geom.Vec3{{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {nan, 0, 0}, {math.MaxFloat32, 0, 0}},
		Indices:   []uint32{0, 1, 2, 0, 0, 1, 0, 1, 3, 0, 1, 4, 0, 1},
	}
	if m := mesh.Build(p); len(m.Triangles) != 1 {
		t.Errorf("%d triangles left, want 1", len(m.Triangles))
	}
	if m := mesh.Build(&scene.Primitive{}); len(m.Clusters) != 0 {
		t.Errorf("an empty primitive has %d clusters", len(m.Clusters))
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{100, 700} {
		p := terrain(n)
		b.Run(fmt.Sprintf("%dk", 2*n*n/1000), func(b *testing.B) {
			for range b.N {
				mesh.Build(p)
			}
		})
	}
}
