package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/heliograph/heliograph/internal/workerrpc"
)

// listeners are the sockets of a service. Those that the settings do not want are nil.
type listeners struct {
	control                  net.Listener // where workers report
	public, dashboard, admin net.Listener
}

// bind makes them all. On an error it returns those that it has made, to be closed like the others.
func bind(ctx context.Context, set settings, log *slog.Logger) (ln listeners, err error) {
	// First, because it is also the lock that keeps a second control plane off this directory.
	if ln.control, err = workerrpc.Listen(filepath.Join(set.DataDir, socketFile)); err != nil {
		return ln, err
	}
	for _, l := range []struct {
		ln              *net.Listener
		addr, otherwise string
	}{
		{&ln.public, set.Listen, set.defaults.Listen},
		{&ln.dashboard, set.DashboardListen, set.defaults.DashboardListen},
		{&ln.admin, set.AdminListen, set.defaults.AdminListen},
	} {
		if l.addr == "" {
			continue
		}
		bound, err := listen(ctx, l.addr, set.dev && l.addr == l.otherwise, log)
		if err != nil {
			return ln, err
		}
		*l.ln = bound
	}
	return ln, nil
}

// close closes them; servers may have closed some already.
func (l listeners) close() error {
	var errs []error
	for _, ln := range []net.Listener{l.control, l.public, l.dashboard, l.admin} {
		if ln == nil {
			continue
		}
		if err := ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

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
