package worker

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/encode/codecs"
	"github.com/heliograph/heliograph/internal/mailbox"
	"github.com/heliograph/heliograph/internal/pki"
	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/stream"
	"github.com/heliograph/heliograph/internal/streampb"
	"github.com/heliograph/heliograph/internal/token"
	"github.com/heliograph/heliograph/internal/workerrpc"
)

const (
	testAccount = "6b1d4a5e-0f5e-4a52-9a33-3a1f8f1c0b01"
	testSession = "s-1"
	testOrigin  = "https://viewer.example"
)

// fakeHome answers at once.
type fakeHome struct {
	ready chan workerrpc.ReadyReport
	end   chan error // what RenewLoop returns
	left  time.Duration
}

func (h *fakeHome) Ready(_ context.Context, r workerrpc.ReadyReport) error {
	h.ready <- r
	return nil
}

func (h *fakeHome) RenewLoop(ctx context.Context, _, _ time.Duration, _ func() workerrpc.RenewReport) error {
	select {
	case err := <-h.end:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *fakeHome) LeaseLeft() (time.Duration, bool) { return h.left, h.left > 0 }

// fakeEngine fills pictures with a colour that tells the number of instances, and converges after four.
type fakeEngine struct {
	mu        sync.Mutex
	prepared  map[*scene.Model]bool
	open      int
	closed    bool
	forgotten int
}

func (e *fakeEngine) Prepare(_ context.Context, m *scene.Model, progress func(float64)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.prepared[m] = true
	progress(1)
	return nil
}

func (e *fakeEngine) OnArrival(func()) {}

func (e *fakeEngine) Forget(m *scene.Model) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.prepared, m)
	e.forgotten++
}

func (e *fakeEngine) NewTarget(w, h int) (render.Target, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open++
	return &fakeTarget{e: e, w: w, h: h}, nil
}

func (e *fakeEngine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	return nil
}

type fakeTarget struct {
	e         *fakeEngine
	w, h      int
	seen      *scene.Snapshot
	view      render.View
	sample    int
	instances int
}

func (t *fakeTarget) Render(s *scene.Snapshot, v render.View) (render.Stats, error) {
	t.sample++
	if s != t.seen || v != t.view {
		t.seen, t.view, t.sample = s, v, 0
	}
	t.instances = len(s.Instances)
	return render.Stats{Sample: t.sample, Converged: t.sample >= 3}, nil
}

func (t *fakeTarget) I420() (y, u, v []byte, strideY, strideUV int) {
	n := t.w * t.h
	b := make([]byte, n*3/2)
	return b[:n], b[n : n+n/4], b[n+n/4:], t.w, t.w / 2
}

func (t *fakeTarget) RGBA(dst []byte) {
	for i := 0; i < len(dst); i += 4 {
		dst[i], dst[i+1], dst[i+2], dst[i+3] = byte(t.instances), byte(t.sample), byte(t.view.FovY*100), 255
	}
}

func (t *fakeTarget) Pick(x, _ int) (scene.EntityID, float32) {
	if t.instances == 0 || x < t.w/2 {
		return 0, 0
	}
	return t.seen.Instances[0].Entity, 1
}

func (t *fakeTarget) Size() (int, int) { return t.w, t.h }

func (t *fakeTarget) Close() error {
	t.e.mu.Lock()
	defer t.e.mu.Unlock()
	t.e.open--
	return nil
}

type fakeEncoders struct{}

func (fakeEncoders) Available() []encode.Codec { return []encode.Codec{encode.VP8} }
func (fakeEncoders) Open(c encode.Codec, _ encode.Config) (encode.Encoder, error) {
	return fakeEncoder{c}, nil
}

type fakeEncoder struct{ codec encode.Codec }

func (e fakeEncoder) Codec() encode.Codec { return e.codec }
func (e fakeEncoder) Encode(encode.Frame, bool) (encode.AccessUnit, error) {
	return encode.AccessUnit{Data: []byte{1}}, nil
}
func (e fakeEncoder) SetBitrate(int) error { return nil }
func (e fakeEncoder) Close() error         { return nil }

// fakePeer is a viewer that the test plays.
type fakePeer struct {
	poses    *mailbox.Latest[*streampb.Pose]
	messages chan *streampb.ClientMessage
	leave    chan struct{} // closed by the test: the viewer goes away

	mu     sync.Mutex
	sent   []*streampb.ServerMessage
	frames []*streampb.FrameRecord
	news   chan struct{} // capacity 1: something was sent
	closed bool
}

func newFakePeer() *fakePeer {
	return &fakePeer{
		poses: mailbox.NewLatest[*streampb.Pose](), messages: make(chan *streampb.ClientMessage), leave: make(chan struct{}),
		news: make(chan struct{}, 1),
	}
}

func (p *fakePeer) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-p.leave:
		return nil
	}
}

func (p *fakePeer) Poses() *mailbox.Latest[*streampb.Pose]   { return p.poses }
func (p *fakePeer) Messages() <-chan *streampb.ClientMessage { return p.messages }
func (p *fakePeer) KeyFrameWanted() bool                     { return false }
func (p *fakePeer) KeyFrameAsked() <-chan struct{}           { return nil }
func (p *fakePeer) TargetBitrate() int                       { return 4_000_000 }

func (p *fakePeer) Send(m *streampb.ServerMessage) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errors.New("closed")
	}
	p.sent = append(p.sent, m)
	p.tell()
	return nil
}

func (p *fakePeer) SendFrame(_ encode.AccessUnit, rec *streampb.FrameRecord) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frames = append(p.frames, rec)
	p.tell()
	return nil
}

func (p *fakePeer) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
}

func (p *fakePeer) tell() {
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// ask sends a message and returns its answer.
func (p *fakePeer) ask(t *testing.T, m *streampb.ClientMessage) *streampb.ServerMessage {
	t.Helper()
	p.messages <- m
	return p.await(t, func(a *streampb.ServerMessage) bool { return a.GetRequestId() == m.GetRequestId() })
}

// await waits for a message that was sent to the viewer, now or earlier.
func (p *fakePeer) await(t *testing.T, match func(*streampb.ServerMessage) bool) *streampb.ServerMessage {
	t.Helper()
	for deadline := time.After(time.Minute); ; {
		p.mu.Lock()
		for _, m := range p.sent {
			if match(m) {
				p.mu.Unlock()
				return m
			}
		}
		p.mu.Unlock()
		select {
		case <-p.news:
		case <-deadline:
			t.Fatal("the viewer was not told")
		}
	}
}

// awaitFrame waits for a frame.
func (p *fakePeer) awaitFrame(t *testing.T, match func(*streampb.FrameRecord) bool) {
	t.Helper()
	for deadline := time.After(time.Minute); ; {
		p.mu.Lock()
		for _, f := range p.frames {
			if match(f) {
				p.mu.Unlock()
				return
			}
		}
		p.mu.Unlock()
		select {
		case <-p.news:
		case <-deadline:
			t.Fatal("the frame did not come")
		}
	}
}

// fakeServer gives out the peers that the test prepared.
type fakeServer struct {
	peers    chan *fakePeer
	accepted int // by one join at a time
}

func (s *fakeServer) Accept(_ context.Context, offer string) (joined, error) {
	if !strings.HasPrefix(offer, "v=0") {
		return joined{}, arr.Errorf(arr.CodeBadRequest, "That is no offer.")
	}
	p := <-s.peers
	s.accepted++
	return joined{peer: p, id: "peer-" + strconv.Itoa(s.accepted), codec: encode.VP8, answer: "v=0 answer",
		stats: func() transportStatus { return transportStatus{RTTSeconds: 0.25} }}, nil
}

func (s *fakeServer) Close() error { return nil }

// bench is a session that runs, with everything outside of it faked.
type bench struct {
	*Session
	t      *testing.T
	home   *fakeHome
	engine *fakeEngine
	server *fakeServer
	issuer *token.Issuer
	token  string // of the account
	client *http.Client

	handshake, inspector string // origins
	stop                 func()
	done                 chan error
}

// newBench runs a session; change may alter its configuration. The test need not end it.
func newBench(t *testing.T, change func(*workerrpc.WorkerConfig)) *bench {
	t.Helper()
	return runBench(t, change, func(b *bench) {
		b.accept = func(stream.Config) (acceptor, error) { return b.server, nil }
		b.encoders = func() Encoders { return fakeEncoders{} }
	})
}

// runBench runs a session with whatever prepare puts into it.
func runBench(t *testing.T, change func(*workerrpc.WorkerConfig), prepare func(*bench)) *bench {
	t.Helper()
	dir := t.TempDir()
	ca, err := pki.Open(dir, time.Now(), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Issue(time.Now(), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.OpenKeys(dir+"/keys.json", token.ES256)
	if err != nil {
		t.Fatal(err)
	}
	config := workerrpc.WorkerConfig{
		Account: testAccount, Session: testSession, Size: "Standard", Hostname: "localhost", BindIP: "127.0.0.1",
		PortMin: 49152, PortMax: 65534, CertPEM: string(cert), KeyPEM: string(key), TokenKeys: keys.PublicJWKS(),
		AllowedOrigins: []string{testOrigin}, RenewEvery: time.Second, OrphanAfter: 10 * time.Second,
	}
	if change != nil {
		change(&config)
	}
	b := &bench{
		t:    t,
		home: &fakeHome{ready: make(chan workerrpc.ReadyReport, 1), end: make(chan error, 1), left: time.Minute}, issuer: token.NewIssuer(keys),
		engine: &fakeEngine{prepared: map[*scene.Model]bool{}}, server: &fakeServer{peers: make(chan *fakePeer, 10)},
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12}}},
		done:   make(chan error, 1),
	}
	b.token = b.issue(token.Grant{Account: testAccount, Role: token.RoleClient})
	b.Session, err = New(Options{
		Config: config, Home: b.home, Teraflops: 8.1, Version: "test", Log: slog.New(slog.DiscardHandler),
		NewEngine: func() (render.Engine, error) { return b.engine, nil },
		Encoders:  func() Encoders { return codecs.Load(os.Getenv) },
	})
	if err != nil {
		t.Fatal(err)
	}
	prepare(b)
	ctx, cancel := context.WithCancelCause(context.Background())
	b.stop = func() { cancel(errors.New("terminated signal received")) } // as signal.NotifyContext does
	go func() { b.done <- b.Run(ctx) }()
	t.Cleanup(func() {
		b.stop()
		b.client.CloseIdleConnections()
		if b.done != nil {
			if err := b.wait(); err != nil {
				t.Errorf("Run: %v", err)
			}
		}
	})
	select {
	case r := <-b.home.ready:
		b.handshake = "https://localhost:" + strconv.Itoa(r.HandshakePort)
		b.inspector = "https://localhost:" + strconv.Itoa(r.InspectorPort)
	case err := <-b.done:
		b.done = nil
		t.Fatalf("Run: %v", err)
	}
	return b
}

// wait returns what Run returned.
func (b *bench) wait() error {
	err := <-b.done
	b.done = nil
	if b.engine.open != 0 {
		b.t.Errorf("%d targets were left open", b.engine.open)
	}
	return err
}

func (b *bench) issue(g token.Grant) string {
	b.t.Helper()
	s, _, err := b.issuer.Issue(g)
	if err != nil {
		b.t.Fatal(err)
	}
	return s.Reveal()
}

type answer struct {
	status int
	header http.Header
	body   string
}

// code is the error code of the answer's body.
func (a answer) code() string {
	var e struct {
		Error arr.Error `json:"error"`
	}
	_ = json.Unmarshal([]byte(a.body), &e)
	return string(e.Error.Code)
}

// do sends a request with the account's token, unless change replaces it.
func (b *bench) do(method, url, body string, change func(*http.Request)) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+b.token)
	if change != nil {
		change(r)
	}
	res, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

func (b *bench) get(path string) answer { return b.do(http.MethodGet, b.inspector+path, "", nil) }

func sdp(r *http.Request) { r.Header.Set("Content-Type", "application/sdp") }

// join connects a fake viewer and returns it with its resource.
func (b *bench) join(query string) (*fakePeer, string) {
	b.t.Helper()
	p := newFakePeer()
	b.server.peers <- p
	a := b.do(http.MethodPost, b.handshake+"/whep"+query, "v=0", sdp)
	if a.status != http.StatusCreated || a.body != "v=0 answer" {
		b.t.Fatalf("POST /whep = %d %s", a.status, a.body)
	}
	return p, b.handshake + a.header.Get("Location")
}

// load loads a model by the inspector and waits for its end.
func (b *bench) load(uri string) loadStatus {
	b.t.Helper()
	a := b.do(http.MethodPost, b.inspector+"/load", `{"uri":`+strconv.Quote(uri)+`}`, nil)
	if a.status != http.StatusAccepted {
		b.t.Fatalf("POST /load = %d %s", a.status, a.body)
	}
	for {
		var st loadStatus
		if err := json.Unmarshal([]byte(b.get(a.header.Get("Location")).body), &st); err != nil {
			b.t.Fatal(err)
		}
		if st.State != loadRunning {
			return st
		}
	}
}
