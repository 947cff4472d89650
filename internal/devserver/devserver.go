// Package devserver starts the real binaries for tests: `heliograph serve --dev` on free ports with a data directory of
// its own. It is imported by tests only.
package devserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/readyfile"
)

// BinDirEnv names a directory with ready-built heliograph and heliograph-worker, to save building them.
const BinDirEnv = "HELIOGRAPH_BIN_DIR"

const (
	startTimeout = time.Minute
	stopTimeout  = time.Minute
)

// build is done once a process. The programs stay in the user's cache: no single test may remove what others run.
var build = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv(BinDirEnv); dir != "" {
		for _, name := range []string{"heliograph", "heliograph-worker"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil { // also makes the test's cached result depend on it
				return "", err
			}
		}
		return filepath.Abs(dir)
	}
	if err := dependOnSources(); err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "heliograph-test-bin")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for name, env := range map[string]string{"heliograph": "CGO_ENABLED=0", "heliograph-worker": "CGO_ENABLED=1"} {
		if err := buildOne(dir, name, env); err != nil {
			return "", err
		}
	}
	return dir, nil
})

// buildOne builds a program aside and moves it to dir: test processes of other packages may run the same file right now.
func buildOne(dir, name, env string) (err error) {
	tmp, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", tmp, "github.com/heliograph/heliograph/cmd/"+name)
	cmd.Env = append(os.Environ(), env)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return os.Rename(filepath.Join(tmp, name), filepath.Join(dir, name))
}

// dependOnSources reads the directories of the module's Go code, because `go test` reuses a result as long as nothing
// changes that the test itself has looked at, and what the go command reads does not count.
func dependOnSources() error {
	mod, err := exec.CommandContext(context.Background(), "go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("find the module: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(mod)))
	for _, dir := range []string{"cmd", "internal", "api", "client"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			return err
		}
	}
	return nil
}

// BinDir returns a directory that holds both binaries, building them at the first call of the test process.
func BinDir(t testing.TB) string {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Options shape a server. The zero value is a fresh server.
type Options struct {
	DataDir string   // "" = a temporary directory; give one to restart on the same data
	Args    []string // further arguments of serve
	Env     []string // further "NAME=value", for settings such as HELIOGRAPH_WORKER_ORPHAN_AFTER=5s
}

// Server is a running control plane.
type Server struct {
	readyfile.Info
	DataDir string

	cmd  *exec.Cmd
	log  lockedBuffer
	done chan struct{} // closed when the process has ended; err is set before
	err  error
}

// Start runs a server and waits until it serves. At the end of the test the server is stopped, what it printed is
// logged if the test failed, and its workers are killed.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.DataDir == "" {
		o.DataDir = t.TempDir()
	}
	readyPath := filepath.Join(t.TempDir(), "ready.json")
	args := append([]string{"serve", "--dev", "--data", o.DataDir, "--listen", "127.0.0.1:0", "--dashboard-listen", "127.0.0.1:0",
		"--ready-file", readyPath}, o.Args...)
	// Not bound to the test's context, which ends before the cleanup that stops it in good order.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(BinDir(t), "heliograph"), args...)
	s := &Server{DataDir: o.DataDir, cmd: cmd, done: make(chan struct{})}
	s.cmd.Env = append(append(os.Environ(), "HELIOGRAPH_ADMIN_LISTEN=127.0.0.1:0"), o.Env...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.done)
		s.err = s.cmd.Wait()
	}()
	t.Cleanup(func() {
		s.Stop(t)
		s.killWorkers(t)
		if t.Failed() {
			t.Logf("output of heliograph serve:\n%s", s.log.String())
		}
	})

	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		if info, err := readyfile.Read(readyPath); err == nil {
			s.Info = info
			return s
		}
		select {
		case <-poll.C:
		case <-s.done:
			t.Fatalf("heliograph serve ended before it was ready: %v\n%s", s.err, s.log.String())
		case <-deadline.C:
			t.Fatalf("heliograph serve was not ready within %v\n%s", startTimeout, s.log.String())
		}
	}
}

// Stop ends the server as a user would (SIGTERM), waits, and fails the test if that was not in good order. Stopping
// twice, or after Kill, does nothing.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(stopTimeout):
		_ = s.cmd.Process.Signal(syscall.SIGQUIT) // shows its goroutines in the log
		<-s.done
		t.Errorf("heliograph serve did not end within %v of SIGTERM", stopTimeout)
	}
	if code := s.cmd.ProcessState.ExitCode(); code > 0 { // -1: by a signal
		t.Errorf("heliograph serve ended with exit code %d", code)
	}
}

// Kill ends the server as a crash would (SIGKILL) and waits.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

// Log is what the server has printed so far.
func (s *Server) Log() string { return s.log.String() }

// HTTPClient trusts the server's certificate authority, and with it the workers.
func (s *Server) HTTPClient(t testing.TB) *http.Client {
	t.Helper()
	text, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("no certificate in %s", s.CAFile)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// Workers returns the process ids of the worker processes that run on the server's data directory.
func (s *Server) Workers(t testing.TB) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // ended meanwhile
		}
		args := strings.Split(string(text), "\x00")
		ours := slices.ContainsFunc(args[1:], func(a string) bool { return strings.Contains(a, s.DataDir+"/") })
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f))); err == nil && ours && filepath.Base(args[0]) == "heliograph-worker" {
			pids = append(pids, pid)
		}
	}
	return pids
}

// killWorkers ends the workers, which outlive the control plane by design, and waits: they write into a directory that
// the test is about to remove.
func (s *Server) killWorkers(t testing.TB) {
	t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for pids := s.Workers(t); len(pids) > 0; pids = s.Workers(t) {
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		<-poll.C
	}
}

// Run runs heliograph with args against the server and returns what it printed on each stream.
func (s *Server) Run(ctx context.Context, t testing.TB, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(ctx, filepath.Join(BinDir(t), "heliograph"), args...)
	cmd.Env = append(os.Environ(), "HELIOGRAPH_ENDPOINT="+s.Endpoint, "HELIOGRAPH_STS="+s.STS, "HELIOGRAPH_ACCOUNT_ID="+s.AccountID,
		"HELIOGRAPH_ACCOUNT_KEY="+s.AccountKey, "HELIOGRAPH_CA_FILE="+s.CAFile)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
