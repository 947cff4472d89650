package session_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/backend/fake"
	"github.com/heliograph/heliograph/internal/session"
)

// model is the contract's state machine (section 4) in its simplest words. Its workers are ready at once, or, if the id
// of their session begins with "never", never.
type model struct {
	*plane
	sessions []*modelSession // in order of creation
	began    time.Time       // of the present control plane
}

type modelSession struct {
	id               string
	requested, lease int
	status           arr.SessionStatus
	code             arr.Code
	since            time.Time // of Ready, or of the worker's start while Starting
	crashed          bool      // its worker died and no control plane has seen it yet
}

func (s *modelSession) end(status arr.SessionStatus, code arr.Code) { s.status, s.code = status, code }

// settle lets what time and crashes bring happen.
func (m *model) settle() {
	now := time.Now()
	for _, s := range m.sessions {
		began := s.since
		if began.Before(m.began) {
			began = m.began
		}
		switch {
		case s.status == arr.StatusReady && !now.Before(s.since.Add(time.Duration(s.lease)*time.Minute)):
			s.end(arr.StatusExpired, "")
		case s.status == arr.StatusReady && s.crashed:
			s.end(arr.StatusError, arr.CodeWorkerLost)
		case s.status == arr.StatusStarting && (s.crashed || !now.Before(began.Add(startTimeout))):
			s.end(arr.StatusError, arr.CodeWorkerStartFailed)
		}
	}
}

// pick draws one of the sessions; it skips the action when there is none.
func (m *model) pick(t *rapid.T) *modelSession {
	if len(m.sessions) == 0 {
		t.Skip("no session yet")
	}
	return m.sessions[rapid.IntRange(0, len(m.sessions)-1).Draw(t, "session")]
}

func (m *model) expect(t *rapid.T, err error, want arr.Code) {
	t.Helper()
	if arr.CodeOf(err) != want {
		t.Fatalf("got %v, want %q", err, want)
	}
}

func (m *model) Create(t *rapid.T) {
	id := fmt.Sprintf("%s-%d", rapid.SampledFrom([]string{"well", "never"}).Draw(t, "kind"), len(m.sessions))
	lease := rapid.IntRange(0, 3).Draw(t, "lease")
	_, created, err := m.Manager.Create(context.Background(), keyOf(id), arr.SizeStandard, lease)
	m.expect(t, err, "")
	if !created {
		t.Fatal("a new session was not created")
	}
	s := &modelSession{id: id, requested: lease, lease: lease, status: arr.StatusReady, since: time.Now()}
	if strings.HasPrefix(id, "never") {
		s.status = arr.StatusStarting
	}
	m.sessions = append(m.sessions, s)
}

func (m *model) CreateAgain(t *rapid.T) {
	s := m.pick(t)
	lease := rapid.IntRange(0, 3).Draw(t, "lease")
	_, created, err := m.Manager.Create(context.Background(), keyOf(s.id), arr.SizeStandard, lease)
	if lease == s.requested {
		m.expect(t, err, "")
	} else {
		m.expect(t, err, arr.CodeConflict)
	}
	if created {
		t.Fatal("an existing session was created again")
	}
}

func (m *model) Extend(t *rapid.T) {
	s := m.pick(t)
	minutes := rapid.IntRange(0, 5).Draw(t, "minutes")
	_, err := m.Manager.Extend(context.Background(), keyOf(s.id), minutes)
	if s.status.Terminal() || minutes <= s.lease {
		m.expect(t, err, arr.CodeUnprocessableEntity)
		return
	}
	m.expect(t, err, "")
	s.lease = minutes
}

func (m *model) Stop(t *rapid.T) {
	s := m.pick(t)
	m.expect(t, m.Manager.Stop(context.Background(), keyOf(s.id)), "")
	if !s.status.Terminal() {
		s.end(arr.StatusStopped, "")
	}
}

func (m *model) Crash(t *rapid.T) {
	s := m.pick(t)
	if crashed := m.host.Crash(keyOf(s.id), "signal: killed"); crashed == s.status.Terminal() {
		t.Fatalf("%s is %s; a worker of it ran: %v", s.id, s.status, crashed)
	}
	s.crashed = !s.status.Terminal()
}

func (m *model) Wait(t *rapid.T) { m.sleep(t) }

func (m *model) sleep(t *rapid.T) {
	time.Sleep(time.Duration(rapid.IntRange(1, 80_000).Draw(t, "ms")) * time.Millisecond)
}

// Restart ends the control plane; for a while nobody acts on what happens.
func (m *model) Restart(t *rapid.T) {
	if err := m.stop(); err != nil {
		t.Fatal(err)
	}
	for _, s := range m.sessions {
		if rapid.IntRange(0, 5).Draw(t, "crash meanwhile") == 0 && m.host.Crash(keyOf(s.id), "signal: killed") {
			s.crashed = true
		}
	}
	m.sleep(t)
	m.start()
	m.began = time.Now()
}

// check compares everything visible with the model.
func (m *model) check(t *rapid.T) {
	synctest.Wait()
	m.settle()
	running := m.host.Running()
	var live []string
	for _, s := range m.sessions {
		got, err := m.Manager.Get(context.Background(), keyOf(s.id))
		m.expect(t, err, "")
		code := arr.Code("")
		if got.Error != nil {
			code = got.Error.Code
		}
		if got.Status != s.status || code != s.code || got.LeaseMinutes != s.lease {
			t.Fatalf("%s is %s %s with lease %d, want %s %s with %d", s.id, got.Status, code, got.LeaseMinutes, s.status, s.code, s.lease)
		}
		want := 1
		if s.status.Terminal() {
			want = 0
		} else {
			live = append(live, s.id)
		}
		if n := running[keyOf(s.id)]; n != want {
			t.Fatalf("%s is %s with %d workers", s.id, s.status, n)
		}
	}
	page, _, err := m.Manager.List(context.Background(), account, "", 0)
	m.expect(t, err, "")
	listed := make([]string, 0, len(page))
	for _, s := range page {
		listed = append(listed, string(s.Key.ID))
	}
	if !slices.Equal(listed, live) {
		t.Fatalf("listed %v, want %v", listed, live)
	}
	if len(m.sessions) != 0 && m.host.Starts() > len(m.sessions) {
		t.Fatalf("%d workers were started for %d sessions", m.host.Starts(), len(m.sessions))
	}
	_, err = m.Manager.Get(context.Background(), keyOf("unknown"))
	m.expect(t, err, arr.CodeNotFound)
	time.Sleep(time.Millisecond) // no two sessions are created at the same time
}

func TestModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hidden := struct{ *testing.T }{t} // rapid would ask a plain *testing.T for its deadline, which no bubble has
		rapid.Check(hidden, func(rt *rapid.T) {
			m := &model{plane: newPlane(func(s session.Spec) fake.Behavior {
				return fake.Behavior{NeverReady: strings.HasPrefix(string(s.Key.ID), "never")}
			})}
			m.began = time.Now()
			defer m.close(t)
			rt.Repeat(map[string]func(*rapid.T){
				"": m.check, "create": m.Create, "create again": m.CreateAgain, "extend": m.Extend, "stop": m.Stop, "crash": m.Crash,
				"wait": m.Wait, "restart": m.Restart,
			})
		})
	})
}
