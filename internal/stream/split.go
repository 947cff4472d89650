package stream

import (
	"bufio"
	"net"
	"sync"
	"time"
)

const (
	firstByteWithin = 10 * time.Second
	acceptQueue     = 16
	tlsHandshake    = 0x16 // RFC 8446 section 5.1: the content type that opens every TLS connection
)

// SplitTCP shares one TCP port between HTTPS and ICE-TCP by the first byte that the client sends. An ICE-TCP connection
// opens with the length of a STUN message (RFC 4571 section 2), which is far below TLS's first byte times 256; whatever
// else comes, such as plain HTTP, goes to https, where it gets a TLS server's answer. Connections are sorted from the
// first Accept of either listener on; closing either closes l and what nobody has accepted, and both end when l does.
func SplitTCP(l net.Listener) (https, ice net.Listener) {
	s := &splitter{inner: l, pending: map[net.Conn]struct{}{}, done: make(chan struct{})}
	s.https = &branch{splitter: s, conns: make(chan net.Conn, acceptQueue)}
	s.ice = &branch{splitter: s, conns: make(chan net.Conn, acceptQueue)}
	return s.https, s.ice
}

type splitter struct {
	inner      net.Listener
	https, ice *branch
	start      sync.Once
	done       chan struct{} // closed when nothing more comes; err is set before
	err        error

	sorters sync.WaitGroup
	mu      sync.Mutex
	pending map[net.Conn]struct{} // have not sent their first byte
}

func (s *splitter) run() {
	defer close(s.done)
	for {
		c, err := s.inner.Accept()
		if err != nil {
			s.err = err
			break
		}
		s.mu.Lock()
		s.pending[c] = struct{}{}
		s.mu.Unlock()
		s.sorters.Go(func() { s.sort(c) })
	}
	s.mu.Lock()
	for c := range s.pending {
		c.Close()
	}
	s.mu.Unlock()
	s.sorters.Wait()
	for _, b := range []*branch{s.https, s.ice} {
		close(b.conns)
		for c := range b.conns {
			c.Close()
		}
	}
}

// sort ends by itself after firstByteWithin at the latest.
func (s *splitter) sort(c net.Conn) {
	_ = c.SetReadDeadline(time.Now().Add(firstByteWithin)) // fails on a closed connection, as does the read
	r := bufio.NewReader(c)
	first, err := r.Peek(1)
	s.mu.Lock()
	delete(s.pending, c)
	s.mu.Unlock()
	if err != nil {
		c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	b := s.https
	if first[0] < tlsHandshake {
		b = s.ice
	}
	select {
	case b.conns <- &peeked{c, r}:
	default: // nobody accepts on that side
		c.Close()
	}
}

// branch is one side of a splitter.
type branch struct {
	*splitter
	conns chan net.Conn // closed at the end
}

func (b *branch) Accept() (net.Conn, error) {
	b.start.Do(func() { go b.run() })
	if c, ok := <-b.conns; ok {
		return c, nil
	}
	<-b.done
	return nil, b.err
}

func (b *branch) Close() error   { return b.inner.Close() }
func (b *branch) Addr() net.Addr { return b.inner.Addr() }

// peeked is a connection whose first bytes were read ahead.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p *peeked) Read(b []byte) (int, error) { return p.r.Read(b) }
