package loader

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/importer"
)

const (
	fetchTimeout = 15 * time.Minute // of one model with all its files
	stallTimeout = 30 * time.Second // without a byte
	maxRedirects = 5
	maxFiles     = 1000 // that one model refers to
)

// checkURL allows https to the configured hosts, and nothing that would carry secrets along.
func (l *Loader) checkURL(u *url.URL) error {
	if u.Scheme != "https" {
		return arr.Errorf(arr.CodeForbidden, "Models are fetched by https only.")
	}
	if u.User != nil {
		return arr.Errorf(arr.CodeBadRequest, "The model's address must not hold a user name or password.")
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	for _, h := range l.cfg.Hosts {
		host, hostPort, err := net.SplitHostPort(h)
		if err != nil {
			host, hostPort = h, "443"
		}
		if strings.EqualFold(host, u.Hostname()) && hostPort == port {
			return nil
		}
	}
	return arr.Errorf(arr.CodeForbidden, "Models are not fetched from %s: the operator allows hosts in worker.modelHosts.", u.Host)
}

func (l *Loader) checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return arr.Errorf(arr.CodeBadRequest, "The model's address redirects more than %d times.", maxRedirects)
	}
	r.Header.Del("Referer") // addresses may hold a signature in their query
	return l.checkURL(r.URL)
}

func (l *Loader) loadURL(ctx context.Context, u *url.URL, p Progress) (*Loaded, error) {
	open, err := importerOf(u.Path)
	if err != nil && !isAsset(u.Path) {
		return nil, err
	}
	if err := l.checkURL(u); err != nil {
		return nil, err
	}
	if isAsset(u.Path) {
		return l.loadAssetURL(ctx, u, p)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	f := &fetched{
		ctx: ctx, l: l, main: u, name: strings.TrimPrefix(path.Clean("/"+u.Path), "/"), left: l.cfg.MaxBytes,
		progress: p, files: map[string]*os.File{},
	}
	if _, err := f.get(f.name); err != nil { // first, so that its progress is shown
		f.close()
		return nil, err
	}
	out, err := l.load(ctx, open, importer.Source{Root: f, Name: f.name}, l.options(func(stage string, done float64) {
		if stage != StageFetch { // that is over, all but the files that the model refers to
			p(stage, done)
		}
	}), f.close)
	if err != nil && f.failed != nil {
		return nil, f.failed // says more than that a file cannot be read
	}
	return out, err
}

// fetched is the web server of a model as a file system. A file is downloaded when it is first opened,
// into a file without a name, so that nothing stays behind, whatever happens to this process.
type fetched struct {
	ctx      context.Context //nolint:containedctx // io/fs knows no context, and this value lives for one load only
	l        *Loader
	main     *url.URL
	name     string // of the main file, which alone keeps the query of the address
	progress Progress

	mu     sync.Mutex
	left   int64 // bytes that may still be fetched
	files  map[string]*os.File
	failed error // the first download that broke off, other than by "not found"
}

// Open implements fs.FS.
func (f *fetched) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	file, err := f.get(name)
	if err != nil {
		if arr.CodeOf(err) == arr.CodeNotFound {
			err = fs.ErrNotExist
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return &section{io.NewSectionReader(file, 0, info.Size()), info}, nil
}

// section is an independent reader of a file that stays open for others.
type section struct {
	*io.SectionReader
	info fs.FileInfo
}

func (s *section) Stat() (fs.FileInfo, error) { return s.info, nil }
func (s *section) Close() error               { return nil }

func (f *fetched) get(name string) (*os.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if file := f.files[name]; file != nil {
		return file, nil
	}
	if len(f.files) >= maxFiles {
		return nil, arr.Errorf(arr.CodeUnprocessableEntity, "The model refers to more than %d files.", maxFiles)
	}
	u := *f.main
	if name != f.name {
		u.RawPath, u.RawQuery = "", ""
		u.Path = "/" + name
	}
	file, n, err := f.download(&u, name == f.name)
	if err != nil {
		if f.failed == nil && arr.CodeOf(err) != arr.CodeNotFound {
			f.failed = err
		}
		return nil, err
	}
	f.left -= n
	f.files[name] = file
	return file, nil
}

func (f *fetched) download(u *url.URL, report bool) (file *os.File, n int64, err error) {
	ctx, cancel := context.WithCancelCause(f.ctx)
	defer cancel(nil)
	stalled := arr.Errorf(arr.CodeBadRequest, "%s sent nothing for %v.", u.Host, stallTimeout)
	stall := time.AfterFunc(stallTimeout, func() { cancel(stalled) })
	defer stall.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, 0, err
	}
	res, err := f.l.client.Do(req)
	if err != nil {
		return nil, 0, f.explain(ctx, u, err)
	}
	defer res.Body.Close()
	size := res.ContentLength // -1 = unknown
	switch {
	case res.StatusCode == http.StatusNotFound:
		return nil, 0, arr.Errorf(arr.CodeNotFound, "There is no model at %s%s.", u.Host, u.Path)
	case res.StatusCode != http.StatusOK:
		return nil, 0, arr.Errorf(arr.CodeBadRequest, "%s answers %s.", u.Host, res.Status)
	case size > f.left:
		return nil, 0, f.tooLarge()
	}
	file, err = scratchFile(f.l.cfg.ScratchDir)
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	w := writerFunc(func(b []byte) (int, error) {
		stall.Reset(stallTimeout)
		k, err := file.Write(b)
		n += int64(k)
		if report && size > 0 {
			f.progress(StageFetch, float64(n)/float64(size))
		}
		return k, err
	})
	if _, err := io.Copy(w, io.LimitReader(res.Body, f.left+1)); err != nil {
		return nil, 0, f.explain(ctx, u, err)
	}
	if n > f.left {
		return nil, 0, f.tooLarge()
	}
	return file, n, nil
}

func (f *fetched) tooLarge() error {
	return arr.Errorf(arr.CodeUnprocessableEntity, "The model and its files are larger than %d bytes.", f.l.cfg.MaxBytes)
}

// explain says why a download broke off, in words that hold no query of the address.
func (f *fetched) explain(ctx context.Context, u *url.URL, err error) error {
	if e := (*arr.Error)(nil); errors.As(err, &e) { // from checkRedirect
		return e
	}
	if cause := context.Cause(ctx); cause != nil {
		if errors.Is(cause, context.DeadlineExceeded) {
			return arr.Errorf(arr.CodeBadRequest, "The model could not be fetched within %v.", fetchTimeout)
		}
		return cause
	}
	if e := (*url.Error)(nil); errors.As(err, &e) {
		err = e.Err // without the address
	}
	return arr.Errorf(arr.CodeBadRequest, "The model cannot be fetched from %s: %v.", u.Host, err)
}

func (f *fetched) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, file := range f.files {
		file.Close()
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
