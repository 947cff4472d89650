// Package session is the control plane's core: Manager answers the API, Reconciler drives every session to its end.
// It declares what it needs (Store, Backend, Clock) and knows no HTTP, no SQL and no process.
package session

import (
	"context"
	"encoding/json"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
)

// Clock is the time source of domain code. Tests may rely on testing/synctest with SystemClock instead.
type Clock interface {
	Now() time.Time
}

// Handle is what a Backend needs to find a worker again after the control plane restarted. It is opaque here and
// persisted with the session before anything waits on the worker (Nomad's RecoverTask idea).
type Handle struct {
	Backend string          `json:"backend"` // name of the backend that made it, e.g. "local"
	Version int             `json:"version"` // version of State's shape
	State   json.RawMessage `json:"state"`
}

// Record is a session as stored: the contract's facts, and the worker that serves it.
type Record struct {
	arr.Session
	Handle *Handle // nil until a worker was started
}

// ListOptions selects records of List. The zero value lists everything of every account in key order.
type ListOptions struct {
	Account arr.AccountID       // "" = all accounts
	Status  []arr.SessionStatus // empty = all
	After   string              // opaque position returned as next by the page before
	Limit   int                 // 0 = no limit
}

// Store keeps records durably: a nil error from Create or Update means the change survives a power cut.
type Store interface {
	// Create inserts r unless its key exists; then it returns the stored record and created=false.
	Create(ctx context.Context, r Record) (stored Record, created bool, err error)
	// Get returns arr.CodeNotFound for an unknown key.
	Get(ctx context.Context, key arr.SessionKey) (Record, error)
	// List returns a page in ascending (CreatedAt, key) order and the position of the next page ("" at the end).
	List(ctx context.Context, o ListOptions) (page []Record, next string, err error)
	// Update applies fn to the stored record in one transaction; an error from fn changes nothing and is returned.
	Update(ctx context.Context, key arr.SessionKey, fn func(*Record) error) (Record, error)
	// Prune deletes terminal records that ended before t and reports how many.
	Prune(ctx context.Context, t time.Time) (int, error)
}

// Spec is what a Backend needs to start a worker.
type Spec struct {
	Key     arr.SessionKey
	Size    arr.Size
	Profile Profile
}

// Profile is the operator's meaning of a size.
type Profile struct {
	MaxSessions     int    // concurrent sessions of this size on this service; 0 = no limit
	MemoryLimitMiB  int64  // address-space independent memory limit of a worker; 0 = none
	PrimitiveBudget int64  // most triangles a scene may hold; 0 = no limit (contract features B: Standard 20 M)
	Renderer        string // "auto", "cpu" or "gpu"
}

// Backend runs workers. Implementations: backend/local, backend/kubernetes (later), backend/fake. All pass
// backendtest.Run. Start must be idempotent per key: a second call for a live worker returns the same handle.
type Backend interface {
	Start(ctx context.Context, spec Spec) (Handle, error)
	// Inspect reports the worker's present state from the outside: it never blocks on the worker.
	Inspect(ctx context.Context, h Handle) (WorkerState, error)
	// Stop asks the worker to end, waits up to grace, then kills it. Stopping a worker that is gone is not an error.
	Stop(ctx context.Context, h Handle, grace time.Duration) error
	// List returns every worker this backend can see, by key, whoever started it.
	List(ctx context.Context) (map[arr.SessionKey]Handle, error)
	// Events delivers exits of workers until ctx ends; a slow reader loses none (unbounded by number of workers only).
	Events(ctx context.Context) (<-chan Event, error)
}

// WorkerState is what a Backend sees of a worker's process.
type WorkerState struct {
	Running bool
	Exit    string // how it ended ("exit status 1", "signal: killed", "out of memory"); "" while running
}

// Event is the end of a worker.
type Event struct {
	Key  arr.SessionKey
	Exit string
}

// Ready is what a worker reports once it serves (see workerrpc). It is the only thing that makes a session Ready.
type Ready struct {
	Hostname      string
	HandshakePort int
	InspectorPort int
	Teraflops     float64
}
