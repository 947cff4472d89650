package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/backend/backendtest"
	"github.com/heliograph/heliograph/internal/session"
	"github.com/heliograph/heliograph/internal/workerrpc"
)

const account = arr.AccountID("aaaaaaaa-0000-4000-8000-000000000001")

// TestMain runs the tests, or, re-executed as a worker, the smallest worker there is.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "render" && os.Args[2] == "--config" {
		os.Exit(work(os.Args[3]))
	}
	goleak.VerifyTestMain(m)
}

// work is the worker. It behaves by the id of its session: hang… ignores SIGTERM, exit3… exits with 3 instead of
// serving, greedy… takes 512 MiB, parent… has a child that hangs.
func work(config string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	data, err := os.ReadFile(config)
	var c workerrpc.WorkerConfig
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		log.Error("no configuration", "err", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	switch {
	case strings.HasPrefix(c.Session, backendtest.HangPrefix):
		signal.Ignore(syscall.SIGTERM)
		ctx = context.Background()
	case strings.HasPrefix(c.Session, "exit3"):
		fmt.Println("first line\nlast words")
		return 3
	case strings.HasPrefix(c.Session, "greedy"):
		big := make([]byte, 512<<20)
		for i := 0; i < len(big); i += 4096 {
			big[i] = 1
		}
		log.Info("got it all", "bytes", len(big))
	case strings.HasPrefix(c.Session, "parent"):
		child, err := os.StartProcess("/bin/sleep", []string{"sleep", "600"}, &os.ProcAttr{})
		if err != nil {
			log.Error("no child", "err", err)
			return 2
		}
		fmt.Printf("child %d\n", child.Pid)
	}
	client, err := workerrpc.NewClient(c)
	if err != nil {
		log.Error("no client", "err", err)
		return 2
	}
	log.Info("serving")
	err = client.Ready(ctx, workerrpc.ReadyReport{PID: os.Getpid(), Hostname: c.Hostname, HandshakePort: c.PortMin, InspectorPort: c.PortMax})
	if err == nil {
		err = client.RenewLoop(ctx, c.RenewEvery, c.OrphanAfter, func() workerrpc.RenewReport { return workerrpc.RenewReport{} })
	}
	if errors.Is(err, context.Canceled) {
		return 0
	}
	log.Error("ended", "err", err)
	return 1
}

// machine is a directory for workers, and the socket they report to.
type machine struct{ config Config }

// boot makes a machine whose workers report to home. At the end of the test it fails if a worker is still there.
func boot(t *testing.T, home workerrpc.Handler) *machine {
	t.Helper()
	dir := t.TempDir()
	ln, err := workerrpc.Listen(filepath.Join(dir, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- workerrpc.Serve(ctx, ln, workerrpc.NewHandler(home, slog.New(slog.DiscardHandler))) }()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{Config{
		Dir: filepath.Join(dir, "sessions"), Binary: self,
		ControlAddress: "unix:" + filepath.Join(dir, "control.sock"), Hostname: "localhost", BindIP: "127.0.0.1",
		PortMin: 49152, PortMax: 65534, RenewEvery: 50 * time.Millisecond, OrphanAfter: time.Minute,
	}}
	t.Cleanup(func() {
		left, err := scan(m.config.Dir)
		if err != nil {
			t.Error(err)
		}
		for _, s := range left {
			t.Logf("kill worker %d", s.PID)
			if err := (&process{state: s, child: true}).stop(context.Background(), 0); err != nil {
				t.Error(err)
			}
		}
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return m
}

func (m *machine) Open(t *testing.T) session.Backend { return m.open(t) }

func (m *machine) open(t *testing.T) *Backend {
	t.Helper()
	b, err := New(m.config)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (m *machine) Crash(t *testing.T, _ arr.SessionKey, h session.Handle) {
	t.Helper()
	var s state
	if err := json.Unmarshal(h.State, &s); err != nil {
		t.Fatal(err)
	}
	p := &process{state: s}
	if err := p.signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := p.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	backendtest.Run(t, func(t *testing.T, home workerrpc.Handler) backendtest.Machine { return boot(t, home) })
}

// quiet is a control plane that takes every report.
type quiet struct{}

func (quiet) WorkerReady(context.Context, arr.SessionKey, string, arr.Endpoint) error { return nil }
func (quiet) WorkerRenew(context.Context, arr.SessionKey, string) (time.Duration, error) {
	return time.Minute, nil
}

func specOf(id string) session.Spec {
	return session.Spec{Key: arr.SessionKey{Account: account, ID: arr.SessionID(id)}, Size: arr.SizeStandard, ControlToken: "secret"}
}

// exitOf starts a worker and waits for its end.
func exitOf(t *testing.T, b *Backend, spec session.Spec) (exit, log string) {
	t.Helper()
	events, err := b.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h, err := b.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	e := <-events
	tail, err := b.LogTail(t.Context(), spec.Key, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Stop(t.Context(), h, 0); err != nil {
		t.Fatal(err)
	}
	return e.Exit, string(tail)
}

func TestExitAndLastWords(t *testing.T) {
	b := boot(t, quiet{}).open(t)
	spec := specOf("exit3")
	if exit, log := exitOf(t, b, spec); exit != "exit status 3" || log != "first line\nlast words\n" {
		t.Errorf("exit %q, log %q", exit, log)
	}
	if tail, err := b.LogTail(t.Context(), spec.Key, 1); err != nil || string(tail) != "last words\n" {
		t.Errorf("tail %q (%v)", tail, err)
	}
}

// TestMemoryLimit lets the same worker run with room and without. How it dies in the second case is up to what the
// runtime wanted memory for first.
func TestMemoryLimit(t *testing.T) {
	b := boot(t, quiet{}).open(t)
	spec := specOf("greedy-with-room")
	h, err := b.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	awaitLog(t, b, spec.Key, "got it all")
	if err := b.Stop(t.Context(), h, time.Minute); err != nil {
		t.Fatal(err)
	}
	spec = specOf("greedy")
	spec.Profile.MemoryLimitMiB = 300
	if exit, log := exitOf(t, b, spec); exit == "" || exit == "exit status 0" || strings.Contains(log, "got it all") {
		t.Errorf("exit %q, log %.300q", exit, log)
	}
}

// awaitLog waits until the log of key contains text, and returns what follows it.
func awaitLog(t *testing.T, b *Backend, key arr.SessionKey, text string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		log, err := b.LogTail(ctx, key, 100)
		if err != nil {
			t.Fatal(err)
		}
		if _, rest, ok := strings.Cut(string(log), text); ok {
			return rest
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%q is not in the log:\n%s", text, log)
		}
	}
}

// TestGroupDiesWithWorker crashes a worker that has a child of its own.
func TestGroupDiesWithWorker(t *testing.T) {
	m := boot(t, quiet{})
	b := m.open(t)
	events, err := b.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	spec := specOf("parent")
	h, err := b.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(awaitLog(t, b, spec.Key, "child "), &pid); err != nil {
		t.Fatal(err)
	}
	ticks, err := startTicks(pid)
	if err != nil {
		t.Fatal(err)
	}
	m.Crash(t, spec.Key, h)
	<-events
	grandchild := &process{state: state{PID: pid, StartTicks: ticks}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := grandchild.wait(ctx); err != nil {
		t.Errorf("the worker's child lives on: %v", err)
	}
	if err := b.Stop(t.Context(), h, 0); err != nil {
		t.Error(err)
	}
}

// TestRecycledPID must not touch a process that has a worker's number but another start.
func TestRecycledPID(t *testing.T) {
	b := boot(t, quiet{}).open(t)
	ticks, err := startTicks(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	h, err := (&process{state: state{PID: os.Getpid(), StartTicks: ticks + 1, Dir: t.TempDir()}}).handle()
	if err != nil {
		t.Fatal(err)
	}
	if state, err := b.Inspect(t.Context(), h); err != nil || state.Running {
		t.Errorf("state %+v (%v)", state, err)
	}
	if err := b.Stop(t.Context(), h, 0); err != nil { // kills the test if it is wrong
		t.Error(err)
	}
}

func TestFilesArePrivateAndConfigGoes(t *testing.T) {
	m := boot(t, quiet{})
	m.config.IssueCert = func(host string) ([]byte, []byte, error) { return []byte("cert of " + host), []byte("key"), nil }
	m.config.TokenKeys = func() string { return `{"keys":[]}` }
	m.config.PublicIP = "203.0.113.7"
	t.Setenv("HELIOGRAPH_ACCOUNT_KEY", "hidden")
	b := m.open(t)
	spec := specOf("one")
	spec.Profile = session.Profile{MemoryLimitMiB: 2048, PrimitiveBudget: 5}
	h, err := b.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	dir := b.sessionDir(spec.Key)
	for path, want := range map[string]os.FileMode{dir: 0o700, configFile(dir): 0o600, logFile(dir): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	data, err := os.ReadFile(configFile(dir))
	var c workerrpc.WorkerConfig
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil || c.CertPEM != "cert of localhost" || c.TokenKeys != `{"keys":[]}` || c.ControlToken != "secret" || c.MemoryLimit != 2<<30 ||
		c.PrimitiveBudget != 5 || c.Renderer != "auto" || c.PortMin != 49152 || c.PublicIP != "203.0.113.7" {
		t.Errorf("config %+v (%v)", c, err)
	}
	var s state
	if err := json.Unmarshal(h.State, &s); err != nil {
		t.Fatal(err)
	}
	if env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", s.PID)); err != nil || bytes.Contains(env, []byte("hidden")) {
		t.Errorf("the worker sees the settings of the control plane (%v)", err)
	}
	if err := b.Stop(t.Context(), h, time.Minute); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(configFile(dir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the worker's secrets are still there: %v", err)
	}
}

func TestStartFailures(t *testing.T) {
	m := boot(t, quiet{})
	broken := errors.New("no certificate today")
	m.config.IssueCert = func(string) ([]byte, []byte, error) { return nil, nil, broken }
	if _, err := m.open(t).Start(t.Context(), specOf("x")); !errors.Is(err, broken) {
		t.Errorf("start: %v", err)
	}
	for _, binary := range []string{"/no/such/worker", t.TempDir()} {
		c := m.config
		c.Binary = binary
		if _, err := New(c); err == nil {
			t.Errorf("made a backend without a worker: %s", binary)
		}
	}
	if left, err := scan(m.config.Dir); err != nil || len(left) != 0 {
		t.Errorf("left %v (%v)", left, err)
	}
}

func TestSessionDir(t *testing.T) {
	b := &Backend{c: Config{Dir: "/d"}}
	seen := map[string]string{}
	for _, id := range []string{"a", "A", strings.Repeat("x", 200), strings.Repeat("x", 201), strings.Repeat("x", 255) + "a", strings.Repeat("x", 255) + "b"} {
		dir := b.sessionDir(arr.SessionKey{Account: account, ID: arr.SessionID(id)})
		if other, ok := seen[dir]; ok {
			t.Errorf("%s and %s share %s", id, other, dir)
		}
		seen[dir] = id
		if name := filepath.Base(dir); len(name) > 255 || filepath.Dir(filepath.Dir(dir)) != "/d" {
			t.Errorf("directory %s", dir)
		}
	}
}

func TestLogTail(t *testing.T) {
	b := &Backend{c: Config{Dir: t.TempDir()}}
	key := arr.SessionKey{Account: account, ID: "s"}
	if _, err := b.LogTail(t.Context(), key, 1); arr.CodeOf(err) != arr.CodeNotFound {
		t.Errorf("no log: %v", err)
	}
	if err := os.MkdirAll(b.sessionDir(key), 0o700); err != nil {
		t.Fatal(err)
	}
	f := func(content string, n int, want string) {
		t.Helper()
		if err := os.WriteFile(logFile(b.sessionDir(key)), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := b.LogTail(t.Context(), key, n); err != nil || string(got) != want {
			t.Errorf("tail %d of %.40q: %.40q (%v), want %.40q", n, content, got, err, want)
		}
	}
	f("", 3, "")
	f("a\nb\nc\n", 0, "")
	f("a\nb\nc\n", 1, "c\n")
	f("a\nb\nc", 2, "b\nc")
	f("a\nb\nc\n", 9, "a\nb\nc\n")
	f("\n\n\n", 2, "\n\n")
	line := strings.Repeat("x", 999) + "\n"
	f(strings.Repeat(line, 2000), 5000, strings.Repeat(line, maxTail/1000))
}

func TestCapLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), logName)
	writer, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	line := strings.Repeat("x", 1023) + "\n"
	if _, err := writer.WriteString(strings.Repeat(line, maxLog/1024+1)); err != nil {
		t.Fatal(err)
	}
	if err := capLog(path); err != nil {
		t.Fatal(err)
	}
	if _, err := writer.WriteString("end\n"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(data), line) || !strings.HasSuffix(string(data), line+"end\n") || len(data) > keptLog+4 {
		t.Errorf("%d bytes left (%v)", len(data), err)
	}
	if err := errors.Join(capLog(path), capLog(path+"no")); err != nil {
		t.Error(err)
	}
}

// TestManyWatchers is mostly for the race detector.
func TestManyWatchers(t *testing.T) {
	b := boot(t, quiet{}).open(t)
	ctx, cancel := context.WithCancel(t.Context())
	events, err := b.Events(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			if _, err := b.Start(ctx, specOf(fmt.Sprintf("exit3-%d", i))); err != nil {
				t.Error(err)
			}
		})
	}
	seen := map[arr.SessionKey]bool{}
	for range 12 {
		seen[(<-events).Key] = true
	}
	wg.Wait()
	if len(seen) != 12 {
		t.Errorf("events of %d workers, want 12", len(seen))
	}
	cancel()
	for range events {
	}
}
