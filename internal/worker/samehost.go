package worker

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"
)

// sameHost is a socket on an address of the network that talks with this machine only: what comes from elsewhere is
// dropped, and nothing is sent there. A source can be believed, since Linux drops what arrives from outside with an
// address of this machine as its source. The methods with netip addresses are those that the ICE library looks for, to
// read and write without allocating.
type sameHost struct {
	*net.UDPConn
	own *ownAddrs
}

func (c sameHost) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil || c.own.has(from.Addr()) {
			return n, from, err
		}
	}
}

func (c sameHost) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if !c.own.has(to.Addr()) {
		return 0, &net.OpError{Op: "write", Net: "udp", Source: c.LocalAddr(), Addr: net.UDPAddrFromAddrPort(to), Err: syscall.EHOSTUNREACH}
	}
	return c.WriteToUDPAddrPort(b, to)
}

func (c sameHost) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

func (c sameHost) WriteTo(b []byte, to net.Addr) (int, error) {
	a, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, &net.OpError{Op: "write", Net: "udp", Source: c.LocalAddr(), Addr: to, Err: syscall.EINVAL}
	}
	return c.WriteToAddrPort(b, a.AddrPort())
}

// networkAddrs are the addresses of this machine but for loopback: whoever has one of those uses a loopback socket.
func networkAddrs() ([]net.Addr, error) {
	addrs, err := net.InterfaceAddrs()
	return slices.DeleteFunc(addrs, func(a net.Addr) bool {
		p, err := netip.ParsePrefix(a.String())
		return err != nil || p.Addr().IsLoopback()
	}), err
}

// ownFresh is how long a list of this machine's addresses is good for: they change, and reading them costs a system
// call or two, which a flood from elsewhere must not buy with every datagram.
const ownFresh = time.Second

// ownAddrs knows the addresses of this machine.
type ownAddrs struct {
	list func() ([]net.Addr, error)

	mu    sync.Mutex
	known map[netip.Addr]bool
	read  time.Time // known is of then
}

// has reports whether ip is an address of this machine; when these cannot be read, none is.
func (o *ownAddrs) has(ip netip.Addr) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := time.Now(); o.known == nil || now.Sub(o.read) >= ownFresh {
		o.known, o.read = map[netip.Addr]bool{}, now
		addrs, err := o.list()
		if err != nil {
			addrs = nil
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				o.known[p.Addr()] = true
			}
		}
	}
	return o.known[ip.Unmap().WithZone("")]
}
