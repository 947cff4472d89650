package session_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/backend/fake"
	"github.com/heliograph/heliograph/internal/session"
	"github.com/heliograph/heliograph/internal/store/storetest"
	"github.com/heliograph/heliograph/internal/workerrpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The Reconciler is what workerrpc serves.
var _ workerrpc.Handler = (*session.Reconciler)(nil)

const account = arr.AccountID("aaaaaaaa-0000-4000-8000-000000000001")

func keyOf(id string) arr.SessionKey { return arr.SessionKey{Account: account, ID: arr.SessionID(id)} }

// The durations of the tests; they pass in no time inside a synctest bubble.
const (
	startTimeout = 30 * time.Second
	liveness     = 15 * time.Second
	grace        = 5 * time.Second
	retention    = 30 * 24 * time.Hour
)

// plane is one control plane after another over one store and one machine.
type plane struct {
	store   *storetest.Memory
	host    *fake.Host
	config  session.ReconcilerConfig
	metrics *counts

	*session.Manager
	rec  *session.Reconciler
	stop func() error
}

// newPlane boots a machine and starts a control plane. To be called in a synctest bubble; shut down by its end.
func newPlane(behave func(session.Spec) fake.Behavior, change ...func(*session.ReconcilerConfig)) *plane {
	p := &plane{store: storetest.NewMemory(), host: fake.NewHost(behave), metrics: &counts{live: map[arr.SessionStatus]int{}}}
	p.config = session.ReconcilerConfig{
		Store: p.store, Backend: fake.New(p.host), Log: slog.New(slog.DiscardHandler), Metrics: p.metrics,
		StartTimeout: startTimeout, LivenessTimeout: liveness, StopGrace: grace, Retention: retention,
	}
	for _, f := range change {
		f(&p.config)
	}
	p.start()
	synctest.Wait()
	return p
}

func (p *plane) start() {
	p.rec = session.NewReconciler(p.config)
	p.Manager = session.NewManager(session.ManagerConfig{Store: p.store, Notify: p.rec.Notify})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.rec.Run(ctx) }()
	p.host.SetHome(p.rec)
	p.stop = sync.OnceValue(func() error {
		p.host.SetHome(nil)
		cancel()
		return <-done
	})
}

// close shuts down control plane and machine.
func (p *plane) close(t *testing.T) {
	t.Helper()
	if err := p.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	p.host.Close()
}

// restart ends the control plane, lets the time pass, and starts another.
func (p *plane) restart(t *testing.T, down time.Duration) {
	t.Helper()
	if err := p.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	time.Sleep(down)
	p.start()
	synctest.Wait()
}

func (p *plane) create(t *testing.T, id string, lease int) arr.SessionKey {
	t.Helper()
	if _, created, err := p.Create(t.Context(), keyOf(id), arr.SizeStandard, lease); err != nil || !created {
		t.Fatalf("create %s: created=%v err=%v", id, created, err)
	}
	synctest.Wait()
	return keyOf(id)
}

func (p *plane) get(t *testing.T, key arr.SessionKey) arr.Session {
	t.Helper()
	synctest.Wait()
	s, err := p.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("get %s: %v", key.ID, err)
	}
	return s
}

// want checks the status, and the code and message of an Error.
func (p *plane) want(t *testing.T, key arr.SessionKey, status arr.SessionStatus, failure ...string) arr.Session {
	t.Helper()
	s := p.get(t, key)
	switch {
	case s.Status != status:
		t.Fatalf("%s is %s (%v), want %s", key.ID, s.Status, s.Error, status)
	case len(failure) == 0 && s.Error != nil:
		t.Fatalf("%s has error %v", key.ID, s.Error)
	case len(failure) == 2 && (s.Error == nil || s.Error.Code != arr.Code(failure[0]) || s.Error.Message != failure[1]):
		t.Fatalf("%s has error %v, want %v", key.ID, s.Error, failure)
	case s.Status.Terminal() == s.EndedAt.IsZero():
		t.Fatalf("%s is %s with end %v", key.ID, s.Status, s.EndedAt)
	}
	return s
}

func (p *plane) wantWorkers(t *testing.T, n int) {
	t.Helper()
	synctest.Wait()
	if running := p.host.Running(); len(running) != n {
		t.Fatalf("workers of %v run, want %d", running, n)
	}
}

// counts implements session.Metrics.
type counts struct {
	mu      sync.Mutex
	live    map[arr.SessionStatus]int
	started []time.Duration
	ended   []string
}

func (c *counts) Live(_ arr.Size, status arr.SessionStatus, delta int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live[status] += delta
}

func (c *counts) Started(_ arr.Size, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started = append(c.started, d)
}

func (c *counts) Ended(_ arr.Size, status arr.SessionStatus, code arr.Code) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = append(c.ended, string(status)+string(code))
}
