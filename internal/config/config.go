// Package config is the one settings struct of the control plane, and the only way into it: Default, then a strict
// YAML file, then the environment. It reads files and variables; it opens, listens to and creates nothing.
package config

import (
	"time"

	"github.com/goccy/go-yaml"
)

// Config is everything an operator can set. Each key of the YAML file is a field here; the same key by environment is
// EnvPrefix and the key's path in upper snake case (worker.portMin is HELIOGRAPH_WORKER_PORT_MIN), made by rule.
type Config struct {
	DataDir         string `yaml:"dataDir"`         // database, keys, local CA, logs of workers
	Listen          string `yaml:"listen"`          // host:port of the SDK endpoint
	DashboardListen string `yaml:"dashboardListen"` // extra plain-HTTP listener on loopback; "" = none
	AdminListen     string `yaml:"adminListen"`     // metrics and health; "" = none
	ExternalURL     string `yaml:"externalURL"`     // origin that clients use; "" = from Listen
	AccountDomain   string `yaml:"accountDomain"`   // clients ask sts.<accountDomain> for tokens

	TLS       TLS       `yaml:"tls"`
	CORS      CORS      `yaml:"cors"`
	RateLimit RateLimit `yaml:"rateLimit"`
	Sizes     Sizes     `yaml:"sizes"`

	StartTimeout time.Duration `yaml:"startTimeout"` // longest wait for room, and then again for the worker
	Retention    time.Duration `yaml:"retention"`    // how long ended sessions stay readable

	Worker Worker `yaml:"worker"`
	Log    Log    `yaml:"log"`
}

// TLS names PEM files of the SDK endpoint's certificate chain and key. Both or none.
type TLS struct {
	CertFile string `yaml:"certFile"`
	KeyFile  string `yaml:"keyFile"`
}

// CORS says which web origins may call the API.
type CORS struct {
	AllowedOrigins []string `yaml:"allowedOrigins"` // "*" = any
}

// RateLimit bounds requests of one account; more is answered 429 with Retry-After.
type RateLimit struct {
	PerSecond float64 `yaml:"perSecond"` // 0 = no limit
	Burst     int     `yaml:"burst"`
}

// Sizes are the operator's meaning of the contract's two session sizes.
type Sizes struct {
	Standard Size `yaml:"standard"`
	Premium  Size `yaml:"premium"`
}

// Size is the profile of one session size.
type Size struct {
	MaxSessions     int    `yaml:"maxSessions"`     // at a time on this service; 0 = no limit
	MemoryLimitMiB  int64  `yaml:"memoryLimitMiB"`  // of one worker; 0 = none
	PrimitiveBudget int64  `yaml:"primitiveBudget"` // most triangles of a scene; 0 = no limit
	Renderer        string `yaml:"renderer"`        // auto, cpu or gpu
}

// Worker says how render workers are started and what they may reach.
type Worker struct {
	Binary      string        `yaml:"binary"`      // "" = heliograph-worker beside this program, then in PATH
	Hostname    string        `yaml:"hostname"`    // what clients are told to connect to
	BindIP      string        `yaml:"bindIP"`      // where workers listen
	PortMin     int           `yaml:"portMin"`     // each worker binds two free ports of this range
	PortMax     int           `yaml:"portMax"`     //
	RenewEvery  time.Duration `yaml:"renewEvery"`  // how often a worker renews its lease on life
	OrphanAfter time.Duration `yaml:"orphanAfter"` // a worker that could not renew for this long ends itself
	ModelRoots  []string      `yaml:"modelRoots"`  // directories that file models may come from
	ModelHosts  []string      `yaml:"modelHosts"`  // hosts that https models may come from
}

// Log shapes the log on standard error.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // auto (text on a terminal, JSON otherwise), text or json
}

// The contract's port range of a session (contract section 4: 49152..65534).
const (
	minPort = 49152
	maxPort = 65534
)

// Default is what an empty file means. deploy/heliograph.yaml spells it out, and a test keeps the two equal.
func Default() Config {
	return Config{
		DataDir:       "/var/lib/heliograph",
		Listen:        "127.0.0.1:8443",
		AdminListen:   "127.0.0.1:9443",
		AccountDomain: "localhost",
		RateLimit:     RateLimit{PerSecond: 20, Burst: 100},
		Sizes: Sizes{
			// ARR refused more than 20 million primitives in a Standard session; Premium had no limit.
			Standard: Size{MemoryLimitMiB: 4096, PrimitiveBudget: 20_000_000, Renderer: "auto"},
			Premium:  Size{Renderer: "auto"},
		},
		StartTimeout: 30 * time.Second,
		Retention:    30 * 24 * time.Hour, // contract section 4: queryable for 30 days
		Worker: Worker{
			Hostname: "localhost",
			BindIP:   "127.0.0.1",
			PortMin:  minPort, PortMax: maxPort,
			RenewEvery: 2 * time.Second, OrphanAfter: 60 * time.Second,
		},
		Log: Log{Level: "info", Format: "auto"},
	}
}

// YAML is the whole configuration as a file would spell it.
func (c *Config) YAML() ([]byte, error) { return yaml.Marshal(c) }
