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
	"github.com/heliograph/heliograph/internal/asset"
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
	CacheDir     string   // for converted models, may be shared; "" = models are not converted
	CacheBytes   int64    // of converted models; 0 = DefaultCacheBytes
	Version      string   // of this program: others' conversions are not used
	MaxBytes     int64    // of one model with the files it refers to, and of what it decodes to; 0 = defaultMaxBytes
	MaxTriangles int64    // 0 = no limit
	Transport    http.RoundTripper
}

const defaultMaxBytes = 2 << 30

// Loader loads models. It is safe for concurrent use.
type Loader struct {
	cfg    Config
	client *http.Client
	cache  *cache // nil: models are not converted
}

// New returns a loader; it opens nothing.
func New(c Config) *Loader {
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultMaxBytes
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = DefaultCacheBytes
	}
	l := &Loader{cfg: c}
	if c.CacheDir != "" {
		l.cache = &cache{dir: c.CacheDir, max: c.CacheBytes, version: c.Version}
	}
	l.client = &http.Client{Transport: c.Transport, CheckRedirect: l.checkRedirect}
	return l
}

// Load loads the model at uri: builtin://NAME, https://HOST/PATH, file:///PATH, or a path, which is relative to one of
// the roots or absolute and below one. Assets are opened, other formats imported, or opened from the cache of converted models.
// Errors are *arr.Error where uri or the model is at fault.
func (l *Loader) Load(ctx context.Context, uri string, p Progress) (*Loaded, error) {
	scheme, _, ok := strings.Cut(uri, "://")
	if !ok {
		return l.loadFile(ctx, uri, p)
	}
	switch strings.ToLower(scheme) {
	case "builtin":
		return l.loadBuiltin(ctx, uri, p)
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

// loadBuiltin makes a built-in model, or opens what it was converted to.
func (l *Loader) loadBuiltin(ctx context.Context, uri string, p Progress) (*Loaded, error) {
	key := ""
	if l.cache != nil {
		key = l.cache.key("builtin", strings.ToLower(uri))
		if out := l.cached(ctx, key, nil, p); out != nil {
			return out, nil
		}
	}
	m, err := builtin.Open(ctx, uri, func(done float64) { p(StageDecode, done) })
	if err != nil {
		return nil, err
	}
	none := func(context.Context) ([]fileSum, error) { return []fileSum{}, nil }
	return &Loaded{Model: m, convert: l.convertible(m, key, none)}, nil
}

// load imports a model, or opens what it was converted to. done ends the use of src, also if importing fails.
func (l *Loader) load(ctx context.Context, open opener, src importer.Source, o importer.Options, done func()) (*Loaded, error) {
	key, files := "", &recorder{FS: src.Root, names: map[string]bool{}}
	if l.cache != nil {
		sum, err := sumFile(ctx, src.Root, src.Name)
		if err != nil {
			done()
			return nil, err
		}
		key = l.cache.key(path.Base(src.Name), sum)
		if out := l.cached(ctx, key, src.Root, o.Progress); out != nil {
			done()
			return out, nil
		}
		src.Root = files
	}
	m, err := open(ctx, src, o)
	if err != nil {
		done()
		return nil, err
	}
	sums := func(ctx context.Context) ([]fileSum, error) { return files.sums(ctx, src.Name) }
	out := &Loaded{Model: m, convert: l.convertible(m, key, sums), close: done}
	if !out.Convertible() {
		out.Close() // the model needs nothing more
	}
	return out, nil
}

// loadFile opens name through os.Root, which follows no link and no ".." out of the root.
func (l *Loader) loadFile(ctx context.Context, name string, p Progress) (*Loaded, error) {
	open, err := importerOf(name)
	if err != nil && !isAsset(name) {
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
		done := func() { _ = root.Close() }
		info, err := root.Stat(rel)
		switch {
		case err != nil:
			done()
			continue // not there, or it leads out of the root: the answer does not tell which
		case !info.Mode().IsRegular():
			done()
			return nil, arr.Errorf(arr.CodeBadRequest, "%q is not a file.", name)
		case isAsset(name):
			defer done()
			file, err := root.Open(rel)
			if err != nil {
				return nil, arr.Errorf(arr.CodeNotFound, "%q cannot be opened.", name)
			}
			return openAssetFile(ctx, file, p)
		}
		return l.load(ctx, open, importer.Source{Root: root.FS(), Name: filepath.ToSlash(rel)}, l.options(p), done)
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

// isAsset reports whether a file is an asset, by its name.
func isAsset(name string) bool { return strings.EqualFold(path.Ext(name), asset.Extension) }

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
	names := []string{"assets (" + asset.Extension + ")"}
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
