// Package config is the one settings struct of the control plane, and the only way into it: Default, then a strict
// YAML file, then the environment. It reads files and variables; it opens, listens to and creates nothing.
package config

import (
	"time"

	"github.com/goccy/go-yaml"

	"github.com/heliograph/heliograph/internal/arr"
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
	Retention    time.Duration `yaml:"retention"`    // how long ended sessions and conversions stay readable

	Worker     Worker     `yaml:"worker"`
	Conversion Conversion `yaml:"conversion"`
	Storage    Storage    `yaml:"storage"`
	Log        Log        `yaml:"log"`
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
	PublicIP    string        `yaml:"publicIP"`    // where viewers find bindIP, behind a network address translation; "" = there
	PortMin     int           `yaml:"portMin"`     // each worker binds two free ports of this range
	PortMax     int           `yaml:"portMax"`     //
	RenewEvery  time.Duration `yaml:"renewEvery"`  // how often a worker renews its lease on life
	OrphanAfter time.Duration `yaml:"orphanAfter"` // a worker that could not renew for this long ends itself
	ModelRoots  []string      `yaml:"modelRoots"`  // directories that file models may come from
	ModelHosts  []string      `yaml:"modelHosts"`  // hosts that https models may come from

	// ModelCacheMiB bounds the cache of models that were loaded as they are and converted beside the session; 0 = none are.
	ModelCacheMiB int64 `yaml:"modelCacheMiB"`
}

// Conversion says how models are converted. Each conversion is a process of its own.
type Conversion struct {
	MaxRunning     int           `yaml:"maxRunning"`     // at a time; more wait
	Threads        int           `yaml:"threads"`        // of one conversion; 0 = one for each core
	MemoryLimitMiB int64         `yaml:"memoryLimitMiB"` // of one conversion; 0 = none
	CPUTimeLimit   time.Duration `yaml:"cpuTimeLimit"`   // of one conversion, all threads together; 0 = none
	TimeLimit      time.Duration `yaml:"timeLimit"`      // of one conversion, transfers included; 0 = none
	MaxInputMiB    int64         `yaml:"maxInputMiB"`    // all files of one source together; 0 = no limit
	MaxOutputMiB   int64         `yaml:"maxOutputMiB"`   // the largest file of one conversion; 0 = no limit
}

// Storage says which containers conversions may read and write, and with which credentials. Azure Blob storage by shared
// access signature is always allowed.
type Storage struct {
	Local LocalStorage `yaml:"local"`
	Azure AzureStorage `yaml:"azure"`
	S3    S3Storage    `yaml:"s3"`
	GCS   GCSStorage   `yaml:"gcs"`

	Reserved []Reservation `yaml:"reserved"` // what needs no signature and is in none of them is open to all accounts
}

// Reservation leaves storage to some accounts of the service.
type Reservation struct {
	URI      string   `yaml:"uri"` // as conversions name a container, or the beginning of that: what is below is meant, too
	Accounts []string `yaml:"accounts"`
}

// LocalStorage is the file system of this machine.
type LocalStorage struct {
	Roots []string `yaml:"roots"` // directories that file containers may be in
}

// AzureStorage is Azure Blob storage, and what speaks its protocol.
type AzureStorage struct {
	Accounts     []AzureAccount `yaml:"accounts"`     // linked: no signature is needed
	HostSuffixes []string       `yaml:"hostSuffixes"` // of accounts that may be used by signature; empty = those of Azure's clouds
}

// AzureAccount is a linked storage account, by key or identity; with neither, only its endpoint is made known.
type AzureAccount struct {
	Name     string     `yaml:"name"`
	Endpoint string     `yaml:"endpoint"` // "" = https://NAME.blob.core.windows.net
	Key      arr.Secret `yaml:"key"`
	Identity bool       `yaml:"identity"` // the identity that the service runs as
}

// S3Storage is Amazon S3, and what speaks its protocol.
type S3Storage struct {
	Buckets         []string   `yaml:"buckets"`   // "*" = all that the credentials open
	Endpoint        string     `yaml:"endpoint"`  // "" = Amazon's
	Region          string     `yaml:"region"`    // "" = from the environment
	PathStyle       bool       `yaml:"pathStyle"` // the bucket is in the path, not in the host name
	AccessKeyID     string     `yaml:"accessKeyID"`
	SecretAccessKey arr.Secret `yaml:"secretAccessKey"` // "" = credentials from the environment
	SessionToken    arr.Secret `yaml:"sessionToken"`
}

// GCSStorage is Google Cloud Storage, with the application default credentials.
type GCSStorage struct {
	Buckets   []string `yaml:"buckets"`  // "*" = all that the credentials open
	Endpoint  string   `yaml:"endpoint"` // "" = Google's
	Anonymous bool     `yaml:"anonymous"`
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
			RenewEvery: 2 * time.Second, OrphanAfter: 60 * time.Second, ModelCacheMiB: 10240,
		},
		Conversion: Conversion{
			MaxRunning: 2, MemoryLimitMiB: 8192, CPUTimeLimit: 24 * time.Hour, TimeLimit: 12 * time.Hour, MaxOutputMiB: 256 << 10,
		},
		Log: Log{Level: "info", Format: "auto"},
	}
}

// YAML is the whole configuration as a file would spell it, without the secrets.
func (c *Config) YAML() ([]byte, error) { return yaml.Marshal(c) }
