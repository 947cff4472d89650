package mailbox

import (
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestLatestKeepsTheNewest(t *testing.T) {
	l := NewLatest[int]()
	if _, ok := l.Take(); ok {
		t.Fatal("a new mailbox is not empty")
	}
	for i := range 5 {
		l.Put(i)
	}
	<-l.Ready()
	if v, ok := l.Take(); !ok || v != 4 {
		t.Fatalf("got %v, %v, want 4", v, ok)
	}
	if n := l.Replaced(); n != 4 {
		t.Fatalf("replaced %d, want 4", n)
	}
	if _, ok := l.Take(); ok {
		t.Fatal("a value was taken twice")
	}
}

func TestLatestWakesAReaderForTheLastPut(t *testing.T) {
	l := NewLatest[int]()
	const last = 10_000
	var wg sync.WaitGroup
	wg.Go(func() {
		for range l.Ready() {
			if v, ok := l.Take(); ok && v == last {
				return
			}
		}
	})
	for i := range last + 1 {
		l.Put(i)
	}
	wg.Wait() // hangs if the wake-up for the last value was lost
}

func TestRingAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.IntRange(1, 5).Draw(t, "capacity")
		policy := rapid.SampledFrom([]Policy{DropOldest, DropAll}).Draw(t, "policy")
		ring := NewRing[int](capacity, policy)
		var model []int
		var dropped uint64
		for i, put := range rapid.SliceOf(rapid.Bool()).Draw(t, "puts") {
			if put {
				got, want := ring.Put(i), 0
				switch {
				case len(model) < capacity:
					model = append(model, i)
				case policy == DropOldest:
					model, want = append(model[1:], i), 1
				default:
					model, want = nil, capacity+1
				}
				dropped += uint64(want)
				if got != want {
					t.Fatalf("Put dropped %d, want %d", got, want)
				}
			} else {
				v, ok := ring.Take()
				if ok != (len(model) > 0) || ok && v != model[0] {
					t.Fatalf("Take gave %v, %v with %v waiting", v, ok, model)
				}
				if ok {
					model = model[1:]
				}
			}
			if ring.Len() != len(model) || ring.Dropped() != dropped {
				t.Fatalf("length %d, dropped %d, want %d, %d", ring.Len(), ring.Dropped(), len(model), dropped)
			}
		}
	})
}

func TestRingWakesUntilEmpty(t *testing.T) {
	r := NewRing[int](8, DropOldest)
	for i := range 8 {
		r.Put(i)
	}
	for i := range 8 {
		<-r.Ready()
		if v, ok := r.Take(); !ok || v != i {
			t.Fatalf("got %v, %v, want %d", v, ok, i)
		}
	}
}
