// Package mailbox holds the only two queue policies allowed on the frame path: Latest, where the newest value replaces
// an unread one, and Ring, which is bounded and drops as its policy says. Neither ever blocks a writer.
package mailbox

import "sync"

// Latest holds at most one value, the newest. The zero value is not usable; see NewLatest.
type Latest[T any] struct {
	mu       sync.Mutex
	value    T
	full     bool
	replaced uint64
	ready    chan struct{} // capacity 1: a token is in it while a value may be waiting
}

// NewLatest returns an empty mailbox.
func NewLatest[T any]() *Latest[T] { return &Latest[T]{ready: make(chan struct{}, 1)} }

// Put stores v, replacing a value that nobody took.
func (l *Latest[T]) Put(v T) {
	l.mu.Lock()
	if l.full {
		l.replaced++
	}
	l.value, l.full = v, true
	l.mu.Unlock()
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

// Take empties the mailbox; ok is false when it was empty.
func (l *Latest[T]) Take() (v T, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v, ok = l.value, l.full
	var zero T
	l.value, l.full = zero, false
	return v, ok
}

// Ready receives after a Put. A receive is a hint: Take may still find nothing, since one token can outlive its value.
func (l *Latest[T]) Ready() <-chan struct{} { return l.ready }

// Replaced counts values that were replaced before anybody took them.
func (l *Latest[T]) Replaced() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.replaced
}

// Policy says what a full Ring does with the next value.
type Policy int

const (
	// DropOldest makes room by discarding the value that waited longest.
	DropOldest Policy = iota
	// DropAll discards everything that waits and the new value too: for streams whose later values are useless
	// without the earlier ones, such as video between two key frames.
	DropAll
)

// Ring is a bounded first-in first-out queue.
type Ring[T any] struct {
	mu      sync.Mutex
	policy  Policy
	items   []T
	head, n int
	dropped uint64
	ready   chan struct{}
}

// NewRing returns a queue for at most capacity values, at least one.
func NewRing[T any](capacity int, policy Policy) *Ring[T] {
	return &Ring[T]{policy: policy, items: make([]T, max(1, capacity)), ready: make(chan struct{}, 1)}
}

// Put appends v and returns how many values the policy dropped for it, v itself included where it was.
func (r *Ring[T]) Put(v T) (dropped int) {
	r.mu.Lock()
	if r.n == len(r.items) {
		var zero T
		switch r.policy {
		case DropOldest:
			r.items[r.head] = zero
			r.head, r.n, dropped = (r.head+1)%len(r.items), r.n-1, 1
		case DropAll:
			dropped = r.n + 1
			clear(r.items)
			r.head, r.n = 0, 0
			r.dropped += uint64(dropped)
			r.mu.Unlock()
			return dropped
		}
		r.dropped += uint64(dropped)
	}
	r.items[(r.head+r.n)%len(r.items)] = v
	r.n++
	r.mu.Unlock()
	select {
	case r.ready <- struct{}{}:
	default:
	}
	return dropped
}

// Take removes the oldest value; ok is false when the queue is empty.
func (r *Ring[T]) Take() (v T, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n == 0 {
		return v, false
	}
	var zero T
	v, r.items[r.head] = r.items[r.head], zero
	r.head, r.n = (r.head+1)%len(r.items), r.n-1
	if r.n > 0 {
		select {
		case r.ready <- struct{}{}:
		default:
		}
	}
	return v, true
}

// Ready receives while values may wait. A receive is a hint, as for Latest.
func (r *Ring[T]) Ready() <-chan struct{} { return r.ready }

// Len is how many values wait.
func (r *Ring[T]) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// Dropped counts all values ever dropped.
func (r *Ring[T]) Dropped() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped
}
