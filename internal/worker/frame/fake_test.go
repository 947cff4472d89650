package frame

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/streampb"
)

// fakeEngine draws nothing, in renderFor a picture, and converges after samples pictures of the same input.
type fakeEngine struct {
	render.Engine
	samples   int
	renderFor func(Size) time.Duration
	missing   atomic.Int64 // pages

	mu      sync.Mutex
	renders int
	open    int
	sizes   []Size // of every render
}

func (e *fakeEngine) NewTarget(w, h int) (render.Target, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open++
	return &fakeTarget{e: e, size: Size{w, h}, planes: make([]byte, w*h*3/2)}, nil
}

func (e *fakeEngine) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.renders
}

type fakeTarget struct {
	render.Target
	e      *fakeEngine
	size   Size
	planes []byte
	view   render.View
	seen   *scene.Snapshot
	sample int
}

func (t *fakeTarget) Render(s *scene.Snapshot, v render.View) (render.Stats, error) {
	t.e.mu.Lock()
	t.e.renders++
	t.e.sizes = append(t.e.sizes, t.size)
	t.e.mu.Unlock()
	t.sample++
	if s != t.seen || v != t.view {
		t.seen, t.view, t.sample = s, v, 0
	}
	if t.e.renderFor != nil {
		time.Sleep(t.e.renderFor(t.size)) // virtual time inside synctest
	}
	if n := int(t.e.missing.Load()); n > 0 {
		t.sample = -1
		return render.Stats{PagesMissing: n}, nil
	}
	return render.Stats{Sample: t.sample, Converged: t.sample+1 >= t.e.samples, TrianglesDrawn: 7}, nil
}

func (t *fakeTarget) I420() (y, u, v []byte, strideY, strideUV int) {
	n := t.size.W * t.size.H
	return t.planes[:n], t.planes[n : n+n/4], t.planes[n+n/4:], t.size.W, t.size.W / 2
}

func (t *fakeTarget) Pick(x, y int) (scene.EntityID, float32) {
	if x < t.size.W/2 {
		return 0, 0
	}
	return 42, 2
}

func (t *fakeTarget) Close() error {
	t.e.mu.Lock()
	defer t.e.mu.Unlock()
	t.e.open--
	return nil
}

type fakeEncoder struct {
	encode.Encoder
	encodeFor time.Duration
	first     bool
	err       error
	rates     *[]int
}

func (e *fakeEncoder) Encode(f encode.Frame, key bool) (encode.AccessUnit, error) {
	time.Sleep(e.encodeFor)
	key, e.first = key || e.first, false
	return encode.AccessUnit{Data: []byte{1, 2, 3}, Key: key}, e.err
}

func (e *fakeEncoder) SetBitrate(bps int) error {
	*e.rates = append(*e.rates, bps)
	return nil
}
func (e *fakeEncoder) Close() error { return nil }

// fakeSink collects records.
type fakeSink struct {
	mu     sync.Mutex
	recs   []*streampb.FrameRecord
	key    bool
	rate   int
	failed error
	full   bool
}

func (s *fakeSink) SendFrame(_ encode.AccessUnit, rec *streampb.FrameRecord) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return errors.New("full")
	}
	s.recs = append(s.recs, rec)
	return nil
}

func (s *fakeSink) KeyFrameWanted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.key
	s.key = false
	return k
}

func (s *fakeSink) TargetBitrate() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rate
}

func (s *fakeSink) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
}

func (s *fakeSink) set(f func(*fakeSink)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *fakeSink) records() []*streampb.FrameRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recs
}

// bench is a loop over fakes.
type bench struct {
	*Loop
	engine *fakeEngine
	editor *scene.Editor
	sink   *fakeSink

	mu        sync.Mutex
	opened    []encode.Config
	rates     []int
	encodeFor time.Duration
	encodeErr []error // of the encoders, in the order they are opened
	changes   int     // of the scene, as told
}

func newBench(t *testing.T) *bench {
	b := &bench{engine: &fakeEngine{samples: 5}, editor: scene.NewEditor(), sink: &fakeSink{rate: 8_000_000}}
	l, err := New(Config{
		Editor: b.editor,
		Engine: func() (render.Engine, error) { return b.engine, nil },
		OpenEncoder: func(_ encode.Codec, c encode.Config) (encode.Encoder, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.opened = append(b.opened, c)
			e := &fakeEncoder{encodeFor: b.encodeFor, first: true, rates: &b.rates}
			if n := len(b.opened); n <= len(b.encodeErr) {
				e.err = b.encodeErr[n-1]
			}
			return e, nil
		},
		SceneChanged: func(*scene.Snapshot) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.changes++
		},
		Metrics: prometheus.NewRegistry(),
		Log:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Loop = l
	return b
}

// run starts the loop and returns what ends it and waits.
func (b *bench) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.Loop.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if b.engine.open != 0 {
			t.Errorf("%d targets were left open", b.engine.open)
		}
	}
}

func pose(id uint32, x float32) *streampb.Pose {
	return &streampb.Pose{
		Id: id, Position: &streampb.Vec3{X: x, Z: 5}, Orientation: &streampb.Quat{W: 1}, FovY: 0.8, Near: 0.01,
	}
}

// advance lets virtual time pass, and everything happen that is due by then. Inside synctest only.
func advance(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
