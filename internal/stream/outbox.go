package stream

import (
	"errors"
	"sync"
)

const (
	outboxMessages = 256     // queued before the channel is open
	outboxBytes    = 4 << 20 // buffered by the library after that
)

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
