package session

import (
	"context"
	"errors"
	"log/slog"
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
	Concurrency     int           // sessions reconciled at the same time [32]
}

// Reconciler drives every session from what is recorded to what runs.
type Reconciler struct{ ReconcilerConfig }

// NewReconciler returns a Reconciler; it does nothing until Run.
func NewReconciler(c ReconcilerConfig) *Reconciler { return &Reconciler{c} }

// Run adopts and then drives sessions until ctx ends. It leaves the workers running and returns when all that it
// started here has ended. The Store must outlive it.
func (r *Reconciler) Run(ctx context.Context) error { return errors.New("not written yet") }

// Notify says that the record of key has changed. It never blocks.
func (r *Reconciler) Notify(key arr.SessionKey) {}

// WorkerReady is called for a worker that serves at e. Its errors: arr.CodeNotFound (unknown), CodeConflict (ended),
// CodeUnauthorized (not the token of this session's newest worker), CodeBadRequest (impossible report).
func (r *Reconciler) WorkerReady(ctx context.Context, key arr.SessionKey, token string, e arr.Endpoint) error {
	return errors.New("not written yet")
}

// WorkerRenew is called by a living worker, and answers how much of the lease is left. Errors as WorkerReady.
func (r *Reconciler) WorkerRenew(ctx context.Context, key arr.SessionKey, token string) (leaseLeft time.Duration, err error) {
	return 0, errors.New("not written yet")
}
