//go:build unix

package mesh_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/gltf"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/testassets"
)

// pixel is the angle of a pixel at 720 lines and a field of view of 60 degrees.
var pixel = 2 * math.Tan(math.Pi/6) / 720

// TestAssets: real meshes of millions of triangles become one small cluster, and cost what the screen can show.
func TestAssets(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("takes seconds, and minutes with the race detector; scripts/go-test.sh runs it without")
	}
	// At one pixel; the rock is noise down to its last triangle, the terrain is mostly smooth.
	for name, most := range map[string]int{"scale/rock1m_meshopt.glb": 400e3, "scale/terrain5m_meshopt.glb": 800e3} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			p := load(t, testassets.Path(t, name))
			var r mesh.Paged
			r.Bounds = geom.Empty()
			start := processor()
			err := mesh.BuildHierarchy(context.Background(), p, mesh.HierarchyOptions{}, func(g mesh.Group, m *mesh.Mesh, makers []int32) error {
				for i, c := range m.Clusters {
					if makers[i] < 0 {
						r.FullTriangles += int64(c.Triangles)
						r.Bounds = r.Bounds.Union(m.Bounds)
					}
				}
				r.Groups, r.Clusters, r.Makers = append(r.Groups, g), append(r.Clusters, m.Clusters...), append(r.Makers, makers...)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			millions := float64(r.FullTriangles) / 1e6
			t.Logf("%.2f M triangles, %d clusters, %.2f CPU seconds per million", millions, len(r.Clusters), (processor()-start).Seconds()/millions)
			last := r.Groups[len(r.Groups)-1]
			if last.Clusters != 1 || r.Clusters[last.FirstCluster].Triangles > 16 || !math.IsInf(float64(last.Error), 1) {
				t.Errorf("the coarsest group: %+v", last)
			}
			radius := r.Bounds.Size().Len() / 2
			for _, far := range []float32{1.2, 1.9, 5} {
				eye := r.Bounds.Center().Add(geom.Vec3{0.6, 0.5, 0.62}.Mul(far * radius))
				for _, px := range []float64{0.25, 1} {
					n := cutSize(&r, eye, px*pixel)
					t.Logf("from %.1f radii at %.2f pixels: %d triangles", far, px, n)
					if px == 1 && n > most {
						t.Errorf("from %.1f radii at %.2f pixels: %d triangles", far, px, n)
					}
				}
			}
		})
	}
}

// load returns the primitive with most triangles of a GLB file.
func load(t *testing.T, path string) (best *scene.Primitive) {
	t.Helper()
	m, err := gltf.Open(t.Context(), importer.Source{Root: os.DirFS(filepath.Dir(path)), Name: filepath.Base(path)}, importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, me := range m.Meshes {
		for i := range me.Primitives {
			if p := &me.Primitives[i]; best == nil || p.Triangles() > best.Triangles() {
				best = p
			}
		}
	}
	return best
}

// cutSize is the number of triangles of a cut, in every direction.
func cutSize(p *mesh.Paged, eye geom.Vec3, tolerance float64) (n int) {
	for i := range p.Groups {
		if !refined(p, int32(i), eye, tolerance) {
			continue
		}
		g := &p.Groups[i]
		for k := g.FirstCluster; k < g.FirstCluster+g.Clusters; k++ {
			if m := p.Makers[k]; m < 0 || !refined(p, m, eye, tolerance) {
				n += int(p.Clusters[k].Triangles)
			}
		}
	}
	return n
}
