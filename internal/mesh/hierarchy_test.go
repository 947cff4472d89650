package mesh_test

import (
	"context"
	"math"
	"testing"
	"time"

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

func TestHierarchyTry(t *testing.T) {
	for name, p := range map[string]*scene.Primitive{"terrain": terrain(400), "sphere": sphere(200, 0.02), "smooth": sphere(200, 0), "soup": soup(5000)} {
		start := time.Now()
		r, err := mesh.Resident(context.Background(), p, mesh.HierarchyOptions{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		d := time.Since(start)
		var tris int
		for _, c := range r.Clusters {
			tris += int(c.Triangles)
		}
		t.Logf("%s: %d tri, %d clusters, %d groups, %d tri in all, %v = %.2f s/M", name, r.FullTriangles, len(r.Clusters), len(r.Groups), tris, d, d.Seconds()/float64(r.FullTriangles)*1e6)
		for _, g := range r.Groups[max(0, len(r.Groups)-8):] {
			n := 0
			for _, c := range r.Clusters[g.FirstCluster : g.FirstCluster+g.Clusters] {
				n += int(c.Triangles)
			}
			t.Logf("  %d clusters %d triangles, r %.3g, error %.3g", g.Clusters, n, g.Radius, g.Error)
		}
	}
}
