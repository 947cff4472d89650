package loader

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/scene"
)

// DefaultCacheBytes is the size of a cache for which none is given.
const DefaultCacheBytes = 10 << 30

// cache keeps converted models by the contents that they were made of, in a directory that several workers may share. A
// manifest, named after the main file's hash, lists the other files that the model referred to; an asset is named after all.
// Files appear by renaming, and the least recently used go when there are too many.
type cache struct {
	dir     string
	max     int64
	version string // of what converts: another one makes other assets
}

// manifest says what a model was made of besides its main file.
type manifest struct {
	Asset string    `json:"asset"`
	Files []fileSum `json:"files"`
}

// fileSum is a file that a model referred to; Sum is "" for one that was not there.
type fileSum struct {
	Name string `json:"name"`
	Sum  string `json:"sum"`
}

// sumFile hashes a file, or the names in a directory. A file that cannot be opened has the sum "".
func sumFile(ctx context.Context, fsys fs.FS, name string) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", nil //nolint:nilerr // that it cannot be opened is what the model was made of, too
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if d, ok := f.(fs.ReadDirFile); ok {
		if info, err := f.Stat(); err == nil && info.IsDir() {
			entries, err := d.ReadDir(-1)
			names := make([]string, len(entries))
			for i, e := range entries {
				names[i] = e.Name()
			}
			slices.Sort(names)
			_, _ = io.WriteString(h, strings.Join(names, "\x00"))
			return hex.EncodeToString(h.Sum(nil)), err
		}
	}
	if _, err := io.Copy(h, readerFunc(func(b []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return f.Read(b)
	})); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// key names the main file's contents and how they are read.
func (c *cache) key(kind, sum string) string {
	h := sha256.Sum256([]byte(strings.Join([]string{c.version, kind, sum}, "\x00")))
	return hex.EncodeToString(h[:])
}

// assetName is where the asset made of these contents is.
func assetName(key string, files []fileSum) string {
	b, _ := json.Marshal(files) // strings only
	h := sha256.Sum256(append([]byte(key), b...))
	return hex.EncodeToString(h[:]) + asset.Extension
}

// find opens the asset made of these contents; nil if there is none.
func (c *cache) find(ctx context.Context, key string, fsys fs.FS) *os.File {
	b, err := os.ReadFile(filepath.Join(c.dir, key+".json"))
	if err != nil {
		return nil
	}
	var m manifest
	if json.Unmarshal(b, &m) != nil || m.Asset != assetName(key, m.Files) {
		return nil
	}
	for _, f := range m.Files {
		if sum, err := sumFile(ctx, fsys, f.Name); err != nil || sum != f.Sum {
			return nil
		}
	}
	file, err := os.Open(filepath.Join(c.dir, m.Asset))
	if err != nil {
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(file.Name(), now, now) // it is in use
	_ = os.Chtimes(filepath.Join(c.dir, key+".json"), now, now)
	return file
}

// store writes the asset of a model that was made of these contents, and opens it.
func (c *cache) store(ctx context.Context, key string, files []fileSum, m *scene.Model) (*os.File, error) {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(c.dir, ".new-*")
	if err != nil {
		return nil, err
	}
	name := assetName(key, files)
	_, err = asset.Write(ctx, file, m, asset.WriteOptions{Threads: 1, Generator: "heliograph-worker " + c.version})
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(c.dir, name))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	b, err := json.Marshal(manifest{Asset: name, Files: files})
	if err == nil {
		err = c.put(key+".json", b)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	c.trim()
	return file, nil
}

func (c *cache) put(name string, b []byte) error {
	file, err := os.CreateTemp(c.dir, ".new-*")
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), filepath.Join(c.dir, name))
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}

// forget removes an asset that cannot be read.
func (c *cache) forget(file string) { _ = os.Remove(file) }

// worthConverting is from how many triangles and points on an asset draws better than the plain model.
const worthConverting = 50_000

// abandoned is how old a file must be that some worker began to write and did not finish.
const abandoned = 24 * time.Hour

// trim removes the least recently used files until the rest fits. A worker that reads one goes on reading it.
func (c *cache) trim() {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return
	}
	type old struct {
		fs.FileInfo
		path string
	}
	var files []old
	var total int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		path := filepath.Join(c.dir, e.Name())
		if strings.HasPrefix(e.Name(), ".new-") {
			if time.Since(info.ModTime()) > abandoned {
				_ = os.Remove(path)
			}
			continue
		}
		files, total = append(files, old{info, path}), total+info.Size()
	}
	slices.SortFunc(files, func(a, b old) int { return a.ModTime().Compare(b.ModTime()) })
	for _, f := range files {
		if total <= c.max {
			return
		}
		if os.Remove(f.path) == nil {
			total -= f.Size()
		}
	}
}

// recorder notes which files a model refers to.
type recorder struct {
	fs.FS
	mu    sync.Mutex
	names map[string]bool
}

func (r *recorder) Open(name string) (fs.File, error) {
	r.mu.Lock()
	r.names[name] = true
	r.mu.Unlock()
	return r.FS.Open(name)
}

// sums hashes all files but main.
func (r *recorder) sums(ctx context.Context, main string) ([]fileSum, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	files := []fileSum{}
	for name := range r.names {
		if name == main {
			continue
		}
		sum, err := sumFile(ctx, r.FS, name)
		if err != nil {
			return nil, err
		}
		files = append(files, fileSum{name, sum})
	}
	slices.SortFunc(files, func(a, b fileSum) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// cached returns the asset that key stands for, if the cache has it.
func (l *Loader) cached(ctx context.Context, key string, fsys fs.FS, p Progress) *Loaded {
	file := l.cache.find(ctx, key, fsys)
	if file == nil {
		return nil
	}
	name := file.Name()
	out, err := openAssetFile(ctx, file, p)
	if err != nil {
		if arr.CodeOf(err) != "" && ctx.Err() == nil {
			l.cache.forget(name)
		}
		return nil
	}
	return out
}

// convertible is a model that can be converted into the cache; sums lists the files it refers to.
func (l *Loader) convertible(m *scene.Model, key string, sums func(context.Context) ([]fileSum, error),
) func(context.Context) (*Loaded, error) {
	if l.cache == nil || m.Triangles+m.Points < worthConverting {
		return nil
	}
	return func(ctx context.Context) (out *Loaded, err error) {
		atLowPriority(func() {
			var files []fileSum
			if files, err = sums(ctx); err != nil {
				return
			}
			var file *os.File
			if file, err = l.cache.store(ctx, key, files, m); err != nil {
				return
			}
			out, err = openAssetFile(ctx, file, func(string, float64) {})
		})
		return out, err
	}
}
