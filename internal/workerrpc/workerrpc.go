// Package workerrpc is the wire between the control plane and a render worker on it: JSON over HTTP, on a Unix socket
// in the data directory (local backend) or on TCP (cluster). The worker dials home; the control plane never dials a
// worker for control, so a restarted control plane is found again by its workers without any registry.
//
//	POST /v1/ready   ReadyReport -> 204      once the worker serves; makes the session Ready
//	POST /v1/renew   RenewReport -> Renewal  every RenewEvery; a worker that cannot renew for OrphanAfter ends itself
//
// Every request carries "Authorization: Bearer <WorkerConfig.ControlToken>" and "Heliograph-Session: <account>/<id>".
// 410 Gone means that the session has ended, 401 that another worker has taken its place: the worker exits at once.
//
// A worker uses NewClient, Client.Ready and Client.RenewLoop; the control plane uses Listen, NewHandler and Serve.
// The package keeps no state of sessions.
package workerrpc

import "time"

const (
	readyPath     = "/v1/ready"
	renewPath     = "/v1/renew"
	sessionHeader = "Heliograph-Session"
)

// WorkerConfig is the file (mode 0600, JSON) that a backend writes and hands to `heliograph-worker render --config`.
type WorkerConfig struct {
	Account string `json:"account"`
	Session string `json:"session"`
	Size    string `json:"size"`

	ControlAddress string `json:"controlAddress"` // "unix:/path/control.sock" or "https://host:port"
	ControlToken   string `json:"controlToken"`   // secret of this one session

	Hostname string `json:"hostname"` // what the worker reports as hostname, e.g. "localhost"
	BindIP   string `json:"bindIP"`   // where it listens, e.g. "127.0.0.1"
	PublicIP string `json:"publicIP"` // where viewers find BindIP behind a network address translation; "" = at BindIP
	PortMin  int    `json:"portMin"`  // it binds two free ports in [PortMin, PortMax]
	PortMax  int    `json:"portMax"`

	CertPEM string `json:"certPEM"` // TLS certificate chain for Hostname, and its key
	KeyPEM  string `json:"keyPEM"`

	// TokenKeys is a JWK set with the public keys of the token issuer: the worker itself checks bearer tokens on its
	// ports. A token is good here if it is for Account and has no "session" claim, or one equal to Session.
	TokenKeys      string   `json:"tokenKeys"`
	AllowedOrigins []string `json:"allowedOrigins"` // CORS; "*" = any

	PrimitiveBudget int64    `json:"primitiveBudget"` // 0 = no limit
	Renderer        string   `json:"renderer"`        // "auto", "cpu", "gpu"
	MemoryLimit     int64    `json:"memoryLimit"`     // bytes; the worker sets GOMEMLIMIT below it; 0 = none
	ModelRoots      []string `json:"modelRoots"`      // directories that file models may come from
	ModelHosts      []string `json:"modelHosts"`      // hosts that https models may come from
	CacheDir        string   `json:"cacheDir"`        // writable: teraflops of this machine, converted models
	CacheBytes      int64    `json:"cacheBytes"`      // of converted models; 0 = models are not converted

	RenewEvery  time.Duration `json:"renewEvery"`  // ns
	OrphanAfter time.Duration `json:"orphanAfter"` // ns
}

// ReadyReport is the body of POST /v1/ready.
type ReadyReport struct {
	PID           int     `json:"pid"`
	Version       string  `json:"version"`
	Hostname      string  `json:"hostname"`
	HandshakePort int     `json:"handshakePort"`
	InspectorPort int     `json:"inspectorPort"`
	Teraflops     float64 `json:"teraflops"`
}

// RenewReport is the body of POST /v1/renew.
type RenewReport struct {
	Viewers   int    `json:"viewers"`
	Triangles int64  `json:"triangles"`
	Frames    uint64 `json:"frames"`
}

// Renewal answers a renew.
type Renewal struct {
	LeaseSecondsLeft float64 `json:"leaseSecondsLeft"` // for the viewer's display; the control plane ends the session
}
