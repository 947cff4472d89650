package loader

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzLoad: no address may lead to a file outside of the root.
func FuzzLoad(f *testing.F) {
	top, err := os.MkdirTemp("", "loader-fuzz-")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = os.RemoveAll(top) })
	root := filepath.Join(top, "root")
	for _, file := range []string{"root/inside.gltf", "root/deep/inside.gltf", "outside.gltf"} {
		path := filepath.Join(top, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(selfContained()), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	if err := os.Symlink("../outside.gltf", filepath.Join(root, "link.gltf")); err != nil {
		f.Fatal(err)
	}
	for _, uri := range []string{
		"inside.gltf", "deep/inside.gltf", "../outside.gltf", "deep/../../outside.gltf", "link.gltf", "%2e%2e/outside.gltf",
		"file:///etc/passwd.gltf", `..\outside.gltf`, "//outside.gltf", "file://localhost/../outside.gltf", "https://user@host/a.glb", "builtin://cube?triangles=1",
	} {
		f.Add(uri)
	}
	l := New(Config{Roots: []string{root}})
	f.Fuzz(func(t *testing.T, uri string) {
		m, err := l.Load(t.Context(), uri, noProgress)
		if err == nil && m.Model.Name == "outside" {
			t.Errorf("%q left the root", uri)
		}
	})
}
