package assets

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/gltf"
)

// TestTerrain: what the benchmarks convert is a valid model whose normals are those of its surface.
func TestTerrain(t *testing.T) {
	ter := terrainOf(20_000)
	file := filepath.Join(t.TempDir(), "terrain.glb")
	if err := ter.writeGLB(file); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := gltf.Open(t.Context(), importer.Source{Name: "terrain.glb", Data: data}, importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if m.Triangles != ter.triangles() {
		t.Errorf("%d triangles, want %d", m.Triangles, ter.triangles())
	}
	p := m.Meshes[0].Primitives[0]
	var sum float64
	for i := 0; i < len(p.Indices); i += 3 {
		face := importer.FaceNormal(p.Positions[p.Indices[i]], p.Positions[p.Indices[i+1]], p.Positions[p.Indices[i+2]])
		if face[1] <= 0 {
			t.Fatalf("triangle %d looks down: %v", i/3, face)
		}
		sum += float64(face.Dot(p.Normals[p.Indices[i]]))
	}
	if mean := sum / float64(ter.triangles()); mean < 0.9 { // ridges are sharp at this size
		t.Errorf("normals and faces differ: mean cosine %.3f", mean)
	}
}
