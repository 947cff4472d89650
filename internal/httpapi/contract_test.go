package httpapi

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/token"
)

var correlationPattern = regexp.MustCompile(`^[A-Za-z0-9+/]{21}[AQgw]\.0$`)

func TestCorrelationVectorIsAFreshGUID(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		cv := newCorrelation()
		if seen[cv] {
			t.Fatalf("%s twice", cv)
		}
		seen[cv] = true
		b, err := base64.RawStdEncoding.DecodeString(strings.TrimSuffix(cv, ".0"))
		if err != nil || len(b) != 16 || b[7]>>4 != 4 || b[8]>>6 != 2 { // .NET stores the third group little-endian
			t.Fatalf("%s is no version 4 GUID: %x, %v", cv, b, err)
		}
	}
}

// net/http's clients canonicalise names, so this reads the wire itself.
func TestHeaderNamesOnTheWire(t *testing.T) {
	h := start(t, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", session("s"), version, h.token(token.Grant{Role: token.RoleClient}))
	names := map[string]bool{}
	for scan := bufio.NewScanner(conn); scan.Scan() && scan.Text() != ""; {
		name, _, _ := strings.Cut(scan.Text(), ":")
		names[name] = true
	}
	for _, want := range []string{"MS-CV", "api-supported-versions", "Date", "Content-Length", "X-Content-Type-Options"} {
		if !names[want] {
			t.Errorf("no header %q in %v", want, names)
		}
	}
}

func TestCreateSession(t *testing.T) {
	h := start(t, nil)
	const body = `{"maxLeaseTimeMinutes":4,"size":"Standard"}`
	a := h.do("PUT", session("s")+version, body)
	wantStatus(t, a, 201)
	want := fmt.Sprintf(`{"id":"s","creationTime":%q,"elapsedTimeMinutes":0,"maxLeaseTimeMinutes":4,"size":"Standard","status":"Starting"}`,
		h.sessions.all[0].CreatedAt.UTC().Format(sessionTime))
	if diff := cmp.Diff(want+"\n", a.body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{
		"Content-Type": jsonType, "Content-Length": fmt.Sprint(len(a.body)), "Api-Supported-Versions": "2021-01-01-preview, 2021-01-01",
		"Cache-Control": "", "Pragma": "", "Location": "", "Retry-After": "",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	again := h.do("PUT", session("s")+version, body)
	wantStatus(t, again, 200)
	if again.body != a.body {
		t.Errorf("the repeated request answers %s", again.body)
	}
	wantError(t, h.do("PUT", session("s")+version, `{"maxLeaseTimeMinutes":5,"size":"Standard"}`), 409, arr.CodeConflict,
		"A resource already exists under the given ID.")
	wantStatus(t, h.do("PUT", session("S")+version, body), 201) // ids are case-sensitive
}

func TestCreateSessionAccepts(t *testing.T) {
	h := start(t, nil)
	n := 0
	f := func(body string, size arr.Size, minutes int, edit ...func(*http.Request)) {
		t.Helper()
		n++
		a := h.do("PUT", session(fmt.Sprint("s", n))+version, body, edit...)
		wantStatus(t, a, 201)
		if s := h.sessions.all[len(h.sessions.all)-1]; s.Size != size || s.LeaseMinutes != minutes {
			t.Errorf("%s made %s for %d minutes", body, s.Size, s.LeaseMinutes)
		}
	}
	f(`{"maxLeaseTimeMinutes":0,"size":"Standard"}`, arr.SizeStandard, 0)
	f(`{"maxLeaseTimeMinutes":1440,"size":"Premium"}`, arr.SizePremium, 1440)
	f(`{"size":"standard","maxLeaseTimeMinutes":60}`, arr.SizeStandard, 60)
	f(`{"size":"PREMIUM","maxLeaseTimeMinutes":60}`, arr.SizePremium, 60)
	f(`{"size":"Standard","maxLeaseTimeMinutes":60,"region":"here","more":{"a":[1]}}`, arr.SizeStandard, 60)
	f(`{"size":"Standard","SIZE":"Premium","maxLeaseTimeMinutes":60,"maxleasetimeminutes":7}`, arr.SizeStandard, 60)
	f(`{"size":"Standard","maxLeaseTimeMinutes":60}`, arr.SizeStandard, 60, header("Content-Type", "application/json; charset=utf-8"))
	f(` { "size" : "Standard" , "maxLeaseTimeMinutes" : 60 } `+"\n", arr.SizeStandard, 60)
}

func TestCreateSessionRefuses(t *testing.T) {
	h := start(t, nil)
	f := func(body, message string, edit ...func(*http.Request)) {
		t.Helper()
		wantError(t, h.do("PUT", session("s")+version, body, edit...), 400, arr.CodeBadRequest, message)
	}
	const malformed = "The request was malformed."
	f(`{"maxLeaseTimeMinutes":-1,"size":"Standard"}`, "The maxLeaseTimeMinutes value cannot be negative.")
	f(`{"maxLeaseTimeMinutes":1441,"size":"Standard"}`, "The maxLeaseTimeMinutes value must be between 0 and 1440.")
	f(`{"maxLeaseTimeMinutes":5,"size":"Tiny"}`, "Can't specify this VM size: Tiny")
	f(`{"maxLeaseTimeMinutes":5,"size":""}`, "Can't specify this VM size: ")
	f(`{"maxLeaseTimeMinutes":5}`, malformed)
	f(`{"size":"Standard"}`, malformed)
	f(`{"maxLeaseTimeMinutes":"5","size":"Standard"}`, malformed)
	f(`{"maxLeaseTimeMinutes":5.5,"size":"Standard"}`, malformed)
	f(`{"maxLeaseTimeMinutes":1e30,"size":"Standard"}`, malformed)
	f(`{"maxLeaseTimeMinutes":99999999999999999999,"size":"Standard"}`, malformed)
	f(`{"maxLeaseTimeMinutes":null,"size":"Standard"}`, malformed)
	f(`{"maxLeaseTimeMinutes":5,"size":7}`, malformed)
	f(`{"maxLeaseTimeMinutes":5,"Size":"Standard"}`, malformed)
	f(`{"maxLeaseTimeMinutes":5,"size":"Standard"} x`, malformed)
	f(`{"maxLeaseTimeMinutes":5,"size":"Standard"`, malformed)
	f(`[]`, malformed)
	f(`null`, malformed)
	f(`"x"`, malformed)
	f(``, malformed, header("Content-Type", "application/json"))
	f(strings.Repeat(" ", maxBody)+`{}`, malformed)
	f(`maxLeaseTimeMinutes=5&size=Standard`, malformed, header("Content-Type", "application/x-www-form-urlencoded"))
	f(`{"maxLeaseTimeMinutes":5,"size":"Standard"}`, malformed, header("Content-Type", "text/plain"))
	if len(h.sessions.all) != 0 {
		t.Errorf("made %v", h.sessions.all)
	}
}

// The recorded answer of the original service, byte for byte.
func TestErrorBody(t *testing.T) {
	h := start(t, nil)
	a := h.do("PUT", session("s")+version, `{"maxLeaseTimeMinutes":-4,"size":"Standard"}`)
	const want = `{"error":{"code":"BadRequest","message":"The maxLeaseTimeMinutes value cannot be negative."}}`
	if a.body != want || a.ContentLength != 93 {
		t.Errorf("%d bytes: %s", a.ContentLength, a.body)
	}
	if a.Header.Get("Cache-Control") != "" || a.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("headers %v", a.Header)
	}
}

func TestIDs(t *testing.T) {
	h := start(t, nil)
	const body = `{"maxLeaseTimeMinutes":4,"size":"Standard"}`
	f := func(id string, status int) {
		t.Helper()
		wantStatus(t, h.do("PUT", session(id)+version, body), status)
	}
	f("A-z_0-9", 201)
	f(strings.Repeat("a", 256), 201)
	f(strings.Repeat("a", 257), 400)
	f("a%2Fb", 400)
	f("a%20b", 400)
	f("a.b", 400)
	f("%C3%A4", 400)
	f("%2e%2e", 400)
	f("%2E", 400)
	wantError(t, h.do("GET", session("a.b")+version, ""), 400, arr.CodeBadRequest, "")
	wantError(t, h.do("PATCH", session("a.b")+version, `{"maxLeaseTimeMinutes":9}`), 400, arr.CodeBadRequest, "")
	wantError(t, h.do("POST", session("a.b")+"/:stop"+version, ""), 400, arr.CodeBadRequest, "")
}

func TestGetSession(t *testing.T) {
	h := start(t, nil)
	now := time.Now()
	base := arr.Session{
		Key: arr.SessionKey{Account: account, ID: "s"}, Size: arr.SizePremium, Status: arr.StatusReady,
		CreatedAt: time.Date(2021, 5, 14, 15, 56, 19, 782603899, time.FixedZone("", 2*3600)),
		ReadyAt:   now.Add(-3*time.Minute - 30*time.Second), LeaseMinutes: 20, RequestedLeaseMinutes: 5,
		Hostname: "worker.example", HandshakePort: 50051, InspectorPort: 50052, Teraflops: 0.41249,
	}
	f := func(edit func(*arr.Session), want string) {
		t.Helper()
		s := base
		edit(&s)
		h.sessions.all = []arr.Session{s}
		a := h.do("GET", session("s")+version, "")
		wantStatus(t, a, 200)
		if diff := cmp.Diff(want, strings.TrimSpace(a.body)); diff != "" {
			t.Errorf("body (-want +got):\n%s", diff)
		}
		for name, want := range map[string]string{"Cache-Control": "no-store,no-cache", "Pragma": "no-cache", "Content-Type": jsonType} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
	f(func(*arr.Session) {}, `{"id":"s","creationTime":"2021-05-14T13:56:19.7826038+00:00","arrInspectorPort":50052,"handshakePort":50051,`+
		`"elapsedTimeMinutes":3,"hostname":"worker.example","maxLeaseTimeMinutes":20,"size":"Premium","status":"Ready","teraflops":0.412}`)
	ended := func(status arr.SessionStatus) func(*arr.Session) {
		return func(s *arr.Session) { s.Status, s.EndedAt = status, s.ReadyAt.Add(2*time.Minute) }
	}
	for _, status := range []arr.SessionStatus{arr.StatusStopped, arr.StatusExpired} {
		f(ended(status), `{"id":"s","creationTime":"2021-05-14T13:56:19.7826038+00:00","elapsedTimeMinutes":2,"maxLeaseTimeMinutes":20,`+
			`"size":"Premium","status":"`+string(status)+`","teraflops":0.412}`)
	}
	f(func(s *arr.Session) {
		ended(arr.StatusError)(s)
		s.Error = arr.Errorf(arr.CodeWorkerLost, "The worker crashed.")
	}, `{"id":"s","creationTime":"2021-05-14T13:56:19.7826038+00:00","elapsedTimeMinutes":2,"maxLeaseTimeMinutes":20,`+
		`"size":"Premium","status":"Error","teraflops":0.412,"error":{"code":"WorkerLost","message":"The worker crashed."}}`)
	f(func(s *arr.Session) {
		*s = arr.Session{Key: s.Key, Size: arr.SizeStandard, Status: arr.StatusStarting, CreatedAt: time.Unix(0, 0), LeaseMinutes: 4}
	}, `{"id":"s","creationTime":"1970-01-01T00:00:00+00:00","elapsedTimeMinutes":0,"maxLeaseTimeMinutes":4,"size":"Standard","status":"Starting"}`)

	wantError(t, h.do("GET", session("unknown")+version, ""), 404, arr.CodeNotFound, "")
	wantError(t, h.do("GET", session("S")+version, ""), 404, arr.CodeNotFound, "")
}

func TestUpdateSession(t *testing.T) {
	h := start(t, nil)
	wantStatus(t, h.do("PUT", session("s")+version, `{"maxLeaseTimeMinutes":5,"size":"Standard"}`), 201)
	a := h.do("PATCH", session("s")+version, `{"maxLeaseTimeMinutes":20}`)
	wantStatus(t, a, 200)
	if !strings.Contains(a.body, `"maxLeaseTimeMinutes":20,"size":"Standard","status":"Starting"`) {
		t.Errorf("body %s", a.body)
	}
	if a.Header.Get("Cache-Control") != "" {
		t.Errorf("Cache-Control %q", a.Header.Get("Cache-Control"))
	}
	f := func(id, body string, status int, code arr.Code, message string) {
		t.Helper()
		wantError(t, h.do("PATCH", session(id)+version, body), status, code, message)
	}
	f("s", `{"maxLeaseTimeMinutes":20}`, 422, arr.CodeUnprocessableEntity, "")
	f("s", `{"maxLeaseTimeMinutes":-1}`, 422, arr.CodeUnprocessableEntity, "")
	f("s", `{"maxLeaseTimeMinutes":"21"}`, 422, arr.CodeUnprocessableEntity, "The request was malformed.")
	f("s", `{}`, 422, arr.CodeUnprocessableEntity, "The request was malformed.")
	f("s", `{`, 422, arr.CodeUnprocessableEntity, "The request was malformed.")
	f("unknown", `{"maxLeaseTimeMinutes":20}`, 404, arr.CodeNotFound, "")
	f("unknown", `{}`, 422, arr.CodeUnprocessableEntity, "The request was malformed.") // form before existence
	// A PUT repeated after the PATCH is still the same request.
	wantStatus(t, h.do("PUT", session("s")+version, `{"maxLeaseTimeMinutes":5,"size":"Standard"}`), 200)
}

func TestStopSession(t *testing.T) {
	h := start(t, nil)
	wantStatus(t, h.do("PUT", session("s")+version, `{"maxLeaseTimeMinutes":5,"size":"Standard"}`), 201)
	for _, path := range []string{"/:stop", "/:stop", "/%3Astop"} {
		a := h.do("POST", session("s")+path+version, "", header("Content-Type", "application/json"), header("Accept", "*/*"))
		wantStatus(t, a, 204)
		for _, name := range []string{"Content-Type", "Content-Length", "Transfer-Encoding"} {
			if v, ok := a.Header[name]; ok {
				t.Errorf("a 204 with %s %q", name, v)
			}
		}
		if a.body != "" {
			t.Errorf("body %q", a.body)
		}
	}
	if a := h.do("GET", session("s")+version, ""); !strings.Contains(a.body, `"status":"Stopped"`) {
		t.Errorf("after the stop: %s", a.body)
	}
	wantError(t, h.do("POST", session("unknown")+"/:stop"+version, ""), 404, arr.CodeNotFound, "")
	wantError(t, h.do("POST", session("s")+"/stop"+version, ""), 404, arr.CodeNotFound, "")
}

func TestListSessions(t *testing.T) {
	h := start(t, func(c *Config) { c.PageSize = 2 })
	list := "/accounts/" + string(account) + "/sessions"
	if a := h.do("GET", list+version, ""); strings.TrimSpace(a.body) != `{"sessions":[]}` {
		t.Errorf("an empty list: %s", a.body)
	}
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		wantStatus(t, h.do("PUT", session(id)+version, `{"maxLeaseTimeMinutes":5,"size":"Standard"}`), 201)
	}
	wantStatus(t, h.do("POST", session("b")+"/:stop"+version, ""), 204)
	h.sessions.put(arr.Session{Key: arr.SessionKey{Account: other, ID: "x"}, Status: arr.StatusReady})

	var ids []string
	pages := 0
	for next := h.url + list + "?api-version=2021-01-01-preview"; next != ""; pages++ {
		u, err := url.Parse(next)
		if err != nil || !u.IsAbs() || !strings.HasPrefix(next, h.url) || u.Query().Get("api-version") != "2021-01-01-preview" {
			t.Fatalf("next link %q, %v", next, err)
		}
		a := h.do("GET", u.RequestURI(), "")
		var page struct {
			Sessions []struct{ ID string }
			Next     string `json:"@nextLink"`
		}
		if err := json.Unmarshal([]byte(a.body), &page); err != nil {
			t.Fatalf("%s: %v", a.body, err)
		}
		for _, s := range page.Sessions {
			ids = append(ids, s.ID)
		}
		next = page.Next
	}
	if diff := cmp.Diff([]string{"a", "c", "d", "e"}, ids); diff != "" || pages != 2 {
		t.Errorf("%d pages (-want +got):\n%s", pages, diff)
	}
	wantError(t, h.do("GET", list+version+"&after=nonsense", ""), 400, arr.CodeBadRequest, "")
	entry, _, _ := strings.Cut(strings.TrimPrefix(h.do("GET", list+version, "").body, `{"sessions":[`), "},{")
	if got := strings.TrimSpace(h.do("GET", session("a")+version, "").body); got != entry+"}" {
		t.Errorf("the entry %s differs from the session %s", entry, got)
	}
}

func TestNextLinkHasTheExternalOrigin(t *testing.T) {
	h := start(t, func(c *Config) { c.PageSize, c.ExternalURL = 1, "https://render.example.com/arr/" })
	for _, id := range []string{"a", "b"} {
		wantStatus(t, h.do("PUT", session(id)+version, `{"maxLeaseTimeMinutes":5,"size":"Standard"}`), 201)
	}
	a := h.do("GET", "/accounts/"+strings.ToUpper(string(account))+"/sessions"+version, "")
	want := `"@nextLink":"https://render.example.com/arr/accounts/` + string(account) + `/sessions?after=a\u0026api-version=2021-01-01"`
	if !strings.Contains(a.body, want) {
		t.Errorf("body %s", a.body)
	}
}

// 401 before form before existence; 403 for another account's path (contract section 8.13).
func TestOrderOfJudgement(t *testing.T) {
	h := start(t, nil)
	const good, bad = `{"maxLeaseTimeMinutes":5,"size":"Standard"}`, `{"maxLeaseTimeMinutes":-5}`
	wantStatus(t, h.do("PUT", session("s")+version, good), 201)
	f := func(credentials, method, path, body string, status int) {
		t.Helper()
		a := h.do(method, path, body, as(credentials))
		wantStatus(t, a, status)
		if status == 401 && (a.body != "" || a.ContentLength != 0 || a.Header.Get("WWW-Authenticate") != `Bearer error="invalid_token"` ||
			a.Header.Get("Content-Type") != "") {
			t.Errorf("401 with %q, %v", a.body, a.Header)
		}
	}
	admin, client := h.token(token.Grant{Role: token.RoleAdministrator}), h.token(token.Grant{Role: token.RoleClient})
	foreign := h.token(token.Grant{Account: other, Role: token.RoleAdministrator})
	conversion := "/accounts/" + string(account) + "/conversions/c"
	for _, wrong := range []string{"", "x", admin + "x", string(account) + ":" + h.keys[0].Reveal()} {
		f(wrong, "PUT", session("s")+version, good, 401)
		f(wrong, "PUT", session("s"), bad, 401)
		f(wrong, "PUT", session("a.b")+version, bad, 401)
		f(wrong, "GET", session("unknown")+version, "", 401)
		f(wrong, "PATCH", session("unknown")+version, bad, 401)
		f(wrong, "POST", session("unknown")+"/:stop"+version, "", 401)
		f(wrong, "GET", "/accounts/x/sessions"+version, "", 401)
		f(wrong, "GET", session("%2e%2e")+version, "", 401)
		f(wrong, "GET", conversion+version, "", 401)
		f(wrong, "PUT", conversion+version, bad, 401)
	}
	f(foreign, "PUT", session("s")+version, bad, 403)
	f(foreign, "GET", session("s")+version, "", 403)
	f(foreign, "GET", session("unknown")+version, "", 403)
	f(foreign, "GET", session("s"), "", 403)
	f(admin, "GET", "/accounts/"+string(other)+"/sessions"+version, "", 403)
	f(admin, "GET", "/accounts/x/sessions"+version, "", 400)
	f(admin, "GET", strings.Replace(session("s"), string(account), strings.ToUpper(string(account)), 1)+version, "", 200)
	f(client, "GET", session("s")+version, "", 200)
	f(client, "PUT", session("t")+version, good, 201)
	f(client, "PATCH", session("t")+version, `{"maxLeaseTimeMinutes":9}`, 200)
	f(client, "POST", session("t")+"/:stop"+version, "", 204)
	f(client, "GET", conversion+version, "", 403)
	f(client, "GET", strings.TrimSuffix(conversion, "/c")+version, "", 403)
	f(client, "PUT", conversion+version, "", 403)
	f(client, "DELETE", conversion, "", 403)
	f(client, "POST", conversion+"/:cancel", "", 403)
	f(client, "GET", conversion+"/progress", "", 403)
	f(client, "GET", conversion+"/log", "", 403)
	f(foreign, "PUT", conversion+version, "", 403)
	f(foreign, "DELETE", conversion, "", 403)
	wantError(t, h.do("GET", session("s")+version, "", as(foreign)), 403, arr.CodeForbidden, "")

	viewer := h.token(token.Grant{Session: "s"})
	f(viewer, "GET", session("s")+version, "", 200)
	f(viewer, "GET", session("t")+version, "", 403)
	f(viewer, "GET", "/accounts/"+string(account)+"/sessions"+version, "", 403)
	f(viewer, "PUT", session("s")+version, good, 403)
	f(viewer, "PATCH", session("s")+version, `{"maxLeaseTimeMinutes":9}`, 403)
	f(viewer, "POST", session("s")+"/:stop"+version, "", 403)
	f(viewer, "POST", session("s")+"/viewer-token", "", 403)
	f(viewer, "GET", session("s")+"/log", "", 403)
	f(viewer, "GET", conversion+version, "", 403)
	f(viewer, "GET", conversion+"/progress", "", 403)

	for _, scheme := range []string{"bearer ", "BEARER ", "Bearer  "} {
		wantStatus(t, h.do("GET", session("s")+version, "", header("Authorization", scheme+admin)), 200)
	}
	for _, scheme := range []string{"Basic ", "", "Bearer"} {
		wantStatus(t, h.do("GET", session("s")+version, "", header("Authorization", scheme+admin)), 401)
	}
}

func TestAPIVersion(t *testing.T) {
	h := start(t, nil)
	wantStatus(t, h.do("PUT", session("s")+"?api-version=2021-01-01-preview", `{"maxLeaseTimeMinutes":5,"size":"Standard"}`), 201)
	f := func(query string, code arr.Code) {
		t.Helper()
		wantError(t, h.do("GET", session("unknown")+query, ""), 400, code, "")
	}
	f("", arr.CodeAPIVersionUnspecified)
	f("?api-version=", arr.CodeAPIVersionUnspecified)
	f("?api-version=2019-02-28", arr.CodeUnsupportedAPIVersion)
	f("?api-version=%FF", arr.CodeUnsupportedAPIVersion)
	wantStatus(t, h.do("GET", session("s")+version+"&other=1", ""), 200)
}

func TestUnknownRoutes(t *testing.T) {
	h := start(t, nil)
	f := func(method, path string, status int, code arr.Code, allow string) {
		t.Helper()
		a := h.do(method, path, "", as(""))
		wantError(t, a, status, code, "")
		if got := a.Header.Get("Allow"); got != allow {
			t.Errorf("%s %s: Allow %q, want %q", method, path, got, allow)
		}
		if got := a.Header.Get("api-supported-versions"); (got != "") != strings.HasPrefix(path, "/accounts") {
			t.Errorf("%s %s: api-supported-versions %q", method, path, got)
		}
	}
	f("GET", "/", 404, arr.CodeNotFound, "")
	f("GET", "/nothing", 404, arr.CodeNotFound, "")
	f("GET", "/accounts/"+string(account), 404, arr.CodeNotFound, "")
	f("GET", session("s")+"/", 404, arr.CodeNotFound, "")
	f("PUT", "/"+session("s"), 404, arr.CodeNotFound, "")
	f("GET", "/x/../accounts", 404, arr.CodeNotFound, "")
	f("DELETE", session("s"), 405, arr.CodeMethodNotAllowed, "GET, HEAD, PATCH, PUT")
	f("GET", session("s")+"/:stop", 405, arr.CodeMethodNotAllowed, "POST")
	f("POST", "/accounts/"+string(account)+"/sessions", 405, arr.CodeMethodNotAllowed, "GET, HEAD")
	f("OPTIONS", session("s"), 405, arr.CodeMethodNotAllowed, "GET, HEAD, PATCH, PUT")
	f("PATCH", converted("c"), 405, arr.CodeMethodNotAllowed, "DELETE, GET, HEAD, PUT")
	f("GET", converted("c")+"/:cancel", 405, arr.CodeMethodNotAllowed, "POST")
}

func TestInternalErrorsStayInside(t *testing.T) {
	h := start(t, nil)
	h.sessions.err = errors.New("disk on fire")
	for method, body := range map[string]string{"GET": "", "PATCH": `{"maxLeaseTimeMinutes":5}`, "PUT": `{"maxLeaseTimeMinutes":5,"size":"Standard"}`} {
		a := h.do(method, session("s")+version, body)
		wantError(t, a, 500, arr.CodeInternal, "An internal server error occurred.")
		var line struct{ Level, Cv, Error string }
		first, _, _ := strings.Cut(h.log.String(), "\n")
		if err := json.Unmarshal([]byte(first), &line); err != nil || line.Error != "disk on fire" || line.Level != "ERROR" {
			t.Errorf("log %s, %v", first, err)
		}
		if !strings.Contains(h.log.String(), a.Header.Get("MS-CV")) {
			t.Error("the log does not name the correlation vector")
		}
	}
}

func TestPanicsAreAnswered(t *testing.T) {
	h := start(t, func(c *Config) { c.Accounts = token.NewAccounts(nil) })
	a := h.do("GET", "/accounts/"+string(account)+"/token", "", as(string(account)+":x"))
	wantError(t, a, 500, arr.CodeInternal, "An internal server error occurred.")
	if log := h.log.String(); !strings.Contains(log, "panic: ") || !strings.Contains(log, `"status":500`) {
		t.Errorf("log %s", log)
	}
}

func TestPanicsHalfWayBreakTheAnswerOff(t *testing.T) {
	h := start(t, func(c *Config) {
		c.UI = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "half a page")
			_ = http.NewResponseController(w).Flush()
			panic("oh")
		})
	})
	resp, err := h.client.Get(h.url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("a whole answer: %q", text)
	}
	if log := h.log.String(); !strings.Contains(log, "panic: oh") {
		t.Errorf("log %s", log)
	}
}
