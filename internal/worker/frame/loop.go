// Package frame is the frame loop of a session: it draws the newest pose of the scene when something changed, refines
// a still view until it has converged, encodes, and hands frames to the viewer's connection. It knows no network and
// loads no models.
package frame

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/streampb"
)

// Sink takes the frames of one viewer. Its methods do not block and may be called from two goroutines.
type Sink interface {
	// SendFrame queues one access unit behind its record.
	SendFrame(au encode.AccessUnit, rec *streampb.FrameRecord) error
	// KeyFrameWanted reports, once each time, that the viewer cannot go on without a key frame.
	KeyFrameWanted() bool
	// TargetBitrate is what the network carries now, in bit/s.
	TargetBitrate() int
	// Fail tells that no further frame can be made for this viewer.
	Fail(err error)
}

// Config is what a Loop works with. All fields are required.
type Config struct {
	Editor      *scene.Editor
	Engine      func() (render.Engine, error) // called when the first picture is needed
	OpenEncoder func(encode.Codec, encode.Config) (encode.Encoder, error)
	// SceneChanged is told of the snapshot of the first frame that shows a change; it must not block.
	SceneChanged func(*scene.Snapshot)
	Metrics      prometheus.Registerer
	Log          *slog.Logger
}

// Loop is the frame loop. Its methods may be called from any goroutine, before, during and after Run.
type Loop struct {
	cfg     Config
	metrics *metrics
	epoch   time.Time // origin of RTP timestamps

	// drawing is held shared while a snapshot is taken and drawn, so that Exclusive can wait until nobody draws an
	// older one.
	drawing sync.RWMutex

	// rendering is what the drawer renders now.
	rendering atomic.Pointer[rendering]

	overlap  bool // the next frame is drawn while one is encoded
	wake     chan struct{}
	free     chan *picture // the pictures that are drawn into and encoded in turn, one or two
	pictures chan *picture // drawn, to be encoded

	mu    sync.Mutex
	st    state
	stats Stats
}

// rendering is a Render in progress; target is nil where it cannot be interrupted.
type rendering struct {
	target render.Interrupter
	view   render.View
}

// overlapCores is from how many cores on a frame is drawn while the one before it is encoded. On fewer, both stages fill
// the machine by themselves: beside each other they would take as long as one after the other, and every frame be late.
const overlapCores = 3

// state is what callers set and the drawer reads.
type state struct {
	viewer *viewer // nil: nobody looks
	view   render.View
	posed  bool // view is the viewer's; else the default view holds
	poseID uint32
	poseAt time.Time
	size   Size // as the viewer wants it
	picks  []pickRequest
	again  bool // the last picture was not encoded: it is owed
	// arrived says that pages which the last picture missed may have come.
	arrived bool
}

// viewer is one attached Sink.
type viewer struct {
	sink   Sink
	codec  encode.Codec
	frames uint32 // made for it, counted by the encoder
}

// Stats describes the loop for the inspector.
type Stats struct {
	Rendered       uint64 `json:"rendered"` // pictures drawn for the stream
	Sent           uint64 `json:"sent"`     // frames handed to the transport
	Width          int    `json:"width"`    // of the last frame
	Height         int    `json:"height"`
	Converged      bool   `json:"converged"`
	TrianglesDrawn int64  `json:"trianglesDrawn"`
	PointsDrawn    int64  `json:"pointsDrawn"`
	PagesMissing   int    `json:"pagesMissing"`       // of the last picture drawn: on their way
	RenderUS       int64  `json:"renderMicroseconds"` // of the last frame
	EncodeUS       int64  `json:"encodeMicroseconds"`
	FrameBytes     int    `json:"frameBytes"`
}

// New returns a loop that waits for a viewer.
func New(c Config) (*Loop, error) {
	m, err := newMetrics(c.Metrics)
	if err != nil {
		return nil, err
	}
	l := &Loop{
		cfg: c, metrics: m, epoch: time.Now(),
		wake: make(chan struct{}, 1), free: make(chan *picture, 2), pictures: make(chan *picture, 2),
		st: state{size: Size{1280, 720}}, overlap: runtime.GOMAXPROCS(0) >= overlapCores,
	}
	l.free <- &picture{}
	if l.overlap {
		l.free <- &picture{}
	}
	return l, nil
}

// Run draws and encodes until ctx ends. An error means that pictures cannot be made at all.
func (l *Loop) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.draw(ctx) })
	g.Go(func() error { return l.encode(ctx) })
	g.Go(func() error { return l.metrics.logDrops(ctx, l.cfg.Log) })
	return g.Wait()
}

// Attach sends frames to s from now on, beginning with a key frame of the present view, and no longer to any other.
// Pose ids start anew; the view stays.
func (l *Loop) Attach(s Sink, c encode.Codec) {
	l.update(func(st *state) {
		st.viewer = &viewer{sink: s, codec: c}
		st.poseID = 0
	})
}

// Detach stops sending frames to s. A frame that is being encoded may still reach it.
func (l *Loop) Detach(s Sink) {
	l.update(func(st *state) {
		if st.viewer != nil && st.viewer.sink == s {
			st.viewer = nil
		}
	})
}

// SetPose makes p the pose of the next frame, unless a newer one came before it or it cannot be drawn with.
func (l *Loop) SetPose(p *streampb.Pose, arrived time.Time) {
	v, ok := viewOf(p)
	if !ok {
		l.metrics.dropped(dropInvalidPose)
		return
	}
	l.update(func(st *state) {
		if st.poseID != 0 && int32(p.GetId()-st.poseID) <= 0 { // ids wrap
			return
		}
		st.view, st.posed, st.poseID, st.poseAt = v, true, p.GetId(), arrived
	})
	if r := l.rendering.Load(); r != nil && r.target != nil && r.view != v {
		r.target.Interrupt()
	}
}

// SetViewport asks for a picture size and returns the size that frames will have.
func (l *Loop) SetViewport(w, h int) Size {
	s := Clamp(w, h)
	l.update(func(st *state) { st.size = s })
	return s
}

// Wake says that the scene, or what the sink wants, has changed.
func (l *Loop) Wake() {
	select {
	case l.wake <- struct{}{}:
	default: // a wake is pending: the drawer will see this change too
	}
}

// Arrived says that the engine has read pages that a picture missed.
func (l *Loop) Arrived() { l.update(func(st *state) { st.arrived = true }) }

// View returns the view and the picture size of the next frame.
func (l *Loop) View() (render.View, Size) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.st.viewFor(l.cfg.Editor.Snapshot()), l.st.size
}

// Stats returns what the loop did so far.
func (l *Loop) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

// Shared runs f while no Exclusive runs: f may draw the snapshot that it takes.
func (l *Loop) Shared(f func() error) error {
	l.drawing.RLock()
	defer l.drawing.RUnlock()
	return f()
}

// Exclusive runs f while nothing is drawn: what the editor no longer shows may be forgotten.
func (l *Loop) Exclusive(f func()) {
	l.drawing.Lock()
	defer l.drawing.Unlock()
	f()
}

// Hit is what a pixel shows. Entity 0 means that it shows nothing.
type Hit struct {
	Entity   scene.EntityID
	Position geom.Vec3 // world
}

type pickRequest struct {
	x, y   float32
	answer chan<- Hit // buffered
}

// maxPicks bounds the picks that wait for the drawer.
const maxPicks = 64

// Pick tells what the last frame shows at (x, y), in 0..1 from the top left.
func (l *Loop) Pick(ctx context.Context, x, y float32) (Hit, error) {
	if !(x >= 0 && x <= 1 && y >= 0 && y <= 1) {
		return Hit{}, arr.Errorf(arr.CodeBadRequest, "Pick positions lie in 0..1.")
	}
	answer := make(chan Hit, 1)
	full := false
	l.update(func(st *state) {
		if full = len(st.picks) >= maxPicks; !full {
			st.picks = append(st.picks, pickRequest{x, y, answer})
		}
	})
	if full {
		return Hit{}, arr.Errorf(arr.CodeTooManyRequests, "Too many picks are waiting.")
	}
	select {
	case h := <-answer:
		return h, nil
	case <-ctx.Done():
		return Hit{}, fmt.Errorf("pick: %w", ctx.Err())
	}
}

func (l *Loop) update(f func(*state)) {
	l.mu.Lock()
	f(&l.st)
	l.mu.Unlock()
	l.Wake()
}

// take returns the state for the next decision; the caller answers its picks.
func (l *Loop) take() state {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := l.st
	l.st.picks, l.st.again, l.st.arrived = nil, false, false
	return st
}

// viewFor is the viewer's view, or before its first pose one that frames the scene.
func (st *state) viewFor(s *scene.Snapshot) render.View {
	if st.posed {
		return st.view
	}
	return DefaultView(s.Bounds, float32(st.size.W)/float32(st.size.H))
}
