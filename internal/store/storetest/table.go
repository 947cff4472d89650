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
)

// table is what the stores of this package have in common: records by their keys, pages of them, and failures on demand.
type table[K recordKey, R any] struct {
	noun  string            // in messages
	clone func(R) R         // copies as a database does: nothing shared, times in UTC without a monotonic reading
	place func(R) place[K]  // where the record is in lists
	fixed func(to *R, of R) // gives to what an update cannot change

	mu      sync.Mutex
	records map[K]R
	fail    func(op string, key K) error
}

type recordKey interface {
	comparable
	String() string
}

// place is a position in the order of lists: by time of creation, then by key.
type place[K recordKey] struct {
	At  time.Time
	Key K
}

func (p place[K]) compare(q place[K]) int {
	return cmp.Or(p.At.Compare(q.At), strings.Compare(p.Key.String(), q.Key.String()))
}

// FailWith makes every operation, by the name of its method, ask f first, and fail with what it returns. nil ends that.
func (t *table[K, R]) FailWith(f func(op string, key K) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fail = f
}

func (t *table[K, R]) lock(ctx context.Context, op string, key K) error {
	t.mu.Lock()
	err := ctx.Err()
	if err == nil && t.fail != nil {
		err = t.fail(op, key)
	}
	if err != nil {
		t.mu.Unlock()
	}
	return err
}

// Create implements the stores.
func (t *table[K, R]) Create(ctx context.Context, r R) (_ R, created bool, err error) {
	key := t.place(r).Key
	if err := t.lock(ctx, "Create", key); err != nil {
		var none R
		return none, false, err
	}
	defer t.mu.Unlock()
	if old, ok := t.records[key]; ok {
		return t.clone(old), false, nil
	}
	t.records[key] = t.clone(r)
	return t.clone(r), true, nil
}

// Get implements the stores.
func (t *table[K, R]) Get(ctx context.Context, key K) (r R, err error) {
	if err := t.lock(ctx, "Get", key); err != nil {
		return r, err
	}
	defer t.mu.Unlock()
	return t.get(key)
}

func (t *table[K, R]) get(key K) (r R, err error) {
	r, ok := t.records[key]
	if !ok {
		return r, arr.Errorf(arr.CodeNotFound, "There is no %s with this ID.", t.noun)
	}
	return t.clone(r), nil
}

// Update implements the stores.
func (t *table[K, R]) Update(ctx context.Context, key K, fn func(*R) error) (none R, err error) {
	if err := t.lock(ctx, "Update", key); err != nil {
		return none, err
	}
	defer t.mu.Unlock()
	old, err := t.get(key)
	if err != nil {
		return none, err
	}
	r := t.clone(old)
	if err := fn(&r); err != nil {
		return none, err
	}
	t.fixed(&r, old)
	t.records[key] = t.clone(r)
	return t.clone(r), nil
}

// list returns the page of the records that want selects, and where the next one begins.
func (t *table[K, R]) list(ctx context.Context, after string, limit int, want func(R) bool) (page []R, next string, err error) {
	var all K
	if err := t.lock(ctx, "List", all); err != nil {
		return nil, "", err
	}
	defer t.mu.Unlock()
	for _, r := range t.records {
		if want(r) {
			page = append(page, t.clone(r))
		}
	}
	slices.SortFunc(page, func(a, b R) int { return t.place(a).compare(t.place(b)) })
	if after != "" {
		var last place[K]
		if err := json.Unmarshal([]byte(after), &last); err != nil {
			return nil, "", arr.Errorf(arr.CodeBadRequest, "bad position: %v", err)
		}
		page = slices.DeleteFunc(page, func(r R) bool { return t.place(r).compare(last) <= 0 })
	}
	if limit <= 0 || len(page) <= limit {
		return page, "", nil
	}
	page = page[:limit]
	position, err := json.Marshal(t.place(page[limit-1]))
	return page, string(position), err
}
