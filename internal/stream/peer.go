package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor/pkg/rtpfb"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/mailbox"
	"github.com/heliograph/heliograph/internal/streampb"
)

// The data channels of api/stream/v1.
const (
	channelPose   = "pose"
	channelFrames = "frames"
	channelScene  = "scene"
)

const (
	messageQueue = 64      // scene messages read ahead of the worker; a full queue holds the sender back
	frameQueue   = 24      // encoded frames waiting for the wire: what comes in while a key frame is paced out on a slow path
	maxMessage   = 1 << 16 // bytes of one data channel message
)

// ErrLost ends Run when the viewer stopped answering.
var ErrLost = errors.New("stream: the connection to the viewer was lost")

// ErrNeverConnected ends Run when the viewer took the answer but did not connect in time.
var ErrNeverConnected = errors.New("stream: the viewer did not connect")

// frame is one encoded picture on its way out.
type frame struct {
	data   []byte
	key    bool
	record *streampb.FrameRecord
	queued time.Time
}

// Peer is one viewer's connection.
type Peer struct {
	id     string
	codec  encode.Codec
	pc     *webrtc.PeerConnection
	track  *webrtc.TrackLocalStaticRTP
	sender *webrtc.RTPSender
	log    *slog.Logger
	epoch  time.Time // zero of the sender's clock in transport feedback

	poses    *mailbox.Latest[*streampb.Pose]
	messages chan *streampb.ClientMessage
	frames   *mailbox.Ring[frame]
	outbox   *outbox // scene messages to the viewer
	records  atomic.Pointer[webrtc.DataChannel]

	mu      sync.Mutex // guards control, rtt
	control *controller
	rtt     time.Duration
	history *history
	repairs *rtx

	keyWanted atomic.Bool
	keyAsked  chan struct{} // capacity 1: wakes whoever waits for keyWanted
	awaitKey  atomic.Bool   // frames are useless until the next key frame
	counts    counters

	connectOnce sync.Once
	connected   chan struct{} // closed once media can flow
	overOnce    sync.Once
	over        chan struct{} // closed at the end; err is set before
	err         error
}

type counters struct{ packets, bytes, resent, dropped, keyRequests atomic.Uint64 }

// PeerStats is a snapshot of a connection's figures.
type PeerStats struct {
	RTT           time.Duration
	Loss          float64 // 0..1 over the last half second
	TargetBitrate int     // bits per second
	Packets       uint64  // sent, retransmissions included
	Bytes         uint64  // of RTP payloads
	Retransmitted uint64  // packets
	DroppedFrames uint64  // encoded but never sent
	KeyRequests   uint64  // by the viewer
}

// ID names the connection (the WHEP resource).
func (p *Peer) ID() string { return p.id }

// Codec is what SendFrame must be given.
func (p *Peer) Codec() encode.Codec { return p.codec }

// Poses holds the newest camera pose; older ones, by id, are dropped.
func (p *Peer) Poses() *mailbox.Latest[*streampb.Pose] { return p.poses }

// Messages delivers the viewer's scene messages in order. A reader that lags holds the viewer back; none is lost.
func (p *Peer) Messages() <-chan *streampb.ClientMessage { return p.messages }

// KeyFrameWanted reports, once per request, that the next frame must be a key frame.
func (p *Peer) KeyFrameWanted() bool { return p.keyWanted.Swap(false) }

// KeyFrameAsked receives when KeyFrameWanted may have become true: a worker at rest must not poll.
func (p *Peer) KeyFrameAsked() <-chan struct{} { return p.keyAsked }

func (p *Peer) wantKey() {
	p.keyWanted.Store(true)
	select {
	case p.keyAsked <- struct{}{}:
	default:
	}
}

// TargetBitrate is what the encoder should make now, in bits per second: what the path carries, less packet overhead
// and some room for retransmissions.
func (p *Peer) TargetBitrate() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.control.target() * 92 / 100
}

// Stats returns the connection's figures.
func (p *Peer) Stats() PeerStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PeerStats{
		RTT: p.rtt, Loss: p.control.loss, TargetBitrate: p.control.target(),
		Packets: p.counts.packets.Load(), Bytes: p.counts.bytes.Load(), Retransmitted: p.counts.resent.Load(),
		DroppedFrames: p.counts.dropped.Load(), KeyRequests: p.counts.keyRequests.Load(),
	}
}

// Send queues m on the reliable channel; before the channel is open, too. A viewer that does not read for so long that
// the queue overflows is disconnected, since losing one message would leave it with a wrong scene.
func (p *Peer) Send(m *streampb.ServerMessage) error {
	data, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	if err := p.outbox.send(data); err != nil {
		p.finish(err)
		return err
	}
	return nil
}

// SendFrame queues an encoded picture with its record and returns at once; au's data is copied. rec.RtpTimestamp becomes
// the timestamp of the frame's packets. When frames queue up faster than the path takes them, all that wait are dropped
// and a key frame is wanted. Before the viewer is connected frames are dropped.
func (p *Peer) SendFrame(au encode.AccessUnit, rec *streampb.FrameRecord) error {
	select {
	case <-p.over:
		return p.closeReason()
	case <-p.connected:
	default:
		return nil
	}
	if len(au.Data) == 0 {
		return nil
	}
	if au.Key {
		p.skipWaiting()
		p.awaitKey.Store(false)
	} else if p.awaitKey.Load() {
		p.counts.dropped.Add(1)
		return nil
	}
	if n := p.frames.Put(frame{bytes.Clone(au.Data), au.Key, rec, time.Now()}); n > 0 {
		p.counts.dropped.Add(uint64(n))
		p.restart()
	}
	return nil
}

// skipWaiting drops what waits: a key frame replaces it.
func (p *Peer) skipWaiting() {
	for {
		if _, ok := p.frames.Take(); !ok {
			return
		}
		p.counts.dropped.Add(1)
	}
}

// restart makes the stream useless until a key frame, and asks for one.
func (p *Peer) restart() {
	p.awaitKey.Store(true)
	p.wantKey()
}

// Run moves data until the connection ends or ctx does. It returns nil when ctx ended, Close was called or the viewer
// left by itself; ErrLost or ErrNeverConnected else. Everything the peer started has ended then.
func (p *Peer) Run(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		select {
		case <-p.connected:
		case <-p.over:
		case <-gctx.Done():
		case <-time.After(connectWithin):
			p.finish(ErrNeverConnected)
		}
		return nil
	})
	g.Go(func() error { return p.sendFrames(gctx) })
	g.Go(func() error { p.readFeedback(); return nil })
	select {
	case <-ctx.Done():
	case <-p.over:
	}
	p.finish(nil)
	err := p.pc.GracefulClose()
	return errors.Join(p.closeReason(), g.Wait(), err)
}

// Close ends the connection once the viewer has acknowledged what was sent to it, or has not for a moment: the last
// message says why. It does not wait for a running Run; without one it frees everything itself.
func (p *Peer) Close() {
	p.outbox.drain(farewellWithin, p.over)
	p.finish(nil)
	// The library allows closing twice and beside Run's own closing; its error tells nothing that could be acted on.
	_ = p.pc.Close()
}

func (p *Peer) finish(err error) {
	p.overOnce.Do(func() {
		p.err = err
		close(p.over)
	})
}

// closeReason is why the connection ended; valid once over is closed.
func (p *Peer) closeReason() error {
	<-p.over
	return p.err
}

// listen installs the library's callbacks. It must run before the offer is applied.
func (p *Peer) listen() {
	p.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			p.restart()
			p.connectOnce.Do(func() { close(p.connected) })
		case webrtc.PeerConnectionStateFailed:
			p.finish(ErrLost)
		case webrtc.PeerConnectionStateClosed: // by the viewer's DTLS close_notify, or by us
			p.finish(nil)
		}
	})
	p.pc.OnDataChannel(func(d *webrtc.DataChannel) {
		switch d.Label() {
		case channelPose:
			d.OnMessage(func(m webrtc.DataChannelMessage) { p.onPose(m.Data) })
		case channelFrames:
			d.OnOpen(func() { p.records.Store(d) })
		case channelScene:
			d.OnOpen(func() {
				if err := p.outbox.open(d.Send, d.BufferedAmount); err != nil {
					p.finish(err)
				}
			})
			d.OnMessage(func(m webrtc.DataChannelMessage) { p.onScene(m.Data) })
		}
	})
}

// onPose keeps the newest pose. Datagrams may arrive in any order.
func (p *Peer) onPose(data []byte) {
	pose := &streampb.Pose{}
	if len(data) > maxMessage || proto.Unmarshal(data, pose) != nil {
		return // a broken pose is worth as much as a lost one
	}
	if old, ok := p.poses.Take(); ok && int32(pose.GetId()-old.GetId()) < 0 { // serial number arithmetic, RFC 1982
		pose = old
	}
	p.poses.Put(pose)
}

func (p *Peer) onScene(data []byte) {
	m := &streampb.ClientMessage{}
	if len(data) > maxMessage || proto.Unmarshal(data, m) != nil {
		_ = p.Send(&streampb.ServerMessage{Body: &streampb.ServerMessage_Error{Error: &streampb.Error{ // its failure ended the peer
			Code: string(arr.CodeBadRequest), Message: "The message is malformed."}}})
		return
	}
	select {
	case p.messages <- m:
	case <-p.over:
	}
}

// readFeedback handles RTCP until the connection is closed.
func (p *Peer) readFeedback() {
	for {
		packets, attributes, err := p.sender.ReadRTCP()
		if err != nil {
			return
		}
		now := time.Now()
		if report, ok := attributes.Get(rtpfb.CCFBAttributesKey).(rtpfb.Report); ok {
			p.onTransportFeedback(now, report)
		}
		for _, packet := range packets {
			switch packet := packet.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				p.counts.keyRequests.Add(1)
				p.wantKey()
			case *rtcp.TransportLayerNack:
				for _, pair := range packet.Nacks {
					p.resend(now, pair.PacketList())
				}
			}
		}
	}
}

func (p *Peer) onTransportFeedback(now time.Time, report rtpfb.Report) {
	results := make([]packetResult, len(report.PacketReports))
	for i, r := range report.PacketReports {
		results[i] = packetResult{
			size: r.Size, arrived: r.Arrived,
			// Only differences count: the clocks are two. The library counts arrivals from the zero time.
			sent: r.Departure.Sub(p.epoch), arrival: r.Arrival.Sub(time.Time{}),
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if report.RTT > 0 {
		p.rtt = report.RTT
	}
	if p.control.onFeedback(now, results) {
		p.restart()
	}
}

// resend answers a NACK (RFC 4585 section 6.2.1). One that is gone or too old to be of use is
// answered by a key frame.
func (p *Peer) resend(now time.Time, numbers []uint16) {
	p.mu.Lock()
	rtt := p.rtt
	p.mu.Unlock()
	for _, n := range numbers {
		packet, stale := p.history.again(n, now, rtt)
		if stale {
			p.restart()
			return
		}
		if packet == nil {
			continue
		}
		if !p.repairs.send(packet) {
			p.restart() // no repair stream: start over
			return
		}
		p.counts.resent.Add(1)
		p.counts.packets.Add(1)
	}
}
