// Package local runs each render worker as a child process on this machine that outlives the control plane. It knows
// no HTTP and no store; what a worker does is the worker's business.
package local

import (
	"errors"
	"log/slog"
	"time"
)

// Config is what the backend needs, and what it writes into the configuration of each worker.
type Config struct {
	Dir    string // session directories are made below it (0700): <account>/<id>/{worker.json,worker.log}
	Binary string // path of heliograph-worker; "" = beside the running program, then in PATH

	ControlAddress string   // where workers report: "unix:/path/control.sock"
	Hostname       string   // what clients are told to connect to
	BindIP         string   // where workers listen
	PortMin        int      // each worker binds two free ports of [PortMin, PortMax]
	PortMax        int      //
	AllowedOrigins []string // CORS of the workers' ports
	ModelRoots     []string // directories that file models may come from
	ModelHosts     []string // hosts that https models may come from
	CacheDir       string   // writable, shared by the workers
	RenewEvery     time.Duration
	OrphanAfter    time.Duration

	IssueCert func(hostname string) (certPEM, keyPEM []byte, err error) // TLS of the workers' ports; nil = plain HTTP
	TokenKeys func() string                                             // JWK set that verifies tokens

	Log *slog.Logger // nil = none
}

// Backend implements session.Backend, session.LogTailer and session.Remover.
type Backend struct{}

// New returns a Backend; it starts nothing.
func New(c Config) (*Backend, error) { return nil, errors.New("not written yet") }
