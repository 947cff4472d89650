package client_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heliograph/heliograph/client"
)

const account = "9c4b2ae8-41e9-4ef3-a0d9-d2a7e8d1b1ce"

func token(life time.Duration) string {
	payload := fmt.Sprintf(`{"exp":%d}`, time.Now().Add(life).Unix())
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

// reply is how the fake service answers one request.
type reply func(*http.Request) (*http.Response, error)

// fakeService answers in memory, so that synctest can run the clock. It records every request.
type fakeService struct {
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
	times    []time.Time
	// answers are used in order for data-plane requests, the last one again and again.
	answers []reply
	life    time.Duration // of tokens
}

func (f *fakeService) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body := ""
	if r.Body != nil {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(text)
	}
	f.requests, f.bodies, f.times = append(f.requests, r), append(f.bodies, body), append(f.times, time.Now())
	if r.URL.Host == "sts.example" {
		return answer(200, `{"AccessToken":"`+token(f.life)+`"}`)(r)
	}
	a := f.answers[0]
	if len(f.answers) > 1 {
		f.answers = f.answers[1:]
	}
	return a(r)
}

// count says how many requests went to host.
func (f *fakeService) count(host string) (n int) {
	for _, r := range f.requests {
		if r.URL.Host == host {
			n++
		}
	}
	return n
}

func answer(status int, body string, header ...string) reply {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/json; charset=utf-8"}, "Ms-Cv": {"cv.0"}}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

func broken(err error) reply {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func newClient(t *testing.T, answers ...reply) (*client.Client, *fakeService) {
	t.Helper()
	f := &fakeService{answers: answers, life: 24 * time.Hour}
	c, err := client.New(client.Config{
		Endpoint: "https://arr.example/prefix/", STS: "https://sts.example", AccountID: account, AccountKey: "key",
		HTTPClient: &http.Client{Transport: f},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, f
}

const ready = `{"id":"a","creationTime":"2021-05-14T13:56:19.7826038+00:00","arrInspectorPort":50830,"elapsedTimeMinutes":1,` +
	`"handshakePort":61353,"hostname":"h","maxLeaseTimeMinutes":4,"size":"Standard","status":"Ready","teraflops":8.1}`

func TestRequestsOnTheWire(t *testing.T) {
	c, f := newClient(t, answer(200, ready))
	ctx := t.Context()
	for _, call := range []struct {
		do   func() error
		want string
	}{
		{func() error {
			_, err := c.CreateSession(ctx, "a", client.CreateOptions{Lease: 90 * time.Second})
			return err
		}, `PUT /prefix/accounts/` + account + `/sessions/a?api-version=2021-01-01 {"maxLeaseTimeMinutes":2,"size":"Standard"}`},
		{func() error {
			_, err := c.CreateSession(ctx, "a", client.CreateOptions{Size: client.Premium, Lease: -time.Minute})
			return err
		}, `PUT /prefix/accounts/` + account + `/sessions/a?api-version=2021-01-01 {"maxLeaseTimeMinutes":-1,"size":"Premium"}`},
		{func() error { _, err := c.GetSession(ctx, "a/:stop"); return err },
			`GET /prefix/accounts/` + account + `/sessions/a%2F%3Astop?api-version=2021-01-01 `},
		{func() error { _, err := c.ExtendSession(ctx, "a", time.Hour); return err },
			`PATCH /prefix/accounts/` + account + `/sessions/a?api-version=2021-01-01 {"maxLeaseTimeMinutes":60}`},
		{func() error { return c.StopSession(ctx, "a") },
			`POST /prefix/accounts/` + account + `/sessions/a/:stop?api-version=2021-01-01 `},
		{func() error { _, err := c.ViewerToken(ctx, "a"); return err },
			`POST /prefix/accounts/` + account + `/sessions/a/viewer-token `},
		{func() error { _, err := c.LoadModel(ctx, "a", "builtin://engine"); return err },
			`POST /prefix/accounts/` + account + `/sessions/a/inspector/load {"uri":"builtin://engine"}`},
		{func() error {
			_, err := c.Snapshot(ctx, "a", client.SnapshotOptions{Width: 64, Height: 32})
			return err
		},
			`GET /prefix/accounts/` + account + `/sessions/a/inspector/snapshot?format=png&height=32&width=64 `},
		{func() error { _, err := c.Log(ctx, "a", 5); return err },
			`GET /prefix/accounts/` + account + `/sessions/a/log?tail=5 `},
		{func() error {
			_, err := c.CreateConversion(ctx, "c", client.ConversionSettings{
				InputLocation:  client.InputLocation{StorageContainerURI: "https://s/in", RelativeInputAssetPath: "m.glb", StorageContainerReadListSAS: "sig"},
				OutputLocation: client.OutputLocation{StorageContainerURI: "https://s/out", BlobPrefix: "p"},
			})
			return err
		}, `PUT /prefix/accounts/` + account + `/conversions/c?api-version=2021-01-01 {"settings":{"inputLocation":{"storageContainerUri":` +
			`"https://s/in","relativeInputAssetPath":"m.glb","storageContainerReadListSas":"sig"},"outputLocation":{"storageContainerUri":` +
			`"https://s/out","blobPrefix":"p"}}}`},
		{func() error { _, err := c.GetConversion(ctx, "c"); return err },
			`GET /prefix/accounts/` + account + `/conversions/c?api-version=2021-01-01 `},
		{func() error { return c.CancelConversion(ctx, "c") }, `POST /prefix/accounts/` + account + `/conversions/c/:cancel `},
		{func() error { return c.DeleteConversion(ctx, "c") }, `DELETE /prefix/accounts/` + account + `/conversions/c `},
		{func() error { _, err := c.ConversionProgress(ctx, "c"); return err },
			`GET /prefix/accounts/` + account + `/conversions/c/progress `},
		{func() error { _, err := c.ConversionLog(ctx, "c", 0); return err },
			`GET /prefix/accounts/` + account + `/conversions/c/log?tail=10000 `},
	} {
		if err := call.do(); err != nil {
			t.Errorf("%s: %v", call.want, err)
		}
		last := len(f.requests) - 1
		r := f.requests[last]
		if got := r.Method + " " + r.URL.RequestURI() + " " + f.bodies[last]; got != call.want {
			t.Errorf("sent %s\nwant %s", got, call.want)
		}
		if auth := r.Header.Get("Authorization"); !strings.HasPrefix(auth, "Bearer e30.") {
			t.Errorf("Authorization %q", auth)
		}
	}
	if sts := f.requests[0]; sts.Header.Get("Authorization") != "Bearer "+account+":key" || sts.URL.Path != "/Accounts/"+account+"/token" {
		t.Errorf("token asked by %s with %q", sts.URL, sts.Header.Get("Authorization"))
	}
	if n := f.count("sts.example"); n != 1 {
		t.Errorf("%d tokens fetched, want 1 for all calls", n)
	}
}

func TestSessionIsDecoded(t *testing.T) {
	c, _ := newClient(t, answer(200, ready))
	s, err := c.GetSession(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	want := client.Session{
		ID: "a", CreationTime: time.Date(2021, 5, 14, 13, 56, 19, 782603800, time.UTC),
		ArrInspectorPort: 50830, HandshakePort: 61353, Hostname: "h",
		ElapsedTimeMinutes: 1, MaxLeaseTimeMinutes: 4, Size: client.Standard, Status: client.Ready, Teraflops: 8.1,
	}
	s.CreationTime = s.CreationTime.UTC()
	if *s != want {
		t.Errorf("got %+v", *s)
	}
}

func TestRefusalsAreTyped(t *testing.T) {
	c, _ := newClient(t, answer(409, `{"error":{"code":"Conflict","message":"exists","target":"id"}}`))
	_, err := c.CreateSession(t.Context(), "a", client.CreateOptions{})
	var e *client.Error
	if !errors.As(err, &e) || *e != (client.Error{Status: 409, Code: "Conflict", Message: "exists", Target: "id", RequestID: "cv.0"}) {
		t.Errorf("got %#v", err)
	}
	c, _ = newClient(t, answer(404, "<html>", "Content-Type", "text/html"))
	_, err = c.GetSession(t.Context(), "a")
	if err == nil || err.Error() != "Not Found (status 404, request cv.0)" {
		t.Errorf("got %v", err)
	}
}

func TestRetries(t *testing.T) {
	get := func(ctx context.Context, c *client.Client) error { _, err := c.GetSession(ctx, "a"); return err }
	extend := func(ctx context.Context, c *client.Client) error {
		_, err := c.ExtendSession(ctx, "a", time.Hour)
		return err
	}
	ok := answer(200, ready)
	reset := broken(errors.New("connection reset"))
	dial := broken(&net.OpError{Op: "dial", Err: errors.New("refused")})
	for name, tc := range map[string]struct {
		call    func(context.Context, *client.Client) error
		answers []reply
		tries   int
		fails   bool
	}{
		"5xx of a GET":              {get, []reply{answer(500, ""), answer(502, ""), ok}, 3, false},
		"5xx of a PATCH":            {extend, []reply{answer(500, ""), ok}, 1, true},
		"503 of a PATCH":            {extend, []reply{answer(503, ""), ok}, 2, false},
		"429 of a PATCH":            {extend, []reply{answer(429, ""), ok}, 2, false},
		"lost answer of a GET":      {get, []reply{reset, ok}, 2, false},
		"lost answer of a PATCH":    {extend, []reply{reset, ok}, 1, true},
		"no connection for a PATCH": {extend, []reply{dial, ok}, 2, false},
		"untrusted":                 {get, []reply{broken(&tls.CertificateVerificationError{Err: errors.New("x")}), ok}, 1, true},
		"4xx":                       {get, []reply{answer(422, ""), ok}, 1, true},
		"501":                       {get, []reply{answer(501, ""), ok}, 1, true},
		"gives up":                  {get, []reply{answer(500, "")}, 5, true},
		"stale token":               {get, []reply{answer(401, ""), ok}, 2, false},
		"wrong token":               {get, []reply{answer(401, "")}, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, f := newClient(t, tc.answers...)
				if err := tc.call(t.Context(), c); (err != nil) != tc.fails {
					t.Errorf("error %v", err)
				}
				if got := f.count("arr.example"); got != tc.tries {
					t.Errorf("%d tries, want %d", got, tc.tries)
				}
			})
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for name, value := range map[string]func() string{
		"seconds": func() string { return "15" },
		"date":    func() string { return time.Now().Add(15 * time.Second).UTC().Format(http.TimeFormat) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, f := newClient(t, answer(429, "", "Retry-After", value()), answer(200, ready))
				if _, err := c.GetSession(t.Context(), "a"); err != nil {
					t.Fatal(err)
				}
				last := len(f.times) - 1
				if waited := f.times[last].Sub(f.times[last-1]); waited != 15*time.Second {
					t.Errorf("waited %v", waited)
				}
			})
		})
	}
}

// A wait that cannot end in time fails at once, with the service's reason.
func TestRetryAfterBeyondTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClient(t, answer(429, `{"error":{"code":"TooManyRequests","message":"slow down"}}`, "Retry-After", "60"))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start := time.Now()
		_, err := c.GetSession(ctx, "a")
		var e *client.Error
		if !errors.As(err, &e) || e.RetryAfter != time.Minute || time.Since(start) != 0 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestTokenIsRenewedBeforeItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := newClient(t, answer(200, ready))
		for _, step := range []struct {
			sleep  time.Duration
			tokens int
		}{{0, 1}, {23*time.Hour + 54*time.Minute, 1}, {2 * time.Minute, 2}, {time.Hour, 2}} {
			time.Sleep(step.sleep) // synctest's clock
			if _, err := c.GetSession(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			if got := f.count("sts.example"); got != step.tokens {
				t.Errorf("after another %v: %d tokens, want %d", step.sleep, got, step.tokens)
			}
		}
	})
}

func TestConcurrentCallsShareAToken(t *testing.T) {
	c, f := newClient(t, answer(200, ready))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := c.GetSession(t.Context(), "a"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := f.count("sts.example"); got != 1 {
		t.Errorf("%d tokens", got)
	}
}

func TestWrongKeyIsReported(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer srv.Close()
	c, err := client.New(client.Config{Endpoint: srv.URL, STS: srv.URL, AccountID: account, AccountKey: "wrong"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.GetSession(t.Context(), "a")
	if err == nil || !strings.Contains(err.Error(), "get access token") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("got %v", err)
	}
}

func TestListFollowsPages(t *testing.T) {
	c, f := newClient(t,
		answer(200, `{"sessions":[{"id":"a"},{"id":"b"}],`+
			`"@nextLink":"https://arr.example/prefix/accounts/x/sessions?api-version=2021-01-01&t=1"}`),
		answer(200, `{"sessions":[{"id":"c"}]}`))
	var ids []string
	for s, err := range c.Sessions(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, s.ID)
	}
	if !slices.Equal(ids, []string{"a", "b", "c"}) {
		t.Errorf("got %v", ids)
	}
	if got := f.requests[2].URL.RawQuery; got != "api-version=2021-01-01&t=1" {
		t.Errorf("second page asked with %q", got)
	}
}

func TestListDoesNotCarryTheTokenElsewhere(t *testing.T) {
	c, f := newClient(t, answer(200, `{"sessions":[],"@nextLink":"https://evil.example/"}`))
	var last error
	for _, err := range c.Sessions(t.Context()) {
		last = err
	}
	if last == nil || f.count("evil.example") != 0 {
		t.Errorf("error %v, %d requests to the other host", last, f.count("evil.example"))
	}
}

func TestWaitReady(t *testing.T) {
	starting := answer(200, `{"id":"a","status":"Starting"}`)
	failed := answer(200, `{"status":"Error","error":{"code":"InsufficientCapacity","message":"full"}}`)
	for name, tc := range map[string]struct {
		end   reply
		fails string
	}{
		"ready":   {answer(200, ready), ""},
		"error":   {failed, "session a: InsufficientCapacity: full"},
		"stopped": {answer(200, `{"status":"Stopped"}`), "session a is Stopped"},
		"never":   {starting, "session a is still Starting: context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := newClient(t, starting, starting, tc.end)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				polls := 0
				_, err := c.WaitReady(ctx, "a", client.WaitOptions{Progress: func(*client.Session) { polls++ }})
				if got := fmt.Sprint(err); err == nil && tc.fails != "" || err != nil && got != tc.fails {
					t.Errorf("got %v, want %q", err, tc.fails)
				}
				if polls < 3 {
					t.Errorf("%d polls", polls)
				}
			})
		})
	}
}

func TestWaitLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClient(t,
			answer(200, `{"id":"1","stage":"read","done":0.25,"state":"running"}`),
			answer(200, `{"id":"1","done":1,"state":"done","triangles":12}`))
		var seen []float64
		l, err := c.WaitLoad(t.Context(), "a", "1", func(l client.Load) { seen = append(seen, l.Done) })
		if err != nil || l.Triangles != 12 || !slices.Equal(seen, []float64{0.25, 1}) {
			t.Errorf("%+v, %v, progress %v", l, err, seen)
		}
		c, _ = newClient(t, answer(200, `{"uri":"x","state":"failed","error":{"code":"NotFound","message":"no such file"}}`))
		if _, err := c.WaitLoad(t.Context(), "a", "1", nil); err == nil || err.Error() != "load x: NotFound: no such file" {
			t.Errorf("got %v", err)
		}
	})
}

func TestSecretsStayHidden(t *testing.T) {
	c := client.Config{AccountKey: "topsecret"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", c.AccountKey)
	if all := fmt.Sprintf("%v %+v %#v %s", c, c, c, log.String()); strings.Contains(all, "topsecret") {
		t.Error(all)
	}
}

func TestNewChecksItsConfig(t *testing.T) {
	good := client.Config{Endpoint: "https://a", STS: "https://b", AccountID: account, AccountKey: "k"}
	for name, spoil := range map[string]func(*client.Config){
		"endpoint": func(c *client.Config) { c.Endpoint = "a.example" },
		"STS":      func(c *client.Config) { c.STS = "" },
		"account":  func(c *client.Config) { c.AccountID = "" },
		"key":      func(c *client.Config) { c.AccountKey = "" },
	} {
		c := good
		spoil(&c)
		if _, err := client.New(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("bad %s: %v", name, err)
		}
	}
	if _, err := client.New(good); err != nil {
		t.Error(err)
	}
}
