// Package conversion is the control plane's other core: Manager answers the conversion half of the API, Queue drives every
// conversion to its end: it fetches the source, has a child process convert it, and stores what came out. It declares what
// it needs (Store, Storage, Converter, Metrics) and knows no HTTP, no SQL, no cloud and no source format.
//
// Wiring, in the order of start (stop in the reverse order):
//
//	sealer, err := conversion.OpenSealer(keyFile)
//	queue, err := conversion.NewQueue(conversion.QueueConfig{Store: store, Storage: storage, Converter: process, Sealer: sealer, …})
//	mgr := conversion.NewManager(conversion.ManagerConfig{Store: store, Storage: storage, Sealer: sealer, Notify: queue.Notify})
//	go queue.Run(ctx)                                    // resumes what was interrupted, then drives everything
package conversion

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/converter/child"
)

// Record is a conversion as stored: the contract's facts, and what the Queue needs to go on after a restart.
type Record struct {
	arr.Conversion

	Sealed  []byte // the Credentials, sealed by a Sealer; nil when there are none, and from the end on
	Starts  int    // attempts that were begun and not ended in good order by the service
	Crashes int    // attempts whose process crashed
}

// ListOptions selects records of List. The zero value lists everything of every account.
type ListOptions struct {
	Account arr.AccountID          // "" = all accounts
	Status  []arr.ConversionStatus // empty = all
	After   string                 // opaque position returned as next by the page before
	Limit   int                    // 0 = no limit
}

// Store keeps records durably: a nil error from Create, Update or Delete means the change survives a power cut.
type Store interface {
	// Create inserts r unless its key exists; then it returns the stored record and created=false.
	Create(ctx context.Context, r Record) (stored Record, created bool, err error)
	// Get returns arr.CodeNotFound for an unknown key.
	Get(ctx context.Context, key arr.ConversionKey) (Record, error)
	// List returns a page in ascending (CreatedAt, key) order and the position of the next page ("" at the end).
	// A position that no List returned is arr.CodeBadRequest.
	List(ctx context.Context, o ListOptions) (page []Record, next string, err error)
	// Update applies fn to the stored record in one transaction; an error from fn changes nothing and is returned.
	// fn must be quick and must not call the store. Key, Settings and CreatedAt stay whatever fn does to them. Unknown
	// key: arr.CodeNotFound.
	Update(ctx context.Context, key arr.ConversionKey, fn func(*Record) error) (Record, error)
	// Delete forgets a record, unless check (nil = none) fails: then its error is returned. It is called as fn of Update is.
	// Unknown key: arr.CodeNotFound.
	Delete(ctx context.Context, key arr.ConversionKey, check func(*Record) error) error
}

// Storage finds containers of blobs.
type Storage interface {
	// Check judges a container and its signature ("" = none) without asking for it: arr.CodeStorageAccess where none was
	// given and nothing is linked to the account, arr.CodeBadRequest for a URI of no known kind.
	Check(account arr.AccountID, uri, sas string) error
	// Open makes a container ready for use. An *arr.Error of any method is shown to the user, other errors are not. One with
	// a method Retryable() bool that says so may pass.
	Open(ctx context.Context, account arr.AccountID, uri, sas string) (Container, error)
}

// Container holds blobs under keys, whose elements are separated by "/". Its methods are safe for concurrent use, except
// for Close.
type Container interface {
	// List calls fn for every blob whose key begins with prefix, in ascending order; an error of fn ends it.
	List(ctx context.Context, prefix string, fn func(key string, size int64) error) error
	// Download writes the blob to w; arr.CodeNotFound if there is none.
	Download(ctx context.Context, key string, w io.Writer) error
	// Upload replaces the blob, whole or not at all.
	Upload(ctx context.Context, key string, r io.ReadSeeker, contentType string) error
	Close() error
}

// Converter turns files into an asset. Process is the one that does it.
type Converter interface {
	// Convert runs one job in a process of its own, and ends that when ctx ends. What the process says goes to log. An
	// error means that it could not be run at all, or that ctx has ended; a failed conversion is in the result.
	Convert(ctx context.Context, j child.Job, log io.Writer, progress func(child.Progress)) (child.Result, error)
}

// Process is the Converter that runs `heliograph-worker convert`.
type Process struct {
	Binary  string       // "" = beside the running program, then in PATH
	Limits  child.Limits // of one conversion
	Threads int          // of one conversion; 0 = one a core
	Log     *slog.Logger // gets what is wrong with the process itself; nil = nobody
}

// Convert implements Converter.
func (p Process) Convert(ctx context.Context, j child.Job, log io.Writer, progress func(child.Progress)) (child.Result, error) {
	j.Limits, j.Threads = p.Limits, p.Threads
	return child.Run(ctx, child.Config{Binary: p.Binary, Log: log, Logger: p.Log}, j, progress)
}

// Clock tells the time of day. Waiting uses package time, so that tests run in a testing/synctest bubble.
type Clock interface {
	Now() time.Time
}

// SystemClock is the Clock of the machine.
type SystemClock struct{}

// Now returns time.Now().
func (SystemClock) Now() time.Time { return time.Now() }

// Metrics is told what happens to conversions. All methods must be quick and safe for concurrent use.
type Metrics interface {
	// Live says how many conversions wait and run now.
	Live(waiting, running int)
	// Ended counts an end; took is the time since Running (0 when it never ran), code is "" unless status is Failed.
	Ended(status arr.ConversionStatus, code arr.Code, took time.Duration)
	// Moved counts bytes fetched from and written to storage.
	Moved(fetched, stored int64)
}

type noMetrics struct{}

func (noMetrics) Live(int, int)                                       {}
func (noMetrics) Ended(arr.ConversionStatus, arr.Code, time.Duration) {}
func (noMetrics) Moved(int64, int64)                                  {}

// SAS is a shared access signature: it lets whoever has it into a container, and shows itself in no log.
type SAS string

// LogValue hides the signature.
func (SAS) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// String hides the signature from fmt; convert with string(s) where it is really meant.
func (SAS) String() string { return "[redacted]" }

// GoString hides the signature from %#v.
func (SAS) GoString() string { return "[redacted]" }

// Credentials are the secrets of a conversion. "" means that the container is linked to the account.
type Credentials struct {
	Input  SAS `json:"input,omitempty"`
	Output SAS `json:"output,omitempty"`
}
