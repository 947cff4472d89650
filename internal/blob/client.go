package blob

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// newClient makes a client that follows no redirect: storage sends none, and one would carry signatures elsewhere. A
// guarded one connects to no address that only this machine or its neighbours serve, whatever the name servers say:
// metadata services of clouds live there. Private addresses are allowed, since storage may have private endpoints.
func newClient(guarded bool) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if guarded {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			a, err := netip.ParseAddrPort(address)
			if err != nil || !isRoutable(a.Addr().Unmap()) {
				return errForbiddenAddress
			}
			return nil
		}
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           dialer.DialContext,
			ForceAttemptHTTP2:     true,
			MaxIdleConnsPerHost:   16,
			IdleConnTimeout:       90 * time.Second,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: 2 * time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var errForbiddenAddress = forbiddenAddress{errors.New("the address of the host is none of a storage service")}

// forbiddenAddress tells the SDK of Azure that trying again is useless.
type forbiddenAddress struct{ error }

func (forbiddenAddress) NonRetriable() {}

func isRoutable(a netip.Addr) bool {
	return a.IsValid() && !a.IsLoopback() && !a.IsUnspecified() && !a.IsLinkLocalUnicast() && !a.IsMulticast() &&
		a != netip.AddrFrom4([4]byte{255, 255, 255, 255}) &&
		a != awsMetadataV6 && a != alibabaMetadata
}

var (
	awsMetadataV6   = netip.AddrFrom16([16]byte{0xfd, 0x00, 0x0e, 0xc2, 14: 0x02, 15: 0x54}) // fd00:ec2::254
	alibabaMetadata = netip.AddrFrom4([4]byte{100, 100, 100, 200})
)
