// Package blobtest is the suite that every kind of storage passes. For tests only.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/heliograph/heliograph/internal/arr"
)

// Container is what the service uses of one.
type Container interface {
	List(ctx context.Context, prefix string, fn func(key string, size int64) error) error
	Download(ctx context.Context, key string, w io.Writer) error
	Upload(ctx context.Context, key string, r io.ReadSeeker, contentType string) error
	Close() error
}

// Fixture is one kind of storage.
type Fixture struct {
	Container Container // empty, and open for everything
	Missing   Container // of a name that does not exist; nil = the kind makes containers as needed
	BigSize   int       // bytes of the large blob; 0 = 64 MiB

	BackslashIsSlash bool // as in Azure
}

// oddNames are keys that storage takes, and that URLs, escapes and file systems are known to spoil.
var oddNames = []string{
	"plain.glb", "with space.glb", "100% wood.png", "tex#1.png", "what?.png", "a+b&c=d;e.png", "quote\"s'.png",
	"Größe/Motorhaube äöü.fbx", "日本語/モデル.gltf", "%2e%2e/percent.bin", "deep/a/b/c/d/e/f.bin", "a:b|c<d>.png", "__0x23__.png", "dots..bin",
	".hidden", "~tilde", "(brackets) [square] {curly}.obj",
}

// Run runs the suite.
func Run(t *testing.T, f Fixture) {
	if f.BigSize == 0 {
		f.BigSize = 64 << 20
	}
	t.Run("Empty", func(t *testing.T) {
		if got := list(t, f.Container, ""); len(got) != 0 {
			t.Errorf("a new container has %v", got)
		}
	})
	t.Run("RoundTrip", func(t *testing.T) { roundTrip(t, f.Container) })
	t.Run("List", func(t *testing.T) { testList(t, f.Container) })
	t.Run("OddNames", func(t *testing.T) { testOddNames(t, f) })
	t.Run("Big", func(t *testing.T) { testBig(t, f.Container, f.BigSize) })
	t.Run("Missing", func(t *testing.T) { testMissing(t, f) })
	t.Run("CallersErrors", func(t *testing.T) { testCallersErrors(t, f.Container) })
	t.Run("Cancelled", func(t *testing.T) { testCancelled(t, f.Container) })
}

func upload(t *testing.T, c Container, key string, data []byte) {
	t.Helper()
	if err := c.Upload(t.Context(), key, bytes.NewReader(data), "application/octet-stream"); err != nil {
		t.Fatalf("upload of %q: %v", key, err)
	}
}

func download(t *testing.T, c Container, key string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := c.Download(t.Context(), key, &b); err != nil {
		t.Fatalf("download of %q: %v", key, err)
	}
	return b.Bytes()
}

func list(t *testing.T, c Container, prefix string) []string {
	t.Helper()
	var keys []string
	err := c.List(t.Context(), prefix, func(key string, _ int64) error {
		keys = append(keys, key)
		return nil
	})
	if err != nil {
		t.Fatalf("list of %q: %v", prefix, err)
	}
	return keys
}

func roundTrip(t *testing.T, c Container) {
	for _, data := range []string{"", "x", strings.Repeat("hello ", 1000)} {
		upload(t, c, "round/trip.bin", []byte(data)) // each replaces the one before
		if got := string(download(t, c, "round/trip.bin")); got != data {
			t.Errorf("got %d bytes, want %d", len(got), len(data))
		}
		err := c.List(t.Context(), "round/", func(key string, size int64) error {
			if key != "round/trip.bin" || size != int64(len(data)) {
				t.Errorf("listed as %q of %d bytes, want %d", key, size, len(data))
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func testList(t *testing.T, c Container) {
	for _, k := range []string{"ls/b/2", "ls/b/1", "ls/a", "ls/b.txt", "ls/b", "lsother"} {
		if k == "ls/b" {
			continue // a directory cannot be a file too
		}
		upload(t, c, k, []byte(k))
	}
	for prefix, want := range map[string][]string{
		"ls/":     {"ls/a", "ls/b.txt", "ls/b/1", "ls/b/2"}, // '.' sorts before '/'
		"ls/b":    {"ls/b.txt", "ls/b/1", "ls/b/2"},
		"ls/b/":   {"ls/b/1", "ls/b/2"},
		"ls/b/1":  {"ls/b/1"},
		"ls":      {"ls/a", "ls/b.txt", "ls/b/1", "ls/b/2", "lsother"},
		"nowhere": nil,
		"no/wh":   nil,
		"ls/../":  nil,
	} {
		if got := list(t, c, prefix); !slices.Equal(got, want) {
			t.Errorf("list of %q: %v, want %v", prefix, got, want)
		}
	}
	stop, n := errors.New("enough"), 0
	err := c.List(t.Context(), "ls/", func(string, int64) error {
		n++
		return stop
	})
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("a list ended after %d blobs with %v, want 1 and the caller's error", n, err)
	}
}

func testOddNames(t *testing.T, f Fixture) {
	c, names := f.Container, oddNames
	if !f.BackslashIsSlash {
		names = append(slices.Clone(names), `back\slash.png`)
	}
	var want []string
	for _, name := range names {
		key := "odd/" + name
		upload(t, c, key, []byte(key))
		want = append(want, key)
	}
	got := list(t, c, "odd/")
	slices.Sort(want)
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("listed\n%q\nwant\n%q", got, want)
	}
	for _, key := range want {
		if got := string(download(t, c, key)); got != key {
			t.Errorf("%q has %q", key, got)
		}
	}
}

func testBig(t *testing.T, c Container, size int) {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(data) // never fails
	upload(t, c, "big.bin", data)
	h := sha256.New()
	if err := c.Download(t.Context(), "big.bin", h); err != nil {
		t.Fatal(err)
	}
	if want := sha256.Sum256(data); !bytes.Equal(h.Sum(nil), want[:]) {
		t.Errorf("%d bytes came back as others", size)
	}
}

func testMissing(t *testing.T, f Fixture) {
	var b bytes.Buffer
	for _, key := range []string{"not/here.bin", "round", "round/trip.bin/deeper"} {
		if err := f.Container.Download(t.Context(), key, &b); arr.CodeOf(err) != arr.CodeNotFound || b.Len() > 0 {
			t.Errorf("download of %q, which is missing: %v, want %s", key, err, arr.CodeNotFound)
		}
	}
	if f.Missing == nil {
		return
	}
	if err := f.Missing.List(t.Context(), "", func(string, int64) error { return nil }); arr.CodeOf(err) != arr.CodeNotFound {
		t.Errorf("list of a missing container: %v", err)
	}
	if err := f.Missing.Download(t.Context(), "a", &b); arr.CodeOf(err) != arr.CodeNotFound {
		t.Errorf("download from a missing container: %v", err)
	}
	if err := f.Missing.Upload(t.Context(), "a", strings.NewReader("a"), "text/plain"); arr.CodeOf(err) != arr.CodeOutputContainer {
		t.Errorf("upload to a missing container: %v", err)
	}
}

// faulty fails as a disk does.
type faulty struct{ err error }

func (f faulty) Write([]byte) (int, error)      { return 0, f.err }
func (f faulty) Read([]byte) (int, error)       { return 0, f.err }
func (f faulty) Seek(int64, int) (int64, error) { return 0, nil }

// testCallersErrors wants what the caller's own reader and writer say back, and no blob of half a reader.
func testCallersErrors(t *testing.T, c Container) {
	own := errors.New("disk full")
	upload(t, c, "own/a", []byte("a"))
	if err := c.Download(t.Context(), "own/a", faulty{own}); err != own { //nolint:errorlint // exactly that
		t.Errorf("got %v, want the writer's error", err)
	}
	half := struct {
		io.Reader
		io.Seeker
	}{io.MultiReader(bytes.NewReader(make([]byte, 100_000)), faulty{own}), faulty{}}
	if err := c.Upload(t.Context(), "own/b", half, "text/plain"); err != own { //nolint:errorlint // exactly that
		t.Errorf("got %v, want the reader's error", err)
	}
	if got := list(t, c, "own/"); !slices.Equal(got, []string{"own/a"}) {
		t.Errorf("after a failed upload there is %v", got)
	}
}

func testCancelled(t *testing.T, c Container) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{
		"list":     c.List(ctx, "", func(string, int64) error { return nil }),
		"download": c.Download(ctx, "round/trip.bin", io.Discard),
		"upload":   c.Upload(ctx, "cancelled", strings.NewReader("x"), "text/plain"),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s of one who has gone: %v, want %v", name, err, context.Canceled)
		}
	}
}
