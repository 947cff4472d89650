// Package session is the control plane's core: Manager answers the API, Reconciler drives every session to its end.
// It declares what it needs (Store, Backend, Clock, Metrics) and knows no HTTP, no SQL and no process.
//
// Wiring, in the order of start (stop in the reverse order):
//
//	store, err := sqlite.Open(path)                      // go store.Run(ctx)
//	backend, err := local.New(local.Config{…})           // no Run: its watchers live as long as Events
//	rec := session.NewReconciler(session.ReconcilerConfig{Store: store, Backend: backend, …})
//	mgr := session.NewManager(session.ManagerConfig{Store: store, Notify: rec.Notify, …})
//	ln, err := workerrpc.Listen(socketPath)
//	go workerrpc.Serve(ctx, ln, workerrpc.NewHandler(rec, log))
//	go rec.Run(ctx)                                      // adopts what still runs, then drives everything
package session

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
)

// Clock tells the time of day to domain code. Waiting uses package time, so that tests run in a testing/synctest bubble
// with SystemClock, or inject a Clock of their own where only the recorded times matter.
type Clock interface {
	Now() time.Time
}

// SystemClock is the Clock of the machine.
type SystemClock struct{}

// Now returns time.Now().
func (SystemClock) Now() time.Time { return time.Now() }

// Handle is what a Backend needs to find a worker again after the control plane restarted. It is opaque here and
// persisted with the session as soon as the worker was started (Nomad's RecoverTask idea).
type Handle struct {
	Backend string          `json:"backend"` // name of the backend that made it, e.g. "local"
	Version int             `json:"version"` // version of State's shape
	State   json.RawMessage `json:"state"`
}

// Record is a session as stored: the contract's facts, and the worker that serves it.
type Record struct {
	arr.Session

	// TokenHash is the SHA-256 of the control token of the newest worker of this session. It is durable before that
	// worker is started, so a report can never come too early, and a worker of an older attempt is not believed.
	TokenHash [32]byte
	StartedAt time.Time // when that worker was started; zero before
	Handle    *Handle   // nil until a worker was started
}

// ListOptions selects records of List. The zero value lists everything of every account.
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
	// A position that no List returned is arr.CodeBadRequest.
	List(ctx context.Context, o ListOptions) (page []Record, next string, err error)
	// Update applies fn to the stored record in one transaction; an error from fn changes nothing and is returned.
	// fn must be quick and must not call the store. Key, Size, CreatedAt and RequestedLeaseMinutes stay whatever fn does
	// to them. Unknown key: arr.CodeNotFound.
	Update(ctx context.Context, key arr.SessionKey, fn func(*Record) error) (Record, error)
	// Prune deletes terminal records that ended before t and reports how many.
	Prune(ctx context.Context, t time.Time) (int, error)
}

// ControlToken is the secret with which one worker reports home. It never shows itself in logs.
type ControlToken string

// LogValue hides the token.
func (ControlToken) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// String hides the token from fmt; convert with string(t) where it is really meant.
func (ControlToken) String() string { return "[redacted]" }

// Spec is what a Backend needs to start a worker.
type Spec struct {
	Key          arr.SessionKey
	Size         arr.Size
	Profile      Profile
	ControlToken ControlToken
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
	// Start starts a worker and does not wait until it is ready. An *arr.Error is final and shown to the user; any
	// other error may pass, and Start is tried again. After an error no worker is left behind.
	Start(ctx context.Context, spec Spec) (Handle, error)
	// Inspect reports the worker's present state from the outside: it never blocks on the worker.
	Inspect(ctx context.Context, h Handle) (WorkerState, error)
	// Stop asks the worker to end, waits up to grace, then kills it. Stopping a worker that is gone is not an error.
	Stop(ctx context.Context, h Handle, grace time.Duration) error
	// List returns every running worker this backend can see, by key, whoever started it.
	List(ctx context.Context) (map[arr.SessionKey]Handle, error)
	// Events delivers exits of workers that this Backend started or listed, until ctx ends; then it closes the channel.
	// A slow reader loses none.
	Events(ctx context.Context) (<-chan Event, error)
}

// LogTailer is an optional ability of a Backend: the last n lines of a worker's log, also after its end.
// A worker that never was is arr.CodeNotFound.
type LogTailer interface {
	LogTail(ctx context.Context, key arr.SessionKey, n int) ([]byte, error)
}

// Remover is an optional ability of a Backend: forget what it kept of an ended worker (its log) when the record of the
// session is pruned. Removing what is not there is not an error.
type Remover interface {
	Remove(ctx context.Context, key arr.SessionKey) error
}

// WorkerState is what a Backend sees of a worker's process.
type WorkerState struct {
	Running bool
	Exit    string // how it ended ("exit status 1", "signal: killed"); "" while running or when nobody can know
}

// Event is the end of a worker.
type Event struct {
	Key  arr.SessionKey
	Exit string // as in WorkerState
}

// Metrics is told what happens to sessions. All methods must be quick and safe for concurrent use.
type Metrics interface {
	// Live adds delta to the number of sessions of a size in a status (Starting, Ready).
	Live(size arr.Size, status arr.SessionStatus, delta int)
	// Started observes the time from acceptance to Ready of one session.
	Started(size arr.Size, d time.Duration)
	// Ended counts an end; code is "" unless status is Error.
	Ended(size arr.Size, status arr.SessionStatus, code arr.Code)
}
