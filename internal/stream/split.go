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

// SplitTCP shares one TCP port between HTTPS and ICE-TCP (RFC 4571 frames, whose first byte is a length) by the first
// byte that the client sends. Connections are sorted from the first Accept of either listener on; closing either closes
// l, and both end when l does.
func SplitTCP(l net.Listener) (https, ice net.Listener) {
	s := &splitter{inner: l, done: make(chan struct{})}
	s.tls = &branch{splitter: s, conns: make(chan net.Conn, acceptQueue)}
	s.other = &branch{splitter: s, conns: make(chan net.Conn, acceptQueue)}
	return s.tls, s.other
}

type splitter struct {
	inner      net.Listener
	tls, other *branch
	start      sync.Once
	done       chan struct{} // closed when inner accepts no more; err is set before
	err        error
}

func (s *splitter) run() {
	defer close(s.done)
	for {
		c, err := s.inner.Accept()
		if err != nil {
			s.err = err
			return
		}
		go s.sort(c)
	}
}

// sort ends by itself after firstByteWithin at the latest.
func (s *splitter) sort(c net.Conn) {
	_ = c.SetReadDeadline(time.Now().Add(firstByteWithin)) // fails on a closed connection, as does the read
	r := bufio.NewReader(c)
	first, err := r.Peek(1)
	if err != nil {
		c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	b := s.other
	if first[0] == tlsHandshake {
		b = s.tls
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
	conns chan net.Conn
}

func (b *branch) Accept() (net.Conn, error) {
	b.start.Do(func() { go b.run() })
	select {
	case c := <-b.conns:
		return c, nil
	case <-b.done:
		return nil, b.err
	}
}

func (b *branch) Close() error   { return b.inner.Close() }
func (b *branch) Addr() net.Addr { return b.inner.Addr() }

// peeked is a connection whose first bytes were read ahead.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p *peeked) Read(b []byte) (int, error) { return p.r.Read(b) }
