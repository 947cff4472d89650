package stream

import (
	"errors"
	"sync"
	"time"
)

const (
	outboxMessages = 256     // queued before the channel is open
	outboxBytes    = 4 << 20 // buffered by the library after that
)

// farewellWithin is how long a closing connection waits for acknowledgements, which SCTP may delay by 200 ms (RFC 9260,
// section 6.2).
const farewellWithin = 300 * time.Millisecond

// errViewerTooSlow ends a connection whose viewer does not read its reliable messages.
var errViewerTooSlow = errors.New("stream: the viewer does not read its messages")

// outbox sends reliable messages, holding them until the channel is open.
type outbox struct {
	mu       sync.Mutex
	waiting  [][]byte
	write    func([]byte) error // nil before the channel is open
	buffered func() uint64
}

func newOutbox() *outbox { return &outbox{} }

func (o *outbox) send(data []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.write == nil {
		if len(o.waiting) == outboxMessages {
			return errViewerTooSlow
		}
		o.waiting = append(o.waiting, data)
		return nil
	}
	if o.buffered() > outboxBytes {
		return errViewerTooSlow
	}
	return o.write(data)
}

func (o *outbox) open(write func([]byte) error, buffered func() uint64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.write, o.buffered = write, buffered
	for _, data := range o.waiting {
		if err := write(data); err != nil {
			return err
		}
	}
	o.waiting = nil
	return nil
}

// drain waits until the viewer has acknowledged everything, for the given time at most, or until over is closed.
func (o *outbox) drain(within time.Duration, over <-chan struct{}) {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for !o.empty() {
		select {
		case <-poll.C:
		case <-deadline.C:
			return
		case <-over:
			return
		}
	}
}

// empty is true as well before the channel is open: a viewer that never came needs no farewell.
func (o *outbox) empty() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.write == nil || o.buffered() == 0
}
