package asset_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/gltf"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/testassets"
)

// load imports one of the shared test files.
func load(tb testing.TB, name string) *scene.Model {
	tb.Helper()
	path := testassets.Path(tb, name)
	m, err := gltf.Open(tb.Context(), importer.Source{Root: os.DirFS(filepath.Dir(path)), Name: filepath.Base(path)}, importer.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// write writes a model to a file and opens that.
func write(tb testing.TB, m *scene.Model, o asset.WriteOptions) (*asset.File, asset.Summary, string) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "model"+asset.Extension)
	file, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	sum, err := asset.Write(context.Background(), file, m, o)
	if err != nil {
		tb.Fatal(err)
	}
	if err := file.Close(); err != nil {
		tb.Fatal(err)
	}
	f, err := asset.OpenFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := f.Close(); err != nil {
			tb.Error(err)
		}
	})
	return f, sum, path
}

// tryWrite is the error of writing a model.
func tryWrite(tb testing.TB, m *scene.Model) error {
	tb.Helper()
	file, err := os.Create(filepath.Join(tb.TempDir(), "model"))
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	_, err = asset.Write(tb.Context(), file, m, asset.WriteOptions{})
	return err
}

// TestRealAssets writes models of real files and wants them back: all but geometry and textures the same, those by count and
// size.
func TestRealAssets(t *testing.T) {
	for _, name := range []string{
		"gltf/Fox/glTF-Binary/Fox.glb", "gltf/RecursiveSkeletons/glTF-Binary/RecursiveSkeletons.glb",
		"gltf/TextureTransformMultiTest/glTF-Binary/TextureTransformMultiTest.glb", "gltf/InterpolationTest/glTF-Binary/InterpolationTest.glb",
		"gltf/MorphStressTest/glTF-Binary/MorphStressTest.glb", "scale/machine10k.glb",
	} {
		m := load(t, name)
		f, sum, _ := write(t, m, asset.WriteOptions{Collision: true})
		if err := f.Verify(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := f.Model()
		if got.Triangles != m.Triangles || got.Points != m.Points || len(got.Meshes) != len(m.Meshes) {
			t.Errorf("%s: %d triangles, %d points, %d meshes, want %d, %d, %d", name, got.Triangles, got.Points, len(got.Meshes),
				m.Triangles, m.Points, len(m.Meshes))
		}
		size := m.Bounds.Size().Len()
		if d := got.Bounds.Min.Sub(m.Bounds.Min).Len() + got.Bounds.Max.Sub(m.Bounds.Max).Len(); !(d < 1e-5*size) {
			t.Errorf("%s: bounds %v, want %v", name, got.Bounds, m.Bounds)
		}
		rest := func(m *scene.Model) any {
			out := *m
			out.Meshes, out.Materials, out.Bounds = nil, nil, geom.AABB{}
			return out
		}
		if diff := cmp.Diff(rest(m), rest(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		for i, mat := range m.Materials {
			if g := got.Materials[i]; g.Name != mat.Name || g.BaseColor != mat.BaseColor || g.Roughness != mat.Roughness {
				t.Errorf("%s: material %+v, want %+v", name, g, mat)
			}
		}
		info := f.Info()
		if info.Bytes != sum.Bytes || info.Counts.Nodes != len(m.Nodes) || info.Counts.Textures != len(info.Textures) {
			t.Errorf("%s: %+v", name, info)
		}
		if _, err := json.Marshal(info); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
