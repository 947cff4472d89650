package session

import (
	"sync"

	"github.com/heliograph/heliograph/internal/arr"
)

// queue hands out keys that need a reconcile. A key is in it once however often it is added, and is never handed out
// again before done: one that is added meanwhile comes after. Its length is bounded by the number of sessions.
type queue struct {
	mu     sync.Mutex
	filled sync.Cond
	order  []arr.SessionKey
	state  map[arr.SessionKey]keyState
	closed bool
}

type keyState int

const (
	keyQueued keyState = iota + 1
	keyRunning
	keyRunningAndQueued // to be queued by done
)

func newQueue() *queue {
	q := &queue{state: map[arr.SessionKey]keyState{}}
	q.filled.L = &q.mu
	return q
}

func (q *queue) add(key arr.SessionKey) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch q.state[key] {
	case 0:
		q.push(key)
	case keyRunning:
		q.state[key] = keyRunningAndQueued
	}
}

// get waits for a key; ok is false once the queue is closed.
func (q *queue) get() (key arr.SessionKey, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.order) == 0 && !q.closed {
		q.filled.Wait()
	}
	if q.closed {
		return arr.SessionKey{}, false
	}
	key, q.order = q.order[0], q.order[1:]
	q.state[key] = keyRunning
	return key, true
}

// done must follow each get.
func (q *queue) done(key arr.SessionKey) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.state[key] == keyRunningAndQueued {
		q.push(key)
	} else {
		delete(q.state, key)
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.filled.Broadcast()
}

func (q *queue) push(key arr.SessionKey) {
	q.state[key] = keyQueued
	q.order = append(q.order, key)
	q.filled.Signal()
}
