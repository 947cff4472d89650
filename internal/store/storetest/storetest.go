// Package storetest holds the conformance suites that every session.Store and every conversion.Store passes. They test
// through the interface only.
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
	"github.com/heliograph/heliograph/internal/session"
)

const (
	accountA = arr.AccountID("aaaaaaaa-0000-4000-8000-000000000001")
	accountB = arr.AccountID("bbbbbbbb-0000-4000-8000-000000000002")
)

// base has nanoseconds that no coarser storage would keep.
var base = time.Date(2026, 5, 14, 13, 56, 19, 782603841, time.UTC)

// Run runs the suite. open returns an empty store that is closed at the end of the test.
func Run(t *testing.T, open func(t *testing.T) session.Store) {
	for name, test := range map[string]func(*testing.T, session.Store){
		"RoundTrip":             testRoundTrip,
		"CreateExisting":        testCreateExisting,
		"CreateConcurrently":    testCreateConcurrently,
		"KeysAreCaseSensitive":  testKeysAreCaseSensitive,
		"NotFound":              testNotFound,
		"UpdateIsAtomic":        testUpdateIsAtomic,
		"UpdateKeepsKey":        testUpdateKeepsKey,
		"FailuresAreOnesOwn":    testFailuresAreOnesOwn,
		"List":                  testList,
		"ListPagesUnderInserts": testListPagesUnderInserts,
		"ListRefusesBadAfter":   testListRefusesBadAfter,
		"Prune":                 testPrune,
		"CancelledContext":      testCancelledContext,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// RunDurable checks that what was acknowledged is there after a reopen. reopen closes the store it returned last and
// opens the same data again; the first call opens it empty.
func RunDurable(t *testing.T, reopen func(t *testing.T) session.Store) {
	s := reopen(t)
	want := mustCreate(t, s, full("kept"))
	mustCreate(t, s, record("changed", base))
	if _, err := s.Update(t.Context(), key(accountA, "changed"), func(r *session.Record) error {
		r.LeaseMinutes = 99
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	s = reopen(t)
	equal(t, mustGet(t, s, want.Key), want)
	if got := mustGet(t, s, key(accountA, "changed")); got.LeaseMinutes != 99 {
		t.Errorf("lease after reopen is %d, want 99", got.LeaseMinutes)
	}
}

func key(a arr.AccountID, id string) arr.SessionKey {
	return arr.SessionKey{Account: a, ID: arr.SessionID(id)}
}

// record is one as Manager creates it.
func record(id string, at time.Time) session.Record {
	return session.Record{Session: arr.Session{
		Key: key(accountA, id), Size: arr.SizeStandard, Status: arr.StatusStarting, CreatedAt: at, LeaseMinutes: 5, RequestedLeaseMinutes: 5,
	}}
}

// full has every field set.
func full(id string) session.Record {
	return session.Record{
		Session: arr.Session{
			Key: key(accountA, id), Size: arr.SizePremium, Status: arr.StatusError,
			CreatedAt: base, ReadyAt: base.Add(time.Nanosecond), EndedAt: base.Add(time.Hour),
			LeaseMinutes: 20, RequestedLeaseMinutes: 10,
			Hostname: "render.example", HandshakePort: 50830, InspectorPort: 61353, Teraflops: 0.1234567890123,
			Error: &arr.Error{Code: arr.CodeWorkerLost, Message: "it's “gone”", Target: "x"},
		},
		TokenHash: [32]byte{1, 31: 255},
		StartedAt: base.Add(2 * time.Nanosecond),
		Handle:    &session.Handle{Backend: "local", Version: 3, State: []byte(`{"pid":7}`)},
	}
}

func testRoundTrip(t *testing.T, s session.Store) {
	for _, r := range []session.Record{full("full"), record("plain", base)} {
		equal(t, mustCreate(t, s, r), r)
		equal(t, mustGet(t, s, r.Key), r)
	}
	// The same by Update, and back to nothing.
	want := full("plain")
	want.Size, want.RequestedLeaseMinutes = arr.SizeStandard, 5 // settings of creation
	for _, change := range []session.Record{want, record("plain", base)} {
		got, err := s.Update(t.Context(), change.Key, func(r *session.Record) error { *r = change; return nil })
		if err != nil {
			t.Fatal(err)
		}
		equal(t, got, change)
		equal(t, mustGet(t, s, change.Key), change)
	}
	local := record("zone", base.In(time.FixedZone("x", 3600)))
	if got := mustCreate(t, s, local); !got.CreatedAt.Equal(base) || got.CreatedAt.Location() != time.UTC {
		t.Errorf("CreatedAt came back as %v, want %v", got.CreatedAt, base)
	}
}

func testCreateExisting(t *testing.T, s session.Store) {
	first := mustCreate(t, s, record("one", base))
	other := full("one")
	got, created, err := s.Create(t.Context(), other)
	if err != nil || created {
		t.Fatalf("second Create: created=%v err=%v", created, err)
	}
	equal(t, got, first)
	equal(t, mustGet(t, s, first.Key), first)
}

func testCreateConcurrently(t *testing.T, s session.Store) {
	const keys, callers = 10, 16
	var created [keys]atomic.Int32
	var wg sync.WaitGroup
	for c := range callers {
		for k := range keys {
			wg.Go(func() {
				r := record(fmt.Sprintf("same-%d", k), base)
				r.LeaseMinutes, r.RequestedLeaseMinutes = c, c
				got, won, err := s.Create(t.Context(), r)
				switch {
				case err != nil:
					t.Errorf("create: %v", err)
				case won:
					created[k].Add(1)
					if got.LeaseMinutes != c {
						t.Errorf("caller %d created lease %d", c, got.LeaseMinutes)
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

func testKeysAreCaseSensitive(t *testing.T, s session.Store) {
	mustCreate(t, s, record("abc", base))
	mustCreate(t, s, record("ABC", base))
	b := record("abc", base)
	b.Key.Account = accountB
	mustCreate(t, s, b)
	if page, _, err := s.List(t.Context(), session.ListOptions{}); err != nil || len(page) != 3 {
		t.Errorf("%d records (%v), want 3", len(page), err)
	}
}

func testNotFound(t *testing.T, s session.Store) {
	mustCreate(t, s, record("x", base))
	if _, err := s.Get(t.Context(), key(accountB, "x")); arr.CodeOf(err) != arr.CodeNotFound {
		t.Errorf("Get: %v", err)
	}
	_, err := s.Update(t.Context(), key(accountA, "y"), func(*session.Record) error {
		t.Error("fn called for an unknown key")
		return nil
	})
	if arr.CodeOf(err) != arr.CodeNotFound {
		t.Errorf("Update: %v", err)
	}
}

func testUpdateIsAtomic(t *testing.T, s session.Store) {
	r := record("counter", base)
	r.LeaseMinutes = 0
	mustCreate(t, s, r)
	const callers, rounds = 8, 25
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range rounds {
				if _, err := s.Update(t.Context(), r.Key, func(r *session.Record) error { r.LeaseMinutes++; return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := mustGet(t, s, r.Key); got.LeaseMinutes != callers*rounds {
		t.Errorf("%d increments arrived, want %d", got.LeaseMinutes, callers*rounds)
	}
	refused := errors.New("refused")
	_, err := s.Update(t.Context(), r.Key, func(r *session.Record) error { r.LeaseMinutes = -1; return refused })
	if !errors.Is(err, refused) {
		t.Errorf("Update returned %v, want the error of fn", err)
	}
	if got := mustGet(t, s, r.Key); got.LeaseMinutes != callers*rounds {
		t.Errorf("a refused update changed the lease to %d", got.LeaseMinutes)
	}
}

func testUpdateKeepsKey(t *testing.T, s session.Store) {
	r := mustCreate(t, s, record("stays", base))
	got, err := s.Update(t.Context(), r.Key, func(r *session.Record) error { r.Key.ID = "moved"; return nil })
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, r)
}

// testFailuresAreOnesOwn mixes refused and good changes, which a store may commit together.
func testFailuresAreOnesOwn(t *testing.T, s session.Store) {
	mustCreate(t, s, record("exists", base))
	refused := errors.New("refused")
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			switch i % 3 {
			case 0:
				if _, created, err := s.Create(t.Context(), record(fmt.Sprintf("good-%d", i), base)); err != nil || !created {
					t.Errorf("good create: created=%v err=%v", created, err)
				}
			case 1:
				_, err := s.Update(t.Context(), key(accountA, "exists"), func(r *session.Record) error { r.Hostname = "wrong"; return refused })
				if !errors.Is(err, refused) {
					t.Errorf("refused update: %v", err)
				}
			case 2:
				_, err := s.Update(t.Context(), key(accountA, "missing"), func(*session.Record) error { return nil })
				if arr.CodeOf(err) != arr.CodeNotFound {
					t.Errorf("missing update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	page, _, err := s.List(t.Context(), session.ListOptions{})
	if err != nil || len(page) != 21 {
		t.Errorf("%d records (%v), want 21", len(page), err)
	}
	if got := mustGet(t, s, key(accountA, "exists")); got.Hostname != "" {
		t.Errorf("a refused update set hostname %q", got.Hostname)
	}
}

func testList(t *testing.T, s session.Store) {
	statuses := []arr.SessionStatus{arr.StatusStarting, arr.StatusReady, arr.StatusStopped, arr.StatusExpired, arr.StatusError}
	for i, status := range statuses {
		for _, account := range []arr.AccountID{accountA, accountB} {
			r := record(fmt.Sprintf("s%d", 9-i), base.Add(time.Duration(i)*time.Nanosecond))
			r.Key.Account, r.Status = account, status
			if status.Terminal() {
				r.EndedAt = base
			}
			mustCreate(t, s, r)
		}
	}
	tie := record("a-tie", base)
	mustCreate(t, s, tie)

	f := func(o session.ListOptions, want ...string) {
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
	live := []arr.SessionStatus{arr.StatusReady, arr.StatusStarting}
	f(session.ListOptions{}, "a a-tie", "a s9", "b s9", "a s8", "b s8", "a s7", "b s7", "a s6", "b s6", "a s5", "b s5")
	f(session.ListOptions{Account: accountB}, "b s9", "b s8", "b s7", "b s6", "b s5")
	f(session.ListOptions{Status: live}, "a a-tie", "a s9", "b s9", "a s8", "b s8")
	f(session.ListOptions{Status: live, Account: accountB}, "b s9", "b s8")
	f(session.ListOptions{Status: []arr.SessionStatus{arr.StatusError}}, "a s5", "b s5")
	f(session.ListOptions{Account: "cccccccc-0000-4000-8000-000000000003"})
}

// testListPagesUnderInserts walks pages while sessions are added and ended: each session that was there all the time
// appears once.
func testListPagesUnderInserts(t *testing.T, s session.Store) {
	const n = 23
	for i := range n {
		mustCreate(t, s, record(fmt.Sprintf("s%02d", i), base.Add(time.Duration(i/3)*time.Second))) // ties of three
	}
	seen := map[arr.SessionID]int{}
	o := session.ListOptions{Account: accountA, Status: []arr.SessionStatus{arr.StatusStarting, arr.StatusReady}, Limit: 5}
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
		mustCreate(t, s, record(fmt.Sprintf("early%d", pages), base.Add(-time.Second)))                              // before all
		mustCreate(t, s, record(fmt.Sprintf("late%d", pages), base.Add(time.Hour+time.Duration(pages)*time.Second))) // after all
		if pages == 0 {
			if _, err := s.Update(t.Context(), page[len(page)-1].Key, func(r *session.Record) error { // the one that next names
				return r.Transition(arr.StatusStopped, base.Add(time.Hour))
			}); err != nil {
				t.Fatal(err)
			}
		}
		if pages > 2 {
			o.Limit = 50
		}
	}
	for i := range n {
		if id := arr.SessionID(fmt.Sprintf("s%02d", i)); seen[id] != 1 {
			t.Errorf("%s appeared %d times", id, seen[id])
		}
	}
}

func testListRefusesBadAfter(t *testing.T, s session.Store) {
	for _, after := range []string{"x", "%%%", "AAAA", "MTIz"} {
		if _, _, err := s.List(t.Context(), session.ListOptions{After: after}); arr.CodeOf(err) != arr.CodeBadRequest {
			t.Errorf("after %q: %v", after, err)
		}
	}
}

func testPrune(t *testing.T, s session.Store) {
	for id, ended := range map[string]time.Time{"old": base.Add(-time.Nanosecond), "edge": base, "new": base.Add(1)} {
		r := record(id, base.Add(-time.Hour))
		r.Status, r.EndedAt = arr.StatusStopped, ended
		mustCreate(t, s, r)
	}
	mustCreate(t, s, record("live", base.Add(-24*time.Hour)))
	if n, err := s.Prune(t.Context(), base); err != nil || n != 1 {
		t.Errorf("pruned %d (%v), want 1", n, err)
	}
	if _, err := s.Get(t.Context(), key(accountA, "old")); arr.CodeOf(err) != arr.CodeNotFound {
		t.Errorf("the old record is still there: %v", err)
	}
	if page, _, err := s.List(t.Context(), session.ListOptions{}); err != nil || len(page) != 3 {
		t.Errorf("%d records left (%v), want 3", len(page), err)
	}
}

func testCancelledContext(t *testing.T, s session.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Create(ctx, record("never", base)); !errors.Is(err, context.Canceled) {
		t.Errorf("Create: %v", err)
	}
	if _, err := s.Get(t.Context(), key(accountA, "never")); arr.CodeOf(err) != arr.CodeNotFound {
		t.Errorf("a cancelled Create left a record: %v", err)
	}
}

func mustCreate(t *testing.T, s session.Store, r session.Record) session.Record {
	t.Helper()
	got, created, err := s.Create(t.Context(), r)
	if err != nil || !created {
		t.Fatalf("create %s: created=%v err=%v", r.Key, created, err)
	}
	return got
}

func mustGet(t *testing.T, s session.Store, k arr.SessionKey) session.Record {
	t.Helper()
	r, err := s.Get(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func equal(t *testing.T, got, want session.Record) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("record (-want +got):\n%s", d)
	}
}
