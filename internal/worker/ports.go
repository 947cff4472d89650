package worker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
)

// ports are the sockets of one session: UDP and TCP on the same number, and TCP on another.
type ports struct {
	udp       net.PacketConn
	handshake net.Listener
	inspector net.Listener
}

func (p *ports) handshakePort() int { return p.handshake.Addr().(*net.TCPAddr).Port }
func (p *ports) inspectorPort() int { return p.inspector.Addr().(*net.TCPAddr).Port }

func (p *ports) close() {
	_ = p.udp.Close() // again, mostly: its server closed it
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
	var p *ports
	var last error
	start := rand.IntN(n)
	for i := range n {
		a := netip.AddrPortFrom(addr, uint16(lo+(start+i)%n))
		if p == nil {
			p, last = bindHandshake(a)
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

func bindHandshake(a netip.AddrPort) (*ports, error) {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(a))
	if err != nil {
		return nil, err
	}
	u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(a))
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &ports{udp: u, handshake: l}, nil
}

// advertiseIPs are the addresses that ICE candidates show: the bound one, or, when bound to all, every address of this
// machine that another one could reach, and loopback only when there is none.
func advertiseIPs(bindIP string) ([]net.IP, error) {
	ip := net.ParseIP(bindIP)
	if ip != nil && !ip.IsUnspecified() {
		return []net.IP{ip}, nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var out, loopback []net.IP
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		switch {
		case !ok || n.IP.IsLinkLocalUnicast():
		case n.IP.IsLoopback():
			loopback = append(loopback, n.IP)
		default:
			out = append(out, n.IP)
		}
	}
	if len(out) == 0 {
		return loopback, nil
	}
	return out, nil
}
