package conversion

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/converter/child"
)

const (
	transfersAtATime = 8
	maxFiles         = 100_000
	reserve          = 256 << 20 // bytes of the disk that a conversion leaves free
	reportTimeout    = time.Minute
)

// transfer moves the files of one attempt.
type transfer struct {
	storage  Storage
	account  arr.AccountID
	settings arr.ConversionSettings
	secrets  Credentials
	hide     *strings.Replacer // takes the secrets out of texts
	dir      string            // has inputDir and outputDir
	maxInput int64             // bytes; 0 = no limit
	moved    func(fetched, stored int64)
	log      *slog.Logger // of the conversion: its owner reads it
	report   func(child.Progress)
}

// Storage that is busy or cannot be reached is asked again after firstPause, then twice that, up to lastPause.
const (
	firstPause = 5 * time.Second
	lastPause  = 80 * time.Second
)

// persist repeats a transfer that failed for what may pass: hours of work should not be lost for a hiccup of the network
// that outlasts the retries of the storage's own client.
func (t *transfer) persist(ctx context.Context, do func(context.Context) error) error {
	for pause := firstPause; ; pause *= 2 {
		err := do(ctx)
		var passing interface{ Retryable() bool }
		if err == nil || !errors.As(err, &passing) || !passing.Retryable() || pause > lastPause {
			return err
		}
		t.log.Warn("transfer to be tried again", "in", pause, "reason", t.hide.Replace(err.Error()))
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// source is a blob to be fetched.
type source struct {
	key, name string // name is relative to the prefix
	size      int64
}

// fetch brings the source into inputDir.
func (t *transfer) fetch(ctx context.Context) (err error) {
	in := t.settings.Input
	c, err := t.storage.Open(ctx, t.account, in.ContainerURI, string(t.secrets.Input))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	files, err := t.find(ctx, c)
	if err != nil {
		return err
	}
	var total int64
	for _, f := range files {
		total += f.size
	}
	if err := t.checkRoom(total); err != nil {
		return err
	}
	into := filepath.Join(t.dir, inputDir)
	if err := errors.Join(os.RemoveAll(into), os.Mkdir(into, 0o700)); err != nil { // an earlier try may have left something
		return err
	}
	root, err := os.OpenRoot(into)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	t.log.Info("download", "files", len(files), "size", child.Bytes(total))
	m := newMeter(stageDownload, total, t.report)
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(transfersAtATime)
	for _, f := range files {
		group.Go(func() error {
			err := t.fetchOne(gctx, c, root, f, m)
			var local *localError
			if errors.As(err, &local) && f.name != in.AssetPath {
				t.log.Warn("left out: no file can have this name", "blob", f.key, "reason", local.Error())
				return nil
			}
			return err
		})
	}
	err = group.Wait()
	t.moved(m.done.Load(), 0)
	return err
}

// find lists what is to be fetched: of formats of several files all below the prefix, else the model and what tells how to
// convert it (ARR, "Convert models").
func (t *transfer) find(ctx context.Context, c Container) ([]source, error) {
	in := t.settings.Input
	model := in.BlobPrefix + in.AssetPath
	prefixes := []string{in.BlobPrefix}
	if _, single := kindOf(model); single {
		prefixes = []string{strings.TrimSuffix(model, path.Ext(model)) + ".", in.BlobPrefix + path.Join(path.Dir(in.AssetPath), oldSettings)}
	}
	var files []source
	for _, prefix := range prefixes {
		err := c.List(ctx, prefix, func(key string, size int64) error {
			if f := (source{key, strings.TrimPrefix(key, in.BlobPrefix), size}); t.wanted(f, len(prefixes) > 1) {
				files = append(files, f)
			}
			if len(files) > maxFiles {
				return arr.Errorf(arr.CodeInputContainer, "More than %d files are below the prefix of the source.", maxFiles)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	files = t.withoutFolders(files)
	for _, f := range files {
		if f.key == model {
			return files, nil
		}
	}
	return nil, errNoAsset()
}

// errNoAsset has the texts of both generations of the service (contract section 5): tests of clients look for either.
func errNoAsset() *arr.Error {
	return arr.Errorf(arr.CodeInputContainer, "Could not find the asset file in the storage account. Please make sure all paths and "+
		"names are correct and the file is uploaded to storage. Invalid input provided. Check logs in output container for details.")
}

// The files beside a model that tell how to convert it; the first two follow the model's name.
const (
	settingsSuffix  = ".ConversionSettings.json"
	overridesSuffix = ".MaterialOverrides.json"
	oldSettings     = "conversionSettings.json"
)

func (t *transfer) wanted(f source, single bool) bool {
	switch {
	case single:
		return f.name == t.settings.Input.AssetPath || strings.HasSuffix(f.name, settingsSuffix) ||
			strings.HasSuffix(f.name, overridesSuffix) || path.Base(f.name) == oldSettings
	case strings.HasSuffix(f.name, "/") || f.name == "":
		return false // how some tools make a folder visible
	case strings.HasSuffix(f.name, arr.AssetExtension):
		return false // no source refers to an asset, and assets are large
	case !filepath.IsLocal(filepath.FromSlash(f.name)) || !fs.ValidPath(f.name):
		t.log.Warn("left out: not the name of a file", "blob", f.key)
		return false
	}
	return true
}

// withoutFolders leaves out blobs that others are below: storage with a hierarchy lists its folders as empty blobs.
func (t *transfer) withoutFolders(files []source) []source {
	folders := map[string]bool{}
	for _, f := range files {
		for dir := path.Dir(f.name); dir != "."; dir = path.Dir(dir) {
			folders[dir] = true
		}
	}
	var kept []source
	for _, f := range files {
		if !folders[f.name] {
			kept = append(kept, f)
		} else if f.size > 0 {
			t.log.Warn("left out: there is a folder of the same name", "blob", f.key)
		}
	}
	return kept
}

// checkRoom holds the size of a source against the limit and the disk, which must take it and an asset of that size.
func (t *transfer) checkRoom(total int64) error {
	if t.maxInput > 0 && total > t.maxInput {
		return arr.Errorf(arr.CodeInputContainer, "The source has %s, more than the %s that the service takes.",
			child.Bytes(total), child.Bytes(t.maxInput))
	}
	free, ok := diskFree(t.dir)
	if ok && free < 2*total+reserve {
		return arr.Errorf(arr.CodeCapacity, "The service has no room on its disk for a source of %s.", child.Bytes(total))
	}
	return nil
}

// localError is a file that cannot be made, whatever the blob is.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }

func (t *transfer) fetchOne(ctx context.Context, c Container, root *os.Root, f source, m *meter) error {
	name := filepath.FromSlash(f.name)
	err := root.MkdirAll(filepath.Dir(name), 0o700)
	var file *os.File
	if err == nil {
		file, err = root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	}
	if errors.Is(err, syscall.ENOSPC) {
		return err
	}
	if err != nil {
		return &localError{err}
	}
	// A blob may have grown since it was listed, but not beyond what there is room for.
	err = c.Download(ctx, f.key, &limited{w: io.MultiWriter(file, m), left: f.size + reserve/transfersAtATime})
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("download %s: %w", f.key, err)
	}
	return nil
}

// limited fails once more than left bytes are written.
type limited struct {
	w    io.Writer
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, errors.New("the blob has grown while it was read")
	}
	return l.w.Write(p)
}

// outputs are the files of a conversion by what they are, in the order in which they are stored: whoever sees the asset
// sees the rest.
func (t *transfer) outputs() (names []string) {
	stem := strings.TrimSuffix(t.settings.Output.AssetFilename, arr.AssetExtension)
	return []string{stem + child.InfoSuffix, stem + child.ResultSuffix, t.settings.Output.AssetFilename}
}

// store writes the outputs to the output container.
func (t *transfer) store(ctx context.Context) (err error) {
	out := t.settings.Output
	root, err := os.OpenRoot(filepath.Join(t.dir, outputDir))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	var total int64
	for _, name := range t.outputs() {
		info, err := root.Lstat(name)
		if err == nil && !info.Mode().IsRegular() {
			err = errors.New("not a regular file") // the converter is not trusted: it may have been taken over by a bad source
		}
		if err != nil {
			return fmt.Errorf("output %s: %w", name, err)
		}
		total += info.Size()
	}
	c, err := t.storage.Open(ctx, t.account, out.ContainerURI, string(t.secrets.Output))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	t.log.Info("upload", "size", child.Bytes(total))
	m := newMeter(stageUpload, total, t.report)
	for _, name := range t.outputs() {
		if err := t.storeOne(ctx, c, root, name, m); err != nil {
			return fmt.Errorf("upload %s: %w", out.BlobPrefix+name, err)
		}
	}
	t.moved(0, m.done.Load())
	return nil
}

func (t *transfer) storeOne(ctx context.Context, c Container, root *os.Root, name string, m *meter) (err error) {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return c.Upload(ctx, t.settings.Output.BlobPrefix+name, &metered{f, m}, contentType(name))
}

func contentType(name string) string {
	if strings.HasSuffix(name, ".json") {
		return "application/json"
	}
	return "application/octet-stream"
}

// storeFailure writes info.json, if there is one, and result.json, always (issue #86 of ARR), to the output container. It
// is the last that can be done: what goes wrong is only logged.
func (t *transfer) storeFailure(ctx context.Context, rec *Record, out outcome) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
	defer cancel()
	c, err := t.storage.Open(ctx, t.account, t.settings.Output.ContainerURI, string(t.secrets.Output))
	if err != nil {
		t.log.Warn("result not written", "reason", t.hide.Replace(err.Error()))
		return
	}
	defer func() { _ = c.Close() }()
	info, result := t.outputs()[0], t.outputs()[1]
	for _, name := range []string{info, result} {
		text, err := t.readOutput(name)
		if name == result && (err != nil || !out.reported) { // a converter that has succeeded says so
			text, err = json.MarshalIndent(child.Report{ConversionID: string(rec.Key.ID), Error: note(out.err)}, "", "  ")
			text = append(text, '\n')
		}
		if err != nil {
			continue
		}
		if err := c.Upload(ctx, t.settings.Output.BlobPrefix+name, bytes.NewReader(text), contentType(name)); err != nil {
			t.log.Warn("result not written", "file", name, "reason", t.hide.Replace(err.Error()))
			return
		}
	}
}

// note is a failure of the service's part of a conversion, as result.json has it.
func note(e *arr.Error) *child.Note {
	n := &child.Note{Code: child.CodeCrash, Title: e.Message, Details: []child.Detail{{Name: "code", Value: string(e.Code)}}}
	switch e.Code {
	case arr.CodeInputContainer:
		n.Code = child.CodeNoInput
	case arr.CodeOutputContainer:
		n.Code = child.CodeOutput
	case arr.CodeConversionFailed, arr.CodeCapacity:
		n.Code = child.CodeResources
	case arr.CodeInternal:
		n.Internal = true
	}
	return n
}

// readOutput reads a small file that the converter wrote.
func (t *transfer) readOutput(name string) (_ []byte, err error) {
	const most = 16 << 20
	root, err := os.OpenRoot(filepath.Join(t.dir, outputDir))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, errors.New("no small regular file")
	}
	return root.ReadFile(name)
}

// explain is what the user is told of a transfer that failed: storage's own words where they are meant for users, else
// text. The cause is in the log of the conversion.
func (t *transfer) explain(code arr.Code, text string, err error) *arr.Error {
	var e *arr.Error
	if !errors.As(err, &e) || err.Error() != e.Error() { // there is more than the user will be told
		t.log.Error("transfer failed", "reason", t.hide.Replace(err.Error()))
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return arr.Errorf(arr.CodeCapacity, "The service has no room on its disk for the source.")
	case e == nil:
		return arr.Errorf(code, "%s", text)
	case e.Code == arr.CodeCapacity, e.Code == code:
		return e
	case e.Code == arr.CodeNotFound && code == arr.CodeInputContainer:
		return errNoAsset() // it was there when the container was listed
	}
	return arr.Errorf(code, "%s %s", text, t.hide.Replace(e.Message))
}

// meter counts the bytes of a stage and reports.
type meter struct {
	stage  string
	total  int64
	start  time.Time
	report func(child.Progress)
	done   atomic.Int64
}

func newMeter(stage string, total int64, report func(child.Progress)) *meter {
	m := &meter{stage: stage, total: total, start: time.Now(), report: report}
	m.add(0)
	return m
}

func (m *meter) add(n int64) {
	done := m.done.Add(n)
	p := child.Progress{Stage: m.stage, StageDone: 1, Unit: "bytes"}
	if m.total > 0 {
		p.StageDone = min(1, float64(done)/float64(m.total))
	}
	if took := time.Since(m.start).Seconds(); took > 0 {
		p.Rate = float64(done) / took
	}
	m.report(p)
}

// Write counts what is written.
func (m *meter) Write(p []byte) (int, error) {
	m.add(int64(len(p)))
	return len(p), nil
}

// metered counts what is read of a file. Storage may begin again.
type metered struct {
	f *os.File
	m *meter
}

func (r *metered) Read(p []byte) (int, error) {
	n, err := r.f.Read(p)
	r.m.add(int64(n))
	return n, err
}

func (r *metered) Seek(offset int64, whence int) (int64, error) { return r.f.Seek(offset, whence) }
