// Package conformance is the black-box test of the REST contract. It knows a service by its URLs only, so it can judge any
// implementation; it uses no package of the control plane.
package conformance

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Target is the service to judge. Its account must be allowed everything.
type Target struct {
	Endpoint   string // origin of the REST API
	STS        string // origin of the token service
	AccountID  string
	AccountKey string
	Client     *http.Client // trusts the service's certificate; [http.DefaultClient]

	// Storage is a container, as a URI, that the service may read and write without a signature; [conversions are refused
	// and read only]. It holds Model, which can be converted, and Broken, of the same format, which cannot.
	Storage       string
	Model, Broken string
}

// Run judges the service. It leaves no session running.
func Run(t *testing.T, target Target) {
	s := &suite{Target: target}
	s.Client = cmp.Or(s.Client, http.DefaultClient)
	s.token = s.buyToken(t)
	t.Run("token service", s.tokenService)
	t.Run("examples", s.examples)
	t.Run("create", s.create)
	t.Run("create races", s.createRaces)
	t.Run("life", s.life)
	t.Run("lease 0 expires", s.expiry)
	t.Run("stop while starting", s.stopWhileStarting)
	t.Run("update", s.update)
	t.Run("list", s.list)
	t.Run("order of judgement", s.order)
	t.Run("versions and routes", s.routes)
	t.Run("conversions", s.conversions)
	t.Run("conversion extensions", s.conversionExtensions)
}

type suite struct {
	Target
	token string
}

const version = "api-version=2021-01-01"

// call is a request under construction.
type call struct {
	method, path, query, body string
	auth                      string // "" = the suite's token, "none" = none
	header                    map[string]string
}

// answer is a response with its body read.
type answer struct {
	*http.Response
	body []byte
}

var correlation = regexp.MustCompile(`^[A-Za-z0-9+/]{21}[AQgw]\.0$`)

// send sends c to the data plane and checks what every answer of it must have (contract section 3).
func (s *suite) send(t *testing.T, c call) answer {
	t.Helper()
	if c.auth == "" {
		c.auth = s.token
	}
	a := s.raw(t, s.Endpoint, c)
	if got := a.Header.Get("api-supported-versions"); !strings.Contains(got, "2021-01-01") {
		t.Errorf("%s %s: api-supported-versions %q", c.method, c.path, got)
	}
	cache, pragma := a.Header.Get("Cache-Control"), a.Header.Get("Pragma")
	read := c.method == http.MethodGet && a.StatusCode == http.StatusOK
	if noStore := cache == "no-store,no-cache" && pragma == "no-cache"; noStore != read {
		t.Errorf("%s %s answers %d with Cache-Control %q, Pragma %q", c.method, c.path, a.StatusCode, cache, pragma)
	}
	// Only the error of a conversion is null, and always there (contract sections 5 and 8.7).
	if text := strings.ReplaceAll(string(a.body), `"error":null,"status":`, ""); strings.Contains(text, "null") {
		t.Errorf("%s %s: an explicit null: %s", c.method, c.path, a.body)
	}
	return a
}

// raw sends c to origin and checks what every answer must have.
func (s *suite) raw(t *testing.T, origin string, c call) answer {
	t.Helper()
	target := origin + c.path
	if c.query != "" {
		target += "?" + c.query
	}
	req, err := http.NewRequestWithContext(t.Context(), c.method, target, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	if c.auth != "none" {
		req.Header.Set("Authorization", "Bearer "+c.auth)
	}
	if c.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range c.header {
		req.Header.Set(name, value)
	}
	resp, err := s.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{resp, body}
	if cv := a.Header.Get("MS-CV"); !correlation.MatchString(cv) {
		t.Errorf("%s %s: MS-CV %q", c.method, c.path, cv)
	}
	if got := a.Header.Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("%s %s: X-Content-Type-Options %q", c.method, c.path, got)
	}
	if len(body) > 0 && a.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("%s %s: Content-Type %q", c.method, c.path, a.Header.Get("Content-Type"))
	}
	if got := a.Header.Get("Content-Length"); a.StatusCode != http.StatusNoContent && got != strconv.Itoa(len(body)) {
		t.Errorf("%s %s: Content-Length %q for %d bytes", c.method, c.path, got, len(body))
	}
	return a
}

func (s *suite) session(id string) string { return "/accounts/" + s.AccountID + "/sessions/" + id }

// put, get, patch and stop act on a session.
func (s *suite) put(t *testing.T, id, body string) answer {
	t.Helper()
	return s.send(t, call{method: "PUT", path: s.session(id), query: version, body: body})
}

func (s *suite) get(t *testing.T, id string) answer {
	t.Helper()
	return s.send(t, call{method: "GET", path: s.session(id), query: version})
}

func (s *suite) patch(t *testing.T, id, body string) answer {
	t.Helper()
	return s.send(t, call{method: "PATCH", path: s.session(id), query: version, body: body})
}

func (s *suite) stop(t *testing.T, id string) answer {
	t.Helper()
	return s.send(t, call{method: "POST", path: s.session(id) + "/:stop", query: version})
}

// unusedName returns an id that nobody has used.
func (s *suite) unusedName() string { return "conformance-" + rand.Text() }

// name returns a session id that nobody has used, and has it stopped at the end of the test.
func (s *suite) name(t *testing.T) string {
	id := s.unusedName()
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context()) // which has ended
		req, err := http.NewRequestWithContext(ctx, "POST", s.Endpoint+s.session(id)+"/:stop?"+version, http.NoBody)
		if err != nil {
			t.Error(err)
			return
		}
		req.Header.Set("Authorization", "Bearer "+s.token)
		resp, err := s.Client.Do(req)
		if err != nil {
			t.Errorf("clean up %s: %v", id, err)
			return
		}
		_ = resp.Body.Close()
	})
	return id
}

// properties is a session as the contract shows it. Pointers tell absent members from zeros.
type properties struct {
	ID           string   `json:"id"`
	CreationTime string   `json:"creationTime"`
	Inspector    *int     `json:"arrInspectorPort"`
	Handshake    *int     `json:"handshakePort"`
	Elapsed      *int     `json:"elapsedTimeMinutes"`
	Hostname     *string  `json:"hostname"`
	Lease        *int     `json:"maxLeaseTimeMinutes"`
	Size         string   `json:"size"`
	Status       string   `json:"status"`
	Teraflops    *float64 `json:"teraflops"`
	Error        *problem `json:"error"`
}

type problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// sessionOf decodes a session and checks that its members fit its status (contract section 4, "Object").
func sessionOf(t *testing.T, a answer, status int) properties {
	t.Helper()
	var p properties
	wantStatus(t, a, status)
	decode(t, a.body, &p)
	p.check(t)
	return p
}

func (p *properties) check(t *testing.T) {
	t.Helper()
	if _, err := time.Parse("2006-01-02T15:04:05.9999999+00:00", p.CreationTime); err != nil || len(p.CreationTime) > 33 {
		t.Errorf("creationTime %q", p.CreationTime)
	}
	if p.Elapsed == nil || *p.Elapsed < 0 || p.Lease == nil {
		t.Errorf("elapsed %v, lease %v", p.Elapsed, p.Lease)
	}
	if p.Size != "Standard" && p.Size != "Premium" {
		t.Errorf("size %q", p.Size)
	}
	ready := p.Status == "Ready"
	if ready != (p.Hostname != nil) || ready != (p.Handshake != nil) || ready != (p.Inspector != nil) {
		t.Errorf("%s with host %v, ports %v and %v", p.Status, p.Hostname, p.Handshake, p.Inspector)
	}
	if ready {
		for _, port := range []int{*p.Handshake, *p.Inspector} {
			if port < 49152 || port > 65534 {
				t.Errorf("port %d", port)
			}
		}
		if *p.Handshake == *p.Inspector || *p.Hostname == "" || strings.ContainsAny(*p.Hostname, ":/") {
			t.Errorf("host %q, ports %d and %d", *p.Hostname, *p.Handshake, *p.Inspector)
		}
		if p.Teraflops == nil || *p.Teraflops <= 0 {
			t.Errorf("teraflops %v", p.Teraflops)
		}
	}
	if p.Status == "Starting" && (p.Teraflops != nil || *p.Elapsed != 0) {
		t.Errorf("Starting with teraflops %v, elapsed %d", p.Teraflops, *p.Elapsed)
	}
	if (p.Status == "Error") != (p.Error != nil) {
		t.Errorf("%s with error %v", p.Status, p.Error)
	}
}

// await reads a session until it has the status; it must not end otherwise.
func (s *suite) await(t *testing.T, id, status string) properties {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		p := sessionOf(t, s.get(t, id), http.StatusOK)
		if p.Status == status {
			return p
		}
		if p.Status != "Starting" && p.Status != "Ready" {
			t.Fatalf("session %s is %s, not %s: %+v", id, p.Status, status, p.Error)
		}
		select {
		case <-poll.C:
		case <-deadline.C:
			t.Fatalf("session %s is still %s, not %s", id, p.Status, status)
		}
	}
}

func wantStatus(t *testing.T, a answer, status int) {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("%s %s: status %d, want %d: %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, status, a.body)
	}
}

// wantError checks status and error body; message "" = any.
func wantError(t *testing.T, a answer, status int, code, message string) {
	t.Helper()
	wantStatus(t, a, status)
	var body struct{ Error problem }
	decode(t, a.body, &body)
	if body.Error.Code != code || body.Error.Message == "" || message != "" && body.Error.Message != message {
		t.Errorf("%s %s: error %+v, want %s %q", a.Request.Method, a.Request.URL.Path, body.Error, code, message)
	}
}

func wantUnauthorized(t *testing.T, a answer) {
	t.Helper()
	wantStatus(t, a, http.StatusUnauthorized)
	if len(a.body) != 0 || a.Header.Get("WWW-Authenticate") != `Bearer error="invalid_token"` {
		t.Errorf("401 with body %q, WWW-Authenticate %q", a.body, a.Header.Get("WWW-Authenticate"))
	}
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func settings(minutes int, size string) string {
	return fmt.Sprintf(`{"maxLeaseTimeMinutes":%d,"size":%q}`, minutes, size)
}
