package worker

import (
	"log/slog"
	"net"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/encode"
)

// transport is what a server of viewers works with.
type transport struct {
	udp    net.PacketConn
	tcp    net.Listener // ICE-TCP
	ips    []net.IP     // for ICE candidates
	codecs []encode.Codec
	log    *slog.Logger
}

func newStreamServer(transport) (acceptor, error) {
	return nil, arr.Errorf(arr.CodeUnavailable, "This worker cannot stream yet.")
}

func splitTCP(l net.Listener) (https, ice net.Listener) { return l, nil }
