package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/heliograph/heliograph/internal/workerrpc"
)

// ErrOrphaned ends a session whose lease could not be renewed for OrphanAfter: the control plane's view of this process
// may be gone, so it must not hold memory and ports on its own authority (docs/adr: workers dial home).
var ErrOrphaned = errors.New("the lease could not be renewed: orphaned")

// ErrGone is Home's answer when the session has ended.
var ErrGone = errors.New("the session has ended")

// Home is where a worker reports to; *workerrpc.Client is one. An error that is ErrGone says that the session
// has ended.
type Home interface {
	Ready(ctx context.Context, r workerrpc.ReadyReport) error
	Renew(ctx context.Context, r workerrpc.RenewReport) (workerrpc.Renewal, error)
}

// Bounds of one call home and of the pause after a failed one. A restarted control plane is found within retryMax.
const (
	callTimeout = 5 * time.Second
	retryMin    = 50 * time.Millisecond
	retryMax    = time.Second
)

// lease keeps the session's lease alive.
type lease struct {
	home        Home
	log         *slog.Logger
	renewEvery  time.Duration
	orphanAfter time.Duration
	report      func() workerrpc.RenewReport
	renewed     func(left time.Duration) // told after each renewal

	end atomic.Int64 // Unix nanoseconds of the lease's end as last heard; 0 = not yet
}

// left returns what remained of the lease when last heard of, less the time since; ok is false before that.
func (l *lease) left() (d time.Duration, ok bool) {
	end := l.end.Load()
	return time.Until(time.Unix(0, end)), end != 0
}

// Run reports ready, then renews until ctx ends (nil), the session has ended (ErrGone) or ErrOrphaned.
func (l *lease) Run(ctx context.Context, ready workerrpc.ReadyReport) error {
	started := time.Now()
	last := started // when the control plane last answered
	if err := l.insist(ctx, last, "report ready", func(ctx context.Context) error { return l.home.Ready(ctx, ready) }); err != nil {
		return ignoreEnd(ctx, err)
	}
	l.log.Info("session ready", "handshakePort", ready.HandshakePort, "inspectorPort", ready.InspectorPort,
		"teraflops", ready.Teraflops, "reportTook", time.Since(started))
	last = time.Now()
	tick := time.NewTicker(l.renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := l.insist(ctx, last, "renew the lease", func(ctx context.Context) error {
			r, err := l.home.Renew(ctx, l.report())
			if err == nil {
				last = time.Now()
				left := time.Duration(r.LeaseSecondsLeft * float64(time.Second))
				l.end.Store(time.Now().Add(left).UnixNano())
				l.renewed(left)
			}
			return err
		})
		if err != nil {
			return ignoreEnd(ctx, err)
		}
	}
}

// insist repeats a call home until it succeeds, the session is gone, ctx ends, or orphanAfter has passed since last.
func (l *lease) insist(ctx context.Context, last time.Time, what string, call func(context.Context) error) error {
	orphaned := last.Add(l.orphanAfter)
	for pause, failures := retryMin, 0; ; pause = min(2*pause, retryMax) {
		callCtx, cancel := context.WithDeadline(ctx, earlier(orphaned, time.Now().Add(callTimeout)))
		err := call(callCtx)
		cancel()
		switch {
		case err == nil:
			if failures > 0 {
				l.log.Info("the control plane answers again", "failures", failures)
			}
			return nil
		case errors.Is(err, ErrGone) || ctx.Err() != nil:
			return err
		}
		if failures++; failures == 1 {
			l.log.Warn("cannot "+what, "error", err, "orphanedIn", time.Until(orphaned))
		}
		if time.Until(orphaned) <= 0 {
			return fmt.Errorf("%w (%s: %w)", ErrOrphaned, what, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(pause, time.Until(orphaned))):
		}
	}
}

func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, ErrOrphaned) && !errors.Is(err, ErrGone) {
		return nil
	}
	return err
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
