package conversion_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/conversion"
	"github.com/heliograph/heliograph/internal/converter/child"
	"github.com/heliograph/heliograph/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	accountA = arr.AccountID("aaaaaaaa-0000-4000-8000-000000000001")
	accountB = arr.AccountID("bbbbbbbb-0000-4000-8000-000000000002")

	inURI, outURI = "mem://in", "mem://out"
	inSAS, outSAS = "sv=1&sig=hush-in", "sv=1&sig=hush-out"
)

func keyOf(id string) arr.ConversionKey {
	return arr.ConversionKey{Account: accountA, ID: arr.ConversionID(id)}
}

// settings ask for models/engine.glb.
func settings(edit ...func(*arr.ConversionSettings)) arr.ConversionSettings {
	s := arr.ConversionSettings{
		Input:  arr.InputLocation{ContainerURI: inURI, BlobPrefix: "models", AssetPath: "engine.glb"},
		Output: arr.OutputLocation{ContainerURI: outURI, BlobPrefix: "done"},
	}
	for _, f := range edit {
		f(&s)
	}
	return s
}

// memory is a Storage whose containers want the signatures above.
type memory struct {
	mu    sync.Mutex
	blobs map[string]map[string][]byte // by container and key
	fail  func(op, key string) error   // nil = nothing fails
	fetch []string                     // keys downloaded
	open  int                          // containers not closed
}

func newMemory() *memory {
	return &memory{blobs: map[string]map[string][]byte{
		inURI: {
			"models/engine.glb": []byte("engine"), "models/tex/a.png": []byte("texture"), "models/old.arrAsset": []byte("large"),
			"models/engine.ConversionSettings.json": []byte("{}"), "other/b.glb": []byte("foreign"), "models/tex": {}, "models/dir/": {},
		},
		outURI: {},
	}}
}

func (m *memory) Check(_ arr.AccountID, uri, sas string) error {
	switch want := map[string]string{inURI: inSAS, outURI: outSAS}[uri]; {
	case want == "":
		return arr.Errorf(arr.CodeBadRequest, "no such kind of container")
	case sas == "":
		return arr.Errorf(arr.CodeStorageAccess, "no permissions for the storage")
	}
	return nil
}

func (m *memory) Open(_ context.Context, _ arr.AccountID, uri, sas string) (conversion.Container, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if sas != map[string]string{inURI: inSAS, outURI: outSAS}[uri] {
		return nil, fmt.Errorf("%s?%s: refused", uri, sas)
	}
	m.open++
	return &container{m, uri}, nil
}

type container struct {
	m   *memory
	uri string
}

func (c *container) enter(op, key string) (map[string][]byte, error) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.m.fail != nil {
		if err := c.m.fail(op, key); err != nil {
			return nil, err
		}
	}
	if op == "Download" {
		c.m.fetch = append(c.m.fetch, key)
	}
	return maps.Clone(c.m.blobs[c.uri]), nil
}

func (c *container) List(ctx context.Context, prefix string, fn func(string, int64) error) error {
	blobs, err := c.enter("List", prefix)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(blobs)) {
		if strings.HasPrefix(key, prefix) {
			if err := errors.Join(ctx.Err(), fn(key, int64(len(blobs[key])))); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *container) Download(ctx context.Context, key string, w io.Writer) error {
	blobs, err := c.enter("Download", key)
	if err != nil {
		return err
	}
	blob, ok := blobs[key]
	if !ok {
		return arr.Errorf(arr.CodeNotFound, "no such blob")
	}
	_, err = w.Write(blob)
	return errors.Join(ctx.Err(), err)
}

func (c *container) Upload(ctx context.Context, key string, r io.ReadSeeker, contentType string) error {
	if _, err := c.enter("Upload", key); err != nil {
		return err
	}
	blob, err := io.ReadAll(r)
	if err := errors.Join(ctx.Err(), err); err != nil {
		return err
	}
	if strings.HasSuffix(key, ".json") != (contentType == "application/json") {
		return fmt.Errorf("%s as %s", key, contentType)
	}
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	c.m.blobs[c.uri][key] = blob
	return nil
}

func (c *container) Close() error {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	c.m.open--
	return nil
}

// outputs is what is in the output container.
func (m *memory) outputs() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	texts := map[string]string{}
	for key, blob := range m.blobs[outURI] {
		texts[key] = string(blob)
	}
	return texts
}

// converter is a Converter that works for a second and then does what act says, if it says anything.
type converter struct {
	mu      sync.Mutex
	running int
	most    int
	begun   []string // ids of conversions
	act     func(n int, j child.Job, log io.Writer) (child.Result, error)
}

func (c *converter) Convert(ctx context.Context, j child.Job, log io.Writer, progress func(child.Progress)) (child.Result, error) {
	c.mu.Lock()
	c.begun = append(c.begun, j.ID)
	n, act := len(c.begun), c.act
	c.running++
	c.most = max(c.most, c.running)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.running--
		c.mu.Unlock()
	}()
	progress(child.Progress{Stage: child.StageRead, StageDone: 0.5, Done: 0.5, Rate: 7, Unit: "bytes"})
	if !wait(ctx, time.Second) {
		return child.Result{}, ctx.Err()
	}
	if act != nil {
		return act(n, j, log)
	}
	return succeed(j)
}

// now is how many jobs run, and how many ever ran at a time.
func (c *converter) now() (running, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running, c.most
}

func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// succeed writes outputs as a converter does: the asset names what was in the input directory.
func succeed(j child.Job) (child.Result, error) {
	var found []string
	err := filepath.WalkDir(j.InputDir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(j.InputDir, path)
			found = append(found, filepath.ToSlash(name))
		}
		return err
	})
	if _, rerr := os.Stat(filepath.Join(j.InputDir, filepath.FromSlash(j.InputFile))); rerr != nil {
		err = errors.Join(err, rerr)
	}
	for suffix, text := range map[string]string{
		child.AssetSuffix: strings.Join(found, " "), child.InfoSuffix: "{}", child.ResultSuffix: `[{"result":"succeeded"}]`,
	} {
		err = errors.Join(err, os.WriteFile(filepath.Join(j.OutputDir, j.OutputName+suffix), []byte(text), 0o600))
	}
	return child.Result{Succeeded: true}, err
}

// failWith is what a converter does with a bad source.
func failWith(j child.Job, kind child.Kind, message string) (child.Result, error) {
	_, err := child.WriteReport(j, child.Report{Error: &child.Note{Code: child.CodeInvalidInput, Title: message}})
	return child.Result{Kind: kind, Error: arr.Errorf(arr.CodeConversionFailed, "%s", message)}, err
}

// service is one control plane after another over one store, one storage and one directory.
type service struct {
	t         testing.TB
	store     *storetest.MemoryConversions
	storage   *memory
	converter *converter
	config    conversion.QueueConfig
	metrics   *counts
	log       *bytes.Buffer

	*conversion.Manager
	queue *conversion.Queue
	stop  func()
}

// newService starts a service. To be called in a synctest bubble, and closed by its end.
func newService(t testing.TB, dir string, edit ...func(*conversion.QueueConfig)) *service {
	sealer, err := conversion.OpenSealer(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	s := &service{
		t: t, store: storetest.NewMemoryConversions(), storage: newMemory(), converter: &converter{}, metrics: &counts{}, log: &bytes.Buffer{},
	}
	s.config = conversion.QueueConfig{
		Store: s.store, Storage: s.storage, Converter: s.converter, Sealer: sealer, Dir: filepath.Join(dir, "work"),
		Metrics: s.metrics, Log: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	for _, f := range edit {
		f(&s.config)
	}
	s.start()
	return s
}

func (s *service) start() {
	q, err := conversion.NewQueue(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	s.queue = q
	s.Manager = conversion.NewManager(conversion.ManagerConfig{
		Store: s.config.Store, Storage: s.storage, Sealer: s.config.Sealer, Notify: q.Notify})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("Run: %v", err)
		}
	})
	synctest.Wait()
}

// close ends the service and looks for what it must not leave.
func (s *service) close() {
	s.stop()
	if s.storage.open != 0 {
		s.t.Errorf("%d containers are open", s.storage.open)
	}
	for name, text := range map[string]string{"log": s.log.String(), "files": s.files()} {
		if strings.Contains(text, "hush") {
			s.t.Errorf("a signature is in the %s:\n%s", name, text)
		}
	}
}

// files is all that is in the work directory, names and contents.
func (s *service) files() string {
	var all strings.Builder
	err := filepath.WalkDir(s.config.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(&all, "%s: %s\n", strings.TrimPrefix(path, s.config.Dir), text)
		return err
	})
	if err != nil {
		s.t.Error(err)
	}
	return all.String()
}

var secrets = conversion.Credentials{Input: "?" + inSAS, Output: outSAS}

func (s *service) create(id string, edit ...func(*arr.ConversionSettings)) arr.ConversionKey {
	s.t.Helper()
	return s.createAs(keyOf(id), edit...)
}

func (s *service) createAs(key arr.ConversionKey, edit ...func(*arr.ConversionSettings)) arr.ConversionKey {
	s.t.Helper()
	if _, created, err := s.Create(context.Background(), key, settings(edit...), secrets); err != nil || !created {
		s.t.Fatalf("create %s: created=%v err=%v", key, created, err)
	}
	synctest.Wait()
	return key
}

// want checks the status, and the code and a part of the message of a failure.
func (s *service) want(key arr.ConversionKey, status arr.ConversionStatus, failure ...string) arr.Conversion {
	s.t.Helper()
	synctest.Wait()
	rec, err := s.store.Get(context.Background(), key)
	c := rec.Conversion
	switch {
	case err != nil:
		s.t.Fatalf("get %s: %v", key.ID, err)
	case c.Status != status:
		s.t.Fatalf("%s is %s (%v), want %s\n%s", key.ID, c.Status, c.Error, status, s.log)
	case len(failure) == 0 && c.Error != nil:
		s.t.Fatalf("%s has error %v", key.ID, c.Error)
	case len(failure) == 2 && (c.Error == nil || c.Error.Code != arr.Code(failure[0]) || !strings.Contains(c.Error.Message, failure[1])):
		s.t.Fatalf("%s has error %v, want %v", key.ID, c.Error, failure)
	case status.Terminal() == c.EndedAt.IsZero():
		s.t.Fatalf("%s is %s with end %v", key.ID, status, c.EndedAt)
	case status.Terminal() == (rec.Sealed != nil):
		s.t.Fatalf("%s is %s with %d bytes of credentials", key.ID, status, len(rec.Sealed))
	}
	return c
}

// resultOf is the "result" of the result.json of engine, and how many errors it has.
func (s *service) resultOf(key string) (result string, failures int) {
	s.t.Helper()
	var items []map[string]any
	if err := json.Unmarshal([]byte(s.storage.outputs()[key]), &items); err != nil {
		s.t.Fatalf("%s: %v (%v)", key, err, s.storage.outputs())
	}
	for _, item := range items {
		for name, v := range item {
			if strings.HasSuffix(name, "error") {
				failures++
			}
			if name == "result" {
				result, _ = v.(string)
			}
		}
	}
	return result, failures
}

// counts implements conversion.Metrics.
type counts struct {
	mu               sync.Mutex
	waiting, running int
	ended            []string
	fetched, stored  int64
}

func (c *counts) Live(waiting, running int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting, c.running = waiting, running
}

func (c *counts) Ended(status arr.ConversionStatus, code arr.Code, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = append(c.ended, fmt.Sprint(status, code, " ", took))
}

func (c *counts) Moved(fetched, stored int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fetched += fetched
	c.stored += stored
}
