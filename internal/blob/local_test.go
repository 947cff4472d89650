package blob

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/blob/blobtest"
)

func openURI(t *testing.T, o *Opener, uri, sas string) *Container {
	t.Helper()
	c, err := o.Open(t.Context(), testAccount, uri, sas)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestLocal(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "models"), 0o755); err != nil {
		t.Fatal(err)
	}
	o, err := New(Config{Local: Local{Roots: []string{root}}})
	if err != nil {
		t.Fatal(err)
	}
	blobtest.Run(t, blobtest.Fixture{Container: openURI(t, o, "file://"+root+"/models", "")})
	missing := openURI(t, o, "file://"+root+"/other/deep", "")
	if err := missing.List(t.Context(), "", nil); arr.CodeOf(err) != arr.CodeNotFound {
		t.Errorf("a directory that is missing: %v", err)
	}
	if err := missing.Upload(t.Context(), "a/b", strings.NewReader("x"), ""); err != nil {
		t.Errorf("an output directory is made: %v", err)
	}
}

// TestLocalStaysInside tries the ways out of a container and of its root.
func TestLocalStaysInside(t *testing.T) {
	outside, root := t.TempDir(), t.TempDir()
	write := func(name string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("data"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(outside, "secret"))
	write(filepath.Join(root, "sibling", "file"))
	write(filepath.Join(root, "in", "file"))
	for link, to := range map[string]string{"to-file": "file", "out": filepath.Join(outside, "secret"), "dir": outside, "loop": ".", "gone": "nothing"} {
		if err := os.Symlink(to, filepath.Join(root, "in", link)); err != nil {
			t.Fatal(err)
		}
	}
	o, err := New(Config{Local: Local{Roots: []string{root}}})
	if err != nil {
		t.Fatal(err)
	}
	c := openURI(t, o, "file://"+root+"/in/", "")
	for _, key := range []string{"../sibling/file", "/etc/passwd", "out", "dir/secret", "a/../file", "./file", "", ".", "..", "file/", "loop"} {
		if err := c.Download(t.Context(), key, io.Discard); err == nil {
			t.Errorf("read %q", key)
		}
		if err := c.Upload(t.Context(), key, strings.NewReader("bad"), ""); err == nil && key != "out" && key != "loop" { // a link is replaced
			t.Errorf("wrote %q", key)
		}
	}
	if b, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(b) != "data" {
		t.Errorf("the file outside has %q, %v", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(root, "sibling", "file")); err != nil || string(b) != "data" {
		t.Errorf("the sibling has %q, %v", b, err)
	}
	for _, replaced := range []string{"out", "loop"} {
		if info, err := os.Lstat(filepath.Join(root, "in", replaced)); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s is not replaced: %v, %v", replaced, info, err)
		}
		if err := os.Remove(filepath.Join(root, "in", replaced)); err != nil {
			t.Fatal(err)
		}
	}
	var keys []string
	err = c.List(t.Context(), "", func(key string, _ int64) error {
		keys = append(keys, key)
		return nil
	})
	if want := []string{"file", "to-file"}; err != nil || !slices.Equal(keys, want) {
		t.Errorf("listed %v, %v, want %v", keys, err, want)
	}
	for _, uri := range []string{"file://" + outside, "file://" + root + "/../x", "file://" + filepath.Dir(root), "file:///", "file://" + root + "x"} {
		if err := o.Check(testAccount, uri, ""); err == nil {
			t.Errorf("%s is allowed", uri)
		}
	}
}
