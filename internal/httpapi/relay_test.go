package httpapi

import (
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/token"
)

// worker is a stand-in for both ports of a worker; it answers with what it was asked.
type worker struct {
	*httptest.Server
	location string // of the answer to a WHEP POST
}

func startWorker(t *testing.T) *worker {
	w := &worker{location: "/whep/peer-1"}
	w.Server = httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := rw.Header()
		h.Set("Access-Control-Allow-Origin", "https://of.the.worker")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Vary", "Origin")
		h.Set("X-Asked", fmt.Sprintf("%s %s origin=%q cookie=%q auth=%t", r.Method, r.URL, r.Header.Get("Origin"), r.Header.Get("Cookie"),
			strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ey")))
		switch {
		case r.Method == "POST" && r.URL.Path == "/whep":
			h.Set("Location", w.location)
			h.Set("Content-Type", "application/sdp")
			rw.WriteHeader(201)
		case r.Method == "DELETE":
			rw.WriteHeader(200)
		case r.URL.Path == "/teapot":
			rw.WriteHeader(418)
		}
		_, _ = rw.Write(body)
	}))
	t.Cleanup(w.Close)
	return w
}

// transport trusts the worker's certificate.
func (w *worker) transport(t *testing.T) *http.Transport {
	pool := x509.NewCertPool()
	pool.AddCert(w.Certificate())
	tr := NewWorkerTransport(pool)
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// session is Ready at the worker's address.
func (w *worker) session(t *testing.T, id arr.SessionID) arr.Session {
	u, err := url.Parse(w.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return arr.Session{
		Key: arr.SessionKey{Account: account, ID: id}, Size: arr.SizeStandard, Status: arr.StatusReady,
		CreatedAt: time.Now(), ReadyAt: time.Now(), Hostname: u.Hostname(), HandshakePort: port, InspectorPort: port,
	}
}

func TestRelay(t *testing.T) {
	w := startWorker(t)
	h := start(t, func(c *Config) {
		c.WorkerTransport, c.AllowedOrigins, c.ExternalURL = w.transport(t), []string{"*"}, "https://render.example.com/arr"
	})
	h.sessions.put(w.session(t, "s"))
	viewer := as(h.token(token.Grant{Session: "s"}))
	f := func(method, path, body string, status int, asked string, edit ...func(*http.Request)) answer {
		t.Helper()
		edit = append([]func(*http.Request){viewer, header("Origin", "https://app.example"), header("Cookie", "a=b")}, edit...)
		a := h.do(method, session("s")+path, body, edit...)
		wantStatus(t, a, status)
		if got := a.Header.Get("X-Asked"); got != asked+` origin="" cookie="" auth=true` {
			t.Errorf("the worker was asked %s", got)
		}
		if got := a.Header["Access-Control-Allow-Origin"]; len(got) != 1 || got[0] != "https://app.example" {
			t.Errorf("allowed origin %q", got)
		}
		if a.body != body {
			t.Errorf("body %q, want %q", a.body, body)
		}
		return a
	}
	a := f("POST", "/whep?takeover=true", "v=0", 201, "POST /whep?takeover=true", header("Content-Type", "application/sdp"))
	if got, want := a.Header.Get("Location"), "/arr"+session("s")+"/whep/peer-1"; got != want {
		t.Errorf("Location %s, want %s", got, want)
	}
	if got := a.Header.Get("Content-Type"); got != "application/sdp" {
		t.Errorf("Content-Type %s", got)
	}
	w.location = w.URL + "/whep/peer-2" // absolute
	if got, want := f("POST", "/whep", "v=0", 201, "POST /whep").Header.Get("Location"), "/arr"+session("s")+"/whep/peer-2"; got != want {
		t.Errorf("Location %s, want %s", got, want)
	}
	f("DELETE", "/whep/peer-2", "", 200, "DELETE /whep/peer-2")
	f("GET", "/inspector/status", "", 200, "GET /status")
	f("GET", "/inspector/snapshot?width=64&height=64", "", 200, "GET /snapshot?width=64&height=64")
	f("POST", "/inspector/load", `{"uri":"builtin://engine"}`, 200, "POST /load")
	f("GET", "/inspector/loads/a%20b", "", 200, "GET /loads/a%20b")
	f("GET", "/inspector/", "", 200, "GET /")
	f("GET", "/inspector/teapot", "", 418, "GET /teapot")

	w.location = "https://elsewhere.example/whep/1"
	wantError(t, h.do("POST", session("s")+"/whep", "v=0", viewer), 503, arr.CodeUnavailable, "The session's worker does not answer.")
	wantError(t, h.do("POST", session("s")+"/whep", strings.Repeat("x", maxBody+1), viewer), 400, arr.CodeBadRequest, "The request was malformed.")
	wantError(t, h.do("GET", session("s")+"/inspector/../log", ""), 404, arr.CodeNotFound, "")
}

func TestRelayRefuses(t *testing.T) {
	w := startWorker(t)
	h := start(t, func(c *Config) { c.WorkerTransport = w.transport(t) })
	put := func(id arr.SessionID, status arr.SessionStatus) {
		s := w.session(t, id)
		s.Status = status
		h.sessions.put(s)
	}
	put("starting", arr.StatusStarting)
	put("stopped", arr.StatusStopped)
	put("failed", arr.StatusError)
	put("ready", arr.StatusReady)
	for _, x := range []struct{ method, path string }{{"POST", "/whep"}, {"DELETE", "/whep/p"}, {"GET", "/inspector/status"}} {
		a := h.do(x.method, session("starting")+x.path, "")
		wantError(t, a, 503, arr.CodeUnavailable, "The session is starting.")
		if a.Header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
		}
		wantError(t, h.do(x.method, session("stopped")+x.path, ""), 410, arr.CodeSessionEnded, "The session has ended with status Stopped.")
		wantError(t, h.do(x.method, session("failed")+x.path, ""), 410, arr.CodeSessionEnded, "")
		wantError(t, h.do(x.method, session("unknown")+x.path, ""), 404, arr.CodeNotFound, "")
		wantError(t, h.do(x.method, session("a.b")+x.path, ""), 400, arr.CodeBadRequest, "")
		wantStatus(t, h.do(x.method, session("ready")+x.path, "", as("")), 401)
		wantStatus(t, h.do(x.method, session("ready")+x.path, "", as(h.token(token.Grant{Session: "stopped"}))), 403)
		wantStatus(t, h.do(x.method, session("ready")+x.path, "", as(h.token(token.Grant{Account: other, Role: token.RoleAdministrator}))), 403)
	}
	wantError(t, h.do("GET", session("ready")+"/whep", ""), 405, arr.CodeMethodNotAllowed, "")
}

func TestRelayToALostWorker(t *testing.T) {
	w := startWorker(t)
	h := start(t, func(c *Config) { c.WorkerTransport = w.transport(t) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := w.session(t, "s")
	s.InspectorPort = l.Addr().(*net.TCPAddr).Port
	l.Close() // nobody listens there now
	h.sessions.put(s)
	wantError(t, h.do("GET", session("s")+"/inspector/status", ""), 503, arr.CodeUnavailable, "The session's worker does not answer.")
	if !strings.Contains(h.log.String(), "worker does not answer") {
		t.Error("the cause is not in the log")
	}

	stranger := start(t, func(c *Config) { // a worker whose certificate the CA did not issue
		tr := NewWorkerTransport(x509.NewCertPool())
		t.Cleanup(tr.CloseIdleConnections)
		c.WorkerTransport = tr
	})
	stranger.sessions.put(w.session(t, "s"))
	wantError(t, stranger.do("GET", session("s")+"/inspector/status", ""), 503, arr.CodeUnavailable, "")
}
