package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/mailbox"
	"github.com/heliograph/heliograph/internal/streampb"
)

// media is the picture's half of a connection.
type media interface {
	SendFrame(au encode.AccessUnit, rec *streampb.FrameRecord) error
	KeyFrameWanted() bool
	KeyFrameAsked() <-chan struct{} // KeyFrameWanted may have become true
	TargetBitrate() int
}

// peer is one viewer's connection; *stream.Peer is one.
type peer interface {
	media
	Run(ctx context.Context) error // until the viewer is gone, or ctx ends
	Poses() *mailbox.Latest[*streampb.Pose]
	Messages() <-chan *streampb.ClientMessage
	Send(m *streampb.ServerMessage) error
	Close()
}

// joined is what an acceptor makes of an offer.
type joined struct {
	peer   peer
	id     string
	codec  encode.Codec
	answer string
	stats  func() transportStatus
}

// transportStatus describes a connection's transport for the inspector.
type transportStatus struct {
	RTTSeconds           float64 `json:"rttSeconds"`
	Loss                 float64 `json:"loss"` // 0..1
	Packets              uint64  `json:"packets"`
	Bytes                uint64  `json:"bytes"`
	RetransmittedPackets uint64  `json:"retransmittedPackets"`
	DroppedFrames        uint64  `json:"droppedFrames"`
	KeyFrameRequests     uint64  `json:"keyFrameRequests"`
}

// acceptor answers offers.
type acceptor interface {
	Accept(ctx context.Context, offer string) (joined, error)
	Close() error
}

// Why a viewer's connection was ended from this side.
var (
	errReplaced = errors.New("another viewer took over")
	errHungUp   = errors.New("the viewer hung up")
)

// leaseInfoEvery is how often a viewer hears how much of the lease is left.
const leaseInfoEvery = 5 * time.Second

// hub has at most one viewer, as ARR had one connected client. Unlike in ARR the scene stays when it leaves.
type hub struct {
	s    *Session
	turn chan struct{} // held by the join in progress

	mu     sync.Mutex
	run    *running // nil before Run, and from its end on
	viewer *viewer
}

// running is what exists while Run runs.
type running struct {
	ctx    context.Context //nolint:containedctx // of Run: viewers outlive the request that joined them
	group  *errgroup.Group
	open   func() (acceptor, error)
	server acceptor // nil before the first viewer
}

// viewer is one connection. It is the frame loop's sink.
type viewer struct {
	media
	joined
	since time.Time
	end   context.CancelCauseFunc
	done  chan struct{} // closed when all of it has ended
}

// Fail ends the connection because no frames can be made for it.
func (v *viewer) Fail(err error) { v.end(err) }

// viewerStatus describes the viewer for the inspector.
type viewerStatus struct {
	ID               string          `json:"id"`
	Codec            encode.Codec    `json:"codec"`
	ConnectedSeconds float64         `json:"connectedSeconds"`
	TargetBitrate    int             `json:"targetBitsPerSecond"`
	Transport        transportStatus `json:"transport"`
}

func newHub(s *Session) *hub { return &hub{s: s, turn: make(chan struct{}, 1)} }

// Run lets viewers join until ctx ends, then says goodbye and returns when they are gone. open is called for the first
// viewer, since a session may be Ready before codecs are looked for.
func (h *hub) Run(ctx context.Context, open func() (acceptor, error)) error {
	g, gctx := errgroup.WithContext(ctx)
	r := &running{ctx: gctx, group: g, open: open}
	h.mu.Lock()
	h.run = r
	h.mu.Unlock()
	g.Go(func() error { // keeps the group alive while there is no viewer
		<-gctx.Done()
		return nil
	})
	<-gctx.Done()
	h.turn <- struct{}{} // no join is in progress any more, and none will be
	h.mu.Lock()
	h.run = nil
	h.mu.Unlock()
	err := g.Wait()
	if r.server != nil {
		err = errors.Join(err, r.server.Close())
	}
	<-h.turn
	return err
}

// join connects a viewer and returns its id and the answer to its offer. While another is connected, that one is ended
// if takeover is set, else join is refused.
func (h *hub) join(ctx context.Context, offer string, takeover bool) (id, answer string, err error) {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return "", "", ctx.Err()
	}
	h.mu.Lock()
	r, old := h.run, h.viewer
	h.mu.Unlock()
	if r == nil || r.ctx.Err() != nil {
		return "", "", arr.Errorf(arr.CodeUnavailable, "The session is ending.")
	}
	if old != nil {
		if !takeover {
			return "", "", arr.Errorf(arr.CodeSessionConnected, "Another viewer is connected to this session.")
		}
		old.end(errReplaced)
		<-old.done
	}
	if r.server == nil {
		if r.server, err = r.open(); err != nil {
			return "", "", err
		}
	}
	j, err := r.server.Accept(ctx, offer)
	if err != nil {
		return "", "", err
	}
	vctx, end := context.WithCancelCause(r.ctx)
	v := &viewer{media: j.peer, joined: j, since: time.Now(), end: end, done: make(chan struct{})}
	v.send(h.welcome(v)) // before anything else can be sent to it
	h.mu.Lock()
	h.viewer = v
	h.mu.Unlock()
	r.group.Go(func() error {
		h.serve(vctx, v)
		return nil
	})
	return j.id, j.answer, nil
}

// serve works for one viewer until it is gone or vctx ends.
func (h *hub) serve(ctx context.Context, v *viewer) {
	defer close(v.done)
	log := h.s.opt.Log.With("viewer", v.id)
	log.Info("viewer joins", "codec", v.codec)
	h.s.frames.Attach(v, v.codec)

	// The connection outlives ctx by what it takes to say goodbye.
	conn, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	var g errgroup.Group
	g.Go(func() error {
		defer v.end(errHungUp)
		return v.peer.Run(conn)
	})
	g.Go(func() error { h.messages(ctx, v); return nil })
	g.Go(func() error { h.poses(ctx, v); return nil })
	<-ctx.Done()
	h.s.frames.Detach(v)
	cause := context.Cause(ctx)
	if !errors.Is(cause, errHungUp) {
		v.send(&streampb.ServerMessage{Body: &streampb.ServerMessage_Ended{Ended: h.s.ended(cause)}})
	}
	v.peer.Close()
	hangUp()
	err := g.Wait()
	h.mu.Lock()
	if h.viewer == v {
		h.viewer = nil
	}
	h.mu.Unlock()
	log.Info("viewer left", "reason", cause, "connectionError", err, "connected", time.Since(v.since))
}

// messages answers the viewer's messages in order, and tells it about the lease now and then.
func (h *hub) messages(ctx context.Context, v *viewer) {
	tick := time.NewTicker(leaseInfoEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case m, ok := <-v.peer.Messages():
			if !ok {
				return
			}
			if answer := h.s.handle(ctx, v, m); answer != nil {
				v.send(answer)
			}
		case <-tick.C:
			if m := h.leaseInfo(); m != nil {
				v.send(m)
			}
		}
	}
}

// poses hands the newest pose to the frame loop, and wakes it for key frames.
func (h *hub) poses(ctx context.Context, v *viewer) {
	box := v.peer.Poses()
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.peer.KeyFrameAsked():
			h.s.frames.Wake()
		case <-box.Ready():
			if p, ok := box.Take(); ok {
				h.s.frames.SetPose(p, time.Now())
			}
		}
	}
}

func (h *hub) welcome(v *viewer) *streampb.ServerMessage {
	return &streampb.ServerMessage{Body: &streampb.ServerMessage_Welcome{Welcome: &streampb.Welcome{
		WorkerVersion: h.s.opt.Version, Codec: string(v.codec), Renderer: h.s.rendererName(),
		Scene: sceneInfo(h.s.editor.Snapshot()),
	}}}
}

func (h *hub) leaseInfo() *streampb.ServerMessage {
	left, ok := h.s.opt.Home.LeaseLeft()
	if !ok {
		return nil
	}
	return &streampb.ServerMessage{Body: &streampb.ServerMessage_LeaseInfo{
		LeaseInfo: &streampb.LeaseInfo{SecondsLeft: float32(left.Seconds())},
	}}
}

// send queues a message for the viewer; a connection that cannot take it is ending anyway.
func (v *viewer) send(m *streampb.ServerMessage) { _ = v.peer.Send(m) }

// send queues a message for whoever is connected.
func (h *hub) send(m *streampb.ServerMessage) {
	h.mu.Lock()
	v := h.viewer
	h.mu.Unlock()
	if v != nil {
		v.send(m)
	}
}

// hangUp ends the connection of that id and waits until it is gone.
func (h *hub) hangUp(id string) error {
	h.mu.Lock()
	v := h.viewer
	h.mu.Unlock()
	if v == nil || v.id != id {
		return arr.Errorf(arr.CodeNotFound, "There is no such connection.")
	}
	v.end(errHungUp)
	<-v.done
	return nil
}

func (h *hub) connected(v *viewer) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.viewer == v
}

func (h *hub) viewers() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.viewer == nil {
		return 0
	}
	return 1
}

func (h *hub) status() *viewerStatus {
	h.mu.Lock()
	v := h.viewer
	h.mu.Unlock()
	if v == nil {
		return nil
	}
	return &viewerStatus{
		ID: v.id, Codec: v.codec, ConnectedSeconds: time.Since(v.since).Seconds(), TargetBitrate: v.TargetBitrate(), Transport: v.stats(),
	}
}
