package loader

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/scene"
)

// assetBytes is a bumpy square of n x n vertices as an asset.
func assetBytes(t *testing.T, n int) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(1, uint64(n)))
	p := scene.Primitive{Material: scene.DefaultMaterial()}
	for i := range n * n {
		p.Positions = append(p.Positions, geom.Vec3{float32(i % n), r.Float32(), float32(i / n)})
		p.Normals = append(p.Normals, geom.Vec3{0, 1, 0})
	}
	for y := range n - 1 {
		for x := range n - 1 {
			i := uint32(y*n + x)
			p.Indices = append(p.Indices, i, i+uint32(n), i+1, i+1, i+uint32(n), i+uint32(n)+1)
		}
	}
	sm := &scene.Mesh{Primitives: []scene.Primitive{p}}
	sm.Measure()
	m := &scene.Model{
		Name: "bumpy", Meshes: []*scene.Mesh{sm}, Materials: []*scene.Material{p.Material}, Roots: []int{0},
		Nodes: []scene.Node{{Name: "square", Parent: -1, Local: geom.Identity()}},
	}
	m.Measure()
	file, err := os.Create(filepath.Join(t.TempDir(), "a"+asset.Extension))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := asset.Write(t.Context(), file, m, asset.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readAll reads every page of a model, several at once.
func readAll(t *testing.T, m *scene.Model) error {
	t.Helper()
	src := pagedOf(t, m).Source
	var wg sync.WaitGroup
	errs := make([]error, len(src.Pages()))
	for i, p := range src.Pages() {
		wg.Go(func() {
			errs[i] = src.ReadPage(t.Context(), i, mesh.Page{Positions: make([]float32, 3*p.Vertices)})
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func pagedOf(t *testing.T, m *scene.Model) *mesh.Paged {
	t.Helper()
	p, ok := m.Meshes[0].Primitives[0].Paged.(*mesh.Paged)
	if !ok {
		t.Fatal("the model is not paged")
	}
	return p
}

func TestAssetFile(t *testing.T) {
	root := t.TempDir()
	write(t, root, "spheres.arrAsset", string(assetBytes(t, 100)))
	write(t, root, "broken.ARRASSET", "no asset at all")
	l := New(Config{Roots: []string{root}})
	var stages []string
	var last float64
	out, err := l.Load(t.Context(), "spheres.arrAsset", func(stage string, done float64) {
		stages = append(stages, stage)
		if done < last || done > 1 {
			t.Errorf("progress %v after %v", done, last)
		}
		last = done
	})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if out.Model.Triangles != 2*99*99 || out.Convertible() || last != 1 || !slices.Contains(stages, StageFetch) {
		t.Errorf("%d triangles, convertible %v, progress %v in %q", out.Model.Triangles, out.Convertible(), last, stages)
	}
	if err := readAll(t, out.Model); err != nil {
		t.Error(err)
	}
	wantCode(t, l, "broken.ARRASSET", arr.CodeUnprocessableEntity)
	wantCode(t, l, "missing.arrAsset", arr.CodeNotFound)
	wantCode(t, l, "../spheres.arrAsset", arr.CodeForbidden)
}

// TestAssetByRanges: an asset on a web server is read by parts, each part once, and can be drawn before all of it is there.
func TestAssetByRanges(t *testing.T) {
	data := assetBytes(t, 350)
	var served atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/a.arrAsset", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("sig") != "s3cret" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("ETag", `"1"`)
		http.ServeContent(&countingWriter{w, &served}, r, "a", time.Time{}, bytes.NewReader(data))
	})
	l, base := site(t, mux, Config{})
	out, err := l.Load(t.Context(), base+"/a.arrAsset?sig=s3cret", noProgress)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if first := int(served.Load()); first > len(data)*2/3 {
		t.Errorf("opening an asset of %d bytes read %d", len(data), first)
	}
	if err := readAll(t, out.Model); err != nil {
		t.Fatal(err)
	}
	if all := int(served.Load()); all > len(data)+blockBytes {
		t.Errorf("%d bytes were served of an asset of %d", all, len(data))
	}
	if err := readAll(t, out.Model); err != nil || int(served.Load()) > len(data)+blockBytes {
		t.Errorf("the second time read again: %d bytes, %v", served.Load(), err)
	}
	wantCode(t, l, base+"/a.arrAsset?sig=wrong", arr.CodeBadRequest)
	wantCode(t, l, base+"/missing.arrAsset", arr.CodeNotFound)
	if left, err := os.ReadDir(l.cfg.ScratchDir); err != nil || len(left) != 0 {
		t.Errorf("reading left %v behind, %v", left, err)
	}
}

type countingWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (w *countingWriter) Write(b []byte) (int, error) {
	w.n.Add(int64(len(b)))
	return w.ResponseWriter.Write(b)
}

// TestAssetFromAnyServer: servers without ranges, that fail now and then, or whose file changes.
func TestAssetFromAnyServer(t *testing.T) {
	data := assetBytes(t, 240)
	mux := http.NewServeMux()
	mux.HandleFunc("/whole.arrAsset", text(string(data)))
	var requests, changes atomic.Int64
	mux.HandleFunc("/flaky.arrAsset", func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1)%2 == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		http.ServeContent(w, r, "a", time.Time{}, bytes.NewReader(data))
	})
	mux.HandleFunc("/changing.arrAsset", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, changes.Add(1)/2))
		http.ServeContent(w, r, "a", time.Time{}, bytes.NewReader(data))
	})
	mux.HandleFunc("/short.arrAsset", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Range", "bytes 0-9/1000000000000")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(make([]byte, 10))
	})
	l, base := site(t, mux, Config{MaxBytes: int64(len(data))})
	for _, name := range []string{"whole", "flaky"} {
		out, err := l.Load(t.Context(), base+"/"+name+".arrAsset", noProgress)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer out.Close()
		if name == "whole" {
			if err := readAll(t, out.Model); err != nil {
				t.Error(err)
			}
		}
	}
	out, err := l.Load(t.Context(), base+"/changing.arrAsset", noProgress)
	if err == nil {
		err = readAll(t, out.Model)
		out.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("a changing asset: %v", err)
	}
	wantCode(t, l, base+"/short.arrAsset", arr.CodeBadRequest)
	l.cfg.MaxBytes--
	wantCode(t, l, base+"/whole.arrAsset", arr.CodeUnprocessableEntity)
}

// TestCache: a model is converted once, found again by its contents with those of the files it refers to, and made anew when
// either changes.
func TestCache(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	soup := func(material string) string {
		var b strings.Builder
		fmt.Fprintf(&b, "mtllib m.mtl\nusemtl %s\n", material)
		const n = 200
		for y := range n {
			for x := range n {
				fmt.Fprintf(&b, "v %d %d %d\n", x, y, x*y%7)
			}
		}
		for y := range n - 1 {
			for x := range n - 1 {
				i := y*n + x + 1
				fmt.Fprintf(&b, "f %d %d %d\nf %d %d %d\n", i, i+1, i+n, i+1, i+n+1, i+n)
			}
		}
		return b.String()
	}
	write(t, root, "a/model.obj", soup("red"))
	write(t, root, "a/m.mtl", "newmtl red\nKd 1 0 0\n")
	l := New(Config{Roots: []string{root}, CacheDir: dir, Version: "1"})
	load := func(l *Loader) *Loaded {
		t.Helper()
		out, err := l.Load(t.Context(), "a/model.obj", noProgress)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(out.Close)
		return out
	}
	plain := load(l)
	if !plain.Convertible() {
		t.Fatalf("a model of %d triangles is not worth converting", plain.Model.Triangles)
	}
	better, err := plain.Convert(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer better.Close()
	if err := readAll(t, better.Model); err != nil || better.Model.Triangles != plain.Model.Triangles ||
		better.Model.Materials[0].BaseColor != plain.Model.Materials[0].BaseColor || better.Convertible() {
		t.Errorf("converted: %+v, %v", better.Model, err)
	}
	if again := load(l); again.Convertible() || again.Model.Meshes[0].Primitives[0].Paged == nil {
		t.Error("the conversion was not found again")
	}
	if !load(New(Config{Roots: []string{root}, CacheDir: dir, Version: "2"})).Convertible() {
		t.Error("another version's conversion was used")
	}
	write(t, root, "a/m.mtl", "newmtl red\nKd 0 1 0\n")
	if again := load(l); !again.Convertible() || again.Model.Materials[0].BaseColor[1] != 1 {
		t.Error("a changed material file was not noticed")
	}
	write(t, root, "a/m.mtl", "newmtl red\nKd 1 0 0\n")
	if load(l).Convertible() {
		t.Error("the conversion was not found when the material was as before")
	}

	// A damaged asset is as good as none.
	assets, _ := filepath.Glob(filepath.Join(dir, "*"+asset.Extension))
	if len(assets) != 1 {
		t.Fatalf("assets: %q", assets)
	}
	if err := os.Truncate(assets[0], 100); err != nil {
		t.Fatal(err)
	}
	if !load(l).Convertible() {
		t.Error("a damaged asset was used")
	}
	if _, err := os.Stat(assets[0]); err == nil {
		t.Error("a damaged asset was kept")
	}
}

func TestCacheIsBounded(t *testing.T) {
	const limit = 400_000
	dir := t.TempDir()
	l := New(Config{CacheDir: dir, CacheBytes: limit})
	var uris []string
	for i := range 4 {
		uris = append(uris, fmt.Sprintf("builtin://spheres?triangles=%d", 60_000+i*1000))
		out, err := l.Load(t.Context(), uris[i], noProgress)
		if err != nil {
			t.Fatal(err)
		}
		better, err := out.Convert(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer better.Close()
	}
	var total int64
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if total > limit || len(entries) == 0 {
		t.Errorf("%d files of %d bytes are kept", len(entries), total)
	}
	out, err := l.Load(t.Context(), uris[0], noProgress)
	if err != nil || !out.Convertible() {
		t.Errorf("the least recently used is still there, %v", err)
	}
}
