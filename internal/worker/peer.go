package worker

import (
	"context"

	"github.com/heliograph/heliograph/internal/stream"
)

// streamServer makes *stream.Server an acceptor.
type streamServer struct{ *stream.Server }

func newStreamServer(c stream.Config) (acceptor, error) {
	s, err := stream.NewServer(c)
	if err != nil {
		return nil, err
	}
	return streamServer{s}, nil
}

func (s streamServer) Accept(ctx context.Context, offer string) (joined, error) {
	p, answer, err := s.Server.Accept(ctx, offer)
	if err != nil {
		return joined{}, err
	}
	return joined{peer: p, id: p.ID(), codec: p.Codec(), answer: answer, stats: func() transportStatus {
		st := p.Stats()
		return transportStatus{
			RTTSeconds: st.RTT.Seconds(), Loss: st.Loss, Packets: st.Packets, Bytes: st.Bytes,
			RetransmittedPackets: st.Retransmitted, DroppedFrames: st.DroppedFrames, KeyFrameRequests: st.KeyRequests,
		}
	}}, nil
}
