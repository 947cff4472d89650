package mesh_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// deviationSlack is how much further off than the tolerance a point of the source may be from a cut: errors are measured at
// vertices, and surfaces can be further apart between them.
const deviationSlack = 1.1

// TestDeviation: every part of the source is within the tolerance of the cut, seen from anywhere.
func TestDeviation(t *testing.T) {
	for name, p := range map[string]*scene.Primitive{"terrain": terrain(100), "bumps": sphere(40, 0.03), "smooth": sphere(40, 0)} {
		r := resident(t, p)
		size := float64(r.Bounds.Size().Len())
		eye := r.Bounds.Center().Add(geom.Vec3{float32(size), float32(size / 2), 0})
		for _, tolerance := range []float64{1e-4, 5e-4, 2e-3, 1e-2} {
			tris := cut(r, eye, tolerance)
			grid := newGrid(tris, r.Bounds, 40)
			var worst float64
			rnd := rand.New(rand.NewPCG(1, 2))
			for range 1500 {
				i := 3 * rnd.IntN(len(p.Indices)/3)
				a, b := rnd.Float32(), rnd.Float32()
				if a+b > 1 {
					a, b = 1-a, 1-b
				}
				x := p.Positions[p.Indices[i]].Mul(1 - a - b).Add(p.Positions[p.Indices[i+1]].Mul(a)).Add(p.Positions[p.Indices[i+2]].Mul(b))
				worst = max(worst, grid.distance(x)/(tolerance*float64(x.Sub(eye).Len())))
			}
			t.Logf("%s at %g: %d of %d triangles, greatest deviation %.3f tolerances", name, tolerance, len(tris), r.FullTriangles, worst)
			if worst > deviationSlack {
				t.Errorf("%s at %g: deviation of %g tolerances", name, tolerance, worst)
			}
		}
	}
}

// grid finds the nearest of some triangles.
type grid struct {
	tris  [][3]geom.Vec3
	cells map[[3]int][]int
	min   geom.Vec3
	size  float32
}

func newGrid(tris [][3]geom.Vec3, box geom.AABB, n float32) *grid {
	e := box.Size()
	g := &grid{tris: tris, cells: map[[3]int][]int{}, min: box.Min, size: max(e[0], e[1], e[2]) / n}
	for i, t := range tris {
		b := geom.Empty()
		for _, v := range t {
			b = b.Extend(v)
		}
		lo, hi := g.cell(b.Min), g.cell(b.Max)
		for x := lo[0]; x <= hi[0]; x++ {
			for y := lo[1]; y <= hi[1]; y++ {
				for z := lo[2]; z <= hi[2]; z++ {
					g.cells[[3]int{x, y, z}] = append(g.cells[[3]int{x, y, z}], i)
				}
			}
		}
	}
	return g
}

func (g *grid) cell(p geom.Vec3) (c [3]int) {
	for k := range 3 {
		c[k] = int(math.Floor(float64((p[k] - g.min[k]) / g.size)))
	}
	return c
}

// distance looks in the cells around p; it is exact up to the size of a cell.
func (g *grid) distance(p geom.Vec3) float64 {
	best := math.Inf(1)
	c := g.cell(p)
	for x := c[0] - 1; x <= c[0]+1; x++ {
		for y := c[1] - 1; y <= c[1]+1; y++ {
			for z := c[2] - 1; z <= c[2]+1; z++ {
				for _, i := range g.cells[[3]int{x, y, z}] {
					best = min(best, pointTriangle(p, g.tris[i]))
				}
			}
		}
	}
	return best
}

// pointTriangle is the distance of p from t: from its plane where p is over it, or else from its edges.
func pointTriangle(p geom.Vec3, t [3]geom.Vec3) float64 {
	n := t[1].Sub(t[0]).Cross(t[2].Sub(t[0])).Normalize()
	over, edges := true, math.Inf(1)
	for k := range 3 {
		a, b := t[k], t[(k+1)%3]
		e, d := b.Sub(a), p.Sub(a)
		over = over && n.Dot(e.Cross(d)) >= 0
		s := max(0, min(1, d.Dot(e)/e.Dot(e)))
		edges = min(edges, float64(d.Sub(e.Mul(s)).Len()))
	}
	if over {
		return math.Abs(float64(n.Dot(p.Sub(t[0]))))
	}
	return edges
}

// TestReduces: seams, hard edges and flat shading do not keep a mesh from becoming a few triangles, or a flat part of one
// from doing so at no error.
func TestReduces(t *testing.T) {
	flat := sphere(30, 0.02)
	unshare(flat)
	cube := box(40)
	for name, p := range map[string]*scene.Primitive{
		"seams": sphere(50, 0.02), "flat": flat, "hard edges": cube, "soup": soup(2000), "open": terrain(60),
	} {
		r := resident(t, p)
		last := r.Groups[len(r.Groups)-1]
		n := uint32(0)
		for _, c := range r.Clusters[last.FirstCluster:] {
			n += c.Triangles
		}
		t.Logf("%s: %d triangles to %d in %d clusters", name, r.FullTriangles, n, len(r.Clusters))
		if last.Clusters != 1 || n > 16 {
			t.Errorf("%s: %d triangles in %d clusters left", name, n, last.Clusters)
		}
	}
	for _, n := range []int{40, 50, 80} {
		if n := len(cut(resident(t, box(n)), geom.Vec3{0, 0, 4}, 1e-6)); n > 24 {
			t.Errorf("a cube needs %d triangles", n)
		}
	}
}

// box is a cube of six n by n grids with a normal each.
func box(n int) *scene.Primitive {
	p := sphere(n, 0)
	p.UV0 = nil
	for i := range p.Positions {
		face := i / ((n + 1) * (n + 1))
		axis, sign := face%3, float32(1)
		if face >= 3 {
			sign = -1
		}
		v := p.Positions[i]
		p.Positions[i] = v.Mul(1 / max(v[0], -v[0], v[1], -v[1], v[2], -v[2]))
		p.Positions[i][axis] = sign
		p.Normals[i] = geom.Vec3{}
		p.Normals[i][axis] = sign
	}
	return p
}
