package testassets

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRepoRoot(t *testing.T) {
	root := t.TempDir()
	deep := filepath.Join(root, "a", "b")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "go.mod"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := repoRoot(deep)
	if err != nil || got != root {
		t.Errorf("repoRoot(%s) = %q, %v; want %q", deep, got, err, root)
	}
}

func TestRepoRootOutsideOfAModule(t *testing.T) {
	if got, err := repoRoot(string(filepath.Separator)); err == nil {
		t.Errorf("repoRoot(/) = %q, want an error", got)
	}
}

func TestPath(t *testing.T) {
	p := Path(t, "gltf/Box/glTF/Box.gltf")
	if filepath.Base(p) != "Box.gltf" {
		t.Errorf("Path = %s", p)
	}
}

func TestMissing(t *testing.T) {
	for _, c := range []struct {
		ci            string
		skip, failure bool
	}{{"", true, false}, {"true", false, true}} {
		t.Setenv("CI", c.ci)
		fake := &recorder{TB: t}
		missing(fake, "nowhere")
		if fake.skipped != c.skip || fake.failed != c.failure {
			t.Errorf("CI=%q: skipped %v, failed %v; want %v, %v", c.ci, fake.skipped, fake.failed, c.skip, c.failure)
		}
	}
}

// recorder notes Skipf and Fatalf. Unlike the real ones they return, so CI=true must reach Fatalf first.
type recorder struct {
	testing.TB
	skipped, failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Skipf(string, ...any)  { r.skipped = !r.failed }
func (r *recorder) Fatalf(string, ...any) { r.failed = true }
