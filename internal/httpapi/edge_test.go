package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/token"
)

func TestTokenService(t *testing.T) {
	h := start(t, nil)
	upper := strings.ToUpper(string(account))
	f := func(path, credentials string, status int) answer {
		t.Helper()
		a := h.do("GET", path, "", as(credentials), header("X-MRC-CV", "dKEFmka2kkSlDmp/af+sOw"))
		wantStatus(t, a, status)
		if got := a.Header["Api-Supported-Versions"]; got != nil {
			t.Errorf("the token service announces versions: %v", got)
		}
		if status != 200 && (a.body != "" || a.ContentLength != 0) {
			t.Errorf("%d with body %q, length %d", status, a.body, a.ContentLength)
		}
		return a
	}
	key, secondary := h.keys[token.Primary].Reveal(), h.keys[token.Secondary].Reveal()
	path := "/Accounts/" + string(account) + "/token"
	a := f(path+"?api-version=2019-02-28-preview", string(account)+":"+key, 200)
	for name, want := range map[string]string{"Content-Type": jsonType, "Cache-Control": "no-store,no-cache", "Pragma": "no-cache"} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	var body map[string]string
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || len(body) != 1 {
		t.Fatalf("body %s, %v", a.body, err)
	}
	wantStatus(t, h.do("GET", session("unknown")+version, "", as(body["AccessToken"])), 404)
	wantStatus(t, h.do("GET", "/accounts/"+string(account)+"/conversions"+version, "", as(body["AccessToken"])), 200) // an administrator

	f(path, string(account)+":"+secondary, 200)
	f("/accounts/"+string(account)+"/token", string(account)+":"+key, 200)
	f("/Accounts/"+upper+"/token", string(account)+":"+key, 200)
	f(path, upper+":"+key, 200)

	f(path, "", 401)
	f(path, string(account), 401)
	f(path, string(account)+":", 401)
	f(path, string(account)+":"+key+"x", 401)
	f(path, ":"+key, 401)
	f(path, "x:"+key, 401)
	f(path, body["AccessToken"], 401)
	f("/Accounts/"+string(other)+"/token", string(account)+":"+key, 401)
	f("/Accounts/"+string(other)+"/token", string(other)+":"+key, 401)
	f("/Accounts/x/token", string(account)+":"+key, 401)

	h.store.err = errors.New("disk on fire")
	f(path, string(account)+":"+key, 500)
	if log := h.log.String(); strings.Contains(log, key) || !strings.Contains(log, "disk on fire") {
		t.Errorf("log %s", log)
	}
	wantError(t, h.do("POST", path, ""), 405, arr.CodeMethodNotAllowed, "")
}

func TestRateLimit(t *testing.T) {
	h := start(t, func(c *Config) { c.RatePerSecond, c.RateBurst = 0.1, 3 })
	list := "/accounts/" + string(account) + "/sessions" + version
	for range 5 { // who has no token takes nothing from the account
		wantStatus(t, h.do("GET", list, "", as("")), 401)
	}
	for range 3 {
		wantStatus(t, h.do("GET", list, ""), 200)
	}
	a := h.do("GET", list, "")
	wantError(t, a, 429, arr.CodeTooManyRequests, "")
	if got := a.Header.Get("Retry-After"); got != "10" {
		t.Errorf("Retry-After %q, want 10", got)
	}
	sts := h.do("GET", "/Accounts/"+string(account)+"/token", "", as(string(account)+":"+h.keys[0].Reveal()))
	wantStatus(t, sts, 429)
	if sts.body != "" || sts.Header.Get("Retry-After") != "10" {
		t.Errorf("token service: %q, Retry-After %q", sts.body, sts.Header.Get("Retry-After"))
	}
	wantStatus(t, h.do("GET", "/accounts/"+string(other)+"/sessions"+version, "",
		as(h.token(token.Grant{Account: other, Role: token.RoleClient}))), 200)
	wantStatus(t, h.do("GET", "/healthz", "", as("")), 200)
}

func TestCORS(t *testing.T) {
	h := start(t, func(c *Config) { c.AllowedOrigins = []string{"https://app.example"} })
	const good, bad = "https://app.example", "https://evil.example"
	preflight := func(origin string) answer {
		return h.do("OPTIONS", session("s")+version, "", as(""), header("Origin", origin), header("Access-Control-Request-Method", "PATCH"),
			header("Access-Control-Request-Headers", "authorization,content-type,x-ms-client-request-id"))
	}
	a := preflight(good)
	wantStatus(t, a, 204)
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":  good,
		"Access-Control-Allow-Methods": "GET, PUT, PATCH, POST, DELETE",
		"Access-Control-Allow-Headers": "authorization,content-type,x-ms-client-request-id",
		"Vary":                         "Origin",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, a := range []answer{preflight(bad), h.do("GET", session("s")+version, "", header("Origin", bad)), h.do("GET", session("s")+version, "")} {
		if got := a.Header.Get("Access-Control-Allow-Origin"); got != "" || a.Header.Get("Vary") != "Origin" {
			t.Errorf("allowed origin %q, Vary %q", got, a.Header.Get("Vary"))
		}
	}
	a = h.do("GET", session("s")+version, "", header("Origin", good)) // errors too are readable
	wantStatus(t, a, 404)
	if a.Header.Get("Access-Control-Allow-Origin") != good || a.Header.Get("Access-Control-Expose-Headers") != "MS-CV, Location, Retry-After" {
		t.Errorf("headers %v", a.Header)
	}
	star := start(t, func(c *Config) { c.AllowedOrigins = []string{"*"} })
	if got := star.do("GET", session("s")+version, "", header("Origin", bad)).Header.Get("Access-Control-Allow-Origin"); got != bad {
		t.Errorf("any origin: %q", got)
	}
}

func TestAccessLog(t *testing.T) {
	h := start(t, nil)
	key, tok := h.keys[0].Reveal(), h.token(token.Grant{Role: token.RoleClient})
	answers := []answer{
		h.do("GET", session("unknown")+version+"&secret=hush", "", as(tok), header("x-ms-client-request-id", "id-of-the-client"+strings.Repeat("x", 99))),
		h.do("GET", "/Accounts/"+string(account)+"/token", "", as(string(account)+":"+key)),
	}
	var sold struct{ AccessToken string }
	if err := json.Unmarshal([]byte(answers[1].body), &sold); err != nil {
		t.Fatal(err)
	}
	log := h.log.String()
	lines := strings.Split(strings.TrimSpace(log), "\n")
	if len(lines) != len(answers) {
		t.Fatalf("%d lines for %d requests:\n%s", len(lines), len(answers), log)
	}
	for i, want := range []string{
		`"method":"GET","path":"` + session("unknown") + `","status":404,"bytes":` + fmt.Sprint(len(answers[0].body)),
		`"method":"GET","path":"/Accounts/` + string(account) + `/token","status":200,"bytes":` + fmt.Sprint(len(answers[1].body)),
	} {
		if !strings.Contains(lines[i], want) || !strings.Contains(lines[i], `"cv":"`+answers[i].Header.Get("MS-CV")+`"`) {
			t.Errorf("line %s\nlacks %s or the correlation vector", lines[i], want)
		}
	}
	if !strings.Contains(lines[0], `"clientRequestId":"id-of-the-client`) || strings.Contains(lines[0], strings.Repeat("x", 99)) {
		t.Errorf("client request id in %s", lines[0])
	}
	for _, secret := range []string{key, tok, sold.AccessToken, "hush"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log shows a secret:\n%s", log)
		}
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	h := start(t, func(c *Config) { c.Metrics = registry })
	h.do("GET", session("a")+version, "")
	h.do("GET", session("b")+version, "")
	h.do("GET", "/made-up", "")
	h.do("PROPFIND", "/made-up", "")
	const want = `
# HELP heliograph_http_requests_total Answered requests.
# TYPE heliograph_http_requests_total counter
heliograph_http_requests_total{code="404",method="GET",route="/accounts/{account_id}/sessions/{session_id}"} 2
heliograph_http_requests_total{code="404",method="GET",route="other"} 1
heliograph_http_requests_total{code="404",method="other",route="other"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "heliograph_http_requests_total"); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(registry, "heliograph_http_request_seconds"); n != 3 {
		t.Errorf("%d histograms, want 3", n)
	}
}

func TestHealth(t *testing.T) {
	var down error
	h := start(t, func(c *Config) { c.Ready = func(context.Context) error { return down } })
	wantStatus(t, h.do("GET", "/healthz", "", as("")), 200)
	wantStatus(t, h.do("GET", "/readyz", "", as("")), 200)
	down = errors.New("the store at /var/lib is slow")
	a := h.do("GET", "/readyz", "", as(""))
	wantError(t, a, 503, arr.CodeUnavailable, "")
	if strings.Contains(a.body, "/var/lib") {
		t.Errorf("body %s", a.body)
	}
	wantStatus(t, h.do("GET", "/healthz", "", as("")), 200)
}

func TestWebPages(t *testing.T) {
	h := start(t, func(c *Config) {
		c.UI = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "page ", r.URL.Path) })
	})
	for _, path := range []string{"/", "/viewer/", "/assets/x.js"} {
		if a := h.do("GET", path, "", as("")); a.body != "page "+path || a.StatusCode != 200 {
			t.Errorf("%s: %d %q", path, a.StatusCode, a.body)
		}
	}
	wantError(t, h.do("GET", "/accounts/x/nothing", ""), 404, arr.CodeNotFound, "")
	wantError(t, h.do("POST", "/", ""), 404, arr.CodeNotFound, "")
	wantError(t, h.do("DELETE", session("s"), ""), 405, arr.CodeMethodNotAllowed, "")
}

func TestViewerToken(t *testing.T) {
	h := start(t, func(c *Config) { c.DashboardURL = "http://localhost:8080/" })
	wantError(t, h.do("POST", session("s")+"/viewer-token", ""), 404, arr.CodeNotFound, "")
	wantStatus(t, h.do("PUT", session("s")+version, `{"maxLeaseTimeMinutes":5,"size":"Standard"}`), 201)
	a := h.do("POST", session("s")+"/viewer-token", "", as(h.token(token.Grant{Role: token.RoleClient})))
	wantStatus(t, a, 200)
	var v struct {
		Token     string
		ExpiresAt time.Time
		ViewerURL string `json:"viewerUrl"`
	}
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatal(err)
	}
	if want := "http://localhost:8080/viewer/#account=" + string(account) + "&session=s&token=" + v.Token; v.ViewerURL != want {
		t.Errorf("viewer URL %s", v.ViewerURL)
	}
	if left := time.Until(v.ExpiresAt); left < token.Life-time.Minute || left > token.Life {
		t.Errorf("good for %v", left)
	}
	if a.Header.Get("Cache-Control") != "no-store,no-cache" {
		t.Errorf("Cache-Control %q", a.Header.Get("Cache-Control"))
	}
	wantStatus(t, h.do("GET", session("s")+version, "", as(v.Token)), 200)
	wantStatus(t, h.do("GET", session("t")+version, "", as(v.Token)), 403)
	wantStatus(t, h.do("POST", session("s")+"/:stop"+version, ""), 204)
	wantError(t, h.do("POST", session("s")+"/viewer-token", ""), 410, arr.CodeSessionEnded, "")
	wantError(t, h.do("POST", session("a.b")+"/viewer-token", ""), 400, arr.CodeBadRequest, "")
	wantStatus(t, h.do("POST", session("s")+"/viewer-token", "", as("")), 401)

	same := start(t, nil) // without another origin, the pages are where the API is
	wantStatus(t, same.do("PUT", session("s")+version, `{"maxLeaseTimeMinutes":5,"size":"Standard"}`), 201)
	if a := same.do("POST", session("s")+"/viewer-token", ""); !strings.Contains(a.body, `"viewerUrl":"`+same.url+`/viewer/#`) {
		t.Errorf("body %s", a.body)
	}
}

type logTail func(key arr.SessionKey, n int) ([]byte, error)

func (f logTail) LogTail(_ context.Context, key arr.SessionKey, n int) ([]byte, error) {
	return f(key, n)
}

func TestLog(t *testing.T) {
	h := start(t, func(c *Config) {
		c.Logs = logTail(func(key arr.SessionKey, n int) ([]byte, error) { return fmt.Appendf(nil, "%s %d\n", key.ID, n), nil })
	})
	wantStatus(t, h.do("PUT", session("s")+version, `{"maxLeaseTimeMinutes":5,"size":"Standard"}`), 201)
	f := func(query, want string) {
		t.Helper()
		a := h.do("GET", session("s")+"/log"+query, "")
		if a.body != want || a.StatusCode != 200 || a.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%d %q %s", a.StatusCode, a.body, a.Header.Get("Content-Type"))
		}
	}
	f("", "s 200\n")
	f("?tail=7", "s 7\n")
	for _, tail := range []string{"0", "-1", "10001", "x", "1e3"} {
		wantError(t, h.do("GET", session("s")+"/log?tail="+tail, ""), 400, arr.CodeBadRequest, "")
	}
	wantError(t, h.do("GET", session("unknown")+"/log", ""), 404, arr.CodeNotFound, "")

	none := start(t, nil)
	wantStatus(t, none.do("PUT", session("s")+version, `{"maxLeaseTimeMinutes":5,"size":"Standard"}`), 201)
	wantError(t, none.do("GET", session("s")+"/log", ""), 501, arr.CodeNotImplemented, "")
}

func TestNewRefuses(t *testing.T) {
	good := Config{
		Sessions: &fakeSessions{}, Conversions: &fakeConversions{}, ConversionWatch: &fakeConversions{},
		Accounts: token.NewAccounts(nil), Issuer: token.NewIssuer(nil), Verifier: token.NewVerifier(new(token.Keys)),
	}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	for name, edit := range map[string]func(*Config){
		"no sessions":  func(c *Config) { c.Sessions = nil },
		"no core":      func(c *Config) { c.Conversions = nil },
		"no watch":     func(c *Config) { c.ConversionWatch = nil },
		"no verifier":  func(c *Config) { c.Verifier = nil },
		"no scheme":    func(c *Config) { c.ExternalURL = "render.example.com" },
		"other scheme": func(c *Config) { c.ExternalURL = "ftp://render.example.com" },
		"a query":      func(c *Config) { c.DashboardURL = "https://render.example.com/?x=1" },
		"metrics twice": func(c *Config) {
			c.Metrics = registry
			if _, err := New(*c); err != nil {
				t.Fatal(err)
			}
		},
	} {
		c := good
		edit(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
