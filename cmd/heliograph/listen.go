package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"syscall"
)

// listen binds addr. When addr was nobody's choice but a default (movable) and is taken, any free port serves as well.
func listen(ctx context.Context, addr string, movable bool, log *slog.Logger) (net.Listener, error) {
	var c net.ListenConfig
	ln, err := c.Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) && movable {
		host, _, serr := net.SplitHostPort(addr)
		if serr != nil {
			return nil, serr
		}
		ln, err = c.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
		if err == nil {
			log.Warn("the default port is taken, using a free one", "default", addr, "address", ln.Addr().String())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return ln, nil
}

// port is the TCP port that ln is bound to.
func port(ln net.Listener) string {
	return strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
}
