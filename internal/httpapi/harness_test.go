package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/conversion"
	"github.com/heliograph/heliograph/internal/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account = arr.AccountID("30ea64bd-100f-4bf0-adc9-29fa45d4880c")
	other   = arr.AccountID("aaaaaaaa-0000-4000-8000-000000000001")
	version = "?api-version=2021-01-01"
)

// fakeSessions is a session core without workers: what it is asked to accept stays as it is until a test changes it.
type fakeSessions struct {
	mu  sync.Mutex
	all []arr.Session
	err error // returned by every call when set
}

var _ Sessions = (*fakeSessions)(nil)

func (f *fakeSessions) find(key arr.SessionKey) (*arr.Session, error) {
	if f.err != nil {
		return nil, f.err
	}
	i := slices.IndexFunc(f.all, func(s arr.Session) bool { return s.Key == key })
	if i < 0 {
		return nil, arr.Errorf(arr.CodeNotFound, "There is no such session.")
	}
	return &f.all[i], nil
}

func (f *fakeSessions) Create(_ context.Context, key arr.SessionKey, size arr.Size, minutes int) (arr.Session, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, err := f.find(key)
	switch {
	case arr.CodeOf(err) == arr.CodeNotFound:
		f.all = append(f.all, arr.Session{Key: key, Size: size, Status: arr.StatusStarting, CreatedAt: time.Now(),
			LeaseMinutes: minutes, RequestedLeaseMinutes: minutes})
		return f.all[len(f.all)-1], true, nil
	case err != nil:
		return arr.Session{}, false, err
	case s.Size != size || s.RequestedLeaseMinutes != minutes:
		return arr.Session{}, false, arr.Errorf(arr.CodeConflict, "A resource already exists under the given ID.")
	}
	return *s, false, nil
}

func (f *fakeSessions) Get(_ context.Context, key arr.SessionKey) (arr.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, err := f.find(key)
	if err != nil {
		return arr.Session{}, err
	}
	return *s, nil
}

func (f *fakeSessions) List(_ context.Context, a arr.AccountID, after string, limit int) (page []arr.Session, next string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	skip := after != ""
	for _, s := range f.all {
		switch {
		case s.Key.Account != a || s.Status.Terminal():
		case skip:
			skip = string(s.Key.ID) != after
		case len(page) == limit:
			return page, string(page[limit-1].Key.ID), f.err
		default:
			page = append(page, s)
		}
	}
	if skip {
		return nil, "", arr.Errorf(arr.CodeBadRequest, "The page does not exist.")
	}
	return page, "", f.err
}

func (f *fakeSessions) Extend(_ context.Context, key arr.SessionKey, minutes int) (arr.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, err := f.find(key)
	if err != nil {
		return arr.Session{}, err
	}
	if minutes <= s.LeaseMinutes {
		return arr.Session{}, arr.Errorf(arr.CodeUnprocessableEntity, "The lease must be longer.")
	}
	s.LeaseMinutes = minutes
	return *s, nil
}

func (f *fakeSessions) Stop(_ context.Context, key arr.SessionKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, err := f.find(key)
	if err != nil {
		return err
	}
	return s.Transition(arr.StatusStopped, time.Now())
}

// put places a session as it stands.
func (f *fakeSessions) put(s arr.Session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, s)
}

// fakeConversions is a conversion core that converts nothing: what it is asked to accept stays as it is until a test
// changes it.
type fakeConversions struct {
	mu      sync.Mutex
	all     []arr.Conversion
	secrets []conversion.Credentials
	err     error // returned by every call when set
}

var (
	_ Conversions     = (*fakeConversions)(nil)
	_ ConversionWatch = (*fakeConversions)(nil)
)

func (f *fakeConversions) find(key arr.ConversionKey) (*arr.Conversion, error) {
	if f.err != nil {
		return nil, f.err
	}
	i := slices.IndexFunc(f.all, func(c arr.Conversion) bool { return c.Key == key })
	if i < 0 {
		return nil, arr.Errorf(arr.CodeNotFound, "There is no such conversion.")
	}
	return &f.all[i], nil
}

func (f *fakeConversions) Create(_ context.Context, key arr.ConversionKey, settings arr.ConversionSettings, secrets conversion.Credentials) (
	arr.Conversion, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	settings, err := settings.Normalize()
	if err != nil {
		return arr.Conversion{}, false, err
	}
	c, err := f.find(key)
	switch {
	case arr.CodeOf(err) == arr.CodeNotFound:
		f.secrets = append(f.secrets, secrets)
		f.all = append(f.all, arr.Conversion{Key: key, Settings: settings, Status: arr.ConversionNotStarted, CreatedAt: time.Now()})
		return f.all[len(f.all)-1], true, nil
	case err != nil:
		return arr.Conversion{}, false, err
	case c.Settings != settings:
		return arr.Conversion{}, false, arr.Errorf(arr.CodeConflict, "A resource already exists under the given ID.")
	}
	return *c, false, nil
}

func (f *fakeConversions) Get(_ context.Context, key arr.ConversionKey) (arr.Conversion, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.find(key)
	if err != nil {
		return arr.Conversion{}, err
	}
	return *c, nil
}

func (f *fakeConversions) List(_ context.Context, a arr.AccountID, after string, limit int) (
	page []arr.Conversion, next string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	skip := after != ""
	for _, c := range f.all {
		switch {
		case c.Key.Account != a:
		case skip:
			skip = string(c.Key.ID) != after
		case len(page) == limit:
			return page, string(page[limit-1].Key.ID), f.err
		default:
			page = append(page, c)
		}
	}
	if skip {
		return nil, "", arr.Errorf(arr.CodeBadRequest, "The page does not exist.")
	}
	return page, "", f.err
}

func (f *fakeConversions) Cancel(_ context.Context, key arr.ConversionKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.find(key)
	if err != nil || c.Status.Terminal() {
		return err
	}
	c.Error = arr.Errorf(arr.CodeConversionCancelled, "The conversion was cancelled.")
	return c.Transition(arr.ConversionFailed, time.Now())
}

func (f *fakeConversions) Delete(_ context.Context, key arr.ConversionKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.find(key)
	f.all = slices.DeleteFunc(f.all, func(c arr.Conversion) bool { return c.Key == key })
	return err
}

func (f *fakeConversions) Progress(_ context.Context, key arr.ConversionKey) (arr.ConversionProgress, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.find(key)
	if err != nil {
		return arr.ConversionProgress{}, err
	}
	p := arr.ConversionProgress{Status: c.Status, Stage: "waiting", Ahead: 2}
	if c.Status == arr.ConversionRunning {
		p = arr.ConversionProgress{Status: c.Status, Stage: "meshes", StageDone: 0.25, Done: 0.5, Rate: 7, Unit: "triangles", Attempt: 1,
			Elapsed: 1500 * time.Millisecond}
	}
	return p, nil
}

func (f *fakeConversions) LogTail(_ context.Context, key arr.ConversionKey, n int) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.find(key)
	return fmt.Appendf(nil, "%s %d\n", key.ID, n), err
}

// set changes a conversion.
func (f *fakeConversions) set(id string, change func(*arr.Conversion)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.all {
		if string(f.all[i].Key.ID) == id {
			change(&f.all[i])
		}
	}
}

// memAccounts is a token.AccountStore without a disk.
type memAccounts struct {
	accounts map[arr.AccountID]arr.Account
	err      error
}

func (m *memAccounts) GetAccount(_ context.Context, id arr.AccountID) (arr.Account, error) {
	a, ok := m.accounts[id]
	if !ok {
		return a, cmp.Or(m.err, error(arr.Errorf(arr.CodeNotFound, "There is no account with this ID.")))
	}
	return a, m.err
}

func (m *memAccounts) CreateAccount(_ context.Context, a arr.Account) error {
	m.accounts[a.ID] = a
	return m.err
}

func (m *memAccounts) ListAccounts(context.Context) ([]arr.Account, error) { return nil, m.err }

func (m *memAccounts) UpdateAccount(context.Context, arr.AccountID, func(*arr.Account) error) error {
	return m.err
}

// harness is a server on a real connection.
type harness struct {
	t        testing.TB
	sessions *fakeSessions
	convert  *fakeConversions
	store    *memAccounts
	keys     [2]arr.Secret // of account
	issuer   *token.Issuer
	log      *lockedBuffer
	url      string
	client   *http.Client
	contract *contract
}

func start(t testing.TB, edit func(*Config)) *harness {
	t.Helper()
	h := &harness{
		t: t, sessions: &fakeSessions{}, convert: &fakeConversions{}, store: &memAccounts{accounts: map[arr.AccountID]arr.Account{}},
		log: &lockedBuffer{}, contract: loadContract(t),
	}
	accounts := token.NewAccounts(h.store)
	var err error
	if _, h.keys, err = accounts.Create(t.Context(), account, "test"); err != nil {
		t.Fatal(err)
	}
	keys, err := token.OpenKeys(filepath.Join(t.TempDir(), "keys.json"), token.ES256)
	if err != nil {
		t.Fatal(err)
	}
	h.issuer = token.NewIssuer(keys)
	c := Config{
		Sessions: h.sessions, Conversions: h.convert, ConversionWatch: h.convert, Accounts: accounts, Issuer: h.issuer, Verifier: token.NewVerifier(keys),
		Log: slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if edit != nil {
		edit(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	h.url, h.client = server.URL, server.Client()
	h.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return h
}

func (h *harness) token(g token.Grant) string {
	h.t.Helper()
	if g.Account == "" {
		g.Account = account
	}
	tok, _, err := h.issuer.Issue(g)
	if err != nil {
		h.t.Fatal(err)
	}
	return tok.Reveal()
}

// answer is a response with its body read.
type answer struct {
	*http.Response
	body string
}

// do sends a request as the account's administrator, unless edit says otherwise, and checks the answer against the contract.
func (h *harness) do(method, path, body string, edit ...func(*http.Request)) answer {
	h.t.Helper()
	req, err := http.NewRequest(method, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.token(token.Grant{Role: token.RoleAdministrator}))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, f := range edit {
		f(req)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	a := answer{resp, string(text)}
	h.contract.check(h.t, req, a)
	return a
}

func as(credentials string) func(*http.Request) {
	return func(r *http.Request) {
		if credentials == "" {
			r.Header.Del("Authorization")
		} else {
			r.Header.Set("Authorization", "Bearer "+credentials)
		}
	}
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// session is the path of a session of account.
func session(id string) string { return "/accounts/" + string(account) + "/sessions/" + id }

// converted is the path of a conversion of account.
func converted(id string) string { return "/accounts/" + string(account) + "/conversions/" + id }

// wantError checks status and error body.
func wantError(t testing.TB, a answer, status int, code arr.Code, message string) {
	t.Helper()
	var body struct {
		Error struct{ Code, Message string }
	}
	if a.StatusCode != status {
		t.Errorf("status %d, want %d: %s", a.StatusCode, status, a.body)
		return
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Errorf("body %q: %v", a.body, err)
	}
	if body.Error.Code != string(code) || message != "" && body.Error.Message != message {
		t.Errorf("error %+v, want %s %q", body.Error, code, message)
	}
	if strings.Contains(a.body, "null") {
		t.Errorf("an explicit null: %s", a.body)
	}
	if got := a.Header.Get("Content-Type"); got != jsonType {
		t.Errorf("Content-Type %q", got)
	}
}

func wantStatus(t testing.TB, a answer, status int) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("status %d, want %d: %s", a.StatusCode, status, a.body)
	}
}

// contract checks answers against the published documents, headers included.
type contract struct{ routers []routers.Router }

var loadContract = func() func(testing.TB) *contract {
	load := sync.OnceValues(func() (*contract, error) {
		openapi3filter.RegisterBodyDecoder("application/sdp", openapi3filter.PlainBodyDecoder)
		var c contract
		for _, file := range []string{"arr/2021-01-01", "sts/2019-02-28-preview", "heliograph/v1"} {
			doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join("../../api", file, "openapi.yaml"))
			if err != nil {
				return nil, err
			}
			if err := doc.Validate(context.Background()); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			r, err := gorillamux.NewRouter(doc)
			if err != nil {
				return nil, err
			}
			c.routers = append(c.routers, r)
		}
		return &c, nil
	})
	return func(t testing.TB) *contract {
		t.Helper()
		c, err := load()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}()

func (c *contract) check(t testing.TB, req *http.Request, a answer) {
	t.Helper()
	if cv := a.Header.Get("MS-CV"); !correlationPattern.MatchString(cv) {
		t.Errorf("MS-CV %q", cv)
	}
	if got := a.Header["X-Content-Type-Options"]; len(got) != 1 || got[0] != "nosniff" {
		t.Errorf("X-Content-Type-Options %q", got)
	}
	bare := req.Clone(context.Background())
	bare.URL = &url.URL{Path: req.URL.Path, RawQuery: req.URL.RawQuery}
	bare.Body = nil
	for _, r := range c.routers {
		route, params, err := r.FindRoute(bare)
		if err != nil {
			continue
		}
		if err := openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: &openapi3filter.RequestValidationInput{Request: bare, PathParams: params, Route: route},
			Status:                 a.StatusCode, Header: a.Header, Body: io.NopCloser(strings.NewReader(a.body)),
			Options: &openapi3filter.Options{IncludeResponseStatus: true},
		}); err != nil {
			t.Errorf("%s %s answers %d against the contract: %v", req.Method, req.URL.Path, a.StatusCode, err)
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
