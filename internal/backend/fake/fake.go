// Package fake is a session.Backend for tests: its workers are goroutines that behave as they are told, and fail as they
// are told. It runs no process and draws nothing.
package fake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/session"
	"github.com/heliograph/heliograph/internal/workerrpc"
)

// Behavior is what one worker does. The zero value reports ready at once, renews every second and ends when told to.
type Behavior struct {
	StartError  error         // Start fails with it
	ReadyAfter  time.Duration // before it reports ready
	NeverReady  bool          // it never does
	Silent      bool          // it does not renew
	DieAfter    time.Duration // it dies this long after its start; 0 = it does not
	Exit        string        // how it ends then; "" = "exit status 1"
	HangsOnStop bool          // only a kill ends it
	Log         string        // what LogTail returns
}

// Host is the machine that workers run on: they outlive the Backends that look at it, as processes outlive a control
// plane. Safe for concurrent use.
type Host struct {
	behave  func(session.Spec) Behavior
	running sync.WaitGroup

	mu      sync.Mutex
	home    workerrpc.Handler // nil = no control plane runs
	workers map[int]*worker   // by serial number
	serial  int
	starts  int
	changed chan struct{} // closed and replaced at each exit
}

type worker struct {
	serial   int
	spec     session.Spec
	behavior Behavior
	stopped  context.CancelFunc // asks it to end
	killed   context.CancelCauseFunc
	ended    chan struct{}
	exit     string // valid when ended is closed
}

// NewHost returns a machine without workers. behave decides what each worker does; nil = all behave well.
func NewHost(behave func(session.Spec) Behavior) *Host {
	if behave == nil {
		behave = func(session.Spec) Behavior { return Behavior{} }
	}
	return &Host{behave: behave, workers: map[int]*worker{}, changed: make(chan struct{})}
}

// SetHome tells the workers where to report; nil while the control plane is down.
func (h *Host) SetHome(home workerrpc.Handler) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.home = home
}

// Crash ends the running worker of key with an exit text, and reports whether there was one.
func (h *Host) Crash(key arr.SessionKey, exit string) bool {
	h.mu.Lock()
	w := h.runningWorker(key)
	h.mu.Unlock()
	if w == nil {
		return false
	}
	w.killed(errors.New(exit))
	<-w.ended
	return true
}

// Running returns the keys with a running worker, and how many each has.
func (h *Host) Running() map[arr.SessionKey]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := map[arr.SessionKey]int{}
	for _, w := range h.workers {
		if w.running() {
			n[w.spec.Key]++
		}
	}
	return n
}

// Token returns the control token of the running worker of key; "" if there is none.
func (h *Host) Token(key arr.SessionKey) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w := h.runningWorker(key); w != nil {
		return string(w.spec.ControlToken)
	}
	return ""
}

// Starts is how many workers were ever started.
func (h *Host) Starts() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.starts
}

// Close kills all workers and waits for them.
func (h *Host) Close() {
	h.mu.Lock()
	for _, w := range h.workers {
		w.killed(errors.New("signal: killed"))
	}
	h.mu.Unlock()
	h.running.Wait()
}

func (w *worker) running() bool {
	select {
	case <-w.ended:
		return false
	default:
		return true
	}
}

func (h *Host) runningWorker(key arr.SessionKey) *worker {
	for _, w := range h.workers {
		if w.spec.Key == key && w.running() {
			return w
		}
	}
	return nil
}

// start runs a worker unless key has one.
func (h *Host) start(spec session.Spec) (*worker, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w := h.runningWorker(spec.Key); w != nil {
		return w, nil
	}
	b := h.behave(spec)
	if b.StartError != nil {
		return nil, b.StartError
	}
	h.serial++
	h.starts++
	stopped, stop := context.WithCancel(context.Background())
	killed, kill := context.WithCancelCause(context.Background())
	w := &worker{serial: h.serial, spec: spec, behavior: b, stopped: stop, killed: kill, ended: make(chan struct{})}
	h.workers[w.serial] = w
	h.running.Go(func() {
		exit := h.live(w, stopped, killed)
		stop()
		kill(nil)
		h.mu.Lock()
		defer h.mu.Unlock()
		w.exit = exit
		close(w.ended)
		close(h.changed)
		h.changed = make(chan struct{})
	})
	return w, nil
}

// live is a worker's life; it returns how it ended.
func (h *Host) live(w *worker, stopped, killed context.Context) (exit string) {
	var death <-chan time.Time
	if w.behavior.DieAfter > 0 {
		t := time.NewTimer(w.behavior.DieAfter)
		defer t.Stop()
		death = t.C
	}
	stop := stopped.Done()
	if w.behavior.HangsOnStop {
		stop = nil
	}
	report := time.NewTimer(w.behavior.ReadyAfter)
	defer report.Stop()
	if w.behavior.NeverReady {
		report.Stop()
	}
	ready := false
	for {
		select {
		case <-killed.Done():
			return context.Cause(killed).Error()
		case <-stop:
			return "exit status 0"
		case <-death:
			if w.behavior.Exit == "" {
				return "exit status 1"
			}
			return w.behavior.Exit
		case <-report.C:
			switch err := h.report(killed, w, &ready); {
			case arr.CodeOf(err) == arr.CodeConflict, arr.CodeOf(err) == arr.CodeNotFound, arr.CodeOf(err) == arr.CodeUnauthorized:
				return "exit status 0" // as a real worker does on 410 and 401
			case err != nil:
				report.Reset(50 * time.Millisecond)
			case !w.behavior.Silent:
				report.Reset(time.Second)
			}
		}
	}
}

func (h *Host) report(ctx context.Context, w *worker, ready *bool) error {
	h.mu.Lock()
	home := h.home
	h.mu.Unlock()
	if home == nil {
		return errors.New("the control plane is down")
	}
	if *ready {
		_, err := home.WorkerRenew(ctx, w.spec.Key, string(w.spec.ControlToken))
		return err
	}
	port := 49152 + 2*w.serial%16000
	err := home.WorkerReady(ctx, w.spec.Key, string(w.spec.ControlToken),
		arr.Endpoint{Hostname: "fake.example", HandshakePort: port, InspectorPort: port + 1, Teraflops: 1.5})
	*ready = err == nil
	return err
}

// Backend is one control plane's view of a Host. It implements session.Backend, session.LogTailer and session.Remover.
type Backend struct{ host *Host }

var (
	_ session.Backend   = (*Backend)(nil)
	_ session.LogTailer = (*Backend)(nil)
	_ session.Remover   = (*Backend)(nil)
)

// New returns a view of h.
func New(h *Host) *Backend { return &Backend{host: h} }

// Start implements session.Backend.
func (b *Backend) Start(_ context.Context, spec session.Spec) (session.Handle, error) {
	w, err := b.host.start(spec)
	if err != nil {
		return session.Handle{}, err
	}
	return w.handle(), nil
}

func (w *worker) handle() session.Handle {
	return session.Handle{Backend: "fake", Version: 1, State: fmt.Appendf(nil, "%d", w.serial)}
}

// find returns nil for a worker that was removed.
func (b *Backend) find(h session.Handle) (*worker, error) {
	var serial int
	if err := json.Unmarshal(h.State, &serial); err != nil || h.Backend != "fake" {
		return nil, fmt.Errorf("not a handle of the fake backend: %+v", h)
	}
	b.host.mu.Lock()
	defer b.host.mu.Unlock()
	return b.host.workers[serial], nil
}

// Inspect implements session.Backend.
func (b *Backend) Inspect(_ context.Context, h session.Handle) (session.WorkerState, error) {
	w, err := b.find(h)
	switch {
	case err != nil:
		return session.WorkerState{}, err
	case w == nil:
		return session.WorkerState{}, nil
	case w.running():
		return session.WorkerState{Running: true}, nil
	}
	return session.WorkerState{Exit: w.exit}, nil
}

// Stop implements session.Backend.
func (b *Backend) Stop(ctx context.Context, h session.Handle, grace time.Duration) error {
	w, err := b.find(h)
	if err != nil || w == nil {
		return err
	}
	w.stopped()
	kill := time.NewTimer(grace)
	defer kill.Stop()
	for {
		select {
		case <-w.ended:
			return nil
		case <-kill.C:
			w.killed(errors.New("signal: killed"))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// List implements session.Backend.
func (b *Backend) List(context.Context) (map[arr.SessionKey]session.Handle, error) {
	b.host.mu.Lock()
	defer b.host.mu.Unlock()
	all := map[arr.SessionKey]session.Handle{}
	for _, w := range b.host.workers {
		if w.running() {
			all[w.spec.Key] = w.handle()
		}
	}
	return all, nil
}

// Events implements session.Backend. It also delivers exits from before the call.
func (b *Backend) Events(ctx context.Context) (<-chan session.Event, error) {
	events := make(chan session.Event)
	go func() {
		defer close(events)
		told := map[int]bool{}
		for {
			b.host.mu.Lock()
			changed := b.host.changed
			var fresh []session.Event
			for _, w := range b.host.workers {
				if !w.running() && !told[w.serial] {
					told[w.serial] = true
					fresh = append(fresh, session.Event{Key: w.spec.Key, Exit: w.exit})
				}
			}
			b.host.mu.Unlock()
			for _, e := range fresh {
				select {
				case events <- e:
				case <-ctx.Done():
					return
				}
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return events, nil
}

// LogTail implements session.LogTailer with Behavior.Log.
func (b *Backend) LogTail(_ context.Context, key arr.SessionKey, _ int) ([]byte, error) {
	b.host.mu.Lock()
	defer b.host.mu.Unlock()
	var newest *worker
	for _, w := range b.host.workers {
		if w.spec.Key == key && (newest == nil || w.serial > newest.serial) {
			newest = w
		}
	}
	if newest == nil {
		return nil, arr.Errorf(arr.CodeNotFound, "There is no log of this session.")
	}
	return []byte(newest.behavior.Log), nil
}

// Remove implements session.Remover.
func (b *Backend) Remove(_ context.Context, key arr.SessionKey) error {
	b.host.mu.Lock()
	defer b.host.mu.Unlock()
	for serial, w := range b.host.workers {
		if w.spec.Key == key && !w.running() {
			delete(b.host.workers, serial)
		}
	}
	return nil
}
