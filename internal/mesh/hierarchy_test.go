package mesh_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// sphere is a cube of 6 n by n grids blown up to a sphere of radius 1, with bumps. Each face of the cube has its own
// vertices and its own square of texture.
func sphere(n int, bump float64) *scene.Primitive {
	p := &scene.Primitive{Material: scene.DefaultMaterial()}
	for face := range 6 {
		first := uint32(len(p.Positions))
		for y := range n + 1 {
			for x := range n + 1 {
				u, v := float64(x)/float64(n), float64(y)/float64(n)
				c := [3]float64{}
				// Exact at the edges, so that faces meet.
				a, b := 2*u-1, 2*v-1
				c[face%3], c[(face+1)%3], c[(face+2)%3] = 1, a, b
				if face >= 3 {
					c[face%3], c[(face+1)%3], c[(face+2)%3] = -1, b, a
				}
				l := math.Sqrt(c[0]*c[0] + c[1]*c[1] + c[2]*c[2])
				d := geom.Vec3{float32(c[0] / l), float32(c[1] / l), float32(c[2] / l)}
				r := 1 + bump*math.Sin(20*c[0]/l)*math.Sin(23*c[1]/l)*math.Sin(17*c[2]/l)
				p.Positions = append(p.Positions, d.Mul(float32(r)))
				p.Normals = append(p.Normals, d)
				p.UV0 = append(p.UV0, geom.Vec2{float32(u/3 + float64(face%3)/3), float32(v/2 + float64(face/3)/2)})
			}
		}
		for y := range n {
			for x := range n {
				a := first + uint32(y*(n+1)+x)
				b, c, d := a+1, a+uint32(n)+1, a+uint32(n)+2
				p.Indices = append(p.Indices, a, b, c, b, d, c)
			}
		}
	}
	return p
}

// cut returns the triangles to draw from eye, by the rule of Paged: as corners' positions. tolerance is an angle.
func cut(p *mesh.Paged, eye geom.Vec3, tolerance float64) [][3]geom.Vec3 {
	pages := readAll(p)
	var out [][3]geom.Vec3
	for i, g := range p.Groups {
		if !refined(p, int32(i), eye, tolerance) {
			continue
		}
		for k := g.FirstCluster; k < g.FirstCluster+g.Clusters; k++ {
			if m := p.Makers[k]; m >= 0 && refined(p, m, eye, tolerance) {
				continue
			}
			out = append(out, triangles(&pages[g.Page], &p.Clusters[k])...)
		}
	}
	return out
}

// refined is the rule of Paged.
func refined(p *mesh.Paged, group int32, eye geom.Vec3, tolerance float64) bool {
	g := &p.Groups[group]
	d := float64(eye.Sub(g.Center).Len()) - float64(g.Radius)
	return d <= 0 && g.Error > 0 || float64(g.Error) > tolerance*d
}

func readAll(p *mesh.Paged) []mesh.Mesh {
	pages := make([]mesh.Mesh, len(p.Source.Pages()))
	for i, info := range p.Source.Pages() {
		m := &pages[i]
		m.Positions, m.Surface, m.Triangles = make([]float32, 3*info.Vertices), make([]uint32, 4*info.Vertices), make([]uint32, info.Triangles)
		dst := mesh.Page{Positions: m.Positions, Surface: m.Surface, Triangles: m.Triangles}
		if err := p.Source.ReadPage(context.Background(), i, dst); err != nil {
			panic(err)
		}
	}
	return pages
}

func triangles(m *mesh.Mesh, c *mesh.Cluster) [][3]geom.Vec3 {
	out := make([][3]geom.Vec3, c.Triangles)
	for i, q := range m.Triangles[c.FirstTriangle : c.FirstTriangle+c.Triangles] {
		for k := range 3 {
			out[i][k] = m.Position(int(c.FirstVertex + q>>(8*k)&255))
		}
	}
	return out
}

// openEdges is how many edges have more triangles on one side than on the other.
func openEdges(tris [][3]geom.Vec3) int {
	edges := map[[2]geom.Vec3]int{}
	for _, t := range tris {
		for k := range 3 {
			a, b := t[k], t[(k+1)%3]
			if slices.Compare(a[:], b[:]) < 0 {
				edges[[2]geom.Vec3{a, b}]++
			} else {
				edges[[2]geom.Vec3{b, a}]--
			}
		}
	}
	n := 0
	for _, e := range edges {
		if e != 0 {
			n++
		}
	}
	return n
}

func resident(t *testing.T, p *scene.Primitive) *mesh.Paged {
	t.Helper()
	r, err := mesh.Resident(context.Background(), p, mesh.HierarchyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestCracks: whatever the tolerance and the point of view, a closed surface stays closed.
func TestCracks(t *testing.T) {
	flat := sphere(24, 0.05)
	unshare(flat)
	for name, p := range map[string]*scene.Primitive{"bumps": sphere(50, 0.03), "smooth": sphere(40, 0), "flat": flat} {
		r := resident(t, p)
		full := len(p.Indices) / 3
		for _, eye := range []geom.Vec3{{0, 0, 3}, {1.05, 0, 0}, {0, -9, 2}} {
			last := 1 << 30
			for _, tolerance := range []float64{0, 3e-4, 1e-3, 3e-3, 2e-2, 1e9} {
				tris := cut(r, eye, tolerance)
				if n := openEdges(tris); n != 0 {
					t.Errorf("%s from %v at %g: %d open edges of %d triangles", name, eye, tolerance, n, len(tris))
				}
				if tolerance == 0 && len(tris) != full {
					t.Errorf("%s: %d triangles at tolerance 0, want %d", name, len(tris), full)
				}
				if len(tris) > last || len(tris) == 0 {
					t.Errorf("%s from %v at %g: %d triangles, %d at a finer tolerance", name, eye, tolerance, len(tris), last)
				}
				last = len(tris)
			}
		}
	}
}

// TestFarFromOrigin: in the coordinates of national grids, triangles stay whose corners float32 tells apart.
func TestFarFromOrigin(t *testing.T) {
	origin := geom.Vec3{500_000, 5_000_000, 10} // steps of 1/32 and 1/2
	p := &scene.Primitive{Material: scene.DefaultMaterial()}
	const n = 16
	for y := range n + 1 {
		for x := range n + 1 {
			p.Positions = append(p.Positions, origin.Add(geom.Vec3{float32(x), float32(y), float32(x*y%3) / 4}))
		}
	}
	for y := range uint32(n) {
		for x := range uint32(n) {
			a := y*(n+1) + x
			p.Indices = append(p.Indices, a, a+1, a+n+1, a+1, a+n+2, a+n+1)
		}
	}
	r := resident(t, p)
	tris := cut(r, origin, 0)
	if len(tris) != len(p.Indices)/3 {
		t.Errorf("%d triangles of %d", len(tris), len(p.Indices)/3)
	}
	if n := openEdges(tris); n != 4*16 {
		t.Errorf("%d open edges, want those of the border", n)
	}
}

// unshare gives every triangle its own vertices and its face's normal.
func unshare(p *scene.Primitive) {
	q := *p
	p.Positions, p.Normals, p.UV0, p.Indices = nil, nil, nil, nil
	for i := 0; i < len(q.Indices); i += 3 {
		var v [3]geom.Vec3
		for k := range 3 {
			v[k] = q.Positions[q.Indices[i+k]]
			p.Indices = append(p.Indices, uint32(i+k))
		}
		n := v[1].Sub(v[0]).Cross(v[2].Sub(v[0])).Normalize()
		p.Positions = append(p.Positions, v[:]...)
		p.Normals = append(p.Normals, n, n, n)
	}
}

// TestNested: errors never fall and spheres never shrink on the way to the root, and everything is in its place.
func TestNested(t *testing.T) {
	for name, p := range map[string]*scene.Primitive{"terrain": terrain(150), "seams": sphere(60, 0.02), "soup": soup(3000)} {
		r := resident(t, p)
		if len(r.Makers) != len(r.Clusters) || len(r.Nodes) == 0 {
			t.Fatalf("%s: %d makers, %d clusters, %d nodes", name, len(r.Makers), len(r.Clusters), len(r.Nodes))
		}
		next := uint32(0)
		made := make([]bool, len(r.Groups))
		for i, g := range r.Groups {
			if g.FirstCluster != next || g.Clusters == 0 {
				t.Fatalf("%s: group %d has clusters %d+%d, want from %d", name, i, g.FirstCluster, g.Clusters, next)
			}
			next += g.Clusters
			for k := g.FirstCluster; k < next; k++ {
				c := &r.Clusters[k]
				if d := float64(c.Center.Sub(g.Center).Len() + c.Radius); d > float64(g.Radius)*(1+1e-6) {
					t.Fatalf("%s: cluster %d is outside group %d", name, k, i)
				}
				if r.Makers[k] < 0 {
					continue
				}
				m := &r.Groups[r.Makers[k]]
				made[r.Makers[k]] = true
				if int(r.Makers[k]) >= i || m.Error > g.Error {
					t.Fatalf("%s: group %d, error %g, holds an output of group %d, error %g", name, i, g.Error, r.Makers[k], m.Error)
				}
				if d := float64(m.Center.Sub(g.Center).Len() + m.Radius); d > float64(g.Radius)*(1+1e-6) {
					t.Fatalf("%s: group %d is not in the sphere of group %d", name, r.Makers[k], i)
				}
			}
		}
		for i, g := range r.Groups {
			if made[i] == math.IsInf(float64(g.Error), 1) {
				t.Errorf("%s: group %d: error %g, replaced: %v", name, i, g.Error, made[i])
			}
		}
		reached := make([]int, len(r.Groups))
		walk(t, r, []uint32{0}, reached)
		for i, n := range reached {
			if n > 1 || n == 0 && r.Groups[i].Error > 0 {
				t.Errorf("%s: group %d, error %g, is %d times in the tree", name, i, r.Groups[i].Error, n)
			}
		}
	}
}

// walk counts how often each group is below node, and checks that all nodes above it bound it.
func walk(t *testing.T, p *mesh.Paged, above []uint32, reached []int) {
	t.Helper()
	at := above[len(above)-1]
	n := &p.Nodes[at]
	for i := n.First; i < n.First+n.Count; i++ {
		if !n.Leaf {
			if i <= at {
				t.Fatalf("node %d has child %d", at, i)
			}
			walk(t, p, append(above, i), reached)
			continue
		}
		g := &p.Groups[i]
		reached[i]++
		for _, a := range above {
			n := &p.Nodes[a]
			if float64(g.Center.Sub(n.Center).Len()+g.Radius) > float64(n.Radius)*(1+1e-6) || g.Error > n.Error {
				t.Fatalf("node %d does not bound group %d", a, i)
			}
		}
	}
}

// TestThreads: the result does not depend on the number of threads.
func TestThreads(t *testing.T) {
	for _, p := range []*scene.Primitive{sphere(60, 0.03), soup(9000)} {
		var want *mesh.Paged
		for _, threads := range []int{1, 2, 7} {
			r, err := mesh.Resident(context.Background(), p, mesh.HierarchyOptions{Threads: threads})
			if err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = r
			} else if !reflect.DeepEqual(r, want) {
				t.Errorf("%d threads give another hierarchy than one", threads)
			}
		}
	}
}

// TestStops: an error of the sink, or the end of the context, ends the work.
func TestStops(t *testing.T) {
	broken := errors.New("disk full")
	for _, threads := range []int{1, 3} {
		calls := 0
		err := mesh.BuildHierarchy(t.Context(), terrain(100), mesh.HierarchyOptions{Threads: threads},
			func(mesh.Group, *mesh.Mesh, []int32) error {
				calls++
				return broken
			})
		if !errors.Is(err, broken) || calls != 1 {
			t.Errorf("%d threads: %v after %d calls", threads, err, calls)
		}
		ctx, cancel := context.WithCancel(t.Context())
		err = mesh.BuildHierarchy(ctx, terrain(100), mesh.HierarchyOptions{Threads: threads},
			func(mesh.Group, *mesh.Mesh, []int32) error {
				cancel()
				return nil
			})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%d threads: %v after the context's end", threads, err)
		}
		cancel()
	}
}

// TestProgress: it rises to 1 and no further.
func TestProgress(t *testing.T) {
	last := 0.0
	_, err := mesh.Resident(t.Context(), sphere(20, 0.02), mesh.HierarchyOptions{Progress: func(done float64) {
		if done < last || done > 1 {
			t.Errorf("%g after %g", done, last)
		}
		last = done
	}})
	if err != nil || last != 1 {
		t.Errorf("ends at %g, %v", last, err)
	}
}
