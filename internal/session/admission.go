package session

import (
	"slices"
	"strings"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
)

// admission counts the workers that may run, and lets the rest wait in the order of their creation. The oldest waiter
// gets the next place; one that only waits for its own size lets others pass. Not safe for concurrent use.
type admission struct {
	limit   int // of all sizes together; 0 = none
	bySize  map[arr.Size]Profile
	holders map[arr.SessionKey]arr.Size
	count   map[arr.Size]int
	waiting []waiter // oldest first
}

type waiter struct {
	key     arr.SessionKey
	size    arr.Size
	created time.Time
}

func (w waiter) compare(other waiter) int {
	if c := w.created.Compare(other.created); c != 0 {
		return c
	}
	return strings.Compare(w.key.String(), other.key.String())
}

func newAdmission(limit int, profiles map[arr.Size]Profile) *admission {
	return &admission{limit: limit, bySize: profiles, holders: map[arr.SessionKey]arr.Size{}, count: map[arr.Size]int{}}
}

// holds reports whether key has a place.
func (a *admission) holds(key arr.SessionKey) bool {
	_, ok := a.holders[key]
	return ok
}

// take gives key a place, whatever the limits say: for workers that run already.
func (a *admission) take(key arr.SessionKey, size arr.Size) {
	if !a.holds(key) {
		a.holders[key] = size
		a.count[size]++
	}
}

// wait puts w in line, unless it is there or has a place.
func (a *admission) wait(w waiter) {
	i, found := slices.BinarySearchFunc(a.waiting, w, waiter.compare)
	if !found && !a.holds(w.key) {
		a.waiting = slices.Insert(a.waiting, i, w)
	}
}

// leave gives up key's place or its wait.
func (a *admission) leave(key arr.SessionKey) {
	if size, ok := a.holders[key]; ok {
		delete(a.holders, key)
		a.count[size]--
	}
	a.waiting = slices.DeleteFunc(a.waiting, func(w waiter) bool { return w.key == key })
}

// admit gives the free places to the waiters that are next, and returns them.
func (a *admission) admit() (admitted []arr.SessionKey) {
	a.waiting = slices.DeleteFunc(a.waiting, func(w waiter) bool {
		full := a.limit > 0 && len(a.holders) >= a.limit
		if most := a.bySize[w.size].MaxSessions; full || most > 0 && a.count[w.size] >= most {
			return false
		}
		a.take(w.key, w.size)
		admitted = append(admitted, w.key)
		return true
	})
	return admitted
}
