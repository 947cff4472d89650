package stream

import (
	"encoding/binary"
	"sync"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
)

// rtx repairs losses by a stream of its own (RTX, RFC 4588). Sending a packet again as it was would encrypt another
// header under an SRTP index that was used before, which AES-GCM does not survive (RFC 3711 section 9.1). It is an
// interceptor only to learn the negotiated stream and the writer below it, and is its own factory: one rtx serves one
// peer connection.
type rtx struct {
	interceptor.NoOp
	mu          sync.Mutex
	out         interceptor.RTPWriter // nil while the viewer has not agreed to RTX
	ssrc        uint32
	payloadType uint8
	sequence    uint16
}

// NewInterceptor implements interceptor.Factory.
func (r *rtx) NewInterceptor(string) (interceptor.Interceptor, error) { return r, nil }

// BindLocalStream implements interceptor.Interceptor.
func (r *rtx) BindLocalStream(info *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	r.mu.Lock()
	defer r.mu.Unlock()
	if info.SSRCRetransmission != 0 {
		r.out, r.ssrc, r.payloadType, r.sequence = w, info.SSRCRetransmission, info.PayloadTypeRetransmission, randomSequence()
	}
	return w
}

// send repeats p; ok is false when it cannot.
func (r *rtx) send(p *rtp.Packet) (ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.out == nil {
		return false
	}
	h := p.Header.Clone() // the library writes into the header
	h.SSRC, h.PayloadType, h.SequenceNumber = r.ssrc, r.payloadType, r.sequence
	r.sequence++
	payload := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(p.Payload)), p.SequenceNumber)
	_, err := r.out.Write(&h, append(payload, p.Payload...), interceptor.Attributes{})
	return err == nil
}
