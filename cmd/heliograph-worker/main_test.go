package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/pki"
	"github.com/heliograph/heliograph/internal/token"
	"github.com/heliograph/heliograph/internal/workerrpc"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "convert" { // started by child.Run in place of the program
		os.Exit(run(context.Background(), os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

const (
	account = "6b1d4a5e-0f5e-4a52-9a33-3a1f8f1c0b01"
	secret  = "control-token"
)

// control is a control plane for one worker.
type control struct {
	ready chan arr.Endpoint
	gone  chan struct{} // closed: renewals are answered with 410
}

func (c *control) WorkerReady(_ context.Context, key arr.SessionKey, token string, e arr.Endpoint) error {
	if key.ID != "s1" || token != secret {
		return arr.Errorf(arr.CodeUnauthorized, "Who is %s?", key)
	}
	c.ready <- e
	return nil
}

func (c *control) WorkerRenew(context.Context, arr.SessionKey, string) (time.Duration, error) {
	select {
	case <-c.gone:
		return 0, arr.Errorf(arr.CodeNotFound, "It has ended.")
	default:
		return time.Hour, nil
	}
}

// bench is a control plane, and the configuration of a worker that reports to it.
type bench struct {
	*control
	ca     *pki.CA
	config string // file
	stop   func() // ends the control plane
	log    bytes.Buffer
}

func newBench(t *testing.T, orphanAfter time.Duration) *bench {
	t.Helper()
	dir := t.TempDir()
	ca, err := pki.Open(filepath.Join(dir, "ca"), time.Now(), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Issue(time.Now(), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.OpenKeys(filepath.Join(dir, "keys.json"), "")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{control: &control{ready: make(chan arr.Endpoint, 1), gone: make(chan struct{})}, ca: ca, config: filepath.Join(dir, "worker.json")}
	socket := filepath.Join(dir, "control.sock")
	text, err := json.Marshal(workerrpc.WorkerConfig{
		Account: account, Session: "s1", Size: "Standard", ControlAddress: "unix:" + socket, ControlToken: secret,
		Hostname: "localhost", BindIP: "127.0.0.1", PortMin: 49152, PortMax: 65534, CertPEM: string(cert), KeyPEM: string(key),
		TokenKeys: keys.PublicJWKS(), CacheDir: filepath.Join(dir, "cache"), RenewEvery: 20 * time.Millisecond, OrphanAfter: orphanAfter,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := workerrpc.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- workerrpc.Serve(ctx, l, workerrpc.NewHandler(b.control, slog.New(slog.DiscardHandler)))
	}()
	b.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		done <- nil
	}
	t.Cleanup(b.stop)
	return b
}

// start runs the worker and returns its exit code's channel and where it serves.
func (b *bench) start(t *testing.T, ctx context.Context) (exit chan int, e arr.Endpoint) {
	t.Helper()
	exit = make(chan int, 1)
	args := []string{"render", "--config", b.config}
	go func() { exit <- run(ctx, args, os.Getenv, &b.log, &b.log) }()
	select {
	case e = <-b.ready:
	case code := <-exit:
		t.Fatalf("exit code %d: %s", code, &b.log)
	}
	return exit, e
}

func TestRenderServesUntilTheSessionEnds(t *testing.T) {
	b := newBench(t, time.Minute)
	exit, e := b.start(t, t.Context())
	if e.Hostname != "localhost" || e.Teraflops <= 0 {
		t.Errorf("reported %+v", e)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: b.ca.Pool(), MinVersion: tls.VersionTLS12}}}
	defer client.CloseIdleConnections()
	for _, port := range []int{e.HandshakePort, e.InspectorPort} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("https://localhost:%d/healthz", port), nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("port %d answers %s", port, res.Status)
		}
	}
	close(b.gone)
	if code := <-exit; code != exitOK {
		t.Errorf("exit code %d: %s", code, &b.log)
	}
	if strings.Contains(b.log.String(), secret) {
		t.Errorf("the log shows the control token: %s", &b.log)
	}
}

func TestRenderEndsBySignal(t *testing.T) {
	b := newBench(t, time.Minute)
	ctx, signal := context.WithCancel(t.Context())
	exit, _ := b.start(t, ctx)
	signal()
	if code := <-exit; code != exitOK {
		t.Errorf("exit code %d: %s", code, &b.log)
	}
}

func TestRenderEndsWhenOrphaned(t *testing.T) {
	b := newBench(t, 2*time.Second)
	exit, _ := b.start(t, t.Context())
	b.stop()
	if code := <-exit; code != exitOrphaned {
		t.Errorf("exit code %d: %s", code, &b.log)
	}
}

func TestUsage(t *testing.T) {
	damaged := filepath.Join(t.TempDir(), "damaged.json")
	if err := os.WriteFile(damaged, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		exit int
		says string
	}{
		{[]string{"--help"}, exitOK, "Usage: heliograph-worker"},
		{[]string{"--version"}, exitOK, "\n"},
		{nil, exitUsage, "expected"},
		{[]string{"render"}, exitUsage, "--config"},
		{[]string{"render", "--config", "/nowhere/worker.json"}, exitUsage, "no such file"},
		{[]string{"render", "--config", damaged}, exitUsage, `"account"`},
		{[]string{"render", "--config", damaged, "--log-level", "loud"}, exitUsage, "loud"},
	} {
		var out bytes.Buffer
		if code := run(t.Context(), c.args, os.Getenv, &out, &out); code != c.exit || !strings.Contains(out.String(), c.says) {
			t.Errorf("heliograph-worker %v = %d: %s", c.args, code, &out)
		}
	}
}

func TestExitCode(t *testing.T) {
	if code := exitCode(errors.New("something")); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
}
