package worker

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestBindPorts(t *testing.T) {
	p, err := bindPorts("127.0.0.1", 49152, 65534)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	h, i := p.handshakePort(), p.inspectorPort()
	if h == i || h < 49152 || i > 65534 || p.udp[0].LocalAddr().String() != p.handshake.Addr().String() {
		t.Errorf("bound %v, %v, %v", p.udp[0].LocalAddr(), p.handshake.Addr(), p.inspector.Addr())
	}
	for _, u := range p.udp[1:] {
		if _, ok := u.(sameHost); !ok || u.LocalAddr().(*net.UDPAddr).Port != h {
			t.Errorf("beside loopback, %v is bound as a %T", u.LocalAddr(), u)
		}
	}
	for _, r := range [][2]int{{h, h}, {h, h - 1}, {0, 10}, {65530, 70000}, {h, max(h, i)}} {
		if i == h+1 || r != [2]int{h, max(h, i)} {
			if q, err := bindPorts("127.0.0.1", r[0], r[1]); err == nil {
				q.close()
				t.Errorf("two free ports were found in %v", r)
			}
		}
	}
	if _, err := bindPorts("not an address", 49152, 65534); err == nil {
		t.Error("a bad address was taken")
	}
}

func TestMediaAddrs(t *testing.T) {
	var own []net.Addr
	for _, s := range []string{"127.0.0.1/8", "::1/128", "192.0.2.7/24", "169.254.3.4/16", "2001:db8::7/64", "fe80::1/64"} {
		own = append(own, prefix(s))
	}
	for _, test := range []struct {
		bind string
		own  []net.Addr
		want []string
	}{
		{"127.0.0.1", own, []string{"127.0.0.1", "192.0.2.7", "2001:db8::7"}},
		{"::1", own, []string{"::1", "192.0.2.7", "2001:db8::7"}},
		{"127.0.0.1", own[:2], []string{"127.0.0.1"}},
		{"192.0.2.7", own, []string{"192.0.2.7"}},
		{"0.0.0.0", own, []string{"192.0.2.7", "2001:db8::7"}},
		{"::", own[:2], []string{"127.0.0.1", "::1"}},
	} {
		var got []string
		for _, a := range mediaAddrs(netip.MustParseAddr(test.bind), test.own) {
			got = append(got, a.String())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("bound to %s with %v: %v, want %v", test.bind, test.own, got, test.want)
		}
	}
}

func TestBindPortsSkipsAddressesThatCannotBeUsed(t *testing.T) {
	loopback, gone := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.7") // RFC 5737: nobody's
	p, err := bindHandshake(netip.AddrPortFrom(loopback, 0), []netip.Addr{gone, loopback})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if len(p.udp) != 1 {
		t.Errorf("bound %d sockets", len(p.udp))
	}
	if _, err := bindHandshake(netip.AddrPortFrom(loopback, 0), []netip.Addr{gone}); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("without any address: %v", err)
	}
}

// TestSameHost lets two of the loopback addresses play this machine, and a third one the rest of the world.
func TestSameHost(t *testing.T) {
	c := sameHost{listenUDP(t, "127.0.0.1"), &ownAddrs{list: func() ([]net.Addr, error) {
		return []net.Addr{prefix("127.0.0.1/8"), prefix("127.0.0.2/8")}, nil
	}}}
	own, foreign := listenUDP(t, "127.0.0.2"), listenUDP(t, "127.0.0.3")
	deadline := time.Now().Add(time.Minute)
	for _, u := range []*net.UDPConn{c.UDPConn, own} {
		if err := u.SetReadDeadline(deadline); err != nil {
			t.Fatal(err)
		}
	}
	send := func(u *net.UDPConn, text string) {
		t.Helper()
		if _, err := u.WriteTo([]byte(text), c.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 16)
	for range 2 { // each way of reading
		send(foreign, "from elsewhere")
		send(own, "from here")
	}
	if n, from, err := c.ReadFrom(buf); err != nil || string(buf[:n]) != "from here" || from.String() != own.LocalAddr().String() {
		t.Errorf("ReadFrom = %q, %v, %v", buf[:n], from, err)
	}
	if n, from, err := c.ReadFromAddrPort(buf); err != nil || string(buf[:n]) != "from here" || from != addrPort(own) {
		t.Errorf("ReadFromAddrPort = %q, %v, %v", buf[:n], from, err)
	}

	for name, write := range map[string]func(*net.UDPConn) (int, error){
		"WriteTo":         func(to *net.UDPConn) (int, error) { return c.WriteTo([]byte("answer"), to.LocalAddr()) },
		"WriteToAddrPort": func(to *net.UDPConn) (int, error) { return c.WriteToAddrPort([]byte("answer"), addrPort(to)) },
	} {
		if _, err := write(foreign); !errors.Is(err, syscall.EHOSTUNREACH) {
			t.Errorf("%s elsewhere: %v", name, err)
		}
		if _, err := write(own); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n, err := own.Read(buf); err != nil || string(buf[:n]) != "answer" {
			t.Errorf("%s sent %q, %v", name, buf[:n], err)
		}
	}
}

func TestOwnAddrsFollowTheMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		addrs, failure := []net.Addr{prefix("192.0.2.7/24")}, error(nil)
		own := &ownAddrs{list: func() ([]net.Addr, error) { reads++; return addrs, failure }}
		old, later := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.8")
		for range 100 {
			if !own.has(old) || !own.has(netip.MustParseAddr("::ffff:192.0.2.7")) || own.has(later) {
				t.Fatal("has is wrong at first")
			}
		}
		if reads != 1 {
			t.Errorf("the addresses were read %d times at once", reads)
		}
		addrs = []net.Addr{prefix("192.0.2.8/24")}
		time.Sleep(ownFresh) // of the bubble's clock
		if own.has(old) || !own.has(later) {
			t.Error("has does not follow the machine's addresses")
		}
		failure = errors.New("not now")
		time.Sleep(ownFresh)
		if own.has(later) {
			t.Error("an address is this machine's, though they cannot be read")
		}
	})
}

func TestNetworkAddrs(t *testing.T) {
	addrs, err := networkAddrs()
	if err != nil {
		t.Fatal(err)
	}
	own := &ownAddrs{list: networkAddrs}
	for _, a := range addrs {
		if !own.has(netip.MustParsePrefix(a.String()).Addr()) {
			t.Errorf("%v is no address of this machine", a)
		}
	}
	for _, ip := range []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()} {
		if own.has(ip) {
			t.Errorf("%v passes for an address of a network", ip)
		}
	}
}

func prefix(s string) *net.IPNet {
	ip, n, err := net.ParseCIDR(s)
	if err != nil {
		panic(err)
	}
	n.IP = ip
	return n
}

func listenUDP(t *testing.T, ip string) *net.UDPConn {
	t.Helper()
	u, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	return u
}

func addrPort(u *net.UDPConn) netip.AddrPort { return u.LocalAddr().(*net.UDPAddr).AddrPort() }
