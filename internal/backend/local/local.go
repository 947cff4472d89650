// Package local runs each render worker as a child process on this machine that outlives the control plane. It knows
// no HTTP and no store; what a worker does is the worker's business. It finds and watches processes by /proc and pidfd:
// on other systems than Linux Start fails.
//
// A session has a directory <Config.Dir>/<account>/<id> with worker.json (workerrpc.WorkerConfig, mode 0600, while the
// worker lives) and worker.log (until Remove). New returns a Backend that starts nothing; what it starts are the workers,
// and watchers of them that live as long as the context of Events.
package local

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/session"
	"github.com/heliograph/heliograph/internal/workerbinary"
	"github.com/heliograph/heliograph/internal/workerrpc"
)

// Name is the Backend of the handles made here.
const Name = "local"

const stateVersion = 1

// Config is what the backend needs, and what it writes into the configuration of each worker.
type Config struct {
	Dir    string // absolute; session directories are made below it (0700)
	Binary string // path of heliograph-worker; "" = beside the running program, then in PATH

	ControlAddress string   // where workers report: "unix:/path/control.sock"
	Hostname       string   // what clients are told to connect to
	BindIP         string   // where workers listen
	PublicIP       string   // where viewers find BindIP; "" = there
	PortMin        int      // each worker binds two free ports of [PortMin, PortMax]
	PortMax        int      //
	AllowedOrigins []string // CORS of the workers' ports
	ModelRoots     []string // directories that file models may come from
	ModelHosts     []string // hosts that https models may come from
	CacheDir       string   // writable, shared by the workers
	CacheBytes     int64    // of converted models; 0 = none are kept
	RenewEvery     time.Duration
	OrphanAfter    time.Duration

	IssueCert func(hostname string) (certPEM, keyPEM []byte, err error) // TLS of the workers' ports; nil = plain HTTP
	TokenKeys func() string                                             // JWK set that verifies tokens; nil = none

	Log *slog.Logger // nil = none
}

// Backend implements session.Backend, session.LogTailer and session.Remover. Safe for concurrent use.
type Backend struct {
	c      Config
	starts singleflight.Group // by session key

	mu          sync.Mutex
	known       map[arr.SessionKey]*process
	subscribers []*subscriber
}

var (
	_ session.Backend   = (*Backend)(nil)
	_ session.LogTailer = (*Backend)(nil)
	_ session.Remover   = (*Backend)(nil)
)

// state is the Handle.State of version 1.
type state struct {
	PID        int    `json:"pid"`
	StartTicks uint64 `json:"startTicks"` // field 22 of /proc/PID/stat: with PID it names one process until the next boot
	Dir        string `json:"dir"`        // of the session
}

// New returns a Backend. It fails when there is no worker binary.
func New(c Config) (*Backend, error) {
	if !filepath.IsAbs(c.Dir) {
		return nil, fmt.Errorf("directory of sessions %q is not absolute", c.Dir)
	}
	c.Dir = filepath.Clean(c.Dir)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if c.Binary, err = workerbinary.Find(c.Binary); err != nil {
		return nil, err
	}
	return &Backend{c: c, known: map[arr.SessionKey]*process{}}, nil
}

// Start implements session.Backend.
func (b *Backend) Start(ctx context.Context, spec session.Spec) (session.Handle, error) {
	// Calls for one key share one start; the token of the first is the one that counts.
	v, err, _ := b.starts.Do(spec.Key.String(), func() (any, error) {
		b.mu.Lock()
		p := b.known[spec.Key]
		b.mu.Unlock()
		if p == nil || !p.running() {
			var err error
			if p, err = b.start(ctx, spec); err != nil {
				return nil, err
			}
		}
		return p.handle()
	})
	if err != nil {
		return session.Handle{}, err
	}
	return v.(session.Handle), nil
}

func (b *Backend) start(ctx context.Context, spec session.Spec) (*process, error) {
	dir := b.sessionDir(spec.Key)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make session directory: %w", err)
	}
	config := configFile(dir)
	if _, err := os.Stat(config); err == nil {
		// A worker of an earlier control plane, perhaps, that List has not yet shown us.
		found, err := scan(b.c.Dir)
		if err != nil {
			return nil, fmt.Errorf("look for workers: %w", err)
		}
		if i := slices.IndexFunc(found, func(s state) bool { return s.Dir == dir }); i >= 0 {
			return b.adopt(spec.Key, found[i]), nil
		}
	}
	if err := b.writeConfig(config, spec); err != nil {
		return nil, fmt.Errorf("write worker configuration: %w", err)
	}
	log, err := os.OpenFile(logFile(dir), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open worker log: %w", err)
	}
	defer log.Close()
	p, err := startProcess(b.c.Binary, dir, log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start worker: %w", err), os.Remove(config))
	}
	if err := p.confine(spec.Profile.MemoryLimitMiB << 20); err != nil {
		b.c.Log.WarnContext(ctx, "worker runs without its limits", "session", spec.Key.String(), "err", err)
	}
	b.register(spec.Key, p)
	b.c.Log.InfoContext(ctx, "worker started", "session", spec.Key.String(), "pid", p.PID)
	return p, nil
}

func (b *Backend) writeConfig(path string, spec session.Spec) error {
	c := workerrpc.WorkerConfig{
		Account:         string(spec.Key.Account),
		Session:         string(spec.Key.ID),
		Size:            string(spec.Size),
		ControlAddress:  b.c.ControlAddress,
		ControlToken:    string(spec.ControlToken),
		Hostname:        b.c.Hostname,
		BindIP:          b.c.BindIP,
		PublicIP:        b.c.PublicIP,
		PortMin:         b.c.PortMin,
		PortMax:         b.c.PortMax,
		AllowedOrigins:  b.c.AllowedOrigins,
		PrimitiveBudget: spec.Profile.PrimitiveBudget,
		Renderer:        cmp.Or(spec.Profile.Renderer, "auto"),
		MemoryLimit:     spec.Profile.MemoryLimitMiB << 20,
		ModelRoots:      b.c.ModelRoots,
		ModelHosts:      b.c.ModelHosts,
		CacheDir:        b.c.CacheDir,
		CacheBytes:      b.c.CacheBytes,
		RenewEvery:      b.c.RenewEvery,
		OrphanAfter:     b.c.OrphanAfter,
	}
	if b.c.TokenKeys != nil {
		c.TokenKeys = b.c.TokenKeys()
	}
	if b.c.IssueCert != nil {
		cert, key, err := b.c.IssueCert(b.c.Hostname)
		if err != nil {
			return fmt.Errorf("issue certificate: %w", err)
		}
		c.CertPEM, c.KeyPEM = string(cert), string(key)
	}
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	fresh := path + ".new"
	if err := os.WriteFile(fresh, data, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

// Inspect implements session.Backend.
func (b *Backend) Inspect(ctx context.Context, h session.Handle) (session.WorkerState, error) {
	p, err := b.find(h)
	if err != nil {
		return session.WorkerState{}, err
	}
	if p.running() {
		if err := capLog(logFile(p.Dir)); err != nil {
			b.c.Log.WarnContext(ctx, "log of a worker could not be cut", "dir", p.Dir, "err", err)
		}
		return session.WorkerState{Running: true}, nil
	}
	return session.WorkerState{Exit: p.exitText()}, nil
}

// Stop implements session.Backend: SIGTERM to the worker, and after grace SIGKILL to all of its process group.
func (b *Backend) Stop(ctx context.Context, h session.Handle, grace time.Duration) error {
	p, err := b.find(h)
	if err != nil {
		return err
	}
	if err := p.stop(ctx, grace); err != nil {
		return err
	}
	b.mu.Lock()
	maps.DeleteFunc(b.known, func(_ arr.SessionKey, known *process) bool { return known.state == p.state })
	b.mu.Unlock()
	// It holds the session's secrets, and nobody reads it any more, unless h is of an earlier worker of the session.
	found, err := scan(b.c.Dir)
	if err != nil {
		return fmt.Errorf("look for workers: %w", err)
	}
	if slices.ContainsFunc(found, func(s state) bool { return s.Dir == p.Dir }) {
		return nil
	}
	if err := os.Remove(configFile(p.Dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// List implements session.Backend.
func (b *Backend) List(ctx context.Context) (map[arr.SessionKey]session.Handle, error) {
	found, err := scan(b.c.Dir)
	if err != nil {
		return nil, fmt.Errorf("look for workers: %w", err)
	}
	workers := make(map[arr.SessionKey]session.Handle, len(found))
	for _, s := range found {
		key, err := readKey(configFile(s.Dir))
		if err != nil { // it ended, and Stop has removed the file, or it is beyond recognition
			b.c.Log.WarnContext(ctx, "process without a session looks like a worker", "pid", s.PID, "err", err)
			continue
		}
		h, err := b.adopt(key, s).handle()
		if err != nil {
			return nil, err
		}
		workers[key] = h
	}
	return workers, nil
}

// Events implements session.Backend. The exit of an adopted worker is noticed, but only its real parent could have
// learnt its status.
func (b *Backend) Events(ctx context.Context) (<-chan session.Event, error) {
	s := &subscriber{ctx: ctx, events: make(chan session.Event)}
	b.mu.Lock()
	b.subscribers = append(b.subscribers, s)
	for key, p := range b.known {
		s.watch(key, p)
	}
	b.mu.Unlock()
	go func() {
		<-ctx.Done()
		b.mu.Lock()
		b.subscribers = slices.DeleteFunc(b.subscribers, func(x *subscriber) bool { return x == s })
		b.mu.Unlock()
		s.watchers.Wait() // nobody adds one any more
		close(s.events)
	}()
	return s.events, nil
}

// subscriber is one caller of Events.
type subscriber struct {
	ctx      context.Context
	events   chan session.Event
	watchers sync.WaitGroup
}

// watch delivers the exit of p, from a goroutine of its own: a slow reader only delays it.
func (s *subscriber) watch(key arr.SessionKey, p *process) {
	s.watchers.Go(func() {
		if err := p.wait(s.ctx); err != nil {
			return // the subscription ended first
		}
		select {
		case s.events <- session.Event{Key: key, Exit: p.exitText()}:
		case <-s.ctx.Done():
		}
	})
}

// register makes p the known worker of key, and has it watched.
func (b *Backend) register(key arr.SessionKey, p *process) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known[key] = p
	for _, s := range b.subscribers {
		s.watch(key, p)
	}
}

// adopt returns the known process of s, or makes s known.
func (b *Backend) adopt(key arr.SessionKey, s state) *process {
	b.mu.Lock()
	p := b.known[key]
	b.mu.Unlock()
	if p == nil || p.state != s {
		p = &process{state: s}
		b.register(key, p)
	}
	return p
}

// find returns the process of a handle, known or not.
func (b *Backend) find(h session.Handle) (*process, error) {
	if h.Backend != Name || h.Version != stateVersion {
		return nil, fmt.Errorf("handle of backend %q version %d is not of backend %q version %d", h.Backend, h.Version, Name, stateVersion)
	}
	var s state
	if err := json.Unmarshal(h.State, &s); err != nil {
		return nil, fmt.Errorf("read handle: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.known {
		if p.state == s {
			return p, nil
		}
	}
	return &process{state: s}, nil
}

func (p *process) handle() (session.Handle, error) {
	data, err := json.Marshal(p.state)
	return session.Handle{Backend: Name, Version: stateVersion, State: data}, err
}

func readKey(config string) (key arr.SessionKey, err error) {
	data, err := os.ReadFile(config)
	if err != nil {
		return key, err
	}
	var c workerrpc.WorkerConfig
	if err := json.Unmarshal(data, &c); err != nil {
		return key, err
	}
	return arr.SessionKey{Account: arr.AccountID(c.Account), ID: arr.SessionID(c.Session)}, nil
}

// environ is the environment of workers: ours without the settings of the control plane, some of which are secret.
func environ() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "HELIOGRAPH_") {
			env = append(env, kv)
		}
	}
	return env
}
