package child

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// Reporter is what the process writes its messages with.
type Reporter struct {
	mu   sync.Mutex
	to   *json.Encoder
	last time.Time
	now  func() time.Time
}

// NewReporter returns a reporter that writes to the standard output of the process.
func NewReporter(stdout io.Writer) *Reporter {
	return &Reporter{to: json.NewEncoder(stdout), now: time.Now}
}

// every is how often progress is told at most; the end of a stage always is.
const every = 100 * time.Millisecond

// Progress tells of progress, unless that was told just now. It is safe for concurrent use.
func (r *Reporter) Progress(p Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if p.StageDone < 1 && now.Sub(r.last) < every {
		return
	}
	r.last = now
	_ = r.to.Encode(message{Progress: &p}) // whoever listened is gone, and will end this process
}

// Result tells the result, which is the last message.
func (r *Reporter) Result(result Result) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.to.Encode(message{Result: &result})
}
