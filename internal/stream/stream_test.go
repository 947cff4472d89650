package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/encode/codecs"
	"github.com/heliograph/heliograph/internal/encode/encodetest"
	"github.com/heliograph/heliograph/internal/stream"
	"github.com/heliograph/heliograph/internal/stream/streamtest"
	"github.com/heliograph/heliograph/internal/streampb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	width, height = 320, 180
	patience      = time.Minute // for a busy machine: it only catches hangs
)

func newServer(t *testing.T, c ...encode.Codec) *stream.Server {
	t.Helper()
	return newServerOn(t, listenUDP(t), c...)
}

func listenUDP(t *testing.T) net.PacketConn {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return udp
}

// lossy loses one media packet in nine.
type lossy struct {
	net.PacketConn
	media atomic.Uint64
}

func (l *lossy) WriteTo(b []byte, to net.Addr) (int, error) {
	// RTP, and not RTCP, DTLS or STUN: RFC 7983 and RFC 5761 section 4.
	if b[0]>>6 == 2 && (b[1]&0x7f < 64 || b[1]&0x7f > 95) && l.media.Add(1)%9 == 0 {
		return len(b), nil
	}
	return l.PacketConn.WriteTo(b, to)
}

func newServerOn(t *testing.T, udp net.PacketConn, c ...encode.Codec) *stream.Server {
	t.Helper()
	if c == nil {
		c = []encode.Codec{encode.H264, encode.VP8}
	}
	s, _ := serve(t, stream.Config{UDP: []net.PacketConn{udp}, Codecs: c, Logger: slog.New(slog.DiscardHandler)})
	return s
}

// serve is a server with a TCP port of its own, until the end of the test.
func serve(t *testing.T, c stream.Config) (s *stream.Server, tcpPort int) {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, c.TCP = stream.SplitTCP(tcp)
	if s, err = stream.NewServer(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, tcp.Addr().(*net.TCPAddr).Port
}

// connect joins a viewer to s and runs its peer until the end of the test.
func connect(t *testing.T, s *stream.Server, o streamtest.Options) (*stream.Peer, *streamtest.Viewer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	v, err := streamtest.New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	p, answer, err := s.Accept(ctx, v.Offer)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Run(t.Context()) }()
	t.Cleanup(func() {
		p.Close()
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not return")
		}
	})
	if err := v.Connect(ctx, answer); err != nil {
		t.Fatal(err)
	}
	return p, v
}

// produce encodes and sends frames until the test ends, as a worker does.
func produce(t *testing.T, p *stream.Peer) {
	t.Helper()
	e, err := codecs.Load(func(string) string { return "" }).Open(p.Codec(), encode.Config{Width: width, Height: height, BitsPerSecond: 2_000_000, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			f := encodetest.Frame(width, height, i, 0)
			f.TimestampMS = int64(i) * 20
			au, err := e.Encode(f, p.KeyFrameWanted())
			if err != nil {
				t.Error(err)
				return
			}
			_ = p.SendFrame(au, &streampb.FrameRecord{RtpTimestamp: timestamp(i), FrameId: uint32(i), Key: au.Key})
		}
	})
	t.Cleanup(func() { close(stop); wg.Wait(); e.Close() })
}

func timestamp(i int) uint32 { return uint32(1000 + 1800*i) }

func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case x := <-from:
		return x
	case <-time.After(patience):
		t.Fatalf("no %s arrives", what)
		panic("unreachable")
	}
}

// watch decodes n frames, each of which must be the picture its timestamp names, and have a record.
func watch(t *testing.T, v *streamtest.Viewer, codec encode.Codec, n int) {
	t.Helper()
	d, err := encodetest.NewDecoder(codec)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	records := map[uint32]*streampb.FrameRecord{}
	for i := range n {
		f := receive(t, v.Frames, "frame")
		for records[f.Timestamp] == nil {
			r := receive(t, v.Records, "record")
			records[r.GetRtpTimestamp()] = r
		}
		picture, err := d.Decode(f.Data)
		if err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		id := int(records[f.Timestamp].GetFrameId())
		if f.Timestamp != timestamp(id) {
			t.Fatalf("frame %d has timestamp %d", id, f.Timestamp)
		}
		if psnr := encodetest.PSNR(encodetest.Frame(width, height, id, 0), picture); psnr < 28 {
			t.Errorf("frame %d: PSNR %.1f dB against the picture its timestamp names", id, psnr)
		}
	}
}

func TestFramesArrive(t *testing.T) {
	for name, o := range map[string]streamtest.Options{
		"H264": {}, "VP8": {Codecs: []encode.Codec{encode.VP8}}, "H264 by ICE-TCP": {TCPOnly: true},
	} {
		t.Run(name, func(t *testing.T) {
			p, v := connect(t, newServer(t), o)
			if want := encode.Codec(strings.Fields(name)[0]); p.Codec() != want || v.Codec() != want {
				t.Fatalf("codecs %s and %s, want %s", p.Codec(), v.Codec(), want)
			}
			produce(t, p)
			watch(t, v, p.Codec(), 40)
		})
	}
}

func TestLostPacketsAreRepaired(t *testing.T) {
	p, v := connect(t, newServerOn(t, &lossy{PacketConn: listenUDP(t)}), streamtest.Options{})
	produce(t, p)
	watch(t, v, p.Codec(), 60)
	if p.Stats().Retransmitted == 0 {
		t.Error("nothing was sent again")
	}
}

func TestFallbackToVP8WhenTheWorkerLacksH264(t *testing.T) {
	p, v := connect(t, newServer(t, encode.VP8), streamtest.Options{})
	if p.Codec() != encode.VP8 {
		t.Fatalf("codec %s", p.Codec())
	}
	produce(t, p)
	watch(t, v, encode.VP8, 5)
}

func TestKeyFrameOnRequest(t *testing.T) {
	p, v := connect(t, newServer(t), streamtest.Options{})
	produce(t, p)
	for receive(t, v.Records, "first key frame"); ; {
		if err := v.RequestKeyFrame(); err != nil {
			t.Fatal(err)
		}
		if r := receive(t, v.Records, "key frame"); r.GetKey() {
			break
		}
	}
	if p.Stats().KeyRequests == 0 {
		t.Error("the request was not counted")
	}
}

func TestMessages(t *testing.T) {
	s := newServer(t)
	p, v := connect(t, s, streamtest.Options{})

	for i := range uint32(100) { // more than the queue: the sender is held back, nothing is lost
		if err := v.Send(&streampb.ClientMessage{RequestId: i}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint32(100) {
		if m := receive(t, p.Messages(), "message"); m.GetRequestId() != i {
			t.Fatalf("message %d arrives as %d", i, m.GetRequestId())
		}
	}
	if err := v.SendRaw([]byte{0xff, 0xff, 0xff}); err != nil {
		t.Fatal(err)
	}
	if m := receive(t, v.Messages, "answer to a malformed message"); m.GetError().GetCode() != string(arr.CodeBadRequest) {
		t.Errorf("answer %v, want an error", m)
	}
	if err := p.Send(&streampb.ServerMessage{RequestId: 7}); err != nil {
		t.Fatal(err)
	}
	if m := receive(t, v.Messages, "message"); m.GetRequestId() != 7 {
		t.Errorf("got %v", m)
	}
	for i := range uint32(5) {
		if err := v.SendPose(&streampb.Pose{Id: i + 1}); err != nil {
			t.Fatal(err)
		}
	}
	for newest := uint32(0); newest < 5; { // none is lost on loopback, and none older than what was taken comes
		receive(t, p.Poses().Ready(), "pose")
		if pose, ok := p.Poses().Take(); ok {
			if pose.GetId() <= newest {
				t.Fatalf("pose %d after %d", pose.GetId(), newest)
			}
			newest = pose.GetId()
		}
	}
}

func TestRunEndsWhenTheViewerLeaves(t *testing.T) {
	s := newServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	v, err := streamtest.New(ctx, streamtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, answer, err := s.Accept(ctx, v.Offer)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	if err := v.Connect(ctx, answer); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, ended, "end"); err != nil {
		t.Errorf("Run: %v, want nil: the viewer said goodbye", err)
	}
	if err := p.SendFrame(encode.AccessUnit{Data: []byte{1}, Key: true}, &streampb.FrameRecord{}); err != nil {
		t.Errorf("SendFrame after a clean end: %v", err)
	}
}

// TestCandidates has a server on two addresses for UDP and one for TCP, as a worker on loopback beside a network.
func TestCandidates(t *testing.T) {
	first := listenUDP(t)
	port := first.LocalAddr().(*net.UDPAddr).Port
	second, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.2:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	s, tcpPort := serve(t, stream.Config{UDP: []net.PacketConn{first, second}, Codecs: []encode.Codec{encode.VP8}})
	wantCandidates(t, s, fmt.Sprintf("udp 127.0.0.1 %d", port), fmt.Sprintf("udp 127.0.0.2 %d", port), fmt.Sprintf("tcp 127.0.0.1 %d", tcpPort))
}

// wantCandidates checks the transports, addresses and ports that s tells a viewer.
func wantCandidates(t *testing.T, s *stream.Server, want ...string) {
	t.Helper()
	v, err := streamtest.New(t.Context(), streamtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	p, answer, err := s.Accept(t.Context(), v.Offer)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	got, wanted := map[string]bool{}, map[string]bool{}
	for _, m := range regexp.MustCompile(`a=candidate:\S+ 1 (\S+) \d+ (\S+) (\d+) `).FindAllStringSubmatch(answer, -1) {
		got[strings.Join(m[1:], " ")] = true
	}
	for _, w := range want {
		wanted[w] = true
	}
	if !maps.Equal(got, wanted) {
		t.Errorf("the candidates are %v, want %v", got, wanted)
	}
}

// TestPublicAddress has a server behind a network address translation, which leads from 127.0.0.2 to it.
func TestPublicAddress(t *testing.T) {
	const public = "127.0.0.2"
	udp := listenUDP(t)
	s, tcpPort := serve(t, stream.Config{UDP: []net.PacketConn{udp}, PublicIP: public, Codecs: []encode.Codec{encode.VP8}})
	wantCandidates(t, s, fmt.Sprintf("udp %s %d", public, udp.LocalAddr().(*net.UDPAddr).Port), fmt.Sprintf("tcp %s %d", public, tcpPort))
	q, w := connect(t, s, streamtest.Options{}) // by the server's own checks: nothing is translated here
	produce(t, q)
	watch(t, w, encode.VP8, 3)
	two := stream.Config{UDP: []net.PacketConn{udp, udp}, PublicIP: public, Codecs: []encode.Codec{encode.VP8}}
	if _, err := stream.NewServer(two); err == nil {
		t.Error("two sockets share a public address")
	}
}

func TestCandidatesNeedAnAddress(t *testing.T) {
	udp, err := net.ListenPacket("udp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	if _, err := stream.NewServer(stream.Config{UDP: []net.PacketConn{udp}, Codecs: []encode.Codec{encode.VP8}}); err == nil {
		t.Error("a socket on an unspecified address was taken")
	}
}

func TestBadOffers(t *testing.T) {
	s := newServer(t, encode.VP8)
	ctx := t.Context()
	v, err := streamtest.New(ctx, streamtest.Options{Codecs: []encode.Codec{encode.H264}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for name, offer := range map[string]string{
		"empty": "", "garbage": "hello", "no video": "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n",
		"no common codec": v.Offer, "huge": strings.Repeat("a", 1<<20),
		"no fingerprint": "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\na=mid:0\r\n",
	} {
		if _, _, err := s.Accept(ctx, offer); arr.CodeOf(err) != arr.CodeBadRequest {
			t.Errorf("%s: %v, want BadRequest", name, err)
		}
	}
}

func FuzzOffer(f *testing.F) {
	v, err := streamtest.New(f.Context(), streamtest.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(v.Offer)
	f.Add("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n")
	if err := v.Close(); err != nil {
		f.Fatal(err)
	}
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	s, err := stream.NewServer(stream.Config{UDP: []net.PacketConn{udp}, Codecs: []encode.Codec{encode.H264, encode.VP8}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	f.Fuzz(func(t *testing.T, offer string) {
		p, answer, err := s.Accept(t.Context(), offer)
		if err != nil {
			if arr.CodeOf(err) != arr.CodeBadRequest {
				t.Errorf("%v is not the client's fault", err)
			}
			return
		}
		if !strings.HasPrefix(answer, "v=0") {
			t.Errorf("answer %q", answer)
		}
		p.Close()
	})
}

func TestSplitTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	https, ice := stream.SplitTCP(l)
	for _, c := range []struct {
		first byte
		to    net.Listener
	}{{0x16, https}, {0x00, ice}, {0x16, https}, {'G', https}, {0x01, ice}} {
		out, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		sent := []byte{c.first, 1, 2, 3}
		if _, err := out.Write(sent); err != nil {
			t.Fatal(err)
		}
		in, err := c.to.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		got := make([]byte, len(sent))
		if _, err := in.Read(got); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("read %v, %v, want %v", got, err, sent)
		}
	}
	https.Close()
	for _, side := range []net.Listener{https, ice} {
		if _, err := side.Accept(); err == nil {
			t.Error("Accept succeeds on a closed port")
		}
	}
}

func TestSplitTCPClosesWhatNobodyAccepted(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	https, ice := stream.SplitTCP(l)
	dial := func(first []byte) net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := c.Write(first); err != nil {
			t.Fatal(err)
		}
		return c
	}
	silent, waiting, accepted := dial(nil), dial([]byte{0}), dial([]byte{0x16})
	if c, err := https.Accept(); err != nil { // the listener has seen the others, which came before
		t.Fatal(err)
	} else {
		defer c.Close()
	}
	ice.Close()
	for name, c := range map[string]net.Conn{"silent": silent, "waiting": waiting} {
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		var timeout net.Error
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("the %s connection is still open: %v", name, err)
		}
	}
	if _, err := accepted.Write([]byte{1}); err != nil {
		t.Errorf("an accepted connection was closed: %v", err)
	}
	if _, err := https.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v, want net.ErrClosed", err)
	}
}
