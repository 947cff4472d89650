package loader

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/geom"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// triangleBin is one triangle's positions; triangleGLTF draws them out of the buffer at uri.
func triangleBin() []byte {
	var b []byte
	for _, f := range []float32{0, 0, 0, 1, 0, 0, 0, 1, 0} {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

func triangleGLTF(uri string) string {
	return fmt.Sprintf(`{"asset":{"version":"2.0"},"buffers":[{"byteLength":36,"uri":%q}],"bufferViews":[{"buffer":0,"byteLength":36}],
"accessors":[{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3","min":[0,0,0],"max":[1,1,0]}],
"meshes":[{"primitives":[{"attributes":{"POSITION":0}}]}],"nodes":[{"mesh":0}],"scenes":[{"nodes":[0]}],"scene":0}`, uri)
}

func selfContained() string {
	return triangleGLTF("data:application/octet-stream;base64," + base64.StdEncoding.EncodeToString(triangleBin()))
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func noProgress(string, float64) {}

// wantCode loads uri and expects that error code, or a model of one triangle for "".
func wantCode(t *testing.T, l *Loader, uri string, code arr.Code) error {
	t.Helper()
	m, err := l.Load(t.Context(), uri, noProgress)
	if got := arr.CodeOf(err); got != code {
		t.Errorf("Load(%q) = %v, want code %q", uri, err, code)
	}
	if err != nil {
		return err
	}
	defer m.Close()
	if m.Model.Triangles != 1 {
		t.Errorf("Load(%q) has %d triangles", uri, m.Model.Triangles)
	}
	return err
}

func TestFilesBelowRootsOnly(t *testing.T) {
	top := t.TempDir()
	root, other := filepath.Join(top, "models"), filepath.Join(top, "other")
	write(t, root, "a/triangle.gltf", selfContained())
	write(t, root, "split.gltf", triangleGLTF("a/b.bin"))
	write(t, root, "a/b.bin", string(triangleBin()))
	write(t, root, "plain.dae", "v 0 0 0")
	write(t, root, "noext", selfContained())
	secret := write(t, top, "secret/secret.gltf", selfContained())
	write(t, top, "secret/secret.bin", string(triangleBin()))
	write(t, root, "leak.gltf", triangleGLTF("../secret/secret.bin"))
	write(t, root, "linked.gltf", triangleGLTF("link/secret.bin"))
	write(t, other, "second.gltf", selfContained())
	for link, target := range map[string]string{
		"link": filepath.Join(top, "secret"), "link.gltf": secret, "rel.gltf": "../secret/secret.gltf", "inside.gltf": "a/triangle.gltf",
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	alias := filepath.Join(top, "alias")
	if err := os.Symlink(root, alias); err != nil {
		t.Fatal(err)
	}
	l := New(Config{Roots: []string{filepath.Join(top, "unmounted"), root, other}})
	for uri, code := range map[string]arr.Code{
		"a/triangle.gltf":                      "",
		"./a/../a/triangle.gltf":               "",
		"split.gltf":                           "",
		"inside.gltf":                          "",
		"second.gltf":                          "",
		filepath.Join(root, "a/triangle.gltf"): "",
		"file://" + filepath.Join(root, "split.gltf"): "",
		"plain.dae":                     arr.CodeBadRequest,
		"noext":                         arr.CodeBadRequest,
		"missing.gltf":                  arr.CodeNotFound,
		"link.gltf":                     arr.CodeNotFound,
		"rel.gltf":                      arr.CodeNotFound,
		"link/secret.gltf":              arr.CodeNotFound,
		"../secret/secret.gltf":         arr.CodeForbidden,
		"a/../../secret/secret.gltf":    arr.CodeForbidden,
		secret:                          arr.CodeForbidden,
		root + "/../secret/secret.gltf": arr.CodeForbidden,
		"file://" + secret:              arr.CodeForbidden,
		"file://elsewhere" + secret:     arr.CodeBadRequest,
		"/etc/passwd":                   arr.CodeBadRequest,
		"a/..\x00.gltf":                 arr.CodeNotFound,
		"leak.gltf":                     arr.CodeUnprocessableEntity,
		"linked.gltf":                   arr.CodeUnprocessableEntity,
		"ftp://host/a.gltf":             arr.CodeBadRequest,
		"http://host/a.gltf":            arr.CodeBadRequest,
		"builtin://nothing":             arr.CodeNotFound,
		"":                              arr.CodeBadRequest,
	} {
		wantCode(t, l, uri, code)
	}
	wantCode(t, New(Config{Roots: []string{alias}}), filepath.Join(root, "a/triangle.gltf"), "")
	wantCode(t, New(Config{Roots: []string{alias}}), filepath.Join(alias, "a/triangle.gltf"), "")
	wantCode(t, New(Config{}), "a/triangle.gltf", arr.CodeForbidden)
}

// TestFormats loads one triangle of each format, by its extension in any case, and from the web.
func TestFormats(t *testing.T) {
	root, mux := t.TempDir(), http.NewServeMux()
	for name, content := range map[string]string{
		"a.gltf": selfContained(),
		"a.OBJ":  "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl red\nf 1 2 3\n",
		"a.mtl":  "newmtl red\nKd 1 0 0\n",
		"a.stl":  "solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\nendsolid a\n",
		"a.ply": "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n" +
			"element face 1\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n",
	} {
		write(t, root, name, content)
		mux.HandleFunc("/"+name, text(content))
	}
	l, base := site(t, mux, Config{Roots: []string{root}})
	for _, name := range []string{"a.gltf", "a.OBJ", "a.stl", "a.ply"} {
		for _, uri := range []string{name, base + "/" + name} {
			var stages []string
			out, err := l.Load(t.Context(), uri, func(stage string, done float64) { stages = append(stages, stage) })
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			if m := out.Model; m.Triangles != 1 || m.Bounds.Size() != (geom.Vec3{1, 1, 0}) || len(m.Warnings) != 0 {
				t.Errorf("%s: %+v", uri, m)
			} else if name == "a.OBJ" && m.Materials[0].BaseColor != (geom.Vec4{1, 0, 0, 1}) {
				t.Errorf("%s: the material is %+v", uri, m.Materials[0])
			}
			if !slices.Contains(stages, StageDecode) {
				t.Errorf("%s: stages %q", uri, stages)
			}
		}
	}
	_, err := New(Config{Roots: []string{root}, MaxTriangles: 1}).Load(t.Context(), "a.dae", noProgress)
	if err == nil || !strings.Contains(err.Error(), "STL") {
		t.Errorf("the refusal %v does not say what is supported", err)
	}
}

func TestBuiltin(t *testing.T) {
	var stages []string
	m, err := New(Config{}).Load(t.Context(), "builtin://cube", func(stage string, done float64) { stages = append(stages, stage) })
	if err != nil || m.Model.Triangles != 12 {
		t.Fatalf("builtin://cube = %v, %v", m, err)
	}
}

func TestCheckBudget(t *testing.T) {
	l := New(Config{MaxTriangles: 100})
	for _, c := range []struct {
		present, more int64
		ok            bool
	}{{0, 100, true}, {60, 40, true}, {60, 41, false}, {0, math.MaxInt64, false}, {50, math.MaxInt64, false}} {
		if err := l.CheckBudget(c.present, c.more); (err == nil) != c.ok {
			t.Errorf("CheckBudget(%d, %d) = %v", c.present, c.more, err)
		}
	}
	if err := New(Config{}).CheckBudget(1<<60, 1<<60); err != nil {
		t.Errorf("without a limit: %v", err)
	}
}

// site is a web server of models that is the only configured host.
func site(t *testing.T, mux *http.ServeMux, c Config) (*Loader, string) {
	t.Helper()
	srv := httptest.NewTLSServer(mux)
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	tr := srv.Client().Transport.(*http.Transport)
	t.Cleanup(tr.CloseIdleConnections)
	c.Hosts = append(c.Hosts, u.Host)
	c.Transport, c.ScratchDir = tr, t.TempDir()
	return New(c), srv.URL
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(s)) }
}

func TestFetchFromConfiguredHostsOnly(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/m/self.gltf", text(selfContained()))
	mux.HandleFunc("/m/split.gltf", text(triangleGLTF("data/b%20c.bin")))
	mux.HandleFunc("/m/up.gltf", text(triangleGLTF("../m/data/b%20c.bin")))
	mux.HandleFunc("/m/broken.gltf", text(triangleGLTF("refused.bin")))
	mux.HandleFunc("/m/elsewhere.gltf", text(triangleGLTF("https://elsewhere.example/b.bin")))
	mux.HandleFunc("/m/data/b%20c.bin", text(string(triangleBin())))
	mux.HandleFunc("/m/refused.bin", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	mux.HandleFunc("/m/signed.gltf", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("sig") != "s3cret" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(selfContained()))
	})
	mux.HandleFunc("/here.gltf", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/m/self.gltf", http.StatusFound) })
	mux.HandleFunc("/there.gltf", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://169.254.169.254/m.gltf", http.StatusFound)
	})
	mux.HandleFunc("/plain.gltf", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/m/self.gltf", http.StatusFound)
	})
	mux.HandleFunc("/loop.gltf", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop.gltf", http.StatusFound) })
	l, base := site(t, mux, Config{})
	for uri, code := range map[string]arr.Code{
		base + "/m/self.gltf":                                     "",
		base + "/m/split.gltf":                                    "",
		base + "/m/up.gltf":                                       "",
		base + "/m/signed.gltf?sig=s3cret":                        "",
		base + "/here.gltf":                                       "",
		base + "/m/missing.gltf":                                  arr.CodeNotFound,
		base + "/m/signed.gltf?sig=wrong":                         arr.CodeBadRequest,
		base + "/m/broken.gltf":                                   arr.CodeBadRequest,
		base + "/m/elsewhere.gltf":                                arr.CodeUnprocessableEntity,
		base + "/m/model.zip":                                     arr.CodeBadRequest,
		base + "/there.gltf":                                      arr.CodeForbidden,
		base + "/plain.gltf":                                      arr.CodeForbidden,
		base + "/loop.gltf":                                       arr.CodeBadRequest,
		"https://elsewhere.example/a.gltf":                        arr.CodeForbidden,
		"https://127.0.0.1/a.gltf":                                arr.CodeForbidden, // the port is not the configured one
		strings.Replace(base, "//", "//u:p@", 1) + "/m/self.gltf": arr.CodeBadRequest,
	} {
		err := wantCode(t, l, uri, code)
		if err != nil && strings.Contains(err.Error(), "sig=") {
			t.Errorf("the error shows the query: %v", err)
		}
	}
	if left, err := os.ReadDir(l.cfg.ScratchDir); err != nil || len(left) != 0 {
		t.Errorf("downloads left %v behind, %v", left, err)
	}
}

func TestFetchIsBounded(t *testing.T) {
	big := selfContained() + strings.Repeat(" ", 10_000)
	mux := http.NewServeMux()
	mux.HandleFunc("/sized.gltf", text(big))
	mux.HandleFunc("/chunked.gltf", func(w http.ResponseWriter, _ *http.Request) {
		for range 100 {
			_, _ = w.Write([]byte(strings.Repeat(" ", 1000)))
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/small.gltf", text(selfContained()))
	l, base := site(t, mux, Config{MaxBytes: 5000})
	wantCode(t, l, base+"/sized.gltf", arr.CodeUnprocessableEntity)
	wantCode(t, l, base+"/chunked.gltf", arr.CodeUnprocessableEntity)
	wantCode(t, l, base+"/small.gltf", "")
}

func TestFetchReportsProgressAndEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	mux := http.NewServeMux()
	mux.HandleFunc("/slow.gltf", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(strings.Repeat(" ", 50)))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	l, base := site(t, mux, Config{})
	start := time.Now()
	_, err := l.Load(ctx, base+"/slow.gltf", func(stage string, done float64) {
		if stage != StageFetch || done != 0.5 {
			t.Errorf("progress %s %v", stage, done)
		}
		cancel()
	})
	if err == nil || ctx.Err() == nil || time.Since(start) > stallTimeout {
		t.Errorf("Load = %v after %v", err, time.Since(start))
	}
}
