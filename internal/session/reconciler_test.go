package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/backend/fake"
	"github.com/heliograph/heliograph/internal/session"
)

// inPlane runs f in a bubble with a fresh control plane whose workers all behave like b.
func inPlane(t *testing.T, b fake.Behavior, f func(t *testing.T, p *plane)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(func(session.Spec) fake.Behavior { return b })
		defer p.close(t)
		f(t, p)
	})
}

func TestReadyAndLease(t *testing.T) {
	inPlane(t, fake.Behavior{ReadyAfter: 3 * time.Second}, func(t *testing.T, p *plane) {
		key := p.create(t, "a", 10)
		if s := p.want(t, key, arr.StatusStarting); s.Hostname != "" || s.Teraflops != 0 || !s.ReadyAt.IsZero() {
			t.Errorf("starting: %+v", s)
		}
		time.Sleep(3 * time.Second)
		s := p.want(t, key, arr.StatusReady)
		if s.Hostname != "fake.example" || s.HandshakePort == 0 || s.InspectorPort == s.HandshakePort || s.Teraflops != 1.5 {
			t.Errorf("ready: %+v", s)
		}
		if took := s.ReadyAt.Sub(s.CreatedAt); took != 3*time.Second {
			t.Errorf("ready after %v", took)
		}
		// The lease counts from Ready, not from the creation.
		time.Sleep(10*time.Minute - time.Nanosecond)
		p.want(t, key, arr.StatusReady)
		time.Sleep(time.Nanosecond)
		s = p.want(t, key, arr.StatusExpired)
		if s.EndedAt.Sub(s.ReadyAt) != 10*time.Minute || s.ElapsedMinutes(time.Now().Add(time.Hour)) != 10 || s.Teraflops != 1.5 {
			t.Errorf("expired: %+v", s)
		}
		p.wantWorkers(t, 0)
		if p.metrics.live[arr.StatusStarting] != 0 || p.metrics.live[arr.StatusReady] != 0 ||
			fmt.Sprint(p.metrics.ended, p.metrics.started) != "[Expired] [3s]" {
			t.Errorf("metrics %+v", p.metrics)
		}
	})
}

func TestReadyTakesNoTime(t *testing.T) {
	inPlane(t, fake.Behavior{}, func(t *testing.T, p *plane) {
		key := p.create(t, "a", 10)
		if s := p.want(t, key, arr.StatusReady); s.ReadyAt != s.CreatedAt { // the bubble's clock stands still while anything can run
			t.Errorf("something waited for %v", s.ReadyAt.Sub(s.CreatedAt))
		}
	})
}

func TestZeroLeaseExpiresOnReady(t *testing.T) {
	inPlane(t, fake.Behavior{ReadyAfter: time.Second}, func(t *testing.T, p *plane) {
		key := p.create(t, "a", 0)
		p.want(t, key, arr.StatusStarting)
		time.Sleep(time.Second)
		p.want(t, key, arr.StatusExpired)
		p.wantWorkers(t, 0)
	})
}

func TestExtendMovesTheEnd(t *testing.T) {
	inPlane(t, fake.Behavior{}, func(t *testing.T, p *plane) {
		key := p.create(t, "a", 5)
		time.Sleep(4 * time.Minute)
		if _, err := p.Extend(t.Context(), key, 8); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4*time.Minute - time.Second)
		p.want(t, key, arr.StatusReady)
		time.Sleep(time.Second)
		p.want(t, key, arr.StatusExpired)
	})
}

// lateStore extends the lease of key between the decision to end its session and the update that does, once armed.
type lateStore struct {
	session.Store
	key   arr.SessionKey
	armed atomic.Bool
}

func (s *lateStore) Update(ctx context.Context, key arr.SessionKey, fn func(*session.Record) error) (session.Record, error) {
	if s.armed.Load() && key == s.key {
		if r, err := s.Store.Update(ctx, key, func(r *session.Record) error { r.LeaseMinutes = 10; return nil }); err != nil {
			return r, err
		}
	}
	return s.Store.Update(ctx, key, fn)
}

// TestExtendWinsAtTheEnd has an extension that was accepted in the last moment, after the reconciler read the record.
func TestExtendWinsAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := &lateStore{key: keyOf("a")}
		p := newPlane(nil, func(c *session.ReconcilerConfig) { late.Store, c.Store = c.Store, late })
		defer p.close(t)
		key := p.create(t, "a", 5)
		late.armed.Store(true)
		time.Sleep(10*time.Minute - time.Second)
		p.want(t, key, arr.StatusReady)
		time.Sleep(time.Second)
		p.want(t, key, arr.StatusExpired)
	})
}

func TestFailures(t *testing.T) {
	for _, c := range []struct {
		name     string
		behavior fake.Behavior
		after    time.Duration
		code     arr.Code
		message  string
	}{
		{"refused for good", fake.Behavior{StartError: arr.Errorf(arr.CodeInternal, "no such renderer")}, 0,
			arr.CodeWorkerStartFailed, "The render worker could not be started: no such renderer"},
		{"cannot be started", fake.Behavior{StartError: errors.New("fork: no more")}, startTimeout + 5*time.Second,
			arr.CodeWorkerStartFailed, "The render worker could not be started: fork: no more"},
		{"never ready", fake.Behavior{NeverReady: true}, startTimeout,
			arr.CodeWorkerStartFailed, "The render worker was not ready within 30s (still running)."},
		{"never ready, hangs", fake.Behavior{NeverReady: true, HangsOnStop: true, Log: "a\nwaiting\n"}, startTimeout,
			arr.CodeWorkerStartFailed, "The render worker was not ready within 30s (still running; last words: waiting)."},
		{"ends before ready", fake.Behavior{NeverReady: true, DieAfter: time.Second, Exit: "exit status 3", Log: "x\npanic: boom\n\ngoroutine 1:\n"}, time.Second,
			arr.CodeWorkerStartFailed, "The render worker ended before it was ready (exit status 3; last words: panic: boom)."},
		{"panics", fake.Behavior{DieAfter: time.Minute, Exit: "signal: aborted", Log: "SIGABRT: abort\nPC=1\n"}, time.Minute,
			arr.CodeWorkerLost, "The render worker ended unexpectedly (signal: aborted; last words: SIGABRT: abort)."},
		{"is killed", fake.Behavior{DieAfter: time.Minute, Exit: "signal: killed", Log: "viewer connected\n"}, time.Minute,
			arr.CodeWorkerLost, "The render worker ended unexpectedly (signal: killed)."},
		{"goes silent", fake.Behavior{Silent: true, HangsOnStop: true}, liveness,
			arr.CodeWorkerLost, "The render worker stopped responding (silent for 15s)."},
	} {
		t.Run(c.name, func(t *testing.T) {
			inPlane(t, c.behavior, func(t *testing.T, p *plane) {
				key := p.create(t, "a", 10)
				if c.after > 0 {
					time.Sleep(c.after - time.Millisecond)
					if s := p.get(t, key); s.Status.Terminal() && c.behavior.StartError == nil {
						t.Errorf("already %s", s.Status)
					}
					time.Sleep(time.Millisecond)
				}
				p.want(t, key, arr.StatusError, string(c.code), c.message)
				time.Sleep(grace)
				p.wantWorkers(t, 0)
				if want := "[Error" + string(c.code) + "]"; fmt.Sprint(p.metrics.ended) != want {
					t.Errorf("ended %v, want %s", p.metrics.ended, want)
				}
				if n := p.host.Starts(); n > 1 {
					t.Errorf("%d workers were started", n)
				}
			})
		})
	}
}

// TestStartIsRetried has a backend that fails at first.
func TestStartIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := 4
		p := newPlane(func(session.Spec) fake.Behavior {
			if failures--; failures >= 0 {
				return fake.Behavior{StartError: errors.New("not now")}
			}
			return fake.Behavior{}
		})
		defer p.close(t)
		key := p.create(t, "a", 10)
		p.want(t, key, arr.StatusStarting)
		time.Sleep(2 * time.Second)
		p.want(t, key, arr.StatusReady)
	})
}

func TestStoreFailuresAreRetried(t *testing.T) {
	inPlane(t, fake.Behavior{}, func(t *testing.T, p *plane) {
		updates := 0
		p.store.FailWith(func(op string, _ arr.SessionKey) error {
			if op == "Update" {
				if updates++; updates%2 == 0 { // hits the recording of the handle and of Ready in turn
					return errors.New("disk on fire")
				}
			}
			if op == "Get" && updates == 3 {
				return errors.New("disk on fire")
			}
			return nil
		})
		key := p.create(t, "a", 10)
		time.Sleep(10 * time.Second)
		p.store.FailWith(nil)
		time.Sleep(10 * time.Second)
		p.want(t, key, arr.StatusReady)
		if n := p.host.Starts(); n != 1 {
			t.Errorf("%d workers were started", n)
		}
		if err := p.Stop(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		p.wantWorkers(t, 0)
	})
}

// TestStopWhileOthersHang starts a session while more workers hang than reconciles may run at once.
func TestStopWhileOthersHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(func(session.Spec) fake.Behavior { return fake.Behavior{HangsOnStop: true} },
			func(c *session.ReconcilerConfig) { c.Concurrency = 1 })
		defer p.close(t)
		for i := range 5 {
			if err := p.Stop(t.Context(), p.create(t, fmt.Sprint(i), 10)); err != nil {
				t.Fatal(err)
			}
		}
		p.wantWorkers(t, 5)
		key := p.create(t, "new", 10)
		p.want(t, key, arr.StatusReady)
		time.Sleep(grace)
		p.wantWorkers(t, 1)
	})
}

func TestCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(nil, func(c *session.ReconcilerConfig) {
			c.Profiles = map[arr.Size]session.Profile{arr.SizePremium: {MaxSessions: 1}}
			c.MaxSessions = 3
		})
		defer p.close(t)
		premium := func(id string) arr.SessionKey {
			if _, _, err := p.Create(t.Context(), keyOf(id), arr.SizePremium, 10); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			return keyOf(id)
		}
		standard := func(id string) arr.SessionKey {
			key := p.create(t, id, 10)
			time.Sleep(time.Millisecond)
			return key
		}
		p1, p2 := premium("p1"), premium("p2")
		s1, s2 := standard("s1"), standard("s2") // pass p2, which waits for its own size
		s3, s4 := standard("s3"), standard("s4")
		for key, want := range map[arr.SessionKey]arr.SessionStatus{p1: "Ready", p2: "Starting", s1: "Ready", s2: "Ready", s3: "Starting", s4: "Starting"} {
			p.want(t, key, want)
		}
		p.wantWorkers(t, 3)

		if err := p.Stop(t.Context(), s1); err != nil { // one place of the host: p2 may not have it, s3 is next
			t.Fatal(err)
		}
		p.want(t, s3, arr.StatusReady)
		p.want(t, s4, arr.StatusStarting)
		if err := p.Stop(t.Context(), p1); err != nil { // p2 is the oldest
			t.Fatal(err)
		}
		p.want(t, p2, arr.StatusReady)
		p.want(t, s4, arr.StatusStarting)
		p.wantWorkers(t, 3)

		time.Sleep(startTimeout - time.Second)
		p.want(t, s4, arr.StatusStarting)
		time.Sleep(time.Second)
		p.want(t, s4, arr.StatusError, string(arr.CodeCapacity), "No capacity for a session of size Standard became free within 30s.")
		s5 := standard("s5")
		if err := p.Stop(t.Context(), s5); err != nil { // while it waits
			t.Fatal(err)
		}
		s6 := standard("s6")
		if err := p.Stop(t.Context(), s3); err != nil {
			t.Fatal(err)
		}
		p.want(t, s6, arr.StatusReady)
		p.want(t, s5, arr.StatusStopped)
	})
}

// TestCapacityIsFreeOnlyWhenTheWorkerIsGone keeps the limit while an ended session's worker hangs.
func TestCapacityIsFreeOnlyWhenTheWorkerIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(func(session.Spec) fake.Behavior { return fake.Behavior{HangsOnStop: true, Silent: true} },
			func(c *session.ReconcilerConfig) { c.MaxSessions = 1 })
		defer p.close(t)
		a := p.create(t, "a", 10)
		b := p.create(t, "b", 10)
		if err := p.Stop(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		time.Sleep(grace - time.Millisecond)
		p.want(t, b, arr.StatusStarting)
		time.Sleep(time.Millisecond)
		p.want(t, b, arr.StatusReady)
	})
}

func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(func(s session.Spec) fake.Behavior {
			switch id := string(s.Key.ID); {
			case strings.HasPrefix(id, "slow"):
				return fake.Behavior{ReadyAfter: 20 * time.Second}
			case id == "dies":
				return fake.Behavior{DieAfter: 70 * time.Second}
			case id == "dies-early":
				return fake.Behavior{NeverReady: true, DieAfter: 15 * time.Second}
			}
			return fake.Behavior{}
		})
		defer p.close(t)
		time.Sleep(time.Minute)
		ready, short, dies := p.create(t, "ready", 60), p.create(t, "short", 5), p.create(t, "dies", 60)
		early, slow := p.create(t, "dies-early", 60), p.create(t, "slow", 60)
		before := p.want(t, ready, arr.StatusReady)

		p.restart(t, 10*time.Second)
		time.Sleep(time.Second)
		if s := p.want(t, ready, arr.StatusReady); s != before {
			t.Errorf("a restart changed %+v to %+v", before, s)
		}
		p.want(t, slow, arr.StatusStarting)
		p.wantWorkers(t, 5)

		// While no control plane runs: one dies, one dies before it was ready, one becomes ready, a lease ends.
		p.restart(t, 10*time.Minute)
		time.Sleep(time.Second)
		p.want(t, ready, arr.StatusReady)
		p.want(t, slow, arr.StatusReady)
		p.want(t, dies, arr.StatusError, string(arr.CodeWorkerLost), "The render worker ended unexpectedly (exit status 1).")
		p.want(t, early, arr.StatusError, string(arr.CodeWorkerStartFailed), "The render worker ended before it was ready (exit status 1).")
		if s := p.want(t, short, arr.StatusExpired); s.EndedAt.Sub(s.ReadyAt) != 5*time.Minute {
			t.Errorf("expired %v after Ready", s.EndedAt.Sub(s.ReadyAt))
		}
		p.wantWorkers(t, 2)
		if n := p.host.Starts(); n != 5 {
			t.Errorf("%d workers were started for 5 sessions", n)
		}
		time.Sleep(time.Hour)
		p.want(t, ready, arr.StatusExpired)
		p.wantWorkers(t, 0)
	})
}

// TestRestartStartsWhatWasAcknowledged has sessions that were accepted but never got a worker.
func TestRestartStartsWhatWasAcknowledged(t *testing.T) {
	inPlane(t, fake.Behavior{}, func(t *testing.T, p *plane) {
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		m := session.NewManager(session.ManagerConfig{Store: p.store, Notify: func(arr.SessionKey) {}}) // dies before it can notify
		for i := range 3 {
			if _, _, err := m.Create(t.Context(), keyOf(fmt.Sprint(i)), arr.SizeStandard, 10); err != nil {
				t.Fatal(err)
			}
		}
		p.restart(t, time.Hour)
		for i := range 3 {
			p.want(t, keyOf(fmt.Sprint(i)), arr.StatusReady)
		}
	})
}

// TestDiedBetweenStartAndRecord restarts with a worker whose handle was never recorded, and with one that was announced
// but never started.
func TestDiedBetweenStartAndRecord(t *testing.T) {
	inPlane(t, fake.Behavior{ReadyAfter: 20 * time.Second}, func(t *testing.T, p *plane) {
		a, b := p.create(t, "a", 10), p.create(t, "b", 10)
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		for _, key := range []arr.SessionKey{a, b} {
			if _, err := p.store.Update(t.Context(), key, func(r *session.Record) error { r.Handle = nil; return nil }); err != nil {
				t.Fatal(err)
			}
		}
		p.host.Crash(b, "signal: killed")
		p.restart(t, time.Second)
		if n := p.host.Starts(); n != 3 {
			t.Errorf("%d workers were started, want 3: two, and b's again", n)
		}
		time.Sleep(21 * time.Second)
		p.want(t, a, arr.StatusReady)
		p.want(t, b, arr.StatusReady)
		p.wantWorkers(t, 2)
	})
}

func TestOrphansAreStopped(t *testing.T) {
	inPlane(t, fake.Behavior{}, func(t *testing.T, p *plane) {
		stopped, forgotten, again := p.create(t, "stopped", 10), p.create(t, "forgotten", 10), p.create(t, "again", 10)
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		end := func(key arr.SessionKey) {
			if _, err := p.store.Update(t.Context(), key, func(r *session.Record) error {
				r.Handle = nil
				return r.Transition(arr.StatusStopped, time.Now())
			}); err != nil {
				t.Fatal(err)
			}
		}
		end(forgotten)
		end(again)
		if n, err := p.store.Prune(t.Context(), time.Now().Add(time.Hour)); err != nil || n != 2 {
			t.Fatal(n, err)
		}
		end(stopped)
		m := session.NewManager(session.ManagerConfig{Store: p.store, Notify: func(arr.SessionKey) {}})
		if _, created, err := m.Create(t.Context(), again, arr.SizeStandard, 10); err != nil || !created {
			t.Fatal(created, err)
		}
		p.wantWorkers(t, 3)
		p.restart(t, 0)
		p.wantWorkers(t, 1)
		p.want(t, again, arr.StatusReady) // with a worker of its own, not the one that was left
		if n := p.host.Starts(); n != 4 {
			t.Errorf("%d workers were started, want 4", n)
		}
	})
}

func TestPrune(t *testing.T) {
	inPlane(t, fake.Behavior{Log: "hello\n"}, func(t *testing.T, p *plane) {
		old, live := p.create(t, "old", 10), p.create(t, "live", 1440)
		if err := p.Stop(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		time.Sleep(retention - time.Second)
		p.want(t, old, arr.StatusStopped)
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		if _, err := p.Get(t.Context(), old); arr.CodeOf(err) != arr.CodeNotFound {
			t.Errorf("still there after 30 days: %v", err)
		}
		logs := fake.New(p.host)
		if _, err := logs.LogTail(t.Context(), old, 1); arr.CodeOf(err) != arr.CodeNotFound {
			t.Errorf("its log is still there: %v", err)
		}
		p.want(t, live, arr.StatusExpired) // a day later than the other
		if _, err := logs.LogTail(t.Context(), live, 1); err != nil {
			t.Errorf("its log: %v", err)
		}
	})
}

func TestReports(t *testing.T) {
	inPlane(t, fake.Behavior{NeverReady: true}, func(t *testing.T, p *plane) {
		key := p.create(t, "a", 10)
		rec, err := p.store.Get(t.Context(), key)
		if err != nil || rec.TokenHash == [32]byte{} || rec.Handle == nil || rec.StartedAt.IsZero() {
			t.Fatalf("record %+v (%v)", rec, err)
		}
		good := arr.Endpoint{Hostname: "h", HandshakePort: 49152, InspectorPort: 65534, Teraflops: 2}
		token := p.host.Token(key)
		ready := func(key arr.SessionKey, token string, change func(*arr.Endpoint)) arr.Code {
			e := good
			if change != nil {
				change(&e)
			}
			return arr.CodeOf(p.rec.WorkerReady(t.Context(), key, token, e))
		}
		renew := func(key arr.SessionKey, token string) (time.Duration, arr.Code) {
			left, err := p.rec.WorkerRenew(t.Context(), key, token)
			return left, arr.CodeOf(err)
		}
		equal := func(got, want any) {
			t.Helper()
			if got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		}
		equal(ready(keyOf("unknown"), token, nil), arr.CodeNotFound)
		equal(ready(key, "wrong", nil), arr.CodeUnauthorized)
		equal(ready(key, "", nil), arr.CodeUnauthorized)
		for _, change := range []func(*arr.Endpoint){
			func(e *arr.Endpoint) { e.Hostname = "" },
			func(e *arr.Endpoint) { e.HandshakePort = 49151 },
			func(e *arr.Endpoint) { e.InspectorPort = 65535 },
			func(e *arr.Endpoint) { e.InspectorPort = e.HandshakePort },
			func(e *arr.Endpoint) { e.Teraflops = -1 },
		} {
			equal(ready(key, token, change), arr.CodeBadRequest)
		}
		left, code := renew(key, token)
		equal(left, 10*time.Minute)
		equal(code, arr.Code(""))
		p.want(t, key, arr.StatusStarting)
		equal(ready(key, token, nil), arr.Code(""))
		s := p.want(t, key, arr.StatusReady)
		time.Sleep(5 * time.Second)
		equal(ready(key, token, func(e *arr.Endpoint) { e.HandshakePort = 50000 }), arr.Code("")) // a repetition, however odd
		equal(p.want(t, key, arr.StatusReady), s)
		left, _ = renew(key, token)
		equal(left, 10*time.Minute-5*time.Second)
		_, code = renew(key, "wrong")
		equal(code, arr.CodeUnauthorized)
		if err := p.Stop(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		_, code = renew(key, token)
		equal(code, arr.CodeConflict)
		equal(ready(key, token, nil), arr.CodeConflict)
		equal(p.get(t, key).Status, arr.StatusStopped)
		_, code = renew(keyOf("unknown"), token)
		equal(code, arr.CodeNotFound)
	})
}

// TestRunFails has a store that cannot be read at the start.
func TestRunFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(nil)
		defer p.host.Close()
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		broken := errors.New("disk on fire")
		p.store.FailWith(func(op string, _ arr.SessionKey) error { return broken })
		p.start()
		synctest.Wait()
		if err := p.stop(); !errors.Is(err, broken) {
			t.Errorf("Run returned %v", err)
		}
	})
}
