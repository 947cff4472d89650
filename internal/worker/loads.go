package worker

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/worker/loader"
)

const (
	maxWaitingLoads = 8   // beyond the running one
	maxKnownLoads   = 256 // finished ones are forgotten, oldest first
	progressEvery   = 100 * time.Millisecond
)

// loadState is the state of a load as the inspector shows it.
type loadState string

const (
	loadRunning loadState = "running"
	loadDone    loadState = "done"
	loadFailed  loadState = "failed"
)

// loadStatus describes one load.
type loadStatus struct {
	ID         string         `json:"id"`
	URI        string         `json:"uri"`
	Stage      string         `json:"stage"`
	Done       float64        `json:"done"` // of the stage, 0..1
	State      loadState      `json:"state"`
	Error      *arr.Error     `json:"error,omitempty"`
	Model      scene.ModelID  `json:"model,omitempty"`
	RootEntity scene.EntityID `json:"rootEntity,omitempty"`
	Triangles  int64          `json:"triangles"`
	Warnings   []string       `json:"warnings,omitempty"`
}

// load is one load and who wants to hear of it.
type load struct {
	uri    string
	notify func(loadStatus) // after each change, from one goroutine at a time; must not block
	status loadStatus       // guarded by loads.mu
}

// loads runs the loads of a session one after the other, beside rendering.
type loads struct {
	open  func(ctx context.Context, uri string, p loader.Progress) (*loader.Loaded, error)
	place func(ctx context.Context, m *loader.Loaded, progress func(done float64)) (scene.ModelID, scene.EntityID, error)
	log   *slog.Logger

	queue chan *load

	mu    sync.Mutex
	last  int
	known map[string]*load
	order []string // of known, oldest first
}

func newLoads(open func(context.Context, string, loader.Progress) (*loader.Loaded, error),
	place func(context.Context, *loader.Loaded, func(float64)) (scene.ModelID, scene.EntityID, error), log *slog.Logger,
) *loads {
	return &loads{open: open, place: place, log: log, queue: make(chan *load, maxWaitingLoads), known: map[string]*load{}}
}

// submit queues a load and returns its id.
func (l *loads) submit(uri string, notify func(loadStatus)) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ld := &load{uri: uri, notify: notify, status: loadStatus{
		ID: strconv.Itoa(l.last + 1), URI: displayURI(uri), Stage: loader.StageFetch, State: loadRunning,
	}}
	select {
	case l.queue <- ld:
	default:
		return "", arr.Errorf(arr.CodeTooManyRequests, "%d models are waiting to be loaded; try again later.", maxWaitingLoads)
	}
	l.last++
	l.known[ld.status.ID] = ld
	l.order = append(l.order, ld.status.ID)
	for len(l.order) > maxKnownLoads {
		delete(l.known, l.order[0])
		l.order = l.order[1:]
	}
	return ld.status.ID, nil
}

func (l *loads) get(id string) (loadStatus, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ld := l.known[id]; ld != nil {
		return ld.status, nil
	}
	return loadStatus{}, arr.Errorf(arr.CodeNotFound, "There is no load %q.", id)
}

func (l *loads) list() []loadStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]loadStatus, 0, len(l.order))
	for _, id := range l.order {
		list = append(list, l.known[id].status)
	}
	return list
}

// Run loads what is submitted until ctx ends.
func (l *loads) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case ld := <-l.queue:
			l.run(ctx, ld)
		}
	}
}

func (l *loads) run(ctx context.Context, ld *load) {
	defer debug.FreeOSMemory() // importing leaves a multiple of the model behind, and other sessions share this machine
	started := time.Now()
	p := l.progress(ld)
	log := l.log.With("load", ld.status.ID, "uri", ld.status.URI)
	opened, err := l.open(ctx, ld.uri, p)
	var id scene.ModelID
	var root scene.EntityID
	if err == nil {
		id, root, err = l.place(ctx, opened, func(done float64) { p(loader.StagePrepare, done) })
	}
	if err != nil {
		if ctx.Err() != nil {
			return // the session ends
		}
		var e *arr.Error
		if !errors.As(err, &e) {
			log.Error("load failed", "error", err)
			e = arr.Errorf(arr.CodeInternal, "An internal error occurred while the model was loaded.")
		} else {
			log.Warn("model refused", "error", err)
		}
		l.change(ld, func(s *loadStatus) { s.State, s.Error = loadFailed, e })
		return
	}
	m := opened.Model
	log.Info("model loaded", "model", id, "triangles", m.Triangles, "warnings", len(m.Warnings), "took", time.Since(started))
	l.change(ld, func(s *loadStatus) {
		s.State, s.Stage, s.Done = loadDone, loader.StagePrepare, 1
		s.Model, s.RootEntity, s.Triangles, s.Warnings = id, root, m.Triangles, m.Warnings
	})
}

// progress thins out the reports of ld's stages.
func (l *loads) progress(ld *load) loader.Progress {
	var mu sync.Mutex
	var last time.Time
	stage := ""
	return func(s string, done float64) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); s != stage || done >= 1 || now.Sub(last) >= progressEvery {
			stage, last = s, now
			l.change(ld, func(st *loadStatus) { st.Stage, st.Done = s, min(max(done, 0), 1) })
		}
	}
}

func (l *loads) change(ld *load, f func(*loadStatus)) {
	l.mu.Lock()
	f(&ld.status)
	s := ld.status
	l.mu.Unlock()
	ld.notify(s)
}

// displayURI leaves out what may be secret in an address: a user, and a query, which may hold a signature.
func displayURI(uri string) string {
	if !strings.HasPrefix(strings.ToLower(uri), "https:") {
		return uri
	}
	u, err := url.Parse(uri)
	if err != nil {
		return "https:"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
