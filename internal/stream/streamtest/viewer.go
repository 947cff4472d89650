// Package streamtest is a viewer without a screen: tests connect it to a worker to see what a browser would get. Only
// tests import it.
package streamtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/proto"

	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/streampb"
)

// Frame is one received access unit.
type Frame struct {
	Timestamp uint32 // RTP
	Data      []byte // as the encoder made it: Annex B for H.264
}

// Options shape a viewer.
type Options struct {
	Codecs  []encode.Codec // offered, default H264 and VP8
	TCPOnly bool           // connect by ICE-TCP
}

// Viewer is a receiving peer connection with the three data channels.
type Viewer struct {
	Offer    string // SDP, complete with candidates
	Frames   chan Frame
	Records  chan *streampb.FrameRecord
	Messages chan *streampb.ServerMessage
	Opened   chan struct{} // closed when all data channels are open

	o           Options
	pc          *webrtc.PeerConnection
	pose, scene *webrtc.DataChannel
	done        chan struct{}
	closeOnce   sync.Once
	track       sync.WaitGroup
	ssrc        atomic.Uint32
}

// channels is how many data channels a viewer makes (api/stream/v1).
const channels = 3

// New makes a viewer with its offer.
func New(ctx context.Context, o Options) (*Viewer, error) {
	if o.Codecs == nil {
		o.Codecs = []encode.Codec{encode.H264, encode.VP8}
	}
	var media webrtc.MediaEngine
	for i, c := range o.Codecs {
		capability := webrtc.RTPCodecCapability{MimeType: "video/" + string(c), ClockRate: 90000, RTCPFeedback: []webrtc.RTCPFeedback{
			{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "transport-cc"}}}
		if c == encode.H264 {
			capability.SDPFmtpLine = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f"
		}
		pt := 96 + 2*i
		repair := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: fmt.Sprintf("apt=%d", pt)}
		err := errors.Join(
			media.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: capability, PayloadType: webrtc.PayloadType(pt)},
				webrtc.RTPCodecTypeVideo),
			media.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: repair, PayloadType: webrtc.PayloadType(pt + 1)},
				webrtc.RTPCodecTypeVideo))
		if err != nil {
			return nil, err
		}
	}
	playoutDelay := webrtc.RTPHeaderExtensionCapability{URI: "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"}
	if err := media.RegisterHeaderExtension(playoutDelay, webrtc.RTPCodecTypeVideo); err != nil {
		return nil, err
	}
	var registry interceptor.Registry
	if err := webrtc.ConfigureTWCCSender(&media, &registry); err != nil {
		return nil, err
	}
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(net.IP.IsLoopback) // a test leaves the machine's network alone
	settings.SetRemoteIPFilter(net.IP.IsLoopback)
	if o.TCPOnly {
		settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(&media), webrtc.WithInterceptorRegistry(&registry), webrtc.WithSettingEngine(settings)).
		NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	v := &Viewer{
		o: o, pc: pc, Frames: make(chan Frame, 1024), Records: make(chan *streampb.FrameRecord, 1024),
		Messages: make(chan *streampb.ServerMessage, 1024), Opened: make(chan struct{}), done: make(chan struct{}),
	}
	if err := v.prepare(ctx); err != nil {
		return nil, errors.Join(err, pc.GracefulClose())
	}
	return v, nil
}

func (v *Viewer) prepare(ctx context.Context) error {
	direction := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
	if _, err := v.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, direction); err != nil {
		return err
	}
	v.pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		v.track.Add(1)
		defer v.track.Done()
		v.receive(t)
	})
	unordered, noRetransmits := false, uint16(0)
	datagram := &webrtc.DataChannelInit{Ordered: &unordered, MaxRetransmits: &noRetransmits}
	var open atomic.Int32
	channel := func(label string, init *webrtc.DataChannelInit, onMessage func([]byte)) (*webrtc.DataChannel, error) {
		d, err := v.pc.CreateDataChannel(label, init)
		if err != nil {
			return nil, err
		}
		d.OnOpen(func() {
			if open.Add(1) == channels {
				close(v.Opened)
			}
		})
		d.OnMessage(func(m webrtc.DataChannelMessage) { onMessage(m.Data) })
		return d, nil
	}
	var err error
	if v.pose, err = channel("pose", datagram, func([]byte) {}); err != nil {
		return err
	}
	_, err = channel("frames", datagram, func(data []byte) {
		r := &streampb.FrameRecord{}
		if proto.Unmarshal(data, r) == nil {
			deliver(v, v.Records, r)
		}
	})
	if err != nil {
		return err
	}
	v.scene, err = channel("scene", nil, func(data []byte) {
		m := &streampb.ServerMessage{}
		if proto.Unmarshal(data, m) == nil {
			deliver(v, v.Messages, m)
		}
	})
	if err != nil {
		return err
	}
	offer, err := v.pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(v.pc)
	if err := v.pc.SetLocalDescription(offer); err != nil {
		return err
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return ctx.Err()
	}
	v.Offer = v.pc.LocalDescription().SDP
	return nil
}

// Connect applies the worker's answer and waits until all channels are open.
func (v *Viewer) Connect(ctx context.Context, answer string) error {
	if err := v.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		return err
	}
	select {
	case <-v.Opened:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("connect (%s): %w", v.pc.ConnectionState(), ctx.Err())
	}
}

// Codec is what the answer chose; valid after Connect.
func (v *Viewer) Codec() encode.Codec {
	parameters := v.pc.GetTransceivers()[0].Receiver().GetParameters()
	if len(parameters.Codecs) == 0 {
		return ""
	}
	_, name, _ := strings.Cut(parameters.Codecs[0].MimeType, "/")
	return encode.Codec(name)
}

// SendPose sends a camera pose on the unreliable channel.
func (v *Viewer) SendPose(p *streampb.Pose) error { return send(v.pose, p) }

// Send sends a scene message on the reliable channel.
func (v *Viewer) Send(m *streampb.ClientMessage) error { return send(v.scene, m) }

// SendRaw sends any bytes on the reliable channel.
func (v *Viewer) SendRaw(data []byte) error { return v.scene.Send(data) }

func send(d *webrtc.DataChannel, m proto.Message) error {
	data, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	return d.Send(data)
}

// RequestKeyFrame sends a picture loss indication (RFC 4585 section 6.3.1).
func (v *Viewer) RequestKeyFrame() error {
	return v.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: v.ssrc.Load()}})
}

// Close ends the connection and waits for everything the viewer started.
func (v *Viewer) Close() error {
	var err error
	v.closeOnce.Do(func() {
		close(v.done)
		err = v.pc.GracefulClose()
		v.track.Wait()
	})
	return err
}

// deliver gives x to a test that may no longer listen.
func deliver[T any](v *Viewer, to chan T, x T) {
	select {
	case to <- x:
	case <-v.done:
	}
}

// receive turns packets into frames, asks for what is missing, and gives up frames only for a key frame.
func (v *Viewer) receive(t *webrtc.TrackRemote) {
	v.ssrc.Store(uint32(t.SSRC()))
	depacketizer := newDepacketizer(t)
	waiting := map[uint16]*rtp.Packet{}
	var next uint16
	started := false
	var data []byte
	for {
		p, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		if !started {
			next, started = p.SequenceNumber, true
		}
		if int16(p.SequenceNumber-next) < 0 {
			continue // again, or too late
		}
		waiting[p.SequenceNumber] = p
		if p.SequenceNumber != next && beginsKeyFrame(t, p) {
			// As a browser does: what is missing before a key frame no longer matters, and is not repaired any more.
			for n := next; n != p.SequenceNumber; n++ {
				delete(waiting, n)
			}
			next, data, depacketizer = p.SequenceNumber, nil, newDepacketizer(t) // which may hold a part of an abandoned unit
		}
		if p.SequenceNumber != next {
			var missing []uint16 // all of them: the first may be one that the worker no longer repairs
			for n := next; n != p.SequenceNumber; n++ {
				if waiting[n] == nil {
					missing = append(missing, n)
				}
			}
			nack := &rtcp.TransportLayerNack{MediaSSRC: uint32(t.SSRC()), Nacks: rtcp.NackPairsFromSequenceNumbers(missing)}
			_ = v.pc.WriteRTCP([]rtcp.Packet{nack}) // fails only when closing
			continue
		}
		for p := waiting[next]; p != nil; p = waiting[next] {
			delete(waiting, next)
			next++
			payload, err := depacketizer.Unmarshal(p.Payload)
			if err != nil {
				return
			}
			data = append(data, payload...)
			if p.Marker {
				deliver(v, v.Frames, Frame{p.Timestamp, data})
				data = nil
			}
		}
	}
}

func newDepacketizer(t *webrtc.TrackRemote) rtp.Depacketizer {
	if strings.EqualFold(t.Codec().MimeType, "video/VP8") {
		return &codecs.VP8Packet{}
	}
	return &codecs.H264Packet{}
}

// beginsKeyFrame reports whether p is the first packet of a key frame: parameter sets for H.264 (alone or aggregated, RFC
// 6184 sections 5.2 and 5.7.1), the start of partition 0 with the key bit for VP8 (RFC 7741 sections 4.2 and 4.3).
func beginsKeyFrame(t *webrtc.TrackRemote, p *rtp.Packet) bool {
	if len(p.Payload) < 2 {
		return false
	}
	if strings.EqualFold(t.Codec().MimeType, "video/VP8") {
		const start, extended, inter = 0x10, 0x80, 0x01
		return p.Payload[0]&start != 0 && p.Payload[0]&extended == 0 && p.Payload[1]&inter == 0
	}
	const sps, stapA = 7, 24
	kind := p.Payload[0] & 0x1f
	return kind == sps || kind == stapA
}
