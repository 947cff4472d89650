package session

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
)

// ReconcilerConfig is what a Reconciler needs. Zero durations and counts take the default in brackets.
type ReconcilerConfig struct {
	Store    Store
	Backend  Backend
	Profiles map[arr.Size]Profile
	Clock    Clock        // nil = SystemClock
	Log      *slog.Logger // nil = none
	Metrics  Metrics      // nil = none

	MaxSessions     int           // workers at a time, of all sizes together; 0 = no limit
	StartTimeout    time.Duration // longest wait for room, and then again for the worker to be ready [30 s]
	StopGrace       time.Duration // how long a worker may take to end before it is killed [5 s]
	LivenessTimeout time.Duration // a ready worker that does not renew for this long is lost [15 s]
	Retention       time.Duration // how long ended sessions stay readable [30 days]
	Concurrency     int           // sessions reconciled at the same time, those that wait for a worker to end not counted [32]
}

const (
	// resync is the longest time between two looks at a live session, in case an event or a clock was missed.
	resync = time.Minute
	// pruneEvery is how often ended sessions are looked through.
	pruneEvery = time.Hour
	// A reconcile that failed is repeated after minRetry, then twice that, up to maxRetry.
	minRetry = 50 * time.Millisecond
	maxRetry = 5 * time.Second
)

// Reconciler drives every session from what is recorded to what runs: it starts workers, waits for them to be ready,
// ends them with their lease, notices their end, and marks the session accordingly. All of that goes through one
// idempotent reconcile per session, whatever woke it: a change by Manager, a report or the exit of a worker, a timer, or
// the start of the control plane. It keeps nothing that cannot be rebuilt from Store and Backend. Safe for concurrent use.
type Reconciler struct {
	c     ReconcilerConfig
	queue *queue
	slots chan struct{} // one element per reconcile under way

	mu        sync.Mutex
	entries   map[arr.SessionKey]*entry
	admission *admission
	began     time.Time // of Run; deadlines that passed while no control plane ran count from here
	stopped   bool      // no more timers
}

// entry is what the Reconciler remembers of a session that is live or whose worker may still run. Fields are guarded by
// Reconciler.mu.
type entry struct {
	size      arr.Size
	status    arr.SessionStatus // as told to Metrics; "" before
	handle    *Handle           // of a worker that may run, also before it is recorded
	token     ControlToken      // of the worker that is being started by this process
	renewed   time.Time         // last sign of life
	failures  int               // reconciles that failed in a row
	nextCheck *time.Timer
}

// NewReconciler returns a Reconciler. It remembers what Notify says and does nothing until Run.
func NewReconciler(c ReconcilerConfig) *Reconciler {
	if c.Clock == nil {
		c.Clock = SystemClock{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = noMetrics{}
	}
	c.StartTimeout = cmp.Or(c.StartTimeout, 30*time.Second)
	c.StopGrace = cmp.Or(c.StopGrace, 5*time.Second)
	c.LivenessTimeout = cmp.Or(c.LivenessTimeout, 15*time.Second)
	c.Retention = cmp.Or(c.Retention, 30*24*time.Hour)
	return &Reconciler{
		c:         c,
		queue:     newQueue(),
		slots:     make(chan struct{}, cmp.Or(c.Concurrency, 32)),
		entries:   map[arr.SessionKey]*entry{},
		admission: newAdmission(c.MaxSessions, c.Profiles),
	}
}

// Notify says that the record of key has changed. It never blocks.
func (r *Reconciler) Notify(key arr.SessionKey) { r.queue.add(key) }

// Run adopts and then drives sessions until ctx ends. It leaves the workers running and returns when all that it
// started here has ended. It is to be called once; Store must outlive it.
func (r *Reconciler) Run(parent context.Context) error {
	ctx, cancel := context.WithCancel(parent) // also ends what was started here when adoption fails
	defer cancel()
	events, err := r.c.Backend.Events(ctx)
	if err != nil {
		return fmt.Errorf("watch workers: %w", err)
	}
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() {
		for e := range events { // until the backend closes it after ctx
			r.c.Log.DebugContext(ctx, "worker exited", "session", e.Key.String(), "exit", e.Exit)
			r.queue.add(e.Key)
		}
	})
	if err := r.adopt(ctx); err != nil {
		cancel()
		if parent.Err() != nil {
			return nil
		}
		return fmt.Errorf("adopt sessions: %w", err)
	}
	running.Go(func() { r.pruneLoop(ctx) })
	running.Go(func() {
		for {
			key, ok := r.queue.get()
			if !ok {
				return
			}
			r.slots <- struct{}{}
			running.Go(func() {
				defer func() { <-r.slots }()
				r.process(ctx, key)
				r.queue.done(key)
			})
		}
	})
	<-ctx.Done()
	r.queue.close()
	r.stopTimers()
	return nil
}

// process reconciles key once and sees to it that it is looked at again.
func (r *Reconciler) process(ctx context.Context, key arr.SessionKey) {
	again, err := r.reconcile(ctx, key)
	if ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[key]
	if e == nil {
		if err == nil {
			return
		}
		e = &entry{} // nothing is known of it yet, but it must be tried again
		r.entries[key] = e
	}
	if err != nil {
		again = min(minRetry<<min(e.failures, 10), maxRetry)
		e.failures++
		r.c.Log.WarnContext(ctx, "reconcile failed", "session", key.String(), "retryIn", again, "err", err)
	} else {
		e.failures = 0
		again = min(again, resync)
	}
	if e.nextCheck != nil {
		e.nextCheck.Stop()
	}
	if !r.stopped {
		e.nextCheck = time.AfterFunc(again, func() { r.queue.add(key) })
	}
}

func (r *Reconciler) stopTimers() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	for _, e := range r.entries {
		if e.nextCheck != nil {
			e.nextCheck.Stop()
		}
	}
}

// adopt joins what runs with what is recorded: live records get their worker back, and everything is queued for a
// reconcile, which also stops workers that no live record wants.
func (r *Reconciler) adopt(ctx context.Context) error {
	r.mu.Lock()
	r.began = r.c.Clock.Now()
	r.mu.Unlock()
	workers, err := r.c.Backend.List(ctx)
	if err != nil {
		return fmt.Errorf("list workers: %w", err)
	}
	var sessions, adopted int
	o := ListOptions{Status: liveStatuses(), Limit: 500}
	for {
		page, next, err := r.c.Store.List(ctx, o)
		if err != nil {
			return fmt.Errorf("list sessions: %w", err)
		}
		sessions += len(page)
		for i := range page {
			if h, ok := workers[page[i].Key]; ok {
				page[i].Handle = &h
				delete(workers, page[i].Key)
				adopted++
			}
			r.track(&page[i])
			r.queue.add(page[i].Key)
		}
		if o.After = next; next == "" {
			break
		}
	}
	for key, h := range workers {
		r.mu.Lock()
		r.entries[key] = &entry{handle: &h}
		r.mu.Unlock()
		r.queue.add(key)
	}
	r.c.Log.InfoContext(ctx, "sessions adopted", "live", sessions, "running", adopted, "orphans", len(workers))
	return nil
}

// pruneLoop forgets what ended longer than Retention ago.
func (r *Reconciler) pruneLoop(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		if n, err := r.prune(ctx); err != nil && ctx.Err() == nil {
			r.c.Log.WarnContext(ctx, "prune failed", "err", err)
		} else if n > 0 {
			r.c.Log.InfoContext(ctx, "ended sessions pruned", "count", n)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// prune removes logs before records: if it is interrupted between the two, the next run still finds them.
func (r *Reconciler) prune(ctx context.Context) (int, error) {
	before := r.c.Clock.Now().Add(-r.c.Retention)
	if remover, ok := r.c.Backend.(Remover); ok {
		o := ListOptions{Status: []arr.SessionStatus{arr.StatusStopped, arr.StatusExpired, arr.StatusError}, Limit: 500}
		for more := true; more; more = o.After != "" {
			page, next, err := r.c.Store.List(ctx, o)
			if err != nil {
				return 0, fmt.Errorf("list ended sessions: %w", err)
			}
			o.After = next
			for _, rec := range page {
				if !rec.CreatedAt.Before(before) { // and so is every later one
					o.After = ""
					break
				}
				if rec.EndedAt.Before(before) {
					if err := remover.Remove(ctx, rec.Key); err != nil {
						return 0, fmt.Errorf("remove worker of %s: %w", rec.Key, err)
					}
				}
			}
		}
	}
	return r.c.Store.Prune(ctx, before)
}

// track remembers a live record's worker and status, and returns its entry.
func (r *Reconciler) track(rec *Record) entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[rec.Key]
	if e == nil {
		e = &entry{}
		r.entries[rec.Key] = e
	}
	e.size = rec.Size
	if e.renewed.IsZero() {
		e.renewed = r.c.Clock.Now() // a worker found at the start gets a full LivenessTimeout to report
	}
	if e.handle == nil {
		e.handle = rec.Handle
	}
	if e.handle != nil {
		r.admission.take(rec.Key, rec.Size)
	}
	if e.status != rec.Status {
		if e.status != "" {
			r.c.Metrics.Live(e.size, e.status, -1)
		}
		r.c.Metrics.Live(e.size, rec.Status, +1)
		e.status = rec.Status
	}
	return *e
}

// forget drops what is remembered of an ended session and gives its place to the next. rec is nil when there is no record.
func (r *Reconciler) forget(key arr.SessionKey, rec *Record) {
	r.mu.Lock()
	e := r.entries[key]
	delete(r.entries, key)
	r.admission.leave(key)
	next := r.admission.admit()
	if e != nil && e.nextCheck != nil {
		e.nextCheck.Stop()
	}
	r.mu.Unlock()
	for _, k := range next {
		r.queue.add(k)
	}
	if e == nil || e.status == "" {
		return
	}
	r.c.Metrics.Live(e.size, e.status, -1)
	if rec != nil {
		r.c.Metrics.Ended(e.size, rec.Status, codeOf(rec.Error))
	}
}

// codeOf is arr.CodeOf without the trap of a nil *arr.Error in an error.
func codeOf(e *arr.Error) arr.Code {
	if e == nil {
		return ""
	}
	return e.Code
}

// admit reports whether rec may have a worker now; if not, it waits in line and is notified.
func (r *Reconciler) admit(rec *Record) bool {
	r.mu.Lock()
	r.admission.wait(waiter{rec.Key, rec.Size, rec.CreatedAt})
	next := r.admission.admit()
	admitted := r.admission.holds(rec.Key)
	r.mu.Unlock()
	for _, k := range next {
		if k != rec.Key {
			r.queue.add(k)
		}
	}
	return admitted
}

// edit changes key's entry, if there is one.
func (r *Reconciler) edit(key arr.SessionKey, f func(*entry)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[key]; e != nil {
		f(e)
	}
}

type noMetrics struct{}

func (noMetrics) Live(arr.Size, arr.SessionStatus, int)       {}
func (noMetrics) Started(arr.Size, time.Duration)             {}
func (noMetrics) Ended(arr.Size, arr.SessionStatus, arr.Code) {}
