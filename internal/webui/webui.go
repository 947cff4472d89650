// Package webui serves the dashboard and the viewer page, which `make web` builds into dist and the compiler embeds. It
// knows nothing of sessions: the pages speak to the REST API like any other client.
package webui

import (
	"bytes"
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// dist holds at least placeholder.html, so that this package compiles before the pages are built.
//
//go:embed dist
var dist embed.FS

// The pages load nothing from elsewhere, speak to their own origin only, run no inline script, and are shown in no frame.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// contentTypes are those of the files that a build makes. They are fixed here because mime.TypeByExtension depends on
// the machine's tables.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
	".png":  "image/png",
	".json": "application/json; charset=utf-8",
	".txt":  "text/plain; charset=utf-8",
}

// Handler serves "/", "/viewer/" and their assets; unknown paths answer 404 in plain text. Only GET and HEAD are
// allowed.
func Handler() http.Handler {
	root, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the name is a constant
	}
	return handler{root}
}

type handler struct{ root fs.FS }

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "Method not allowed.", http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path == "/viewer" {
		http.Redirect(w, r, "/viewer/", http.StatusMovedPermanently) // the browser keeps the fragment
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if strings.HasSuffix(r.URL.Path, "/") {
		name = path.Join(name, "index.html")
	}
	text, err := h.read(name)
	if err != nil {
		header.Set("Cache-Control", "no-store")
		http.Error(w, "There is nothing at this path.", http.StatusNotFound)
		return
	}
	header.Set("Content-Type", contentTypes[path.Ext(name)])
	header.Set("Cache-Control", cacheControl(name))
	if path.Ext(name) == ".html" {
		header.Set("Content-Security-Policy", contentSecurityPolicy)
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Frame-Options", "DENY")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}

// read returns a built file, or the placeholder for a page of a program that was compiled without the pages.
func (h handler) read(name string) ([]byte, error) {
	if _, known := contentTypes[path.Ext(name)]; !known {
		return nil, fs.ErrNotExist
	}
	text, err := fs.ReadFile(h.root, name)
	if err != nil && (name == "index.html" || name == "viewer/index.html") {
		return fs.ReadFile(h.root, "placeholder.html")
	}
	return text, err
}

// cacheControl lets browsers keep files whose name holds a hash of their content for ever, and nothing else.
func cacheControl(name string) string {
	if strings.HasPrefix(name, "assets/") {
		return "public, max-age=31536000, immutable"
	}
	return "no-cache"
}
