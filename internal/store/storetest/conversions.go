package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/conversion"
)

// RunConversions runs the suite that every conversion.Store passes. open returns an empty store that is closed at the end of
// the test.
func RunConversions(t *testing.T, open func(t *testing.T) conversion.Store) {
	for name, test := range map[string]func(conversionStore, *testing.T){
		"RoundTrip":             conversionStore.testRoundTrip,
		"CreateExisting":        conversionStore.testCreateExisting,
		"CreateConcurrently":    conversionStore.testCreateConcurrently,
		"KeysAreCaseSensitive":  conversionStore.testKeysAreCaseSensitive,
		"NotFound":              conversionStore.testNotFound,
		"UpdateIsAtomic":        conversionStore.testUpdateIsAtomic,
		"UpdateKeepsWhatItMust": conversionStore.testUpdateKeepsWhatItMust,
		"Delete":                conversionStore.testDelete,
		"FailuresAreOnesOwn":    conversionStore.testFailuresAreOnesOwn,
		"List":                  conversionStore.testList,
		"ListPagesUnderChanges": conversionStore.testListPagesUnderChanges,
		"ListRefusesBadAfter":   conversionStore.testListRefusesBadAfter,
		"CancelledContext":      conversionStore.testCancelledContext,
	} {
		t.Run(name, func(t *testing.T) { test(conversionStore{open(t)}, t) })
	}
}

// RunConversionsDurable checks that what was acknowledged is there after a reopen, and what was erased is not. reopen closes
// the store it returned last and opens the same data again; the first call opens it empty.
func RunConversionsDurable(t *testing.T, reopen func(t *testing.T) conversion.Store) {
	s := conversionStore{reopen(t)}
	want := s.mustCreate(t, fullConversion("kept"))
	s.mustCreate(t, conversionOf("changed", base))
	s.mustCreate(t, conversionOf("deleted", base))
	s.mustUpdate(t, "changed", func(r *conversion.Record) { r.Starts = 99 })
	if err := s.Delete(t.Context(), conversionKey(accountA, "deleted"), nil); err != nil {
		t.Fatal(err)
	}
	s = conversionStore{reopen(t)}
	equalConversion(t, s.mustGet(t, "kept"), want)
	if got := s.mustGet(t, "changed"); got.Starts != 99 {
		t.Errorf("starts after reopen are %d, want 99", got.Starts)
	}
	if _, err := s.Get(t.Context(), conversionKey(accountA, "deleted")); arr.CodeOf(err) != arr.CodeNotFound {
		t.Errorf("the deleted one is back: %v", err)
	}
}

// conversionStore is a store under test. Its short forms act on accountA.
type conversionStore struct{ conversion.Store }

func (s conversionStore) mustCreate(t *testing.T, r conversion.Record) conversion.Record {
	t.Helper()
	got, created, err := s.Create(t.Context(), r)
	if err != nil || !created {
		t.Fatalf("create %s: created=%v err=%v", r.Key, created, err)
	}
	return got
}

func (s conversionStore) mustGet(t *testing.T, id string) conversion.Record {
	t.Helper()
	r, err := s.Get(t.Context(), conversionKey(accountA, id))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (s conversionStore) mustUpdate(t *testing.T, id string, fn func(*conversion.Record)) conversion.Record {
	t.Helper()
	r, err := s.Update(t.Context(), conversionKey(accountA, id), func(r *conversion.Record) error { fn(r); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func equalConversion(t *testing.T, got, want conversion.Record) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("record (-want +got):\n%s", d)
	}
}

func conversionKey(a arr.AccountID, id string) arr.ConversionKey {
	return arr.ConversionKey{Account: a, ID: arr.ConversionID(id)}
}

// conversionOf is one as Manager creates it, without credentials.
func conversionOf(id string, at time.Time) conversion.Record {
	return conversion.Record{Conversion: arr.Conversion{
		Key: conversionKey(accountA, id), Status: arr.ConversionNotStarted, CreatedAt: at,
		Settings: arr.ConversionSettings{
			Input:  arr.InputLocation{ContainerURI: "file:///in", AssetPath: "engine.glb"},
			Output: arr.OutputLocation{ContainerURI: "file:///out", AssetFilename: "engine.arrAsset"},
		},
	}}
}

// fullConversion has every field set.
func fullConversion(id string) conversion.Record {
	return conversion.Record{
		Conversion: arr.Conversion{
			Key: conversionKey(accountA, id), Status: arr.ConversionFailed,
			CreatedAt: base, StartedAt: base.Add(time.Nanosecond), EndedAt: base.Add(time.Hour),
			Settings: arr.ConversionSettings{
				Input:  arr.InputLocation{ContainerURI: "https://a.example/in", BlobPrefix: "models/ü/", AssetPath: `it's "here".fbx`},
				Output: arr.OutputLocation{ContainerURI: "s3://bucket", BlobPrefix: "x/", AssetFilename: "y.arrAsset"},
			},
			Error: &arr.Error{Code: arr.CodeConversionFailed, Message: "it's “broken”", Target: "x"},
		},
		Sealed: []byte{0, 1, 255}, Starts: 3, Crashes: 2,
	}
}

func (s conversionStore) testRoundTrip(t *testing.T) {
	for _, r := range []conversion.Record{fullConversion("full"), conversionOf("plain", base)} {
		equalConversion(t, s.mustCreate(t, r), r)
		equalConversion(t, s.mustGet(t, string(r.Key.ID)), r)
	}
	// The same by Update, and back to nothing: erased credentials are no longer there.
	want := fullConversion("plain")
	want.Settings = conversionOf("plain", base).Settings // fixed at the creation
	for _, change := range []conversion.Record{want, conversionOf("plain", base)} {
		equalConversion(t, s.mustUpdate(t, "plain", func(r *conversion.Record) { *r = change }), change)
		equalConversion(t, s.mustGet(t, "plain"), change)
	}
	local := conversionOf("zone", base.In(time.FixedZone("x", 3600)))
	if got := s.mustCreate(t, local); !got.CreatedAt.Equal(base) || got.CreatedAt.Location() != time.UTC {
		t.Errorf("CreatedAt came back as %v, want %v", got.CreatedAt, base)
	}
}

func (s conversionStore) testCreateExisting(t *testing.T) {
	first := s.mustCreate(t, conversionOf("one", base))
	got, created, err := s.Create(t.Context(), fullConversion("one"))
	if err != nil || created {
		t.Fatalf("second Create: created=%v err=%v", created, err)
	}
	equalConversion(t, got, first)
	equalConversion(t, s.mustGet(t, "one"), first)
}

func (s conversionStore) testCreateConcurrently(t *testing.T) {
	const keys, callers = 10, 16
	var created [keys]atomic.Int32
	var wg sync.WaitGroup
	for c := range callers {
		for k := range keys {
			wg.Go(func() {
				r := conversionOf(fmt.Sprintf("same-%d", k), base)
				r.Starts = c
				got, won, err := s.Create(t.Context(), r)
				switch {
				case err != nil:
					t.Errorf("create: %v", err)
				case won:
					created[k].Add(1)
					if got.Starts != c {
						t.Errorf("caller %d created %d", c, got.Starts)
					}
				}
			})
		}
	}
	wg.Wait()
	for k := range keys {
		if n := created[k].Load(); n != 1 {
			t.Errorf("key %d was created %d times", k, n)
		}
	}
}

func (s conversionStore) testKeysAreCaseSensitive(t *testing.T) {
	s.mustCreate(t, conversionOf("abc", base))
	s.mustCreate(t, conversionOf("ABC", base))
	b := conversionOf("abc", base)
	b.Key.Account = accountB
	s.mustCreate(t, b)
	if page, _, err := s.List(t.Context(), conversion.ListOptions{}); err != nil || len(page) != 3 {
		t.Errorf("%d records (%v), want 3", len(page), err)
	}
}

func (s conversionStore) testNotFound(t *testing.T) {
	s.mustCreate(t, conversionOf("x", base))
	if _, err := s.Get(t.Context(), conversionKey(accountB, "x")); arr.CodeOf(err) != arr.CodeNotFound {
		t.Errorf("Get: %v", err)
	}
	_, err := s.Update(t.Context(), conversionKey(accountA, "y"), func(*conversion.Record) error {
		t.Error("fn called for an unknown key")
		return nil
	})
	if arr.CodeOf(err) != arr.CodeNotFound {
		t.Errorf("Update: %v", err)
	}
	if err := s.Delete(t.Context(), conversionKey(accountA, "X"), nil); arr.CodeOf(err) != arr.CodeNotFound {
		t.Errorf("Delete: %v", err)
	}
}

func (s conversionStore) testUpdateIsAtomic(t *testing.T) {
	s.mustCreate(t, conversionOf("counter", base))
	const callers, rounds = 8, 25
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range rounds {
				if _, err := s.Update(t.Context(), conversionKey(accountA, "counter"), func(r *conversion.Record) error {
					r.Starts++
					return nil
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := s.mustGet(t, "counter"); got.Starts != callers*rounds {
		t.Errorf("%d increments arrived, want %d", got.Starts, callers*rounds)
	}
	refused := errors.New("refused")
	_, err := s.Update(t.Context(), conversionKey(accountA, "counter"), func(r *conversion.Record) error { r.Starts = -1; return refused })
	if !errors.Is(err, refused) {
		t.Errorf("Update returned %v, want the error of fn", err)
	}
	if got := s.mustGet(t, "counter"); got.Starts != callers*rounds {
		t.Errorf("a refused update changed the count to %d", got.Starts)
	}
}

func (s conversionStore) testUpdateKeepsWhatItMust(t *testing.T) {
	r := s.mustCreate(t, conversionOf("stays", base))
	got := s.mustUpdate(t, "stays", func(r *conversion.Record) {
		r.Key.ID, r.Settings, r.CreatedAt = "moved", arr.ConversionSettings{}, base.Add(time.Hour)
	})
	equalConversion(t, got, r)
}

func (s conversionStore) testDelete(t *testing.T) {
	s.mustCreate(t, conversionOf("gone", base))
	s.mustCreate(t, conversionOf("stays", base))
	gone := conversionKey(accountA, "gone")
	refused := errors.New("refused")
	if err := s.Delete(t.Context(), gone, func(r *conversion.Record) error {
		if !r.CreatedAt.Equal(base) {
			t.Errorf("asked about %+v", r)
		}
		return refused
	}); !errors.Is(err, refused) {
		t.Errorf("Delete returned %v, want the error of check", err)
	}
	s.mustGet(t, "gone")
	if err := s.Delete(t.Context(), gone, func(*conversion.Record) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), gone); arr.CodeOf(err) != arr.CodeNotFound {
		t.Errorf("Get after Delete: %v", err)
	}
	s.mustGet(t, "stays")
	again := s.mustCreate(t, conversionOf("gone", base.Add(time.Second))) // its name is free
	equalConversion(t, s.mustGet(t, "gone"), again)
}

// testFailuresAreOnesOwn mixes refused and good changes, which a store may commit together.
func (s conversionStore) testFailuresAreOnesOwn(t *testing.T) {
	s.mustCreate(t, conversionOf("exists", base))
	refused := errors.New("refused")
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			switch i % 3 {
			case 0:
				if _, created, err := s.Create(t.Context(), conversionOf(fmt.Sprintf("good-%d", i), base)); err != nil || !created {
					t.Errorf("good create: created=%v err=%v", created, err)
				}
			case 1:
				_, err := s.Update(t.Context(), conversionKey(accountA, "exists"), func(r *conversion.Record) error { r.Starts = 7; return refused })
				if !errors.Is(err, refused) {
					t.Errorf("refused update: %v", err)
				}
			case 2:
				if err := s.Delete(t.Context(), conversionKey(accountA, "missing"), nil); arr.CodeOf(err) != arr.CodeNotFound {
					t.Errorf("missing delete: %v", err)
				}
			}
		})
	}
	wg.Wait()
	page, _, err := s.List(t.Context(), conversion.ListOptions{})
	if err != nil || len(page) != 21 {
		t.Errorf("%d records (%v), want 21", len(page), err)
	}
	if got := s.mustGet(t, "exists"); got.Starts != 0 {
		t.Errorf("a refused update set %d starts", got.Starts)
	}
}

func (s conversionStore) testList(t *testing.T) {
	statuses := []arr.ConversionStatus{arr.ConversionNotStarted, arr.ConversionRunning, arr.ConversionSucceeded, arr.ConversionFailed}
	for i, status := range statuses {
		for _, account := range []arr.AccountID{accountA, accountB} {
			r := conversionOf(fmt.Sprintf("c%d", 9-i), base.Add(time.Duration(i)*time.Nanosecond))
			r.Key.Account, r.Status = account, status
			s.mustCreate(t, r)
		}
	}
	s.mustCreate(t, conversionOf("a-tie", base))

	f := func(o conversion.ListOptions, want ...string) {
		t.Helper()
		page, next, err := s.List(t.Context(), o)
		if err != nil || next != "" {
			t.Errorf("list %+v: next=%q err=%v", o, next, err)
		}
		var got []string
		for _, r := range page {
			got = append(got, string(r.Key.Account[:1])+" "+string(r.Key.ID))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("list %+v (-want +got):\n%s", o, d)
		}
	}
	live := []arr.ConversionStatus{arr.ConversionRunning, arr.ConversionNotStarted}
	f(conversion.ListOptions{}, "a a-tie", "a c9", "b c9", "a c8", "b c8", "a c7", "b c7", "a c6", "b c6")
	f(conversion.ListOptions{Account: accountB}, "b c9", "b c8", "b c7", "b c6")
	f(conversion.ListOptions{Status: live}, "a a-tie", "a c9", "b c9", "a c8", "b c8")
	f(conversion.ListOptions{Status: live, Account: accountB}, "b c9", "b c8")
	f(conversion.ListOptions{Status: []arr.ConversionStatus{arr.ConversionFailed}}, "a c6", "b c6")
	f(conversion.ListOptions{Account: "cccccccc-0000-4000-8000-000000000003"})
}

// testListPagesUnderChanges walks pages while conversions are added and deleted: each that was there all the time appears
// once.
func (s conversionStore) testListPagesUnderChanges(t *testing.T) {
	const n = 23
	for i := range n {
		s.mustCreate(t, conversionOf(fmt.Sprintf("c%02d", i), base.Add(time.Duration(i/3)*time.Second))) // ties of three
	}
	seen := map[arr.ConversionID]int{}
	o := conversion.ListOptions{Account: accountA, Limit: 5}
	for pages := 0; ; pages++ {
		page, next, err := s.List(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) > o.Limit {
			t.Fatalf("page of %d, limit %d", len(page), o.Limit)
		}
		for _, r := range page {
			seen[r.Key.ID]++
		}
		if next == "" {
			break
		}
		if o.After = next; pages > 3*n {
			t.Fatal("the pages do not end")
		}
		s.mustCreate(t, conversionOf(fmt.Sprintf("early%d", pages), base.Add(-time.Second)))
		s.mustCreate(t, conversionOf(fmt.Sprintf("late%d", pages), base.Add(time.Hour+time.Duration(pages)*time.Second)))
		if pages == 0 {
			if err := s.Delete(t.Context(), page[len(page)-1].Key, nil); err != nil { // the one that next names
				t.Fatal(err)
			}
		}
		if pages > 2 {
			o.Limit = 50
		}
	}
	for i := range n {
		if id := arr.ConversionID(fmt.Sprintf("c%02d", i)); seen[id] != 1 {
			t.Errorf("%s appeared %d times", id, seen[id])
		}
	}
}

func (s conversionStore) testListRefusesBadAfter(t *testing.T) {
	for _, after := range []string{"x", "%%%", "AAAA", "MTIz"} {
		if _, _, err := s.List(t.Context(), conversion.ListOptions{After: after}); arr.CodeOf(err) != arr.CodeBadRequest {
			t.Errorf("after %q: %v", after, err)
		}
	}
}

func (s conversionStore) testCancelledContext(t *testing.T) {
	s.mustCreate(t, conversionOf("stays", base))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Create(ctx, conversionOf("never", base)); !errors.Is(err, context.Canceled) {
		t.Errorf("Create: %v", err)
	}
	if err := s.Delete(ctx, conversionKey(accountA, "stays"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Delete: %v", err)
	}
	if page, _, err := s.List(t.Context(), conversion.ListOptions{}); err != nil || len(page) != 1 {
		t.Errorf("cancelled changes left %d records (%v), want 1", len(page), err)
	}
}
