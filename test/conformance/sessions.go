package conformance

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

const otherAccount = "30ea64bd-100f-4bf0-adc9-29fa45d4880c" // of the published examples

// create checks the table of PUT.
func (s *suite) create(t *testing.T) {
	id := s.name(t)
	p := sessionOf(t, s.put(t, id, settings(4, "Standard")), http.StatusCreated)
	if p.ID != id || *p.Lease != 4 || p.Size != "Standard" || p.Status != "Starting" {
		t.Errorf("new session %+v", p)
	}
	if again := sessionOf(t, s.put(t, id, settings(4, "standard")), http.StatusOK); again.CreationTime != p.CreationTime {
		t.Errorf("the repeated request made another session: %+v", again)
	}
	const taken = "A resource already exists under the given ID."
	wantError(t, s.put(t, id, settings(5, "Standard")), 409, "Conflict", taken)
	wantError(t, s.put(t, id, settings(4, "Premium")), 409, "Conflict", taken)

	refused := s.name(t)
	f := func(body, message string) {
		t.Helper()
		wantError(t, s.put(t, refused, body), 400, "BadRequest", message)
	}
	const malformed = "The request was malformed."
	f(settings(-4, "Standard"), "The maxLeaseTimeMinutes value cannot be negative.")
	f(settings(1441, "Standard"), "")
	f(settings(4, "Tiny"), "Can't specify this VM size: Tiny")
	f(`{"size":"Standard"}`, malformed)
	f(`{"maxLeaseTimeMinutes":4}`, malformed)
	f(`{"maxLeaseTimeMinutes":"4","size":"Standard"}`, malformed)
	f(`{"maxLeaseTimeMinutes":4,"size":7}`, malformed)
	f(`{"maxLeaseTimeMinutes":4,"size":"Standard"`, malformed)
	f(`[]`, malformed)
	wantError(t, s.get(t, refused), 404, "NotFound", "")

	for _, bad := range []string{"a.b", "a%2Fb", "%C3%A4", strings.Repeat("x", 257)} {
		wantError(t, s.put(t, bad, settings(4, "Standard")), 400, "BadRequest", "")
	}
	extra := s.name(t)
	p = sessionOf(t, s.put(t, extra, `{"maxLeaseTimeMinutes":4,"size":"premium","region":{"any":1},"SIZE":"Tiny"}`), 201)
	if p.Size != "Premium" {
		t.Errorf("size %q", p.Size)
	}
}

// createRaces: of concurrent identical requests one is 201, the others 200 (contract section 8.9).
func (s *suite) createRaces(t *testing.T) {
	id := s.name(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var codes []int
	for range 12 {
		wg.Go(func() {
			a := s.put(t, id, settings(4, "Standard"))
			mu.Lock()
			defer mu.Unlock()
			codes = append(codes, a.StatusCode)
		})
	}
	wg.Wait()
	slices.Sort(codes)
	if codes[len(codes)-1] != 201 || slices.ContainsFunc(codes[:len(codes)-1], func(c int) bool { return c != 200 }) {
		t.Errorf("statuses %v", codes)
	}
}

// life follows a session from its creation to after its end.
func (s *suite) life(t *testing.T) {
	id := s.name(t)
	sessionOf(t, s.put(t, id, settings(20, "Standard")), 201)
	sessionOf(t, s.get(t, id), 200) // readable at once: every SDK polls immediately
	ready := s.await(t, id, "Ready")
	if sessionOf(t, s.put(t, id, settings(20, "Standard")), 200).Status != "Ready" {
		t.Error("the repeated request does not show the present status")
	}
	for range 2 { // the second stop changes nothing
		a := s.stop(t, id)
		wantStatus(t, a, 204)
		for _, name := range []string{"Content-Type", "Content-Length"} {
			if _, ok := a.Header[name]; ok {
				t.Errorf("a 204 with %s %q", name, a.Header.Get(name))
			}
		}
	}
	stopped := sessionOf(t, s.get(t, id), 200)
	if stopped.Status != "Stopped" || stopped.Teraflops == nil || *stopped.Teraflops != *ready.Teraflops || *stopped.Lease != 20 {
		t.Errorf("after the stop %+v", stopped)
	}
	if again := sessionOf(t, s.put(t, id, settings(20, "Standard")), 200); again.Status != "Stopped" {
		t.Errorf("a PUT revived the session: %+v", again)
	}
	wantError(t, s.patch(t, id, `{"maxLeaseTimeMinutes":30}`), 422, "UnprocessableEntity", "")
	wantError(t, s.stop(t, "unknown-"+id), 404, "NotFound", "")
	wantError(t, s.get(t, strings.ToLower(id)), 404, "NotFound", "") // ids are case-sensitive
}

func (s *suite) expiry(t *testing.T) {
	id := s.name(t)
	sessionOf(t, s.put(t, id, settings(0, "Standard")), 201)
	if p := s.await(t, id, "Expired"); *p.Lease != 0 || *p.Elapsed != 0 || p.Teraflops == nil {
		t.Errorf("expired %+v", p)
	}
	wantStatus(t, s.stop(t, id), 204)
	if p := sessionOf(t, s.get(t, id), 200); p.Status != "Expired" {
		t.Errorf("a stop changed the status to %s", p.Status)
	}
}

// stopWhileStarting is what the poller's cancel does in the JavaScript SDK. Scripts send a content type without a body.
func (s *suite) stopWhileStarting(t *testing.T) {
	id := s.name(t)
	sessionOf(t, s.put(t, id, settings(4, "Standard")), 201)
	a := s.send(t, call{method: "POST", path: s.session(id) + "/:stop", query: version,
		header: map[string]string{"Content-Type": "application/json", "Accept": "*/*"}})
	wantStatus(t, a, 204)
	if p := sessionOf(t, s.get(t, id), 200); p.Status != "Stopped" {
		t.Errorf("status %s right after the stop", p.Status)
	}
}

// update checks the table of PATCH.
func (s *suite) update(t *testing.T) {
	id := s.name(t)
	sessionOf(t, s.put(t, id, settings(5, "Standard")), 201)
	if p := sessionOf(t, s.patch(t, id, `{"maxLeaseTimeMinutes":20}`), 200); *p.Lease != 20 { // also while Starting
		t.Errorf("lease %d", *p.Lease)
	}
	if p := s.await(t, id, "Ready"); *p.Lease != 20 {
		t.Errorf("lease %d when Ready", *p.Lease)
	}
	for _, body := range []string{
		`{"maxLeaseTimeMinutes":20}`, `{"maxLeaseTimeMinutes":19}`, `{"maxLeaseTimeMinutes":-1}`, `{"maxLeaseTimeMinutes":1441}`,
		`{"maxLeaseTimeMinutes":"30"}`, `{}`, `{`,
	} {
		wantError(t, s.patch(t, id, body), 422, "UnprocessableEntity", "")
	}
	if p := sessionOf(t, s.patch(t, id, `{"maxLeaseTimeMinutes":21}`), 200); *p.Lease != 21 || p.Status != "Ready" {
		t.Errorf("extended to %+v", p)
	}
	// A PUT repeated after the PATCH is the same request, and does not shorten the lease.
	if p := sessionOf(t, s.put(t, id, settings(5, "Standard")), 200); *p.Lease != 21 {
		t.Errorf("a repeated PUT left a lease of %d", *p.Lease)
	}
	wantError(t, s.patch(t, "unknown-"+id, `{"maxLeaseTimeMinutes":20}`), 404, "NotFound", "")
}

// list: entries equal what GET shows; ended sessions are not listed.
func (s *suite) list(t *testing.T) {
	kept, stopped := s.name(t), s.name(t)
	sessionOf(t, s.put(t, kept, settings(5, "Standard")), 201)
	sessionOf(t, s.put(t, stopped, settings(5, "Standard")), 201)
	s.await(t, kept, "Ready")
	sessionOf(t, s.patch(t, kept, `{"maxLeaseTimeMinutes":7}`), 200)
	if _, ok := s.sessions(t)[stopped]; !ok {
		t.Error("a live session is not listed")
	}
	wantStatus(t, s.stop(t, stopped), 204)
	all := s.sessions(t)
	if _, ok := all[stopped]; ok {
		t.Error("a stopped session is listed")
	}
	entry, ok := all[kept]
	if !ok {
		t.Fatal("a ready session is not listed")
	}
	entry.check(t)
	p := sessionOf(t, s.get(t, kept), 200)
	if *entry.Lease != 7 || entry.Status != "Ready" || *entry.Hostname != *p.Hostname || *entry.Handshake != *p.Handshake {
		t.Errorf("listed as %+v, read as %+v", entry, p)
	}
}

// sessions reads every page of the list.
func (s *suite) sessions(t *testing.T) map[string]properties {
	t.Helper()
	all := map[string]properties{}
	path, query := "/accounts/"+s.AccountID+"/sessions", version
	for {
		a := s.send(t, call{method: "GET", path: path, query: query})
		wantStatus(t, a, 200)
		var page struct {
			Sessions *[]properties `json:"sessions"`
			Next     string        `json:"@nextLink"`
		}
		decode(t, a.body, &page)
		if page.Sessions == nil {
			t.Fatalf("no list: %s", a.body)
		}
		for _, p := range *page.Sessions {
			if _, twice := all[p.ID]; twice {
				t.Errorf("%s is listed twice", p.ID)
			}
			if p.Status != "Starting" && p.Status != "Ready" {
				t.Errorf("a session in status %s is listed", p.Status)
			}
			all[p.ID] = p
		}
		if page.Next == "" {
			return all
		}
		rest, ok := strings.CutPrefix(page.Next, s.Endpoint)
		if !ok || !strings.Contains(rest, "api-version=") {
			t.Fatalf("next link %q", page.Next)
		}
		path, query, _ = strings.Cut(rest, "?")
	}
}

// order: 401 before form before existence, 403 for another account's path (contract section 8.13).
func (s *suite) order(t *testing.T) {
	foreign := "/accounts/" + otherAccount + "/sessions/x"
	for _, c := range []call{
		{method: "PUT", path: s.session("x"), body: `{"maxLeaseTimeMinutes":-1}`},
		{method: "PUT", path: s.session("a.b"), query: version, body: `{`},
		{method: "GET", path: s.session("unknown"), query: version},
		{method: "PATCH", path: s.session("unknown"), query: version, body: `{`},
		{method: "POST", path: s.session("unknown") + "/:stop", query: version},
		{method: "GET", path: "/accounts/" + s.AccountID + "/sessions"},
		{method: "GET", path: foreign, query: version},
		{method: "PUT", path: s.conversion("x"), body: `{`},
		{method: "GET", path: s.conversion("unknown"), query: version},
		{method: "GET", path: "/accounts/" + s.AccountID + "/conversions"},
	} {
		for _, auth := range []string{"none", "x", s.token + "x", s.AccountID + ":" + s.AccountKey} {
			c.auth = auth
			wantUnauthorized(t, s.send(t, c))
		}
	}
	for _, c := range []call{
		{method: "PUT", path: foreign, query: version, body: `{`},
		{method: "GET", path: foreign},
		{method: "PATCH", path: foreign, query: version, body: `{"maxLeaseTimeMinutes":9}`},
		{method: "POST", path: foreign + "/:stop", query: version},
		{method: "GET", path: "/accounts/" + otherAccount + "/sessions", query: version},
		{method: "PUT", path: strings.Replace(s.conversion("x"), s.AccountID, otherAccount, 1), query: version, body: `{`},
		{method: "GET", path: "/accounts/" + otherAccount + "/conversions", query: version},
	} {
		wantError(t, s.send(t, c), 403, "Forbidden", "")
	}
	id := s.name(t)
	sessionOf(t, s.put(t, id, settings(4, "Standard")), 201)
	upper := strings.Replace(s.session(id), s.AccountID, strings.ToUpper(s.AccountID), 1)
	wantStatus(t, s.send(t, call{method: "GET", path: upper, query: version}), 200) // account ids are GUIDs
}

func (s *suite) routes(t *testing.T) {
	wantStatus(t, s.send(t, call{method: "GET", path: "/accounts/" + s.AccountID + "/sessions", query: "api-version=2021-01-01-preview"}), 200)
	for _, query := range []string{"", "api-version=", "api-version=2020-01-01"} {
		wantStatus(t, s.send(t, call{method: "GET", path: s.session("unknown"), query: query}), 400)
	}
	wantError(t, s.send(t, call{method: "PUT", path: "/accounts/" + s.AccountID + "/nothing", query: version}), 404, "NotFound", "")
	a := s.send(t, call{method: "DELETE", path: s.session("x"), query: version})
	wantError(t, a, 405, "MethodNotAllowed", "")
	if !strings.Contains(a.Header.Get("Allow"), "PATCH") {
		t.Errorf("Allow %q", a.Header.Get("Allow"))
	}
}
