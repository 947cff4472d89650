package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/backend/local"
	"github.com/heliograph/heliograph/internal/config"
	"github.com/heliograph/heliograph/internal/httpapi"
	"github.com/heliograph/heliograph/internal/obs"
	"github.com/heliograph/heliograph/internal/pki"
	"github.com/heliograph/heliograph/internal/readyfile"
	"github.com/heliograph/heliograph/internal/session"
	"github.com/heliograph/heliograph/internal/store/sqlite"
	"github.com/heliograph/heliograph/internal/token"
	"github.com/heliograph/heliograph/internal/webui"
	"github.com/heliograph/heliograph/internal/workerrpc"
)

// minLiveness is the least silence after which a worker is taken for lost; a busy machine may well pause one for seconds.
const minLiveness = 15 * time.Second

// serve builds the service, runs it until ctx ends, and calls ready once every listener is bound. Everything that the
// service consists of is made here, in the order of need, and handed to supervise with the order of its end.
func serve(ctx context.Context, set settings, log *slog.Logger, ready func(context.Context, readyfile.Info) error) (err error) {
	dir := set.DataDir
	for _, d := range []string{dir, filepath.Join(dir, sessionsDir), filepath.Join(dir, cacheDir)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return fmt.Errorf("make data directory: %w", err)
		}
	}

	ln, err := bind(ctx, set, log)
	defer func() { err = errors.Join(err, ln.close()) }()
	if err != nil {
		return err
	}

	// State.
	store, err := sqlite.Open(filepath.Join(dir, databaseFile))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	keys, err := token.OpenKeys(filepath.Join(dir, signingKeyFile), "")
	if err != nil {
		return err
	}
	accounts := token.NewAccounts(store)
	var domains []string // none: this CA issues for the workers only, wherever they are, and nobody else trusts it
	if set.dev {
		domains = []string{"localhost"}
	}
	ca, err := pki.Open(filepath.Join(dir, caDir), time.Now(), domains...)
	if err != nil {
		return err
	}
	serverTLS, err := endpointTLS(set, ca)
	if err != nil {
		return err
	}

	// Sessions and their workers.
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	w := set.Worker
	backend, err := local.New(local.Config{
		Dir: filepath.Join(dir, sessionsDir), Binary: w.Binary, ControlAddress: "unix:" + filepath.Join(dir, socketFile),
		Hostname: w.Hostname, BindIP: w.BindIP, PublicIP: w.PublicIP, PortMin: w.PortMin, PortMax: w.PortMax,
		AllowedOrigins: set.CORS.AllowedOrigins, ModelRoots: w.ModelRoots, ModelHosts: w.ModelHosts,
		CacheDir: filepath.Join(dir, cacheDir), CacheBytes: w.ModelCacheMiB << 20, RenewEvery: w.RenewEvery, OrphanAfter: w.OrphanAfter,
		IssueCert: func(host string) (certPEM, keyPEM []byte, err error) { return ca.Issue(time.Now(), host) },
		TokenKeys: keys.PublicJWKS,
		Log:       log,
	})
	if err != nil {
		return err
	}
	reconciler := session.NewReconciler(session.ReconcilerConfig{
		Store: store, Backend: backend, Log: log, Metrics: newSessionMetrics(metrics),
		Profiles: map[arr.Size]session.Profile{
			arr.SizeStandard: session.Profile(set.Sizes.Standard),
			arr.SizePremium:  session.Profile(set.Sizes.Premium),
		},
		StartTimeout: set.StartTimeout, Retention: set.Retention,
		LivenessTimeout: max(minLiveness, 5*w.RenewEvery),
	})
	manager := session.NewManager(session.ManagerConfig{Store: store, Notify: reconciler.Notify})

	// Conversions.
	conversions, queue, err := conversionCore(set, store.Conversions(), newConversionMetrics(metrics), log)
	if err != nil {
		return err
	}

	// The edge.
	transport := httpapi.NewWorkerTransport(ca.Pool()) // the system's authorities do not vouch for workers
	defer transport.CloseIdleConnections()
	info := addresses(set, ln, ca)
	var draining atomic.Bool
	api, err := httpapi.New(httpapi.Config{
		Sessions: manager, Conversions: conversions, ConversionWatch: queue,
		Accounts: accounts, Issuer: token.NewIssuer(keys), Verifier: token.NewVerifier(keys),
		Logs: backend, WorkerTransport: transport, UI: webui.Handler(),
		Ready: func(context.Context) error {
			if draining.Load() {
				return errors.New("the service is ending")
			}
			return nil
		},
		ExternalURL: set.ExternalURL, DashboardURL: info.Dashboard, AllowedOrigins: set.CORS.AllowedOrigins,
		RatePerSecond: set.RateLimit.PerSecond, RateBurst: set.RateLimit.Burst,
		Log: log, Metrics: metrics,
	})
	if err != nil {
		return err
	}

	// Started together, ended from the last to the first. The reason for each place:
	parts := []part{
		// Every other part writes to the store until it has ended.
		{"store", store.Run},
		// Requests in flight may still change sessions, which the reconciler must get to see. It leaves the workers
		// running: the next start adopts them.
		{"reconciler", reconciler.Run},
		// The same holds for conversions. Their processes end with the queue; the next start begins them again.
		{"conversions", queue.Run},
		// Workers report to the reconciler. They take the end of this socket for a restart and try again.
		{"workers", func(ctx context.Context) error {
			return workerrpc.Serve(ctx, ln.control, workerrpc.NewHandler(reconciler, log))
		}},
	}
	if ln.admin != nil {
		// Metrics and health outlive the endpoints, so that the drain can be watched.
		parts = append(parts, httpPart("admin", ln.admin, nil, adminHandler(metrics, api.Handler()), log))
	}
	// Clients get the time to hear the answers to what they have asked.
	parts = append(parts, httpPart("endpoint", ln.public, serverTLS, api.Handler(), log))
	if ln.dashboard != nil {
		parts = append(parts, httpPart("dashboard", ln.dashboard, nil, api.Handler(), log))
	}
	// Announced last and withdrawn first: /readyz says no before the endpoints stop to listen.
	parts = append(parts, part{"announcement", func(ctx context.Context) error {
		defer draining.Store(true)
		return announce(ctx, set, accounts, info, log, ready)
	}})
	return supervise(ctx, parts)
}

// announce says that the service serves, and withdraws that when ctx ends.
func announce(ctx context.Context, set settings, accounts *token.Accounts, info readyfile.Info, log *slog.Logger,
	ready func(context.Context, readyfile.Info) error) (err error) {
	if set.dev {
		account, err := openDevAccount(ctx, set.DataDir, accounts)
		if err != nil {
			return err
		}
		info.AccountID, info.AccountKey = string(account.ID), account.Key
		file := filepath.Join(set.DataDir, devFile)
		if err := readyfile.Write(file, info); err != nil {
			return err
		}
		defer func() {
			if rerr := os.Remove(file); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
				err = errors.Join(err, rerr)
			}
		}()
	}
	if err := ready(ctx, info); err != nil {
		return err
	}
	log.Info("serving", "endpoint", info.Endpoint, "version", obs.Version(), "data", set.DataDir)
	<-ctx.Done()
	log.Info("ending")
	return ctx.Err()
}

// addresses says how clients reach what is bound.
func addresses(set settings, ln listeners, ca *pki.CA) readyfile.Info {
	info := readyfile.Info{Endpoint: set.ExternalURL, AccountDomain: set.AccountDomain, PID: os.Getpid()}
	if info.Endpoint == "" {
		scheme := "http"
		if set.dev || set.TLS.CertFile != "" {
			scheme = "https"
		}
		host, _, err := net.SplitHostPort(set.Listen)
		if err != nil || config.Loopback(set.Listen) {
			host = "localhost" // what the certificate and other examples say
		}
		info.Endpoint = scheme + "://" + net.JoinHostPort(host, port(ln.public))
	}
	// The same endpoint is the token service; an account domain that resolves is for SDKs that insist on a host of its own.
	info.STS = info.Endpoint
	info.Dashboard = info.Endpoint + "/"
	if ln.dashboard != nil {
		info.Dashboard = "http://localhost:" + port(ln.dashboard) + "/"
	}
	if set.dev {
		info.CAFile = ca.CertFile()
		if set.AccountDomain == set.defaults.AccountDomain {
			info.AccountDomain += ":" + port(ln.public)
		}
	}
	return info
}

// endpointTLS is how the SDK endpoint encrypts: with the given files, in dev mode with the local CA, else not at all.
func endpointTLS(set settings, ca *pki.CA) (*tls.Config, error) {
	var (
		pair tls.Certificate
		err  error
	)
	switch {
	case set.TLS.CertFile != "":
		pair, err = tls.LoadX509KeyPair(set.TLS.CertFile, set.TLS.KeyFile)
	case set.dev:
		var certPEM, keyPEM []byte
		certPEM, keyPEM, err = ca.Issue(time.Now(), "localhost", "sts.localhost", "remoterendering.localhost", "127.0.0.1", "::1")
		if err == nil {
			pair, err = tls.X509KeyPair(certPEM, keyPEM)
		}
	default:
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("certificate of the endpoint: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// adminHandler serves /metrics, and health as the API does.
func adminHandler(metrics *prometheus.Registry, api http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	mux.Handle("GET /healthz", api)
	mux.Handle("GET /readyz", api)
	return mux
}
