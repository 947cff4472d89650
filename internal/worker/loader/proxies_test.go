package loader

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

// TestProxies: what is loaded of an asset of many parts has proxies for them.
func TestProxies(t *testing.T) {
	const n = 300
	triangle := &scene.Mesh{Primitives: []scene.Primitive{{
		Positions: []geom.Vec3{{0, 0, 0}, {1, 0, 0}, {0, 1, 0}}, Indices: []uint32{0, 1, 2}, Material: scene.DefaultMaterial(),
	}}}
	triangle.Measure()
	m := &scene.Model{Name: "parts", Meshes: []*scene.Mesh{triangle}}
	for i := range n {
		m.Roots = append(m.Roots, i)
		m.Nodes = append(m.Nodes, scene.Node{
			Parent: -1, Local: geom.TRS(geom.Vec3{float32(2 * i), 0, 0}, geom.Quat{0, 0, 0, 1}, geom.Vec3{1, 1, 1}),
		})
	}
	m.Measure()
	root := t.TempDir()
	file, err := os.Create(filepath.Join(root, "parts"+asset.Extension))
	if err != nil {
		t.Fatal(err)
	}
	_, err = asset.Write(t.Context(), file, m, asset.WriteOptions{})
	if err2 := file.Close(); err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	out, err := New(Config{Roots: []string{root}}).Load(t.Context(), "parts"+asset.Extension, func(string, float64) {})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	nodes, triangles := 0, int64(0)
	for _, p := range out.Model.Proxies {
		nodes += len(p.Nodes)
		triangles += p.Mesh.Triangles()
	}
	if nodes != n || triangles != n || out.Model.Triangles != n || len(out.Model.Meshes) != 1 {
		t.Errorf("proxies of %d nodes and %d triangles; the model has %d meshes", nodes, triangles, len(out.Model.Meshes))
	}
}
