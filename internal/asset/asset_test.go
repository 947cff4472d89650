package asset_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/heliograph/heliograph/internal/asset"
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

func TestScale(t *testing.T) {
	for _, name := range []string{"scale/rock1m_meshopt.glb", "scale/machine10k.glb", "gltf/DamagedHelmet/glTF/DamagedHelmet.gltf"} {
		m := load(t, name)
		f, sum, _ := write(t, m, asset.WriteOptions{})
		if err := f.Verify(t.Context()); err != nil {
			t.Error(err)
		}
		t.Logf("%s %+v", name, sum)
		t.Logf("raw/tri %.2f stored/tri %.2f", float64(sum.RawPageBytes)/float64(sum.Triangles), float64(sum.Bytes)/float64(sum.Triangles))
		t.Logf("%+v", f.Info().Counts)
		t.Logf("%+v", f.Info().Sections)
	}
}
