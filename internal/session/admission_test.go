package session

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/heliograph/heliograph/internal/arr"
)

func TestQueue(t *testing.T) {
	q := newQueue()
	a, b := arr.SessionKey{ID: "a"}, arr.SessionKey{ID: "b"}
	get := func(want arr.SessionKey) {
		t.Helper()
		if got, ok := q.get(); !ok || got != want {
			t.Fatalf("got %v %v, want %v", got, ok, want)
		}
	}
	q.add(a)
	q.add(b)
	q.add(a) // already there
	get(a)
	q.add(a) // not before done
	q.add(a)
	get(b)
	q.done(b)
	q.done(a)
	get(a)
	q.done(a)
	if len(q.state) != 0 || len(q.order) != 0 {
		t.Errorf("left %v %v", q.state, q.order)
	}
	q.add(b)
	q.close()
	if _, ok := q.get(); ok {
		t.Error("a closed queue hands out keys")
	}
}

// TestAdmission checks after each step that the limits hold, that nobody waits for a place that is free to him, and that
// of each size the oldest come first.
func TestAdmission(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(0, 4).Draw(t, "limit")
		profiles := map[arr.Size]Profile{
			arr.SizeStandard: {MaxSessions: rapid.IntRange(0, 3).Draw(t, "standard")},
			arr.SizePremium:  {MaxSessions: rapid.IntRange(0, 3).Draw(t, "premium")},
		}
		a := newAdmission(limit, profiles)
		var present []waiter // all that wait or hold, in order of age
		n := 0
		t.Repeat(map[string]func(*rapid.T){
			"wait": func(t *rapid.T) {
				n++
				age := rapid.IntRange(0, 3).Draw(t, "age") // not always the youngest, sometimes the same age
				w := waiter{
					key:     arr.SessionKey{ID: arr.SessionID(fmt.Sprintf("%04d", n))},
					size:    rapid.SampledFrom([]arr.Size{arr.SizeStandard, arr.SizePremium}).Draw(t, "size"),
					created: time.Unix(int64(n-age), 0),
				}
				a.wait(w)
				a.wait(w)
				a.admit()
				i, _ := slices.BinarySearchFunc(present, w, waiter.compare)
				present = slices.Insert(present, i, w)
			},
			"leave": func(t *rapid.T) {
				if len(present) == 0 {
					t.Skip("nobody there")
				}
				i := rapid.IntRange(0, len(present)-1).Draw(t, "who")
				a.leave(present[i].key)
				for _, k := range a.admit() {
					if !a.holds(k) {
						t.Fatalf("%v was admitted without a place", k)
					}
				}
				present = slices.Delete(present, i, i+1)
			},
			"": func(t *rapid.T) {
				count := map[arr.Size]int{}
				for _, w := range present {
					if a.holds(w.key) {
						count[w.size]++
					}
				}
				all := count[arr.SizeStandard] + count[arr.SizePremium]
				if limit > 0 && all > limit || len(a.holders) != all || len(a.waiting) != len(present)-all {
					t.Fatalf("%d hold, limit %d, %+v", all, limit, a)
				}
				for _, w := range present {
					most := profiles[w.size].MaxSessions
					if most > 0 && count[w.size] > most {
						t.Fatalf("%d of %s hold, limit %d", count[w.size], w.size, most)
					}
					if !a.holds(w.key) && (limit == 0 || all < limit) && (most == 0 || count[w.size] < most) {
						t.Fatalf("%v waits for a place that is free", w.key)
					}
				}
			},
		})
	})
}

// TestAdmissionOrder frees places one by one.
func TestAdmissionOrder(t *testing.T) {
	a := newAdmission(1, map[arr.Size]Profile{})
	holder := arr.SessionKey{ID: "holder"}
	a.take(holder, arr.SizeStandard)
	for _, i := range []int{3, 1, 4, 0, 2} {
		a.wait(waiter{key: arr.SessionKey{ID: arr.SessionID(fmt.Sprint(i))}, size: arr.SizeStandard, created: time.Unix(int64(i), 0)})
	}
	for i := range 5 {
		if got := a.admit(); len(got) != 0 {
			t.Fatalf("%v were admitted beyond the limit", got)
		}
		a.leave(holder)
		got := a.admit()
		if len(got) != 1 || got[0].ID != arr.SessionID(fmt.Sprint(i)) {
			t.Fatalf("admitted %v, want %d", got, i)
		}
		holder = got[0]
	}
}
