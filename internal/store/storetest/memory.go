package storetest

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/session"
)

// Memory is a session.Store for tests of other packages: it passes the suite, forgets everything, and starts no goroutine.
type Memory struct {
	mu      sync.Mutex
	records map[arr.SessionKey]session.Record
	fail    func(op string, key arr.SessionKey) error
}

var _ session.Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{records: map[arr.SessionKey]session.Record{}} }

// FailWith makes every operation ("Create", "Get", "List", "Update", "Prune") ask f first, and fail with what it returns.
// nil ends that.
func (m *Memory) FailWith(f func(op string, key arr.SessionKey) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = f
}

func (m *Memory) lock(ctx context.Context, op string, key arr.SessionKey) error {
	m.mu.Lock()
	err := ctx.Err()
	if err == nil && m.fail != nil {
		err = m.fail(op, key)
	}
	if err != nil {
		m.mu.Unlock()
	}
	return err
}

// Create implements session.Store.
func (m *Memory) Create(ctx context.Context, r session.Record) (session.Record, bool, error) {
	if err := m.lock(ctx, "Create", r.Key); err != nil {
		return session.Record{}, false, err
	}
	defer m.mu.Unlock()
	if old, ok := m.records[r.Key]; ok {
		return clone(old), false, nil
	}
	m.records[r.Key] = clone(r)
	return clone(r), true, nil
}

// Get implements session.Store.
func (m *Memory) Get(ctx context.Context, key arr.SessionKey) (session.Record, error) {
	if err := m.lock(ctx, "Get", key); err != nil {
		return session.Record{}, err
	}
	defer m.mu.Unlock()
	return m.get(key)
}

func (m *Memory) get(key arr.SessionKey) (session.Record, error) {
	r, ok := m.records[key]
	if !ok {
		return session.Record{}, arr.Errorf(arr.CodeNotFound, "There is no session with this ID.")
	}
	return clone(r), nil
}

// Update implements session.Store.
func (m *Memory) Update(ctx context.Context, key arr.SessionKey, fn func(*session.Record) error) (session.Record, error) {
	if err := m.lock(ctx, "Update", key); err != nil {
		return session.Record{}, err
	}
	defer m.mu.Unlock()
	r, err := m.get(key)
	if err != nil {
		return session.Record{}, err
	}
	fixed := r.Session
	if err := fn(&r); err != nil {
		return session.Record{}, err
	}
	r.Key, r.Size, r.CreatedAt, r.RequestedLeaseMinutes = fixed.Key, fixed.Size, fixed.CreatedAt, fixed.RequestedLeaseMinutes
	m.records[key] = clone(r)
	return clone(r), nil
}

// List implements session.Store.
func (m *Memory) List(ctx context.Context, o session.ListOptions) ([]session.Record, string, error) {
	if err := m.lock(ctx, "List", arr.SessionKey{}); err != nil {
		return nil, "", err
	}
	defer m.mu.Unlock()
	var page []session.Record
	for _, r := range m.records {
		if (o.Account == "" || o.Account == r.Key.Account) && (len(o.Status) == 0 || slices.Contains(o.Status, r.Status)) {
			page = append(page, clone(r))
		}
	}
	slices.SortFunc(page, func(a, b session.Record) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.Key.String(), b.Key.String()))
	})
	if o.After != "" {
		var after session.Record
		if err := json.Unmarshal([]byte(o.After), &after); err != nil {
			return nil, "", arr.Errorf(arr.CodeBadRequest, "bad position: %v", err)
		}
		page = slices.DeleteFunc(page, func(r session.Record) bool {
			return cmp.Or(r.CreatedAt.Compare(after.CreatedAt), strings.Compare(r.Key.String(), after.Key.String())) <= 0
		})
	}
	if o.Limit <= 0 || len(page) <= o.Limit {
		return page, "", nil
	}
	page = page[:o.Limit]
	last := page[o.Limit-1]
	next, err := json.Marshal(session.Record{Session: arr.Session{Key: last.Key, CreatedAt: last.CreatedAt}})
	return page, string(next), err
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

// clone copies r as a database does: nothing shared, times in UTC without a monotonic reading.
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
