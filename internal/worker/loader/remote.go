package loader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
)

const (
	blockBytes  = 256 << 10 // a remote file is fetched in multiples of this
	maxRequest  = 4 << 20   // of one request
	firstBlocks = 2         // fetched to begin with: they hold the header, and often the tables
	readTries   = 3
	retryPause  = 500 * time.Millisecond // before the second try; twice as long before each further one
)

// remote is a file of a web server that is read by ranges (RFC 9110 section 14). Blocks that were read are kept in a file
// without a name.
type remote struct {
	l    *Loader
	u    *url.URL
	size int64
	etag string
	file *os.File

	mu      sync.Mutex
	changed sync.Cond // a block's state
	blocks  []blockState
}

type blockState uint8

const (
	blockAbsent blockState = iota
	blockFetching
	blockPresent
)

// openRemote asks for the beginning of a file. A server that does not serve ranges gives all of it at once.
func (l *Loader) openRemote(ctx context.Context, u *url.URL) (*remote, error) {
	file, err := scratchFile(l.cfg.ScratchDir)
	if err != nil {
		return nil, err
	}
	r := &remote{l: l, u: u, file: file}
	r.changed.L = &r.mu
	if err := r.begin(ctx); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// scratchFile makes a file that is gone when it is closed, whatever happens to this process.
func scratchFile(dir string) (*os.File, error) {
	file, err := os.CreateTemp(dir, ".fetch-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

func (r *remote) begin(ctx context.Context) error {
	return r.retry(ctx, func(ctx context.Context) error {
		res, err := r.request(ctx, 0, firstBlocks*blockBytes)
		if err != nil {
			return err
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode == http.StatusOK {
			n, err := io.Copy(io.NewOffsetWriter(r.file, 0), io.LimitReader(res.Body, r.l.cfg.MaxBytes+1))
			if err != nil {
				return err
			}
			if n > r.l.cfg.MaxBytes {
				return arr.Errorf(arr.CodeUnprocessableEntity,
					"%s does not serve parts of files, and the asset is larger than %d bytes.", r.u.Host, r.l.cfg.MaxBytes)
			}
			r.setSize(n)
			r.mark(0, len(r.blocks), blockPresent)
			return nil
		}
		_, total, ok := strings.Cut(res.Header.Get("Content-Range"), "/")
		size, err := strconv.ParseInt(total, 10, 64)
		if !ok || err != nil || size < 0 {
			return arr.Errorf(arr.CodeBadRequest, "%s does not tell how large the asset is.", r.u.Host)
		}
		r.etag = res.Header.Get("ETag")
		r.setSize(size)
		n := min(firstBlocks, len(r.blocks))
		if err := r.keep(res.Body, 0, n); err != nil {
			return err
		}
		r.mark(0, n, blockPresent)
		return nil
	})
}

func (r *remote) setSize(n int64) {
	r.size = n
	r.blocks = make([]blockState, (n+blockBytes-1)/blockBytes)
}

// Size implements asset.Source.
func (r *remote) Size() int64 { return r.size }

// ReadAt implements asset.Source.
func (r *remote) ReadAt(p []byte, off int64) (int, error) {
	return r.ReadAtContext(context.Background(), p, off)
}

// ReadAtContext implements the wider asset.Source.
func (r *remote) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if off < 0 || off >= r.size {
		return 0, io.EOF
	}
	end := min(off+int64(len(p)), r.size)
	if err := r.need(ctx, int(off/blockBytes), int((end+blockBytes-1)/blockBytes)); err != nil {
		return 0, err
	}
	n, err := r.file.ReadAt(p[:end-off], off)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// need waits until blocks from..to are there, and fetches those that nobody else does.
func (r *remote) need(ctx context.Context, from, to int) error {
	stop := context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.changed.Broadcast()
	})
	defer stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for b := from; b < to; {
		switch {
		case r.blocks[b] == blockPresent:
			b++
			continue
		case ctx.Err() != nil:
			return ctx.Err()
		case r.blocks[b] == blockFetching:
			r.changed.Wait()
			continue
		}
		n := b
		for n < to && n-b < maxRequest/blockBytes && r.blocks[n] == blockAbsent {
			r.blocks[n] = blockFetching
			n++
		}
		r.mu.Unlock()
		err := r.fetch(ctx, b, n)
		r.mu.Lock()
		state := blockPresent
		if err != nil {
			state = blockAbsent
		}
		for i := b; i < n; i++ {
			r.blocks[i] = state
		}
		r.changed.Broadcast()
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *remote) mark(from, to int, s blockState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := from; i < to; i++ {
		r.blocks[i] = s
	}
}

// fetch reads blocks from..to into the file.
func (r *remote) fetch(ctx context.Context, from, to int) error {
	return r.retry(ctx, func(ctx context.Context) error {
		off := int64(from) * blockBytes
		res, err := r.request(ctx, off, min(int64(to)*blockBytes, r.size)-off)
		if err != nil {
			return err
		}
		defer func() { _ = res.Body.Close() }()
		if want := fmt.Sprintf("bytes %d-", off); res.StatusCode != http.StatusPartialContent ||
			!strings.HasPrefix(res.Header.Get("Content-Range"), want) || res.Header.Get("ETag") != r.etag {
			return arr.Errorf(arr.CodeBadRequest, "The asset has changed at %s while it was read.", r.u.Host)
		}
		return r.keep(res.Body, from, to)
	})
}

// keep writes what body holds of blocks from..to into the file.
func (r *remote) keep(body io.Reader, from, to int) error {
	off := int64(from) * blockBytes
	n := min(int64(to)*blockBytes, r.size) - off
	if _, err := io.CopyN(io.NewOffsetWriter(r.file, off), body, n); err != nil {
		return fmt.Errorf("the connection broke off: %w", err)
	}
	return nil
}

// request asks for n bytes at off.
func (r *remote) request(ctx context.Context, off, n int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	req.Header.Set("Accept-Encoding", "identity") // ranges of the file itself
	res, err := r.l.client.Do(req)
	if err != nil {
		return nil, err
	}
	switch res.StatusCode {
	case http.StatusOK, http.StatusPartialContent:
		return res, nil
	}
	_ = res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotFound:
		return nil, arr.Errorf(arr.CodeNotFound, "There is no model at %s%s.", r.u.Host, r.u.Path)
	case res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests:
		return nil, fmt.Errorf("it answers %s", res.Status)
	}
	return nil, arr.Errorf(arr.CodeBadRequest, "%s answers %s.", r.u.Host, res.Status)
}

// retry calls f until it succeeds, fails for good, or has failed often enough. Errors show no query of the address.
func (r *remote) retry(ctx context.Context, f func(context.Context) error) error {
	pause := retryPause
	for try := 1; ; try++ {
		err := r.attempt(ctx, f)
		if e := (*arr.Error)(nil); err == nil || errors.As(err, &e) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if try == readTries {
			if e := (*url.Error)(nil); errors.As(err, &e) {
				err = e.Err // without the address
			}
			return arr.Errorf(arr.CodeBadRequest, "The model cannot be fetched from %s: %v.", r.u.Host, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
			pause *= 2
		}
	}
}

// attempt bounds the time of one request.
func (r *remote) attempt(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, stallTimeout, errors.New("it sent too little for too long"))
	defer cancel()
	err := f(ctx)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return context.Cause(ctx)
	}
	return err
}

func (r *remote) close() { _ = r.file.Close() }
