// Package backendtest is the conformance suite that every session.Backend passes. It tests through the interface and
// what workers report home; how a worker is made to misbehave is the Machine's business.
package backendtest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/session"
	"github.com/heliograph/heliograph/internal/workerrpc"
)

// Machine is where the workers of one test run. Its workers report to the Home that it was made with, and behave by the
// id of their session: one that starts with HangPrefix ignores the request to end.
type Machine interface {
	// Open returns a fresh Backend that sees the workers of those opened before, as after a restart.
	Open(t *testing.T) session.Backend
	// Crash kills the worker of key from the outside.
	Crash(t *testing.T, key arr.SessionKey, h session.Handle)
}

// HangPrefix begins the ids of sessions whose workers ignore the request to end.
const HangPrefix = "hang"

const account = arr.AccountID("aaaaaaaa-0000-4000-8000-000000000001")

// limit bounds each wait; it is far above what a loaded machine needs.
const limit = time.Minute

// Run runs the suite. boot returns a machine without workers, which is shut down at the end of the test.
func Run(t *testing.T, boot func(t *testing.T, home workerrpc.Handler) Machine) {
	for name, test := range map[string]func(*suite){
		"Life":              (*suite).testLife,
		"StartIsIdempotent": (*suite).testStartIsIdempotent,
		"StopHanging":       (*suite).testStopHanging,
		"StopIsIdempotent":  (*suite).testStopIsIdempotent,
		"StopCancelled":     (*suite).testStopCancelled,
		"Crash":             (*suite).testCrash,
		"EventsLoseNone":    (*suite).testEventsLoseNone,
		"Adopt":             (*suite).testAdopt,
		"StartAgain":        (*suite).testStartAgain,
		"LongID":            (*suite).testLongID,
		"ForeignHandle":     (*suite).testForeignHandle,
		"Remove":            (*suite).testRemove,
	} {
		t.Run(name, func(t *testing.T) {
			home := &home{ready: map[arr.SessionKey]string{}, changed: make(chan struct{})}
			s := &suite{T: t, home: home, machine: boot(t, home)}
			s.backend = s.machine.Open(t)
			test(s)
		})
	}
}

type suite struct {
	*testing.T
	home    *home
	machine Machine
	backend session.Backend
}

// home is the control plane that the workers report to.
type home struct {
	mu      sync.Mutex
	ready   map[arr.SessionKey]string // token by key
	changed chan struct{}
}

func (h *home) WorkerReady(_ context.Context, key arr.SessionKey, token string, e arr.Endpoint) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Hostname == "" || e.HandshakePort == 0 {
		return arr.Errorf(arr.CodeBadRequest, "impossible endpoint %+v", e)
	}
	h.ready[key] = token
	close(h.changed)
	h.changed = make(chan struct{})
	return nil
}

func (h *home) WorkerRenew(context.Context, arr.SessionKey, string) (time.Duration, error) {
	return time.Minute, nil
}

// awaitReady waits until a worker of key has reported with token.
func (s *suite) awaitReady(key arr.SessionKey, token session.ControlToken) {
	s.Helper()
	timeout := time.After(limit)
	for {
		s.home.mu.Lock()
		got, changed := s.home.ready[key], s.home.changed
		s.home.mu.Unlock()
		if got == string(token) {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			s.Fatalf("no worker of %s has reported ready with its token", key)
		}
	}
}

func specOf(id string) session.Spec {
	return session.Spec{
		Key:          arr.SessionKey{Account: account, ID: arr.SessionID(id)},
		Size:         arr.SizeStandard,
		Profile:      session.Profile{MemoryLimitMiB: 4096, PrimitiveBudget: 1000},
		ControlToken: session.ControlToken("token of " + id[:min(8, len(id))]),
	}
}

// start starts a worker and waits until it is ready.
func (s *suite) start(id string) (session.Spec, session.Handle) {
	s.Helper()
	spec := specOf(id)
	h, err := s.backend.Start(s.Context(), spec)
	if err != nil {
		s.Fatalf("start %s: %v", id, err)
	}
	s.awaitReady(spec.Key, spec.ControlToken)
	return spec, h
}

func (s *suite) inspect(h session.Handle) session.WorkerState {
	s.Helper()
	state, err := s.backend.Inspect(s.Context(), h)
	if err != nil {
		s.Fatalf("inspect: %v", err)
	}
	return state
}

func (s *suite) stop(h session.Handle, grace time.Duration) {
	s.Helper()
	if err := s.backend.Stop(s.Context(), h, grace); err != nil {
		s.Errorf("stop: %v", err)
	}
	if state := s.inspect(h); state.Running {
		s.Error("the worker runs after Stop")
	}
}

// list compares what List finds.
func (s *suite) list(want map[arr.SessionKey]session.Handle) {
	s.Helper()
	got, err := s.backend.List(s.Context())
	if err != nil {
		s.Fatalf("list: %v", err)
	}
	if d := cmp.Diff(want, got); d != "" {
		s.Errorf("list (-want +got):\n%s", d)
	}
}

func (s *suite) event(events <-chan session.Event) session.Event {
	s.Helper()
	select {
	case e, ok := <-events:
		if !ok {
			s.Fatal("the events have ended")
		}
		return e
	case <-time.After(limit):
		s.Fatal("no event")
	}
	return session.Event{}
}

func (s *suite) testLife() {
	s.list(map[arr.SessionKey]session.Handle{})
	spec, h := s.start("one")
	if state := s.inspect(h); !state.Running || state.Exit != "" {
		s.Errorf("a ready worker is %+v", state)
	}
	s.list(map[arr.SessionKey]session.Handle{spec.Key: h})
	s.stop(h, limit)
	s.list(map[arr.SessionKey]session.Handle{})
}

func (s *suite) testStartIsIdempotent() {
	spec, h := s.start("one")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			again := spec
			again.ControlToken = "another token"
			if got, err := s.backend.Start(s.Context(), again); err != nil || !cmp.Equal(got, h) {
				s.Errorf("second start: %+v (%v), want %+v", got, err, h)
			}
		})
	}
	wg.Wait()
	two := specOf("two")
	handles := make([]session.Handle, 4)
	for i := range handles {
		wg.Go(func() {
			var err error
			if handles[i], err = s.backend.Start(s.Context(), two); err != nil {
				s.Error(err)
			}
		})
	}
	wg.Wait()
	for _, got := range handles[1:] {
		if !cmp.Equal(got, handles[0]) {
			s.Errorf("concurrent starts gave %+v and %+v", handles[0], got)
		}
	}
	s.stop(h, limit)
	s.stop(handles[0], limit)
}

func (s *suite) testStopHanging() {
	_, h := s.start(HangPrefix + "-one")
	began := time.Now()
	s.stop(h, 200*time.Millisecond)
	if took := time.Since(began); took < 200*time.Millisecond {
		s.Errorf("a hanging worker had only %v of its grace", took)
	}
}

func (s *suite) testStopIsIdempotent() {
	spec, h := s.start("one")
	s.stop(h, limit)
	s.stop(h, limit)
	s.backend = s.machine.Open(s.T)
	s.stop(h, limit)
	_, h2 := s.start("one") // a new worker of the same session is not what the old handle means
	s.stop(h, limit)
	s.list(map[arr.SessionKey]session.Handle{spec.Key: h2})
	s.stop(h2, limit)
}

func (s *suite) testStopCancelled() {
	_, h := s.start(HangPrefix + "-one")
	ctx, cancel := context.WithTimeout(s.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.backend.Stop(ctx, h, limit); err == nil {
		s.Error("Stop returned without error before the worker had ended")
	}
	if !s.inspect(h).Running {
		s.Error("a cancelled Stop killed the worker")
	}
	s.stop(h, 0)
}

func (s *suite) testCrash() {
	ctx, cancel := context.WithCancel(s.Context())
	events, err := s.backend.Events(ctx)
	if err != nil {
		s.Fatal(err)
	}
	spec, h := s.start("one")
	s.machine.Crash(s.T, spec.Key, h)
	want := session.Event{Key: spec.Key, Exit: "signal: killed"}
	if got := s.event(events); got != want {
		s.Errorf("event %+v, want %+v", got, want)
	}
	if got := s.inspect(h); got != (session.WorkerState{Exit: want.Exit}) {
		s.Errorf("a killed worker is %+v", got)
	}
	s.list(map[arr.SessionKey]session.Handle{})
	cancel()
	for range events { // must end: the suite hangs otherwise
	}
}

func (s *suite) testEventsLoseNone() {
	events, err := s.backend.Events(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	want := map[arr.SessionKey]bool{}
	for i := range 8 {
		spec, h := s.start(fmt.Sprintf("s%d", i))
		s.machine.Crash(s.T, spec.Key, h)
		want[spec.Key] = true
	}
	for len(want) > 0 { // read only now
		e := s.event(events)
		if !want[e.Key] {
			s.Errorf("unexpected event %+v", e)
		}
		delete(want, e.Key)
	}
}

func (s *suite) testAdopt() {
	one, h1 := s.start("one")
	two, h2 := s.start(HangPrefix + "-two")
	// Through storage, as the record keeps it.
	data, err := json.Marshal(h2)
	if err != nil {
		s.Fatal(err)
	}
	var stored session.Handle
	if err := json.Unmarshal(data, &stored); err != nil {
		s.Fatal(err)
	}

	s.backend = s.machine.Open(s.T)
	events, err := s.backend.Events(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	s.list(map[arr.SessionKey]session.Handle{one.Key: h1, two.Key: h2})
	if !s.inspect(stored).Running {
		s.Error("a stored handle does not find its worker")
	}
	if again, err := s.backend.Start(s.Context(), one); err != nil || !cmp.Equal(again, h1) {
		s.Errorf("start of an adopted worker: %+v (%v), want %+v", again, err, h1)
	}
	s.machine.Crash(s.T, one.Key, h1)
	if e := s.event(events); e.Key != one.Key {
		s.Errorf("event %+v, want one of %s", e, one.Key)
	}
	s.stop(stored, 0)
	if e := s.event(events); e.Key != two.Key {
		s.Errorf("event %+v, want one of %s", e, two.Key)
	}
	s.list(map[arr.SessionKey]session.Handle{})
}

func (s *suite) testStartAgain() {
	first, h := s.start("one")
	s.machine.Crash(s.T, first.Key, h)
	second := first
	second.ControlToken = "second token"
	again, err := s.backend.Start(s.Context(), second)
	if err != nil {
		s.Fatal(err)
	}
	s.awaitReady(second.Key, second.ControlToken)
	if cmp.Equal(again, h) {
		s.Error("the new worker has the handle of the old one")
	}
	s.list(map[arr.SessionKey]session.Handle{first.Key: again})
	s.stop(again, limit)
}

// testLongID uses the longest ids of the contract, which differ only in their last character.
func (s *suite) testLongID() {
	long := strings.Repeat("x", 255)
	a, ha := s.start(long + "a")
	b, hb := s.start(long + "b")
	s.list(map[arr.SessionKey]session.Handle{a.Key: ha, b.Key: hb})
	s.stop(ha, limit)
	s.list(map[arr.SessionKey]session.Handle{b.Key: hb})
	s.stop(hb, limit)
}

func (s *suite) testForeignHandle() {
	foreign := session.Handle{Backend: "other", Version: 1, State: []byte(`{}`)}
	if _, err := s.backend.Inspect(s.Context(), foreign); err == nil {
		s.Error("inspected a handle of another backend")
	}
	if err := s.backend.Stop(s.Context(), foreign, 0); err == nil {
		s.Error("stopped by a handle of another backend")
	}
}

func (s *suite) testRemove() {
	remover, ok := s.backend.(session.Remover)
	if !ok {
		s.Skip("not a session.Remover")
	}
	logs, ok := s.backend.(session.LogTailer)
	if !ok {
		s.Skip("not a session.LogTailer")
	}
	spec, h := s.start("one")
	s.stop(h, limit)
	if _, err := logs.LogTail(s.Context(), spec.Key, 10); err != nil {
		s.Errorf("log of an ended worker: %v", err)
	}
	for range 2 {
		if err := remover.Remove(s.Context(), spec.Key); err != nil {
			s.Errorf("remove: %v", err)
		}
	}
	if _, err := logs.LogTail(s.Context(), spec.Key, 10); arr.CodeOf(err) != arr.CodeNotFound {
		s.Errorf("log of a removed worker: %v", err)
	}
}
