package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// drainTimeout is how long requests in flight may take to end once the service stops.
const drainTimeout = 10 * time.Second

// part is a piece of the service that runs until its context ends and returns when all that it started has ended.
type part struct {
	name string
	run  func(context.Context) error
}

// supervise runs the parts until ctx ends or one of them does, then ends them one after the other, the last first: a
// part may use those before it until it has ended. It returns what failed, except for the end that ctx asked for.
func supervise(ctx context.Context, parts []part) error {
	type running struct {
		part
		cancel context.CancelFunc
		done   chan error
	}
	ended := make(chan struct{}, len(parts))
	all := make([]running, len(parts))
	for i, p := range parts {
		pctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // not ended by ctx, but in its turn
		all[i] = running{p, cancel, make(chan error, 1)}
		go func() {
			all[i].done <- p.run(pctx)
			ended <- struct{}{}
		}()
	}
	select {
	case <-ctx.Done():
	case <-ended:
	}
	var errs []error
	for i := len(all) - 1; i >= 0; i-- {
		asked := true
		select {
		case err := <-all[i].done: // it ended by itself: that is why all end
			asked = false
			all[i].done <- err
		default:
		}
		all[i].cancel()
		switch err := <-all[i].done; {
		case err != nil && (!asked || !errors.Is(err, context.Canceled)):
			errs = append(errs, fmt.Errorf("%s: %w", all[i].name, err))
		case err == nil && !asked && ctx.Err() == nil:
			errs = append(errs, fmt.Errorf("%s ended unexpectedly", all[i].name))
		}
	}
	return errors.Join(errs...)
}

// httpPart serves h on ln, with TLS unless conf is nil. It ends by draining: no new connections, and time for the
// requests in flight, whose contexts stay alive meanwhile.
func httpPart(name string, ln net.Listener, conf *tls.Config, h http.Handler, log *slog.Logger) part {
	return part{name, func(ctx context.Context) error {
		srv := &http.Server{
			Handler:           h,
			TLSConfig:         conf,
			ReadHeaderTimeout: 10 * time.Second, // no slow-header attack; bodies and answers may be long (relayed pictures)
			IdleTimeout:       2 * time.Minute,
			ErrorLog:          slog.NewLogLogger(log.With("listener", name).Handler(), slog.LevelDebug), // mostly clients' TLS errors
			BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
		}
		drained := make(chan error, 1)
		served, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			<-served.Done()
			limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
			defer cancel()
			err := srv.Shutdown(limit)
			if errors.Is(err, context.DeadlineExceeded) {
				log.Warn("requests cut off", "listener", name, "after", drainTimeout)
				err = srv.Close()
			}
			drained <- err
		}()
		var err error
		if conf != nil {
			err = srv.ServeTLS(ln, "", "")
		} else {
			err = srv.Serve(ln)
		}
		cancel()
		if derr := <-drained; errors.Is(err, http.ErrServerClosed) {
			err = derr
		}
		return err
	}}
}
