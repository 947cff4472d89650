package worker

import (
	"bytes"
	"errors"
	"image/png"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/streampb"
	"github.com/heliograph/heliograph/internal/token"
	"github.com/heliograph/heliograph/internal/workerrpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBothPortsAreHealthyAndGuarded(t *testing.T) {
	b := newBench(t, nil)
	plain := func(r *http.Request) { r.Header.Del("Authorization") }
	bearer := func(s string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+s) }
	}
	for _, origin := range []string{b.handshake, b.inspector} {
		if a := b.do(http.MethodGet, origin+"/healthz", "", plain); a.status != http.StatusOK {
			t.Errorf("GET %s/healthz = %d", origin, a.status)
		}
		if a := b.do(http.MethodGet, origin+"/nothing", "", nil); a.status != http.StatusNotFound || a.code() != "NotFound" {
			t.Errorf("GET /nothing = %d %s", a.status, a.body)
		}
	}
	if a := b.do(http.MethodGet, b.inspector+"/", "", plain); a.status != http.StatusOK || !strings.Contains(a.body, "/snapshot") {
		t.Errorf("GET / = %d %s", a.status, a.body)
	}
	if a := b.do(http.MethodPut, b.inspector+"/status", "", nil); a.status != http.StatusMethodNotAllowed || a.code() != "MethodNotAllowed" {
		t.Errorf("PUT /status = %d %s", a.status, a.body)
	}
	other := "00000000-0000-4000-8000-000000000001"
	for _, r := range []struct{ method, url string }{
		{"GET", b.inspector + "/status"}, {"GET", b.inspector + "/metrics"}, {"GET", b.inspector + "/snapshot"},
		{"GET", b.inspector + "/loads/1"}, {"POST", b.inspector + "/load"}, {"POST", b.handshake + "/whep"}, {"DELETE", b.handshake + "/whep/x"},
	} {
		for name, c := range map[string]struct {
			change func(*http.Request)
			status int
		}{
			"no token":              {plain, http.StatusUnauthorized},
			"basic":                 {func(r *http.Request) { r.SetBasicAuth("a", "b") }, http.StatusUnauthorized},
			"no JWT":                {bearer("x.y.z"), http.StatusUnauthorized},
			"other account's token": {bearer(b.issue(token.Grant{Account: "00000000-0000-4000-8000-000000000001", Role: token.RoleClient})), http.StatusForbidden},
			"other session's token": {bearer(b.issue(token.Grant{Account: testAccount, Session: "s-2"})), http.StatusForbidden},
		} {
			a := b.do(r.method, r.url, "", c.change)
			if a.status != c.status {
				t.Errorf("%s %s with %s (%s) = %d %s", r.method, r.url, name, other, a.status, a.body)
			}
			if a.status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: 401 without WWW-Authenticate", name)
			}
		}
	}
	viewer := bearer(b.issue(token.Grant{Account: testAccount, Session: testSession}))
	for _, path := range []string{"/status", "/metrics", "/snapshot?width=64&height=64"} {
		if a := b.do(http.MethodGet, b.inspector+path, "", viewer); a.status != http.StatusOK {
			t.Errorf("GET %s with this session's viewer token = %d %s", path, a.status, a.body)
		}
	}
}

func TestAPanicOfAHandlerEndsTheProcess(t *testing.T) {
	var with any
	var log bytes.Buffer
	api := &rest{log: slog.New(slog.NewTextHandler(&log, nil)), crash: func(v any) { with = v }}
	defer func() {
		if v, _ := recover().(error); !errors.Is(v, http.ErrAbortHandler) || with != "oh" || !strings.Contains(log.String(), "TestAPanicOfAHandler") {
			t.Errorf("panics with %v, crashes with %v, logs %s", v, with, &log)
		}
	}()
	api.open(func(http.ResponseWriter, *http.Request) error { panic("oh") }).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
}

func TestCORS(t *testing.T) {
	b := newBench(t, nil)
	preflight := func(origin string) answer {
		return b.do(http.MethodOptions, b.handshake+"/whep", "", func(r *http.Request) {
			r.Header.Del("Authorization") // browsers send none
			r.Header.Set("Origin", origin)
			r.Header.Set("Access-Control-Request-Method", "POST")
			r.Header.Set("Access-Control-Request-Headers", "authorization,content-type")
		})
	}
	a := preflight(testOrigin)
	if a.status != http.StatusNoContent || a.header.Get("Access-Control-Allow-Origin") != testOrigin ||
		!strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight = %d %v", a.status, a.header)
	}
	if a := preflight("https://evil.example"); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a preflight of another origin = %v", a.header)
	}
	a = b.do(http.MethodPost, b.handshake+"/whep", "", func(r *http.Request) { r.Header.Set("Origin", testOrigin) })
	if a.header.Get("Access-Control-Allow-Origin") != testOrigin || a.header.Get("Access-Control-Expose-Headers") != "Location" {
		t.Errorf("a refused request = %v: the page could not read why", a.header)
	}
}

func TestLoadByInspector(t *testing.T) {
	root := t.TempDir()
	b := newBench(t, func(c *workerrpc.WorkerConfig) {
		c.ModelRoots, c.PrimitiveBudget = []string{root}, 20
	})
	if st := b.load("builtin://cube"); st.State != loadDone || st.Triangles != 12 || st.RootEntity == 0 || st.Done != 1 {
		t.Errorf("load = %+v", st)
	}
	if len(b.engine.prepared) != 1 {
		t.Error("the model was not prepared")
	}
	if a := b.get("/status"); !strings.Contains(a.body, `"triangles":12`) || !strings.Contains(a.body, `"leaseSecondsLeft":60`) {
		t.Errorf("GET /status = %s", a.body)
	}
	if a := b.get("/metrics"); !strings.Contains(a.body, "heliograph_scene_triangles 12") {
		t.Errorf("GET /metrics = %.200s", a.body)
	}
	if st := b.load("builtin://cube"); st.State != loadFailed || st.Error.Code != "UnprocessableEntity" {
		t.Errorf("a load over the budget = %+v", st)
	}
	if err := os.WriteFile(filepath.Join(root, "broken.glb"), []byte("not a GLB"), 0o600); err != nil {
		t.Fatal(err)
	}
	for uri, code := range map[string]string{
		"broken.glb":                         "UnprocessableEntity",
		"missing.glb":                        "NotFound",
		"../x.glb":                           "Forbidden",
		"https://elsewhere.example/a.glb?s=": "Forbidden",
		"model.dae":                          "BadRequest",
	} {
		st := b.load(uri)
		if st.State != loadFailed || string(st.Error.Code) != code {
			t.Errorf("load %s = %+v, want %s", uri, st, code)
		}
		if strings.Contains(st.URI, "?") {
			t.Errorf("the query of %s is shown", uri)
		}
	}
	for _, body := range []string{"", "{}", `{"uri":5}`, `{"uri":"builtin://cube"} {}`, `{"url":"builtin://cube"}`, `{"uri":"` + strings.Repeat("a", 5000) + `"}`,
		`{"uri":"` + strings.Repeat("a", 50_000) + `"}`} {
		if a := b.do(http.MethodPost, b.inspector+"/load", body, nil); a.status != http.StatusBadRequest || a.code() != "BadRequest" {
			t.Errorf("POST /load %.40s = %d %s", body, a.status, a.body)
		}
	}
	if a := b.get("/loads/77"); a.status != http.StatusNotFound {
		t.Errorf("GET /loads/77 = %d", a.status)
	}
}

func TestSnapshot(t *testing.T) {
	b := newBench(t, nil)
	b.load("builtin://cube")
	size := func(query string) string {
		t.Helper()
		a := b.get("/snapshot" + query)
		if a.status != http.StatusOK || a.header.Get("Content-Type") != "image/png" {
			t.Fatalf("GET /snapshot%s = %d %s", query, a.status, a.body)
		}
		img, err := png.Decode(strings.NewReader(a.body))
		if err != nil {
			t.Fatal(err)
		}
		r, g, _, _ := img.At(3, 3).RGBA()
		if r>>8 != 1 || g>>8 != 3 {
			t.Errorf("%s: the picture shows %d instances and %d samples, want 1 and 3", query, r>>8, g>>8)
		}
		return strconv.Itoa(img.Bounds().Dx()) + "x" + strconv.Itoa(img.Bounds().Dy())
	}
	for query, want := range map[string]string{
		"": "1280x720", "?width=301&height=99": "301x99", "?width=640": "640x360", "?height=90&format=png&view=default": "160x90",
	} {
		if got := size(query); got != want {
			t.Errorf("GET /snapshot%s has %s pixels, want %s", query, got, want)
		}
	}
	if one, two := b.get("/snapshot"), b.get("/snapshot"); !bytes.Equal([]byte(one.body), []byte(two.body)) {
		t.Error("two snapshots of one view differ")
	}
	for _, query := range []string{"?width=0", "?width=100000", "?height=x", "?format=jpeg", "?view=top"} {
		if a := b.get("/snapshot" + query); a.status != http.StatusBadRequest {
			t.Errorf("GET /snapshot%s = %d %s", query, a.status, a.body)
		}
	}
}

func TestWHEP(t *testing.T) {
	b := newBench(t, nil)
	for name, c := range map[string]struct {
		body   string
		change func(*http.Request)
	}{
		"no content type": {"v=0", nil},
		"JSON":            {"v=0", func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }},
		"no offer":        {"hello", sdp},
		"too large":       {"v=0" + strings.Repeat(" ", maxOffer), sdp},
		"odd takeover":    {"v=0", func(r *http.Request) { sdp(r); r.URL.RawQuery = "takeover=perhaps" }},
	} {
		if a := b.do(http.MethodPost, b.handshake+"/whep", c.body, c.change); a.status != http.StatusBadRequest || a.code() != "BadRequest" {
			t.Errorf("%s = %d %s", name, a.status, a.body)
		}
	}
	p, resource := b.join("")
	w := p.await(t, func(m *streampb.ServerMessage) bool { return m.GetWelcome() != nil }).GetWelcome()
	if w.GetCodec() != "VP8" || w.GetWorkerVersion() != "test" || !w.GetScene().GetEmpty() {
		t.Errorf("welcome = %v", w)
	}
	if p.sent[0].GetWelcome() == nil {
		t.Error("the welcome is not the first message")
	}
	p.awaitFrame(t, func(r *streampb.FrameRecord) bool { return r.GetConverged() })

	if a := b.do(http.MethodPost, b.handshake+"/whep", "v=0", sdp); a.status != http.StatusConflict || a.code() != "OtherSessionConnected" {
		t.Errorf("a second viewer = %d %s", a.status, a.body)
	}
	next, nextResource := b.join("?takeover=true")
	if r := p.await(t, func(m *streampb.ServerMessage) bool { return m.GetEnded() != nil }).GetEnded().GetReason(); r != "replaced" {
		t.Errorf("the first viewer was told %q", r)
	}
	next.awaitFrame(t, func(r *streampb.FrameRecord) bool { return r.GetFrameId() == 1 })
	if a := b.do(http.MethodDelete, resource, "", nil); a.status != http.StatusNotFound {
		t.Errorf("DELETE of the replaced connection = %d", a.status)
	}
	if a := b.get("/status"); !strings.Contains(a.body, `"viewer":{"id":`) || !strings.Contains(a.body, `"rttSeconds":0.25`) {
		t.Errorf("GET /status = %s", a.body)
	}
	if a := b.do(http.MethodDelete, nextResource, "", nil); a.status != http.StatusOK {
		t.Errorf("DELETE = %d %s", a.status, a.body)
	}
	if a := b.get("/status"); !strings.Contains(a.body, `"viewer":null`) {
		t.Errorf("GET /status = %s", a.body)
	}
}

func TestTheSceneSurvivesADisconnect(t *testing.T) {
	b := newBench(t, nil)
	p, _ := b.join("")
	loaded := p.ask(t, &streampb.ClientMessage{RequestId: 1, Body: &streampb.ClientMessage_LoadModel{
		LoadModel: &streampb.LoadModel{Uri: "builtin://cube"},
	}}).GetModelLoaded()
	if loaded.GetTriangles() != 12 || loaded.GetRootEntityId() == 0 {
		t.Fatalf("loaded %v", loaded)
	}
	p.await(t, func(m *streampb.ServerMessage) bool { return m.GetLoadProgress() != nil })
	p.await(t, func(m *streampb.ServerMessage) bool { return m.GetSceneInfo().GetTriangles() == 12 })
	close(p.leave)
	for !strings.Contains(b.get("/status").body, `"viewer":null`) { // until the worker has noticed
	}
	next, _ := b.join("")
	w := next.await(t, func(m *streampb.ServerMessage) bool { return m.GetWelcome() != nil }).GetWelcome()
	if w.GetScene().GetTriangles() != 12 {
		t.Errorf("the next viewer finds %v", w.GetScene())
	}
}

func TestMessages(t *testing.T) {
	b := newBench(t, nil)
	p, _ := b.join("")
	id := uint32(0)
	ask := func(m *streampb.ClientMessage) *streampb.ServerMessage {
		t.Helper()
		id++
		m.RequestId = id
		return p.ask(t, m)
	}
	v := ask(&streampb.ClientMessage{Body: &streampb.ClientMessage_SetViewport{SetViewport: &streampb.SetViewport{Width: 801, Height: 99999}}}).GetViewport()
	if v.GetWidth()%2 != 0 || v.GetHeight() != 3840 {
		t.Errorf("viewport %v", v)
	}
	ask(&streampb.ClientMessage{Body: &streampb.ClientMessage_SetViewport{SetViewport: &streampb.SetViewport{Width: 640, Height: 360}}})
	p.awaitFrame(t, func(r *streampb.FrameRecord) bool { return r.GetWidth() == 640 && r.GetHeight() == 360 })

	loaded := ask(&streampb.ClientMessage{Body: &streampb.ClientMessage_LoadModel{LoadModel: &streampb.LoadModel{Uri: "builtin://cube"}}}).GetModelLoaded()
	p.poses.Put(&streampb.Pose{Id: 1, Orientation: &streampb.Quat{W: 1}, Position: &streampb.Vec3{Z: 5}, FovY: 1, Near: 0.1})
	p.awaitFrame(t, func(r *streampb.FrameRecord) bool { return r.GetPoseId() == 1 && r.GetConverged() })
	hit := ask(&streampb.ClientMessage{Body: &streampb.ClientMessage_Pick{Pick: &streampb.Pick{X: 0.9, Y: 0.5}}}).GetPickResult()
	if hit.GetEntityId() != loaded.GetRootEntityId()+1 || hit.GetName() != "cube" || hit.GetPosition().GetZ() != 4 {
		t.Errorf("picked %v", hit)
	}
	moved := &streampb.SetTransform{EntityId: loaded.GetRootEntityId(), Position: &streampb.Vec3{X: 10}}
	if a := ask(&streampb.ClientMessage{Body: &streampb.ClientMessage_SetTransform{SetTransform: moved}}); a.GetAck() == nil {
		t.Errorf("SetTransform = %v", a)
	}
	p.await(t, func(m *streampb.ServerMessage) bool { return m.GetSceneInfo().GetBoundsMin().GetX() == 9.5 })
	hide := &streampb.SetEnabled{EntityId: loaded.GetRootEntityId()}
	if a := ask(&streampb.ClientMessage{Body: &streampb.ClientMessage_SetEnabled{SetEnabled: hide}}); a.GetAck() == nil {
		t.Errorf("SetEnabled = %v", a)
	}
	unload := &streampb.ClientMessage_UnloadModel{UnloadModel: &streampb.UnloadModel{ModelId: loaded.GetModelId()}}
	if a := ask(&streampb.ClientMessage{Body: unload}); a.GetAck() == nil {
		t.Errorf("UnloadModel = %v", a)
	}
	if len(b.engine.prepared) != 0 || b.engine.forgotten != 1 {
		t.Error("the model was not forgotten")
	}
	for name, m := range map[string]*streampb.ClientMessage{
		"unknown model":  {Body: unload},
		"unknown entity": {Body: &streampb.ClientMessage_SetEnabled{SetEnabled: &streampb.SetEnabled{EntityId: 999}}},
		"bad load":       {Body: &streampb.ClientMessage_LoadModel{LoadModel: &streampb.LoadModel{Uri: "ftp://x/y.glb"}}},
		"no address":     {Body: &streampb.ClientMessage_LoadModel{LoadModel: &streampb.LoadModel{}}},
		"bad pick":       {Body: &streampb.ClientMessage_Pick{Pick: &streampb.Pick{X: 7}}},
	} {
		if e := ask(m).GetError(); e.GetCode() == "" || e.GetMessage() == "" {
			t.Errorf("%s: %v", name, e)
		}
	}
	p.messages <- &streampb.ClientMessage{RequestId: 99} // of a newer protocol: ignored
	p.messages <- &streampb.ClientMessage{Body: &streampb.ClientMessage_Pick{Pick: &streampb.Pick{X: 0.5, Y: 0.5}}}
}

func TestTheViewerIsToldWhyTheSessionEnds(t *testing.T) {
	reason := func(p *fakePeer) string {
		return p.await(t, func(m *streampb.ServerMessage) bool { return m.GetEnded() != nil }).GetEnded().GetReason()
	}
	t.Run("stopped by the control plane", func(t *testing.T) {
		b := newBench(t, nil)
		p, _ := b.join("")
		b.home.end <- workerrpc.ErrEnded
		if err := b.wait(); err != nil {
			t.Errorf("Run = %v", err)
		}
		if r := reason(p); r != "stopped" || !b.engine.closed {
			t.Errorf("told %q; engine closed: %v", r, b.engine.closed)
		}
	})
	t.Run("expired", func(t *testing.T) {
		b := newBench(t, nil)
		b.home.left = time.Millisecond
		p, _ := b.join("")
		b.stop() // SIGTERM
		if err := b.wait(); err != nil {
			t.Errorf("Run = %v", err)
		}
		if r := reason(p); r != "expired" {
			t.Errorf("told %q", r)
		}
	})
	t.Run("orphaned", func(t *testing.T) {
		b := newBench(t, nil)
		p, _ := b.join("")
		b.home.end <- workerrpc.ErrOrphaned
		if err := b.wait(); !errors.Is(err, ErrOrphaned) {
			t.Errorf("Run = %v", err)
		}
		if r := reason(p); r != "error" {
			t.Errorf("told %q", r)
		}
	})
}

func TestReadConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "worker.json")
	good := `{"account":"a","session":"s","controlAddress":"unix:/x","hostname":"localhost","bindIP":"127.0.0.1","portMin":1,"portMax":2,
"certPEM":"c","keyPEM":"k","tokenKeys":"{}","renewEvery":1000,"orphanAfter":2000,"fromTheFuture":true}`
	for text, ok := range map[string]bool{
		good: true,
		strings.Replace(good, `"session":"s"`, `"session":""`, 1):            false,
		strings.Replace(good, `"orphanAfter":2000`, `"orphanAfter":1000`, 1): false,
		strings.Replace(good, `"renewEvery":1000`, `"memoryLimit":-1`, 1):    false,
		"{": false,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadConfig(file); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}
