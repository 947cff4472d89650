package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
)

// reconcile brings what runs for key in line with its record, one step at most of the state machine of contract section
// 4, and returns when to look again (0 when the session has ended and nothing is left of it). It may be called at any
// time and any number of times, but never twice at once for one key.
func (r *Reconciler) reconcile(ctx context.Context, key arr.SessionKey) (again time.Duration, err error) {
	rec, err := r.c.Store.Get(ctx, key)
	switch {
	case arr.CodeOf(err) == arr.CodeNotFound:
		return 0, r.finish(ctx, key, nil)
	case err != nil:
		return 0, err
	case rec.Status.Terminal():
		return 0, r.finish(ctx, key, &rec)
	}
	e := r.track(&rec)
	if rec.Status == arr.StatusReady {
		return r.reconcileReady(ctx, &rec, e)
	}
	return r.reconcileStarting(ctx, &rec, e)
}

func (r *Reconciler) reconcileStarting(ctx context.Context, rec *Record, e entry) (time.Duration, error) {
	starting := func(now *Record) bool { return now.Status == arr.StatusStarting }
	if e.handle != nil && rec.StartedAt.IsZero() {
		// A worker of this name was found, but this session never had one: it is left from a forgotten session.
		if err := r.stopWorker(ctx, *e.handle); err != nil {
			return 0, err
		}
		r.edit(rec.Key, func(e *entry) { e.handle = nil })
		e.handle = nil
	}
	if e.handle == nil {
		if !r.admit(rec) {
			left := r.left(rec.CreatedAt, r.c.StartTimeout)
			if left > 0 {
				return left, nil
			}
			return r.end(ctx, rec.Key, arr.StatusError, arr.Errorf(arr.CodeCapacity,
				"No capacity for a session of size %s became free within %v.", rec.Size, r.c.StartTimeout), starting)
		}
		return r.start(ctx, rec, e)
	}
	state, err := r.c.Backend.Inspect(ctx, *e.handle)
	if err != nil {
		return 0, fmt.Errorf("inspect worker: %w", err)
	}
	if !state.Running {
		return r.end(ctx, rec.Key, arr.StatusError, arr.Errorf(arr.CodeWorkerStartFailed,
			"The render worker ended before it was ready (%s).", r.cause(ctx, rec.Key, state.Exit)), starting)
	}
	if left := r.left(rec.StartedAt, r.c.StartTimeout); left > 0 {
		return left, nil
	}
	return r.end(ctx, rec.Key, arr.StatusError, arr.Errorf(arr.CodeWorkerStartFailed,
		"The render worker was not ready within %v (%s).", r.c.StartTimeout, r.cause(ctx, rec.Key, "still running")), starting)
}

// start starts the worker of a session that has a place. The hash of its token is durable first and its handle right
// after: whenever this process dies in between, the worker is found by Backend.List, or is not believed and ends.
func (r *Reconciler) start(ctx context.Context, rec *Record, e entry) (time.Duration, error) {
	if e.token == "" {
		token := newToken()
		started, err := r.c.Store.Update(ctx, rec.Key, func(now *Record) error {
			if now.Status != arr.StatusStarting {
				return errUnchanged
			}
			now.TokenHash, now.StartedAt = token.hash(), r.c.Clock.Now()
			return nil
		})
		if errors.Is(err, errUnchanged) {
			return r.recheck(rec.Key)
		}
		if err != nil {
			return 0, err
		}
		*rec, e.token = started, token
		r.edit(rec.Key, func(e *entry) { e.token = token })
	}
	h, err := r.c.Backend.Start(ctx, Spec{Key: rec.Key, Size: rec.Size, Profile: r.c.Profiles[rec.Size], ControlToken: e.token})
	if err != nil {
		var final *arr.Error
		reason := err.Error()
		if errors.As(err, &final) {
			reason = final.Message
		}
		if final != nil || r.left(rec.StartedAt, r.c.StartTimeout) <= 0 {
			return r.end(ctx, rec.Key, arr.StatusError, arr.Errorf(arr.CodeWorkerStartFailed, "The render worker could not be started: %s", reason),
				func(now *Record) bool { return now.Status == arr.StatusStarting })
		}
		return 0, fmt.Errorf("start worker: %w", err)
	}
	r.edit(rec.Key, func(e *entry) { e.handle, e.renewed = &h, r.c.Clock.Now() })
	// Recorded whatever the session has become meanwhile: one that was stopped still has this worker to stop.
	now, err := r.c.Store.Update(context.WithoutCancel(ctx), rec.Key, func(now *Record) error { now.Handle = &h; return nil })
	if err != nil {
		return 0, err
	}
	if now.Status != arr.StatusStarting {
		return r.recheck(rec.Key)
	}
	return r.left(now.StartedAt, r.c.StartTimeout), nil
}

func (r *Reconciler) reconcileReady(ctx context.Context, rec *Record, e entry) (time.Duration, error) {
	ready := func(now *Record) bool { return now.Status == arr.StatusReady }
	if left := r.leaseLeft(rec); left <= 0 {
		return r.end(ctx, rec.Key, arr.StatusExpired, nil, func(now *Record) bool {
			return now.Status == arr.StatusReady && r.leaseLeft(now) <= 0 // it may have been extended just now
		})
	}
	lost := func(format string, args ...any) (time.Duration, error) {
		return r.end(ctx, rec.Key, arr.StatusError, arr.Errorf(arr.CodeWorkerLost, format, args...), ready)
	}
	if e.handle == nil {
		return lost("The render worker is gone.")
	}
	state, err := r.c.Backend.Inspect(ctx, *e.handle)
	if err != nil {
		return 0, fmt.Errorf("inspect worker: %w", err)
	}
	if !state.Running {
		return lost("The render worker ended unexpectedly (%s).", r.cause(ctx, rec.Key, state.Exit))
	}
	silence := r.left(e.renewed, r.c.LivenessTimeout)
	if silence <= 0 {
		return lost("The render worker stopped responding (%s).", r.cause(ctx, rec.Key, fmt.Sprintf("silent for %v", r.c.LivenessTimeout)))
	}
	return min(r.leaseLeft(rec), silence), nil
}

// end moves the session to a final state if still holds for the record as it is then, and ends its worker.
func (r *Reconciler) end(ctx context.Context, key arr.SessionKey, to arr.SessionStatus, why *arr.Error,
	still func(now *Record) bool) (time.Duration, error) {
	rec, err := r.c.Store.Update(ctx, key, func(now *Record) error {
		if !still(now) {
			return errUnchanged
		}
		at := r.c.Clock.Now()
		if end, leased := now.LeaseEnd(); to == arr.StatusExpired && leased {
			at = end // however late it was noticed
		}
		now.Error = why
		return now.Transition(to, at)
	})
	switch {
	case errors.Is(err, errUnchanged):
		return r.recheck(key)
	case err != nil:
		return 0, err
	case why != nil:
		r.c.Log.WarnContext(ctx, "session failed", "session", key.String(), "code", string(why.Code), "reason", why.Message)
	default:
		r.c.Log.InfoContext(ctx, "session ended", "session", key.String(), "status", string(to))
	}
	return 0, r.finish(ctx, key, &rec)
}

// finish stops what may still run for a session that has ended (rec) or is unknown (nil), and forgets it.
func (r *Reconciler) finish(ctx context.Context, key arr.SessionKey, rec *Record) error {
	var h *Handle
	r.edit(key, func(e *entry) { h = e.handle })
	if h == nil && rec != nil {
		h = rec.Handle
	}
	if h != nil {
		if err := r.stopWorker(ctx, *h); err != nil {
			return err
		}
	}
	r.forget(key, rec)
	return nil
}

// stopWorker waits for the worker to end, without holding back other sessions meanwhile.
func (r *Reconciler) stopWorker(ctx context.Context, h Handle) error {
	<-r.slots
	defer func() { r.slots <- struct{}{} }()
	if err := r.c.Backend.Stop(ctx, h, r.c.StopGrace); err != nil {
		return fmt.Errorf("stop worker: %w", err)
	}
	return nil
}

// recheck is for a record that changed under a reconcile: what to do is decided anew.
func (r *Reconciler) recheck(key arr.SessionKey) (time.Duration, error) {
	r.queue.add(key)
	return resync, nil
}

// left is what remains of d from since on, or from the start of this process if that is later.
func (r *Reconciler) left(since time.Time, d time.Duration) time.Duration {
	r.mu.Lock()
	began := r.began
	r.mu.Unlock()
	if since.Before(began) {
		since = began
	}
	return since.Add(d).Sub(r.c.Clock.Now())
}

// leaseLeft is the whole lease before Ready, and what remains of it after; it may be negative.
func (r *Reconciler) leaseLeft(rec *Record) time.Duration {
	if end, ok := rec.LeaseEnd(); ok {
		return end.Sub(r.c.Clock.Now())
	}
	return time.Duration(rec.LeaseMinutes) * time.Minute
}

// maxReason bounds how many characters of a worker's last words go into the error of its session.
const maxReason = 300

// cause is how a worker ended and, where the backend keeps logs, its last words.
func (r *Reconciler) cause(ctx context.Context, key arr.SessionKey, exit string) string {
	if exit == "" {
		exit = "exit status unknown"
	}
	logs, ok := r.c.Backend.(LogTailer)
	if !ok {
		return exit
	}
	tail, err := logs.LogTail(ctx, key, 200)
	words, final := lastWords(string(tail))
	// Without a log the exit must say enough; and what a worker said before it was killed has nothing to do with that.
	if err != nil || words == "" || strings.HasPrefix(exit, "signal: ") && !final {
		return exit
	}
	return exit + "; last words: " + words
}

// runtimeWords begins what the Go runtime says when it gives up; stack traces follow.
var runtimeWords = regexp.MustCompile(`^(panic|fatal error|runtime/cgo|SIG[A-Z]+): `)

// lastWords is the line of a log's tail that tells best why the program ended: what the Go runtime said (then it is final),
// otherwise the last one.
func lastWords(tail string) (words string, final bool) {
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(tail, "\uFFFD")), "\n")
	words = lines[len(lines)-1]
	if i := slices.IndexFunc(lines, runtimeWords.MatchString); i >= 0 {
		words, final = lines[i], true
	}
	if runes := []rune(words); len(runes) > maxReason {
		words = string(runes[:maxReason]) + "…"
	}
	return words, final
}

// newToken makes a token of 256 random bits.
func newToken() ControlToken {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return ControlToken(base64.RawURLEncoding.EncodeToString(b[:]))
}

func (t ControlToken) hash() [32]byte { return sha256.Sum256([]byte(t)) }
