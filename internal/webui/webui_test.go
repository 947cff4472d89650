package webui

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
	"testing/fstest"
)

var built = fstest.MapFS{
	"index.html":          {Data: []byte("<title>dashboard</title>")},
	"viewer/index.html":   {Data: []byte("<title>viewer</title>")},
	"placeholder.html":    {Data: []byte("run make web")},
	"assets/app-1a2b.js":  {Data: []byte("export {}")},
	"assets/app-1a2b.css": {Data: []byte("body{}")},
	"favicon.svg":         {Data: []byte("<svg/>")},
	".stamp":              {Data: []byte("secret of the build")},
}

func get(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

func TestFiles(t *testing.T) {
	const pages, forever = "no-cache", "public, max-age=31536000, immutable"
	for _, row := range []struct {
		target, body, contentType, cache string
		status                           int
	}{
		{"/", "<title>dashboard</title>", "text/html; charset=utf-8", pages, 200},
		{"/viewer/", "<title>viewer</title>", "text/html; charset=utf-8", pages, 200},
		{"/assets/app-1a2b.js", "export {}", "text/javascript; charset=utf-8", forever, 200},
		{"/assets/app-1a2b.css", "body{}", "text/css; charset=utf-8", forever, 200},
		{"/favicon.svg", "<svg/>", "image/svg+xml", pages, 200},
		{"/assets/app-old.js", "There is nothing at this path.\n", "text/plain; charset=utf-8", "no-store", 404},
		{"/assets/", "There is nothing at this path.\n", "text/plain; charset=utf-8", "no-store", 404},
		{"/assets", "There is nothing at this path.\n", "text/plain; charset=utf-8", "no-store", 404},
		{"/.stamp", "There is nothing at this path.\n", "text/plain; charset=utf-8", "no-store", 404},
		{"/../webui.go", "There is nothing at this path.\n", "text/plain; charset=utf-8", "no-store", 404},
		{"/accounts/x", "There is nothing at this path.\n", "text/plain; charset=utf-8", "no-store", 404},
	} {
		w := get(handler{built}, http.MethodGet, row.target)
		h := w.Header()
		if w.Code != row.status || w.Body.String() != row.body || h.Get("Content-Type") != row.contentType || h.Get("Cache-Control") != row.cache {
			t.Errorf("GET %s: %d %q %q %q", row.target, w.Code, w.Body, h.Get("Content-Type"), h.Get("Cache-Control"))
		}
		if html := strings.HasSuffix(row.contentType, "html; charset=utf-8"); html != (h.Get("Content-Security-Policy") != "") {
			t.Errorf("GET %s: Content-Security-Policy %q", row.target, h.Get("Content-Security-Policy"))
		}
		if h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("GET %s: nosniff is missing", row.target)
		}
	}
}

func TestMethods(t *testing.T) {
	if w := get(handler{built}, http.MethodPost, "/"); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST /: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
	if w := get(handler{built}, http.MethodHead, "/"); w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Errorf("HEAD /: %d, %d bytes", w.Code, w.Body.Len())
	}
	if w := get(handler{built}, http.MethodGet, "/viewer"); w.Code != http.StatusMovedPermanently || w.Header().Get("Location") != "/viewer/" {
		t.Errorf("GET /viewer: %d %q", w.Code, w.Header().Get("Location"))
	}
}

func TestNotBuilt(t *testing.T) {
	bare := handler{fstest.MapFS{"placeholder.html": built["placeholder.html"]}}
	for _, target := range []string{"/", "/viewer/"} {
		if w := get(bare, http.MethodGet, target); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "make web") {
			t.Errorf("GET %s without pages: %d %q", target, w.Code, w.Body)
		}
	}
}

// TestEmbedded checks that what is embedded, built or not, answers, and that a build makes only files of known types.
func TestEmbedded(t *testing.T) {
	if w := get(Handler(), http.MethodGet, "/"); w.Code != http.StatusOK {
		t.Errorf("GET /: %d", w.Code)
	}
	err := fs.WalkDir(dist, "dist/assets", func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // not built
		}
		if err != nil || d.IsDir() {
			return err
		}
		if contentTypes[path.Ext(name)] == "" {
			t.Errorf("%s has no content type", name)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
