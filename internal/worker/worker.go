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
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/stream"
	"github.com/heliograph/heliograph/internal/streampb"
	"github.com/heliograph/heliograph/internal/token"
	"github.com/heliograph/heliograph/internal/worker/frame"
	"github.com/heliograph/heliograph/internal/worker/loader"
	"github.com/heliograph/heliograph/internal/workerrpc"
)

// Options is what a session is made of. All fields are required.
type Options struct {
	Config    workerrpc.WorkerConfig
	Home      Home
	NewEngine func() (render.Engine, error) // called once, when something is to be drawn or prepared
	Encoders  func() Encoders               // called once, for the first viewer
	Teraflops float64
	Version   string
	Log       *slog.Logger
}

// Encoders opens video encoders; *codecs.Set is one.
type Encoders interface {
	Available() []encode.Codec // best first
	Open(codec encode.Codec, c encode.Config) (encode.Encoder, error)
}

// Session is one session of this process.
type Session struct {
	opt      Options
	cert     tls.Certificate
	started  time.Time
	registry *prometheus.Registry
	api      *rest
	editor   *scene.Editor
	loader   *loader.Loader
	loads    *loads
	models   *models
	frames   *frame.Loop
	hub      *hub
	still    chan struct{} // held while a snapshot is drawn
	ready    chan struct{} // closed when the control plane knows of this worker
	told     func() bool   // whether Run's context has ended, i.e. somebody wants this session to end
	accept   func(stream.Config) (acceptor, error)
	encoders func() Encoders

	engine func() (render.Engine, error)
	drawer atomic.Pointer[render.Engine] // what engine made, if it was called
}

// memoryShare is the part of the memory limit that one model's input, geometry and images may each take.
const memoryShare = 3

// New checks the options; it opens nothing.
func New(o Options) (*Session, error) {
	c := &o.Config
	cert, err := tls.X509KeyPair([]byte(c.CertPEM), []byte(c.KeyPEM))
	if err != nil {
		return nil, fmt.Errorf("certPEM, keyPEM: %w", err)
	}
	verifier, err := token.NewVerifierFromJWKS(c.TokenKeys)
	if err != nil {
		return nil, fmt.Errorf("tokenKeys: %w", err)
	}
	s := &Session{
		opt: o, cert: cert, started: time.Now(), registry: prometheus.NewRegistry(), editor: scene.NewEditor(),
		still: make(chan struct{}, 1), ready: make(chan struct{}), accept: newStreamServer, encoders: sync.OnceValue(o.Encoders),
		api: &rest{
			verifier: verifier, origins: c.AllowedOrigins, log: o.Log, crash: crash,
			session: arr.SessionKey{Account: arr.AccountID(c.Account), ID: arr.SessionID(c.Session)},
		},
		loader: loader.New(loader.Config{
			Roots: c.ModelRoots, Hosts: c.ModelHosts, ScratchDir: c.CacheDir, MaxTriangles: c.PrimitiveBudget,
			MaxBytes: c.MemoryLimit / memoryShare, CacheDir: assetCache(c.CacheDir, c.CacheBytes), CacheBytes: c.CacheBytes, Version: o.Version,
		}),
	}
	s.models = newModels(s.improve, o.Log)
	s.engine = sync.OnceValues(func() (render.Engine, error) {
		e, err := o.NewEngine()
		if err == nil {
			e.OnArrival(func() { s.frames.Arrived() })
			s.drawer.Store(&e)
		}
		return e, err
	})
	s.loads = newLoads(s.loader.Load, s.place, o.Log)
	s.frames, err = frame.New(frame.Config{
		Editor: s.editor, Engine: s.engine, Metrics: s.registry, Log: o.Log,
		OpenEncoder: func(c encode.Codec, ec encode.Config) (encode.Encoder, error) { return s.encoders().Open(c, ec) },
		SceneChanged: func(snap *scene.Snapshot) {
			s.hub.send(&streampb.ServerMessage{Body: &streampb.ServerMessage_SceneInfo{SceneInfo: sceneInfo(snap)}})
		},
	})
	if err != nil {
		return nil, err
	}
	s.hub = newHub(s)
	return s, s.registerMetrics()
}

func (s *Session) registerMetrics() error {
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "heliograph_scene_triangles", Help: "Triangles of the visible scene.",
		}, func() float64 { return float64(s.editor.Snapshot().Triangles) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "heliograph_viewers", Help: "Connected viewers.",
		}, func() float64 { return float64(s.hub.viewers()) }),
	} {
		if err := s.registry.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// Run serves the session until ctx ends or the control plane says that it has ended (both nil), it is orphaned
// (ErrOrphaned), or something breaks. It returns when everything it started has ended. It may be called once.
func (s *Session) Run(ctx context.Context) error {
	c := &s.opt.Config
	p, err := bindPorts(c.BindIP, c.PortMin, c.PortMax)
	if err != nil {
		return err
	}
	defer p.close()
	https, ice := stream.SplitTCP(p.handshake)
	outer := ctx
	s.told = func() bool { return outer.Err() != nil }

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.serve(ctx, https, s.handshakeRoutes(s.api)) })
	g.Go(func() error { return s.serve(ctx, p.inspector, s.inspectorRoutes(s.api)) })
	g.Go(func() error { return s.frames.Run(ctx) })
	g.Go(func() error { return s.loads.Run(ctx) })
	g.Go(func() error { return s.models.Run(ctx) })
	g.Go(func() error {
		return s.hub.Run(ctx, func() (acceptor, error) {
			codecs := s.encoders().Available()
			if len(codecs) == 0 {
				return nil, arr.Errorf(arr.CodeUnavailable, "This worker has no video encoder: neither libopenh264 nor libvpx was found.")
			}
			return s.accept(stream.Config{UDP: p.udp, TCP: ice, PublicIP: c.PublicIP, Codecs: codecs, Logger: s.opt.Log})
		})
	})
	g.Go(func() error {
		return s.stayHome(ctx, workerrpc.ReadyReport{
			PID: os.Getpid(), Version: s.opt.Version, Hostname: c.Hostname, Teraflops: s.opt.Teraflops,
			HandshakePort: p.handshakePort(), InspectorPort: p.inspectorPort(),
		})
	})
	g.Go(func() error { s.warmUp(ctx); return nil })
	err = g.Wait()
	if e := s.drawer.Load(); e != nil {
		err = errors.Join(err, (*e).Close())
	}
	s.models.closeAll()
	if !errors.Is(err, workerrpc.ErrEnded) {
		return err
	}
	s.opt.Log.Info("the session has ended")
	return nil
}

// warmUp does beforehand what the first viewer would wait for, but nothing before the session is Ready. Failures are
// told to whoever meets them.
func (s *Session) warmUp(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.ready:
		_, _ = s.engine()
		s.encoders()
	}
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
			_ = srv.Close()
		}
	})
	err := srv.ServeTLS(l, "", "")
	if stop() {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	<-down
	return nil
}

// rendererName is what viewers are told about the renderer; it starts none.
func (s *Session) rendererName() string {
	if e := s.drawer.Load(); e != nil {
		if n, ok := (*e).(interface{ Name() string }); ok {
			return n.Name()
		}
	}
	return "cpu"
}
