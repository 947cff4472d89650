// Package worker runs one rendering session: it binds the session's ports, reports home, loads models, draws and
// streams the scene to one viewer, and serves the inspector. It decides nothing about the session's life: the control
// plane does, and a worker that loses it ends.
package worker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/heliograph/heliograph/internal/workerrpc"
)

// Options is what a session is made of. All fields are required.
type Options struct {
	Config    workerrpc.WorkerConfig
	Home      Home
	Authorize func(bearer string) error // an *arr.Error when a token may not use this session
	Teraflops float64
	Version   string
	Log       *slog.Logger
}

// Session is one session of this process.
type Session struct {
	opt  Options
	cert tls.Certificate
}

// New checks the options; it opens nothing.
func New(o Options) (*Session, error) {
	cert, err := tls.X509KeyPair([]byte(o.Config.CertPEM), []byte(o.Config.KeyPEM))
	if err != nil {
		return nil, fmt.Errorf("certPEM, keyPEM: %w", err)
	}
	return &Session{opt: o, cert: cert}, nil
}

// Run serves the session until ctx ends or the control plane says that it has ended (both nil), it is orphaned
// (ErrOrphaned), or something breaks. It returns when everything it started has ended.
func (s *Session) Run(ctx context.Context) error {
	p, err := bindPorts(s.opt.Config.BindIP, s.opt.Config.PortMin, s.opt.Config.PortMax)
	if err != nil {
		return err
	}
	defer p.close()
	api := &rest{authorize: s.opt.Authorize, origins: s.opt.Config.AllowedOrigins, log: s.opt.Log}

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.serve(ctx, p.handshake, s.handshakeRoutes(api)) })
	g.Go(func() error { return s.serve(ctx, p.inspector, s.inspectorRoutes(api)) })
	g.Go(func() error {
		return s.stayHome(ctx, workerrpc.ReadyReport{
			PID: os.Getpid(), Version: s.opt.Version, Hostname: s.opt.Config.Hostname, Teraflops: s.opt.Teraflops,
			HandshakePort: p.handshakePort(), InspectorPort: p.inspectorPort(),
		})
	})
	if err := g.Wait(); !errors.Is(err, workerrpc.ErrEnded) {
		return err
	}
	s.opt.Log.Info("the session has ended")
	return nil
}

func (s *Session) handshakeRoutes(api *rest) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", api.open(healthz))
	return api.secure(mux)
}

func (s *Session) inspectorRoutes(api *rest) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", api.open(healthz))
	return api.secure(mux)
}

// serve answers HTTPS on l until ctx ends. Time limits keep slow or silent clients from holding connections.
func (s *Session) serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler:           h,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{s.cert}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      2 * time.Minute, // a snapshot of a large scene takes a while to draw
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(s.opt.Log.Handler(), slog.LevelDebug), // handshakes that failed, mostly
	}
	down := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(down)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			srv.Close()
		}
	})
	err := srv.ServeTLS(l, "", "")
	if stop() {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	<-down
	return nil
}
