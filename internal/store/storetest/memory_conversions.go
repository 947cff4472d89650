package storetest

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/conversion"
)

// MemoryConversions is a conversion.Store for tests of other packages, as Memory is a session.Store.
type MemoryConversions struct {
	table[arr.ConversionKey, conversion.Record]
}

var _ conversion.Store = (*MemoryConversions)(nil)

// NewMemoryConversions returns an empty store.
func NewMemoryConversions() *MemoryConversions {
	return &MemoryConversions{table[arr.ConversionKey, conversion.Record]{
		noun: "conversion", clone: cloneConversion, records: map[arr.ConversionKey]conversion.Record{},
		place: func(r conversion.Record) place[arr.ConversionKey] {
			return place[arr.ConversionKey]{r.CreatedAt, r.Key}
		},
		fixed: func(to *conversion.Record, of conversion.Record) {
			to.Key, to.Settings, to.CreatedAt = of.Key, of.Settings, of.CreatedAt
		},
	}}
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
	return m.list(ctx, o.After, o.Limit, func(r conversion.Record) bool {
		return (o.Account == "" || o.Account == r.Key.Account) && (len(o.Status) == 0 || slices.Contains(o.Status, r.Status))
	})
}

// cloneConversion copies r.
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
