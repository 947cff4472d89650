package storetest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/conversion"
)

// MemoryConversions is a conversion.Store for tests of other packages, as Memory is a session.Store.
type MemoryConversions struct {
	mu      sync.Mutex
	records map[arr.ConversionKey]conversion.Record
	fail    func(op string, key arr.ConversionKey) error
}

var _ conversion.Store = (*MemoryConversions)(nil)

// NewMemoryConversions returns an empty store.
func NewMemoryConversions() *MemoryConversions {
	return &MemoryConversions{records: map[arr.ConversionKey]conversion.Record{}}
}

// FailWith makes every operation ("Create", "Get", "List", "Update", "Delete") ask f first, and fail with what it returns.
// nil ends that.
func (m *MemoryConversions) FailWith(f func(op string, key arr.ConversionKey) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = f
}

func (m *MemoryConversions) lock(ctx context.Context, op string, key arr.ConversionKey) error {
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

// Create implements conversion.Store.
func (m *MemoryConversions) Create(ctx context.Context, r conversion.Record) (conversion.Record, bool, error) {
	if err := m.lock(ctx, "Create", r.Key); err != nil {
		return conversion.Record{}, false, err
	}
	defer m.mu.Unlock()
	if old, ok := m.records[r.Key]; ok {
		return cloneConversion(old), false, nil
	}
	m.records[r.Key] = cloneConversion(r)
	return cloneConversion(r), true, nil
}

// Get implements conversion.Store.
func (m *MemoryConversions) Get(ctx context.Context, key arr.ConversionKey) (conversion.Record, error) {
	if err := m.lock(ctx, "Get", key); err != nil {
		return conversion.Record{}, err
	}
	defer m.mu.Unlock()
	return m.get(key)
}

func (m *MemoryConversions) get(key arr.ConversionKey) (conversion.Record, error) {
	r, ok := m.records[key]
	if !ok {
		return conversion.Record{}, arr.Errorf(arr.CodeNotFound, "There is no conversion with this ID.")
	}
	return cloneConversion(r), nil
}

// Update implements conversion.Store.
func (m *MemoryConversions) Update(ctx context.Context, key arr.ConversionKey, fn func(*conversion.Record) error) (
	conversion.Record, error) {
	if err := m.lock(ctx, "Update", key); err != nil {
		return conversion.Record{}, err
	}
	defer m.mu.Unlock()
	r, err := m.get(key)
	if err != nil {
		return conversion.Record{}, err
	}
	fixed := r.Conversion
	if err := fn(&r); err != nil {
		return conversion.Record{}, err
	}
	r.Key, r.Settings, r.CreatedAt = fixed.Key, fixed.Settings, fixed.CreatedAt
	m.records[key] = cloneConversion(r)
	return cloneConversion(r), nil
}

// Delete implements conversion.Store.
func (m *MemoryConversions) Delete(ctx context.Context, key arr.ConversionKey, check func(*conversion.Record) error) error {
	if err := m.lock(ctx, "Delete", key); err != nil {
		return err
	}
	defer m.mu.Unlock()
	r, err := m.get(key)
	if err == nil && check != nil {
		err = check(&r)
	}
	if err != nil {
		return err
	}
	delete(m.records, key)
	return nil
}

// List implements conversion.Store.
func (m *MemoryConversions) List(ctx context.Context, o conversion.ListOptions) ([]conversion.Record, string, error) {
	if err := m.lock(ctx, "List", arr.ConversionKey{}); err != nil {
		return nil, "", err
	}
	defer m.mu.Unlock()
	type place struct {
		At  time.Time
		Key arr.ConversionKey
	}
	compare := func(r conversion.Record, p place) int {
		return cmp.Or(r.CreatedAt.Compare(p.At), strings.Compare(r.Key.String(), p.Key.String()))
	}
	var page []conversion.Record
	for _, r := range m.records {
		if (o.Account == "" || o.Account == r.Key.Account) && (len(o.Status) == 0 || slices.Contains(o.Status, r.Status)) {
			page = append(page, cloneConversion(r))
		}
	}
	slices.SortFunc(page, func(a, b conversion.Record) int { return compare(a, place{b.CreatedAt, b.Key}) })
	if o.After != "" {
		var after place
		if err := json.Unmarshal([]byte(o.After), &after); err != nil {
			return nil, "", arr.Errorf(arr.CodeBadRequest, "bad position: %v", err)
		}
		page = slices.DeleteFunc(page, func(r conversion.Record) bool { return compare(r, after) <= 0 })
	}
	if o.Limit <= 0 || len(page) <= o.Limit {
		return page, "", nil
	}
	page = page[:o.Limit]
	last := page[o.Limit-1]
	next, err := json.Marshal(place{last.CreatedAt, last.Key})
	return page, string(next), err
}

// cloneConversion copies r as a database does.
func cloneConversion(r conversion.Record) conversion.Record {
	for _, t := range []*time.Time{&r.CreatedAt, &r.StartedAt, &r.EndedAt} {
		*t = t.UTC().Round(0)
	}
	if r.Error != nil {
		e := *r.Error
		r.Error = &e
	}
	r.Sealed = bytes.Clone(r.Sealed)
	return r
}
