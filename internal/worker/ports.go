package worker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
)

// ports are the sockets of one session: UDP and TCP on the same number, and TCP on another.
type ports struct {
	udp       []net.PacketConn // one for each address that viewers may use
	handshake net.Listener
	inspector net.Listener
}

func (p *ports) handshakePort() int { return p.handshake.Addr().(*net.TCPAddr).Port }
func (p *ports) inspectorPort() int { return p.inspector.Addr().(*net.TCPAddr).Port }

func (p *ports) close() {
	for _, u := range p.udp {
		_ = u.Close() // again, mostly: its server closed it
	}
	p.handshake.Close()
	if p.inspector != nil {
		p.inspector.Close()
	}
}

// bindPorts takes two free numbers of [lo, hi] on ip. It starts at a random one, so that workers that start together
// rarely race for the same; whoever loses a race goes on to the next number.
func bindPorts(ip string, lo, hi int) (*ports, error) {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return nil, fmt.Errorf("bindIP: %w", err)
	}
	n := hi - lo + 1
	if lo < 1 || hi > 65535 || n < 2 {
		return nil, fmt.Errorf("the port range %d-%d has no room for two ports", lo, hi)
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list the addresses of this machine: %w", err)
	}
	media := mediaAddrs(addr, own)
	var p *ports
	var last error
	start := rand.IntN(n)
	for i := range n {
		a := netip.AddrPortFrom(addr, uint16(lo+(start+i)%n))
		if p == nil {
			p, last = bindHandshake(a, media)
			continue
		}
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(a))
		if err == nil {
			p.inspector = l
			return p, nil
		}
		last = err
	}
	if p != nil {
		p.close()
	}
	return nil, fmt.Errorf("no two free ports in %d-%d: %w", lo, hi, last)
}

// bindHandshake takes one number: TCP on a, UDP on each of media, which is never empty.
func bindHandshake(a netip.AddrPort, media []netip.Addr) (*ports, error) {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(a))
	if err != nil {
		return nil, err
	}
	p := &ports{handshake: l}
	own := &ownAddrs{list: networkAddrs}
	for _, ip := range media {
		u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, a.Port())))
		switch {
		case errors.Is(err, syscall.EADDRNOTAVAIL) && ip != a.Addr():
			// Gone since it was listed, or an IPv6 address that is not usable yet (RFC 4862 section 5.4): do without.
		case err != nil:
			p.close()
			return nil, err
		case a.Addr().IsLoopback() && !ip.IsLoopback():
			p.udp = append(p.udp, sameHost{u, own})
		default:
			p.udp = append(p.udp, u)
		}
	}
	if len(p.udp) == 0 {
		p.close()
		return nil, fmt.Errorf("no address of this machine can be bound: %w", syscall.EADDRNOTAVAIL)
	}
	return p, nil
}

// mediaAddrs are the addresses of the UDP sockets, which are those of the ICE candidates, best first: bind itself; or,
// when that means all, every address in own that another machine could reach, and loopback only when there is none. A
// worker on loopback takes those of the network, too, for Firefox pairs none of its own with a loopback one; as these
// sockets are sameHost, it still serves this machine only (docs/adr/0010).
func mediaAddrs(bind netip.Addr, own []net.Addr) []netip.Addr {
	var network, loopback []netip.Addr
	for _, a := range own {
		p, err := netip.ParsePrefix(a.String())
		switch ip := p.Addr(); {
		case err != nil || ip.IsLinkLocalUnicast():
		case ip.IsLoopback():
			loopback = append(loopback, ip)
		default:
			network = append(network, ip)
		}
	}
	switch {
	case bind.IsLoopback():
		return append([]netip.Addr{bind}, network...)
	case !bind.IsUnspecified():
		return []netip.Addr{bind}
	case len(network) == 0:
		return loopback
	default:
		return network
	}
}
