package stream

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"google.golang.org/protobuf/proto"

	"github.com/heliograph/heliograph/internal/encode"
)

const (
	mtu         = 1150 // bytes of RTP payload: with extensions, RTX, SRTP, UDP and IPv6 below 1280 (RFC 8200 section 5)
	paceFactor  = 2.5  // a frame is spread at this multiple of the target rate
	paceSlack   = 2 * time.Millisecond
	rtpOverhead = 40 // bytes a packet costs beside its payload
)

// playoutDelay asks the receiver to show frames at once: minimum and maximum 0, in three bytes. Without it browsers
// hold pictures back by one to three frames. https://webrtc.googlesource.com/src/+/main/docs/native-code/rtp-hdrext/playout-delay
var playoutDelay = [...]byte{0, 0, 0}

// colorSpace says BT.709 primaries, transfer and matrix (ITU-T H.273), limited range, on the last packet of a key frame:
// VP8 itself can only say BT.601. https://webrtc.googlesource.com/src/+/main/docs/native-code/rtp-hdrext/color-space
var colorSpace = [...]byte{1, 1, 1, 1 << 4}

// extensions are the negotiated ids of header extensions, 0 where the viewer does not know one.
type extensions struct{ playoutDelay, colorSpace uint8 }

func (p *Peer) extensions() (x extensions) {
	for _, e := range p.sender.GetParameters().HeaderExtensions {
		switch e.URI {
		case playoutDelayURI:
			x.playoutDelay = uint8(e.ID)
		case colorSpaceURI:
			x.colorSpace = uint8(e.ID)
		}
	}
	return x
}

// packetizer cuts access units into RTP packets: RFC 6184 packetization mode 1 for H.264, RFC 7741 without picture ids
// for VP8 (with them, Chromium stalled at the start of a stream).
type packetizer struct {
	payloader rtp.Payloader
	sequence  uint16
}

func newPacketizer(codec encode.Codec) *packetizer {
	p := &packetizer{payloader: &codecs.H264Payloader{}, sequence: randomSequence()}
	if codec == encode.VP8 {
		p.payloader = &codecs.VP8Payloader{}
	}
	return p
}

// randomSequence is where a stream's sequence numbers start (RFC 3550 section 5.1).
func randomSequence() uint16 {
	var b [2]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return binary.BigEndian.Uint16(b[:])
}

// packets returns the packets of one frame, the last with the marker bit.
func (p *packetizer) packets(f frame, x extensions) ([]*rtp.Packet, error) {
	payloads := p.payloader.Payload(mtu, f.data)
	out := make([]*rtp.Packet, len(payloads))
	for i, payload := range payloads {
		last := i == len(payloads)-1
		out[i] = &rtp.Packet{
			Header:  rtp.Header{Version: 2, SequenceNumber: p.sequence, Timestamp: f.record.GetRtpTimestamp(), Marker: last},
			Payload: payload,
		}
		p.sequence++
		var err error
		if x.playoutDelay != 0 {
			err = out[i].SetExtension(x.playoutDelay, playoutDelay[:])
		}
		if x.colorSpace != 0 && f.key && last {
			err = errors.Join(err, out[i].SetExtension(x.colorSpace, colorSpace[:]))
		}
		if err != nil {
			return nil, fmt.Errorf("set header extensions: %w", err)
		}
	}
	return out, nil
}

// sendFrames sends queued frames, record first, each spread over a part of its time slot so that a large one does not
// overflow a bottleneck's queue.
func (p *Peer) sendFrames(ctx context.Context) error {
	select {
	case <-p.connected:
	case <-p.over:
		return nil
	case <-ctx.Done():
		return nil
	}
	packetizer := newPacketizer(p.codec)
	extensions := p.extensions()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		f, ok := p.frames.Take()
		if !ok {
			select {
			case <-p.frames.Ready():
				continue
			case <-p.over:
				return nil
			case <-ctx.Done():
				return nil
			}
		}
		packets, err := packetizer.packets(f, extensions)
		if err != nil {
			return err
		}
		p.sendRecord(f)
		if f.key && len(packets) > 0 {
			p.history.forgetBefore(packets[0].SequenceNumber)
		}
		began, bits := time.Now(), 0
		for _, packet := range packets {
			due := time.Duration(float64(bits) / (paceFactor * float64(p.TargetBitrate())) * float64(time.Second))
			if wait := due - time.Since(began); wait > paceSlack {
				timer.Reset(wait)
				select {
				case <-timer.C:
				case <-p.over:
					return nil
				}
			}
			bits += 8 * (len(packet.Payload) + rtpOverhead)
			p.history.add(packet, time.Now())
			if err := p.track.WriteRTP(packet); err != nil {
				return nil // the transport is closed; Run ends for that reason
			}
			p.counts.packets.Add(1)
			p.counts.bytes.Add(uint64(len(packet.Payload)))
		}
	}
}

// sendRecord sends a frame's record ahead of it. The channel is unreliable, and so is this.
func (p *Peer) sendRecord(f frame) {
	d := p.records.Load()
	if d == nil {
		return
	}
	f.record.QueueUs += uint32(time.Since(f.queued).Microseconds()) // to what the encoder waited for
	if data, err := proto.Marshal(f.record); err == nil {
		_ = d.Send(data) // fails only when the channel is closing
	}
}

const (
	historyPackets = 2048                   // about two seconds at the highest rate
	tooOld         = 400 * time.Millisecond // a repair that arrives later only delays the pictures after it
	minResendGap   = 15 * time.Millisecond
)

// history keeps sent packets for retransmission.
type history struct {
	mu      sync.Mutex
	packets [historyPackets]sentPacket
	oldest  uint16 // sequence number of the latest key frame's first packet: what is before it no longer matters
	hasKey  bool
}

type sentPacket struct {
	packet      *rtp.Packet
	first, last time.Time
}

func newHistory() *history { return &history{} }

func (h *history) add(p *rtp.Packet, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.packets[p.SequenceNumber%historyPackets] = sentPacket{p, now, now}
}

func (h *history) forgetBefore(sequence uint16) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.oldest, h.hasKey = sequence, true
}

// again returns the packet to send again: nil when that is of no use, because a key frame came since or it was
// sent again less than a round trip ago. stale means that the viewer misses something which is too old to repair.
func (h *history) again(sequence uint16, now time.Time, rtt time.Duration) (p *rtp.Packet, stale bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hasKey && int16(sequence-h.oldest) < 0 {
		return nil, false
	}
	s := &h.packets[sequence%historyPackets]
	if s.packet == nil || s.packet.SequenceNumber != sequence || now.Sub(s.first) > tooOld {
		return nil, true
	}
	if s.last != s.first && now.Sub(s.last) < max(rtt, minResendGap) {
		return nil, false
	}
	s.last = now
	return s.packet, false
}
