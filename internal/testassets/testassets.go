// Package testassets finds the shared test files (models, hostile files, golden renderings) that lie beside a checkout,
// at ../shared/assets. For tests only; it reads no file itself.
package testassets

import (
	"os"
	"path/filepath"
	"testing"
)

// Root returns the directory of the shared assets. Without them the test is skipped, or fails where CI=true is set: a
// build that promises the proof must not silently leave it out.
func Root(tb testing.TB) string {
	tb.Helper()
	wd, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	repo, err := repoRoot(wd)
	if err != nil {
		tb.Fatal(err)
	}
	root := filepath.Join(filepath.Dir(repo), "shared", "assets")
	if _, err := os.Stat(root); err != nil {
		missing(tb, root)
	}
	return root
}

// Path returns the path of one shared asset, given slash-separated relative to the root, such as "gltf/Box/glTF/Box.gltf".
func Path(tb testing.TB, name string) string {
	tb.Helper()
	p := filepath.Join(Root(tb), filepath.FromSlash(name))
	if _, err := os.Stat(p); err != nil {
		missing(tb, p)
	}
	return p
}

// repoRoot walks up from dir to the directory that holds go.mod.
func repoRoot(dir string) (string, error) {
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", err
		}
		dir = parent
	}
}

func missing(tb testing.TB, path string) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatalf("shared test assets are required when CI=true, but %s does not exist", path)
	}
	tb.Skipf("shared test assets not found: %s does not exist", path)
}
