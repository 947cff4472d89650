package session

import (
	"context"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
)

// The ports that a session may show (contract section 4).
const (
	minPort = 49152
	maxPort = 65534
)

// WorkerReady is called for a worker that serves at e: it makes the session Ready, durably, and starts its lease. A
// repeated report changes nothing. Errors: arr.CodeNotFound (unknown session), CodeConflict (ended), CodeUnauthorized
// (not the token of this session's newest worker), CodeBadRequest (impossible report).
func (r *Reconciler) WorkerReady(ctx context.Context, key arr.SessionKey, token string, e arr.Endpoint) error {
	inRange := func(port int) bool { return port >= minPort && port <= maxPort }
	if e.Hostname == "" || !inRange(e.HandshakePort) || !inRange(e.InspectorPort) || e.HandshakePort == e.InspectorPort || e.Teraflops < 0 {
		return arr.Errorf(arr.CodeBadRequest, "The worker reports an impossible endpoint: %+v", e)
	}
	rec, err := r.c.Store.Update(ctx, key, func(rec *Record) error {
		if err := authorize(rec, token); err != nil {
			return err
		}
		if rec.Status == arr.StatusReady {
			return errUnchanged
		}
		rec.Hostname, rec.HandshakePort, rec.InspectorPort, rec.Teraflops = e.Hostname, e.HandshakePort, e.InspectorPort, e.Teraflops
		return rec.Transition(arr.StatusReady, r.c.Clock.Now())
	})
	if errors.Is(err, errUnchanged) {
		r.alive(key)
		return nil
	}
	if err != nil {
		return err
	}
	r.alive(key)
	r.Notify(key) // to time its lease
	took := rec.ReadyAt.Sub(rec.CreatedAt)
	r.c.Metrics.Started(rec.Size, took)
	r.c.Log.InfoContext(ctx, "session ready", "session", key.String(), "host", e.Hostname, "handshakePort", e.HandshakePort,
		"inspectorPort", e.InspectorPort, "took", took)
	return nil
}

// WorkerRenew is called by a living worker, and answers how much of the lease is left. Errors as WorkerReady. Renewals
// are not recorded: after a restart every worker gets a full LivenessTimeout to report.
func (r *Reconciler) WorkerRenew(ctx context.Context, key arr.SessionKey, token string) (leaseLeft time.Duration, err error) {
	rec, err := r.c.Store.Get(ctx, key)
	if err != nil {
		return 0, err
	}
	if err := authorize(&rec, token); err != nil {
		return 0, err
	}
	r.alive(key)
	return max(0, r.leaseLeft(&rec)), nil
}

func authorize(rec *Record, token string) error {
	hash := ControlToken(token).hash()
	if subtle.ConstantTimeCompare(hash[:], rec.TokenHash[:]) != 1 {
		return arr.Errorf(arr.CodeUnauthorized, "This is not the token of the session's worker.")
	}
	if rec.Status.Terminal() {
		return arr.Errorf(arr.CodeConflict, "The session has ended.")
	}
	return nil
}

func (r *Reconciler) alive(key arr.SessionKey) {
	r.edit(key, func(e *entry) { e.renewed = r.c.Clock.Now() })
}
