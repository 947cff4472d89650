package blob

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// localBucket is a directory below a configured root. os.Root keeps every access in that, links included.
type localBucket struct {
	root *os.Root
	dir  string // below root, with "/"; "." = root itself
}

// temporary begins the names of files that are being written. They are not blobs.
const temporary = ".heliograph-upload-"

var errOutside = errors.New("the key is no path below the container")

func openLocal(p place) (bucket, error) {
	root, err := os.OpenRoot(p.root)
	if err != nil {
		return nil, err
	}
	return localBucket{root, p.container}, nil
}

// file is the path of a blob below root.
func (b localBucket) file(key string) (string, error) {
	if !fs.ValidPath(key) || key == "." || strings.HasPrefix(path.Base(key), temporary) {
		return "", errOutside
	}
	return path.Join(b.dir, key), nil
}

func (b localBucket) list(ctx context.Context, prefix string, fn func(key string, size int64) error) error {
	if _, err := b.root.Stat(b.dir); err != nil {
		return err
	}
	// The walk begins in the deepest directory that prefix names.
	start := ""
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		start = prefix[:i+1]
	}
	if start != "" && !fs.ValidPath(strings.TrimSuffix(start, "/")) {
		return nil // no key is like that
	}
	return b.walk(ctx, start, prefix, fn)
}

// walk lists what lies in a directory, whose keys begin with dir ("" or ending in "/"). A directory's name sorts with its
// slash, so that keys ascend.
func (b localBucket) walk(ctx context.Context, dir, prefix string, fn func(key string, size int64) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := fs.ReadDir(b.root.FS(), path.Join(b.dir, dir))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) && dir != "" {
		return nil
	}
	if err != nil {
		return err
	}
	key := func(e fs.DirEntry) string {
		if e.IsDir() {
			return dir + e.Name() + "/"
		}
		return dir + e.Name()
	}
	slices.SortFunc(entries, func(x, y fs.DirEntry) int { return cmp.Compare(key(x), key(y)) })
	for _, e := range entries {
		k := key(e)
		switch {
		case e.IsDir():
			if strings.HasPrefix(k, prefix) || strings.HasPrefix(prefix, k) {
				if err := b.walk(ctx, k, prefix, fn); err != nil {
					return err
				}
			}
		case strings.HasPrefix(k, prefix) && !strings.HasPrefix(e.Name(), temporary):
			// Links are followed to files, never to directories, which may be their own ancestors.
			info, err := b.root.Stat(path.Join(b.dir, k))
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			if err := fn(k, info.Size()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b localBucket) read(ctx context.Context, key string) (io.ReadCloser, error) {
	name, err := b.file(key)
	if err != nil {
		return nil, err
	}
	info, err := b.root.Stat(name)
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return nil, fs.ErrNotExist
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fs.ErrNotExist // opening a pipe or a device may block
	}
	f, err := b.root.Open(name)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{readerOf(ctx, f), f}, nil
}

func (b localBucket) write(ctx context.Context, key string, r io.ReadSeeker, _ string) error {
	name, err := b.file(key)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	if err := b.root.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	part := path.Join(dir, temporary+rand.Text())
	f, err := b.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, readerOf(ctx, r))
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = b.root.Rename(part, name)
	}
	if err != nil {
		_ = b.root.Remove(part) // err says more
	}
	return err
}

func (b localBucket) close() error { return b.root.Close() }

// readerOf reads r until ctx ends.
func readerOf(ctx context.Context, r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
