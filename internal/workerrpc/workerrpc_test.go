package workerrpc

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/arr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account = "aaaaaaaa-0000-4000-8000-000000000001"
	token   = "secret"
)

var key = arr.SessionKey{Account: account, ID: "s-1"}

// control is a Handler with one session; answer decides what its reports get.
type control struct {
	mu       sync.Mutex
	answer   error
	endpoint arr.Endpoint
	renewals chan struct{}
}

func (c *control) set(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = err
}

func (c *control) check(k arr.SessionKey, tok string) error {
	if k != key {
		return arr.Errorf(arr.CodeNotFound, "unknown session %v", k)
	}
	if tok != token {
		return arr.Errorf(arr.CodeUnauthorized, "wrong token")
	}
	return c.answer
}

func (c *control) WorkerReady(_ context.Context, k arr.SessionKey, tok string, e arr.Endpoint) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endpoint = e
	return c.check(k, tok)
}

func (c *control) WorkerRenew(_ context.Context, k arr.SessionKey, tok string) (time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case c.renewals <- struct{}{}:
	default:
	}
	return 90 * time.Second, c.check(k, tok)
}

// serveAt serves h on a socket until stop.
func serveAt(t *testing.T, path string, h http.Handler) (stop func()) {
	t.Helper()
	ln, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, ln, h) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

func dial(t *testing.T, path string, change func(*WorkerConfig)) *Client {
	t.Helper()
	config := WorkerConfig{Account: account, Session: "s-1", ControlToken: token, ControlAddress: "unix:" + path}
	if change != nil {
		change(&config)
	}
	c, err := NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func noReport() RenewReport { return RenewReport{} }

func TestReadyAndRenew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	c := &control{renewals: make(chan struct{})}
	serveAt(t, path, NewHandler(c, quietLog()))
	client := dial(t, path, nil)
	if _, ok := client.LeaseLeft(); ok {
		t.Error("a lease before the first renewal")
	}
	if err := client.Ready(t.Context(), ReadyReport{PID: 7, Hostname: "h", HandshakePort: 50000, InspectorPort: 50001, Teraflops: 1.25}); err != nil {
		t.Fatal(err)
	}
	if want := (arr.Endpoint{Hostname: "h", HandshakePort: 50000, InspectorPort: 50001, Teraflops: 1.25}); c.endpoint != want {
		t.Errorf("endpoint %+v, want %+v", c.endpoint, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- client.RenewLoop(ctx, time.Millisecond, time.Minute, noReport) }()
	for range 3 {
		<-c.renewals
	}
	if left, ok := client.LeaseLeft(); !ok || left > 90*time.Second || left < time.Minute {
		t.Errorf("lease left %v %v", left, ok)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled loop: %v", err)
	}
}

func TestEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	c := &control{}
	serveAt(t, path, NewHandler(c, quietLog()))
	f := func(what string, answer error, change func(*WorkerConfig)) {
		t.Helper()
		c.set(answer)
		client := dial(t, path, change)
		if err := client.Ready(t.Context(), ReadyReport{}); !errors.Is(err, ErrEnded) {
			t.Errorf("%s: ready: %v", what, err)
		}
		if err := client.RenewLoop(t.Context(), time.Millisecond, time.Minute, noReport); !errors.Is(err, ErrEnded) {
			t.Errorf("%s: renew: %v", what, err)
		}
	}
	f("ended", arr.Errorf(arr.CodeConflict, "ended"), nil)
	f("unknown", nil, func(c *WorkerConfig) { c.Session = "s-2" })
	f("superseded", nil, func(c *WorkerConfig) { c.ControlToken = "old" })

	c.set(arr.Errorf(arr.CodeBadRequest, "impossible port"))
	err := dial(t, path, nil).Ready(t.Context(), ReadyReport{})
	if errors.Is(err, ErrEnded) || !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "impossible port") {
		t.Errorf("refused report: %v", err)
	}
}

func TestOrphan(t *testing.T) {
	client := dial(t, filepath.Join(t.TempDir(), "control.sock"), nil)
	began := time.Now()
	if err := client.RenewLoop(t.Context(), 10*time.Millisecond, 200*time.Millisecond, noReport); !errors.Is(err, ErrOrphaned) {
		t.Errorf("without a control plane: %v", err)
	}
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Errorf("gave up after %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := client.Ready(ctx, ReadyReport{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ready without a control plane: %v", err)
	}
}

// TestOrphanOfSilence has a control plane that accepts connections and never answers.
func TestOrphanOfSilence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	release := make(chan struct{})
	serveAt(t, path, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-release }))
	if err := dial(t, path, nil).RenewLoop(t.Context(), 10*time.Millisecond, 200*time.Millisecond, noReport); !errors.Is(err, ErrOrphaned) {
		t.Errorf("silent control plane: %v", err)
	}
	close(release)
}

// TestRestart has a worker that finds the next control plane at the same socket, also while that answers 500 at first.
func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	c := &control{renewals: make(chan struct{})}
	stop := serveAt(t, path, NewHandler(c, quietLog()))
	client := dial(t, path, nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- client.RenewLoop(ctx, time.Millisecond, time.Minute, noReport) }()
	for range 3 {
		<-c.renewals
		stop()
		c.set(errors.New("disk on fire"))
		stop = serveAt(t, path, NewHandler(c, quietLog()))
		<-c.renewals
		<-c.renewals
		c.set(nil)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("loop ended with %v", err)
	}
}

func TestReadyWaitsForTheControlPlane(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	client := dial(t, path, nil)
	ended := make(chan error, 1)
	go func() { ended <- client.Ready(t.Context(), ReadyReport{Hostname: "late"}) }()
	c := &control{}
	serveAt(t, path, NewHandler(c, quietLog()))
	if err := <-ended; err != nil || c.endpoint.Hostname != "late" {
		t.Errorf("ready: %v, %+v", err, c.endpoint)
	}
}

func TestHandlerRefuses(t *testing.T) {
	h := NewHandler(&control{}, quietLog())
	f := func(method, path, auth, session, body string, want int) {
		t.Helper()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Authorization", auth)
		r.Header.Set(sessionHeader, session)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s %s %q %q %.20q: %d, want %d", method, path, auth, session, body, w.Code, want)
		}
	}
	const good, name = "Bearer " + token, account + "/s-1"
	f("POST", readyPath, good, name, "{}", 204)
	f("POST", renewPath, good, name, "{}", 200)
	f("POST", readyPath, "", name, "{}", 401)
	f("POST", readyPath, token, name, "{}", 401)
	f("POST", readyPath, good, "", "{}", 401)
	f("POST", readyPath, good, account, "{}", 401)
	f("POST", readyPath, good, "x/s-1", "{}", 400)
	f("POST", readyPath, good, account+"/a/b", "{}", 400)
	f("POST", readyPath, good, name, "", 400)
	f("POST", readyPath, good, name, `{"pid":"x"}`, 400)
	f("POST", readyPath, good, name, `{"hostname":"`+strings.Repeat("x", maxReport)+`"}`, 400)
	f("GET", readyPath, good, name, "", 405)
	f("POST", "/v1/other", good, name, "{}", 404)
}

func TestNewClientRefusesAddresses(t *testing.T) {
	for _, address := range []string{"", "http://host:1", "control.sock"} {
		if _, err := NewClient(WorkerConfig{ControlAddress: address}); err == nil {
			t.Errorf("accepted %q", address)
		}
	}
}

func TestListen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "control.sock")
	first, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v)", info.Mode(), err)
	}
	if _, err := Listen(path); err == nil {
		t.Error("took a socket that is served")
	}
	first.Close()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the name went away: %v", err)
	}
	second, err := Listen(path) // over the stale one
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	file := filepath.Join(dir, "precious")
	if err := os.WriteFile(file, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(file); err == nil {
		t.Error("replaced a file that is no socket")
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "data" {
		t.Errorf("file now %q (%v)", data, err)
	}
	if _, err := Listen(filepath.Join(dir, "no", "dir")); err == nil {
		t.Error("listened in a directory that is not there")
	}
}

func TestLongSocketPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep", 30))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "control.sock")
	ln, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		if conn, err := ln.Accept(); err == nil {
			conn.Close()
		}
	}()
	conn, err := dialUnix(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		t.Errorf("read: %v", err)
	}
}
