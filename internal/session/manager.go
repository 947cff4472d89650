package session

import (
	"context"
	"errors"

	"github.com/heliograph/heliograph/internal/arr"
)

// ManagerConfig is what a Manager needs.
type ManagerConfig struct {
	Store  Store
	Notify func(arr.SessionKey) // called after each durable change; Reconciler.Notify
	Clock  Clock                // nil = SystemClock
}

// Manager answers the session half of the REST contract (section 4): it validates, records intent durably and tells the
// Reconciler. It starts and stops nothing itself. Every error it makes is an *arr.Error. Safe for concurrent use.
type Manager struct {
	store  Store
	notify func(arr.SessionKey)
	clock  Clock
}

// NewManager returns a Manager.
func NewManager(c ManagerConfig) *Manager {
	if c.Clock == nil {
		c.Clock = SystemClock{}
	}
	return &Manager{store: c.Store, notify: c.Notify, clock: c.Clock}
}

// Create accepts a new session (created is true: 201), or returns the one that exists under key if it was created with
// the same settings (false: 200), whatever its state: an ended session is never started again. Other settings are
// arr.CodeConflict. Of concurrent identical calls exactly one gets created=true (contract section 8.9).
func (m *Manager) Create(ctx context.Context, key arr.SessionKey, size arr.Size, leaseMinutes int) (
	s arr.Session, created bool, err error) {
	size, err = arr.ParseSize(string(size))
	if err != nil {
		return arr.Session{}, false, err
	}
	if err := arr.CheckLease(leaseMinutes); err != nil {
		return arr.Session{}, false, err
	}
	rec, created, err := m.store.Create(ctx, Record{Session: arr.Session{
		Key:                   key,
		Size:                  size,
		Status:                arr.StatusStarting,
		CreatedAt:             m.clock.Now(),
		LeaseMinutes:          leaseMinutes,
		RequestedLeaseMinutes: leaseMinutes,
	}})
	if err != nil {
		return arr.Session{}, false, err
	}
	if created {
		m.notify(key)
		return rec.Session, true, nil
	}
	// The settings of creation are compared, not the present ones: a retried PUT after a PATCH is still the same request.
	if rec.Size != size || rec.RequestedLeaseMinutes != leaseMinutes {
		return arr.Session{}, false, arr.Errorf(arr.CodeConflict, "A resource already exists under the given ID.")
	}
	return rec.Session, false, nil
}

// Get returns the session, also for the 30 days after its end; arr.CodeNotFound for an unknown one.
func (m *Manager) Get(ctx context.Context, key arr.SessionKey) (arr.Session, error) {
	rec, err := m.store.Get(ctx, key)
	return rec.Session, err
}

// List returns the account's sessions in Starting and Ready, oldest first, limit at a time (0 = all). after is "" or the
// next of the page before; any other value is arr.CodeBadRequest. next is "" on the last page.
func (m *Manager) List(ctx context.Context, account arr.AccountID, after string, limit int) (page []arr.Session, next string, err error) {
	recs, next, err := m.store.List(ctx, ListOptions{Account: account, Status: liveStatuses(), After: after, Limit: limit})
	if err != nil {
		return nil, "", err
	}
	page = make([]arr.Session, len(recs))
	for i, r := range recs {
		page[i] = r.Session
	}
	return page, next, nil
}

// Extend sets the total lease, in Starting as in Ready. A lease that is not longer than the present one, or too long,
// and a session that has ended are arr.CodeUnprocessableEntity (contract section 4, PATCH); unknown is CodeNotFound.
func (m *Manager) Extend(ctx context.Context, key arr.SessionKey, minutes int) (arr.Session, error) {
	now := m.clock.Now()
	rec, err := m.store.Update(ctx, key, func(r *Record) error {
		end, leased := r.LeaseEnd()
		switch {
		case r.Status.Terminal(), leased && !now.Before(end): // the second: run out, only not yet recorded
			return leaseError(arr.CodeUnprocessableEntity, "The session has ended; its lease cannot be extended.")
		case minutes <= r.LeaseMinutes:
			return leaseError(arr.CodeUnprocessableEntity,
				"The maxLeaseTimeMinutes value %d must be larger than the current one, %d.", minutes, r.LeaseMinutes)
		case minutes > arr.MaxLeaseMinutes:
			return leaseError(arr.CodeUnprocessableEntity, "The maxLeaseTimeMinutes value must be between 0 and 1440.")
		}
		r.LeaseMinutes = minutes
		return nil
	})
	if err != nil {
		return arr.Session{}, err
	}
	m.notify(key)
	return rec.Session, nil
}

// Stop ends the session: it is durably Stopped when Stop returns, and its worker ends soon after. Stopping an ended
// session changes nothing and is no error; unknown is arr.CodeNotFound.
func (m *Manager) Stop(ctx context.Context, key arr.SessionKey) error {
	now := m.clock.Now()
	_, err := m.store.Update(ctx, key, func(r *Record) error {
		if r.Status.Terminal() {
			return errUnchanged
		}
		return r.Transition(arr.StatusStopped, now)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err != nil {
		return err
	}
	m.notify(key)
	return nil
}

// errUnchanged is returned by update functions that find nothing to change.
var errUnchanged = errors.New("nothing to change")

func leaseError(code arr.Code, format string, args ...any) *arr.Error {
	e := arr.Errorf(code, format, args...)
	e.Target = "maxLeaseTimeMinutes"
	return e
}

func liveStatuses() []arr.SessionStatus {
	return []arr.SessionStatus{arr.StatusStarting, arr.StatusReady}
}
