// Package loader turns the address of a model into a scene.Model. It reads below the configured roots and fetches from
// the configured hosts; nothing else is ever opened, whatever an address, a link or a model says.
package loader

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/builtin"
	"github.com/heliograph/heliograph/internal/importer/formats"
	"github.com/heliograph/heliograph/internal/scene"
)

// The stages that progress is reported in.
const (
	StageFetch   = "fetch"
	StageDecode  = "decode"
	StagePrepare = "prepare" // the caller's: building what drawing needs
)

// Progress is told how much of a stage is done, 0..1; from any goroutine.
type Progress func(stage string, done float64)

// Config says what may be loaded.
type Config struct {
	Roots        []string // directories
	Hosts        []string // "host", meaning port 443, or "host:port"
	ScratchDir   string   // for files while they are fetched; "" = the system's
	MaxBytes     int64    // of one model with the files it refers to, and of what it decodes to; 0 = defaultMaxBytes
	MaxTriangles int64    // 0 = no limit
	Transport    http.RoundTripper
}

const defaultMaxBytes = 2 << 30

// Loader loads models. It is safe for concurrent use.
type Loader struct {
	cfg    Config
	client *http.Client
}

// New returns a loader; it opens nothing.
func New(c Config) *Loader {
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultMaxBytes
	}
	l := &Loader{cfg: c}
	l.client = &http.Client{Transport: c.Transport, CheckRedirect: l.checkRedirect}
	return l
}

// Load loads the model at uri: builtin://NAME, https://HOST/PATH, file:///PATH, or a path, which is relative to one of
// the roots or absolute and below one. Errors are *arr.Error where uri or the model is at fault.
func (l *Loader) Load(ctx context.Context, uri string, p Progress) (*scene.Model, error) {
	scheme, _, ok := strings.Cut(uri, "://")
	if !ok {
		return l.loadFile(ctx, uri, p)
	}
	switch strings.ToLower(scheme) {
	case "builtin":
		return builtin.Open(ctx, uri, func(done float64) { p(StageDecode, done) })
	case "https":
		u, err := url.Parse(uri)
		if err != nil {
			return nil, arr.Errorf(arr.CodeBadRequest, "The model's address is not a URL.")
		}
		return l.loadURL(ctx, u, p)
	case "file":
		u, err := url.Parse(uri)
		if err != nil || (u.Host != "" && u.Host != "localhost") {
			return nil, arr.Errorf(arr.CodeBadRequest, "The model's address is not a file of this machine.")
		}
		return l.loadFile(ctx, u.Path, p)
	}
	return nil, arr.Errorf(arr.CodeBadRequest, "Models cannot be loaded by %q; give builtin://NAME, https://HOST/PATH or a path.", scheme)
}

// loadFile opens name through os.Root, which follows no link and no ".." out of the root.
func (l *Loader) loadFile(ctx context.Context, name string, p Progress) (*scene.Model, error) {
	open, err := importerOf(name)
	if err != nil {
		return nil, err
	}
	absolute := filepath.IsAbs(name)
	below := false // some root
	for _, dir := range l.cfg.Roots {
		rel := filepath.Clean(name)
		if absolute {
			var ok bool
			if rel, ok = relativeTo(dir, name); !ok {
				continue
			}
		}
		if !filepath.IsLocal(rel) {
			continue
		}
		below = true
		root, err := os.OpenRoot(dir)
		if err != nil {
			continue // a root that is not there, such as an unmounted share, holds no models
		}
		defer func() { _ = root.Close() }() // roots are few
		info, err := root.Stat(rel)
		switch {
		case err != nil:
			continue // not there, or it leads out of the root: the answer does not tell which
		case !info.Mode().IsRegular():
			return nil, arr.Errorf(arr.CodeBadRequest, "%q is not a file.", name)
		}
		return open(ctx, importer.Source{Root: root.FS(), Name: filepath.ToSlash(rel)}, l.options(p))
	}
	if !below {
		return nil, arr.Errorf(arr.CodeForbidden,
			"%q is not below a directory that models may come from: see worker.modelRoots, or serve --dev --models DIR.", name)
	}
	return nil, arr.Errorf(arr.CodeNotFound, "There is no model %q below the directories that models may come from.", name)
}

// relativeTo returns name relative to dir, both as spelled and with dir's own links resolved.
func relativeTo(dir, name string) (string, bool) {
	dirs := []string{dir}
	if real, err := filepath.EvalSymlinks(dir); err == nil && real != dir {
		dirs = append(dirs, real)
	}
	for _, d := range dirs {
		if rel, err := filepath.Rel(d, name); err == nil && filepath.IsLocal(rel) {
			return rel, true
		}
	}
	return "", false
}

// opener is what the importer of a format offers.
type opener func(context.Context, importer.Source, importer.Options) (*scene.Model, error)

// importerOf returns the importer of a format, by the extension of the file's name.
func importerOf(name string) (opener, error) {
	if f, ok := formats.Of(name); ok {
		return f.Open, nil
	}
	if ext := strings.ToLower(path.Ext(name)); ext != "" {
		return nil, arr.Errorf(arr.CodeBadRequest, "Models of type %s cannot be loaded; %s.", ext, supported())
	}
	return nil, arr.Errorf(arr.CodeBadRequest, "%q has no file extension; %s.", name, supported())
}

// supported is part of every refusal, so that people need not look for it.
func supported() string {
	var names []string
	for _, f := range formats.All() {
		names = append(names, f.Name+" ("+strings.Join(f.Extensions, ", ")+")")
	}
	return "supported are " + strings.Join(names, ", ") + " and builtin:// models"
}

// CheckBudget refuses a model that would take the scene over the session's limit of triangles.
func (l *Loader) CheckBudget(present, more int64) error {
	limit := l.cfg.MaxTriangles
	if limit == 0 || (present <= limit && more <= limit-present) {
		return nil
	}
	return arr.Errorf(arr.CodeUnprocessableEntity,
		"The model has %d triangles and the scene %d; a session of this size may show %d.", more, present, limit)
}

func (l *Loader) options(p Progress) importer.Options {
	return importer.Options{TriangleBudget: l.cfg.MaxTriangles, MemoryBudget: l.cfg.MaxBytes, Progress: p}
}
