package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/session"
)

// Memory is a session.Store for tests of other packages: it passes the suite, forgets everything, and starts no goroutine.
type Memory struct {
	table[arr.SessionKey, session.Record]
}

var _ session.Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{table[arr.SessionKey, session.Record]{
		noun: "session", clone: clone, records: map[arr.SessionKey]session.Record{},
		place: func(r session.Record) place[arr.SessionKey] { return place[arr.SessionKey]{r.CreatedAt, r.Key} },
		fixed: func(to *session.Record, of session.Record) {
			to.Key, to.Size, to.CreatedAt, to.RequestedLeaseMinutes = of.Key, of.Size, of.CreatedAt, of.RequestedLeaseMinutes
		},
	}}
}

// List implements session.Store.
func (m *Memory) List(ctx context.Context, o session.ListOptions) ([]session.Record, string, error) {
	return m.list(ctx, o.After, o.Limit, func(r session.Record) bool {
		return (o.Account == "" || o.Account == r.Key.Account) && (len(o.Status) == 0 || slices.Contains(o.Status, r.Status))
	})
}

// Prune implements session.Store.
func (m *Memory) Prune(ctx context.Context, t time.Time) (int, error) {
	if err := m.lock(ctx, "Prune", arr.SessionKey{}); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	n := len(m.records)
	for k, r := range m.records {
		if !r.EndedAt.IsZero() && r.EndedAt.Before(t) {
			delete(m.records, k)
		}
	}
	return n - len(m.records), nil
}

// clone copies r.
func clone(r session.Record) session.Record {
	for _, t := range []*time.Time{&r.CreatedAt, &r.ReadyAt, &r.EndedAt, &r.StartedAt} {
		*t = t.UTC().Round(0)
	}
	if r.Error != nil {
		e := *r.Error
		r.Error = &e
	}
	if r.Handle != nil {
		h := *r.Handle
		h.State = slices.Clone(h.State)
		r.Handle = &h
	}
	return r
}
