package worker

import (
	"net/http"
	"os"
	"testing"

	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/encode/codecs"
	"github.com/heliograph/heliograph/internal/stream/streamtest"
	"github.com/heliograph/heliograph/internal/streampb"
)

// TestStream connects a real viewer by WebRTC, with real encoders; only the pictures are faked.
func TestStream(t *testing.T) {
	for _, codec := range []encode.Codec{encode.H264, encode.VP8} {
		t.Run(string(codec), func(t *testing.T) {
			if err := codecs.Load(os.Getenv).Problems()[codec]; err != nil {
				t.Skip(err)
			}
			for _, tcp := range []bool{false, true} {
				testStream(t, streamtest.Options{Codecs: []encode.Codec{codec}, TCPOnly: tcp})
			}
		})
	}
}

func testStream(t *testing.T, o streamtest.Options) {
	b := runBench(t, nil, func(*bench) {})
	b.load("builtin://cube")
	v, err := streamtest.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}()
	a := b.do(http.MethodPost, b.handshake+"/whep", v.Offer, sdp)
	if a.status != http.StatusCreated {
		t.Fatalf("POST /whep = %d %s", a.status, a.body)
	}
	if err := v.Connect(t.Context(), a.body); err != nil {
		t.Fatal(err)
	}
	if w := (<-v.Messages).GetWelcome(); w.GetCodec() != string(o.Codecs[0]) || w.GetScene().GetTriangles() != 12 {
		t.Errorf("the first message is %v", w)
	}
	if f := <-v.Frames; len(f.Data) == 0 {
		t.Error("the first frame is empty")
	}
	if err := v.SendPose(&streampb.Pose{Id: 7, Position: &streampb.Vec3{Z: 3}, Orientation: &streampb.Quat{W: 1}, FovY: 1, Near: 0.1}); err != nil {
		t.Fatal(err)
	}
	stamps := map[uint32]bool{}
	for r := range v.Records {
		stamps[r.GetRtpTimestamp()] = true
		if r.GetPoseId() == 7 && r.GetConverged() {
			break
		}
	}
	for range 3 {
		if err := v.RequestKeyFrame(); err != nil { // from rest
			t.Fatal(err)
		}
		for r := range v.Records {
			stamps[r.GetRtpTimestamp()] = true
			if r.GetKey() {
				break
			}
		}
	}
	for f := range v.Frames {
		if stamps[f.Timestamp] {
			break // records name frames that really come
		}
	}
	if o.TCPOnly {
		if a := b.do(http.MethodDelete, b.handshake+a.header.Get("Location"), "", nil); a.status != http.StatusOK {
			t.Errorf("DELETE = %d %s", a.status, a.body)
		}
	}
	b.stop()
	if err := b.wait(); err != nil {
		t.Errorf("Run = %v", err)
	}
	if o.TCPOnly {
		return
	}
	for m := range v.Messages {
		if e := m.GetEnded(); e != nil {
			if e.GetReason() != "stopped" {
				t.Errorf("told %v", e)
			}
			return
		}
	}
}
