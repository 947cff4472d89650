package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/goccy/go-yaml"

	"github.com/heliograph/heliograph/internal/arr"
)

const (
	testKey = "c2VjcmV0LWtleS1zZWNyZXQta2V5"
	testSAS = "sv=2024-11-04&sr=c&sp=rl&se=2099-01-01T00%3A00%3A00Z&sig=c2VjcmV0%2BsecretSignature%3D"
)

func TestCheck(t *testing.T) {
	o, err := New(Config{
		Azure: Azure{Accounts: []AzureAccount{
			{Name: "linked", Key: testKey},
			{Name: "emulated", Endpoint: "http://127.0.0.1:10000/emulated/"},
			{Name: "other", Endpoint: "http://127.0.0.1:10000/other", Key: testKey},
		}},
		S3:    S3{Buckets: []string{"models"}, Region: "eu-west-1", AccessKeyID: "id", SecretAccessKey: "key"},
		GCS:   GCS{Buckets: []string{"*"}, Anonymous: true},
		Local: Local{Roots: []string{t.TempDir()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const ok, bad, unlinked = arr.Code(""), arr.CodeBadRequest, arr.CodeStorageAccess
	for _, c := range []struct {
		uri, sas string
		want     arr.Code
	}{
		{"https://anybody.blob.core.windows.net/input", testSAS, ok},
		{"https://anybody.blob.core.windows.net/input/", "?" + testSAS, ok},
		{"https://anybody.blob.core.windows.net/$web", testSAS, ok},
		{"https://any.z01.blob.storage.azure.net/input", testSAS, ok},
		{"https://anybody.blob.core.windows.net/input", "", unlinked},
		{"https://linked.blob.core.windows.net/input", "", ok},
		{"https://LINKED.blob.core.windows.net/input", "", ok},
		{"http://127.0.0.1:10000/emulated/input", testSAS, ok},
		{"http://127.0.0.1:10000/emulated/input", "", unlinked},
		{"http://127.0.0.1:10000/other/input", "", ok},
		{"http://127.0.0.1:10000/others/input", testSAS, bad},
		{"http://127.0.0.1:10001/emulated/input", testSAS, bad},
		{"https://127.0.0.1:10000/emulated/input", testSAS, bad},
		{"https://anybody.blob.core.windows.net", testSAS, bad},
		{"https://anybody.blob.core.windows.net/a/b", testSAS, bad},
		{"https://anybody.blob.core.windows.net/..", testSAS, bad},
		{"https://anybody.blob.core.windows.net/Upper", testSAS, bad},
		{"https://anybody.blob.core.windows.net/input?" + testSAS, "", bad},
		{"https://user:pass@anybody.blob.core.windows.net/input", testSAS, bad},
		{"https://anybody.blob.core.windows.net/input", "not a signature", bad},
		{"https://anybody.blob.core.windows.net/input", testSAS + "#x", bad},
		{"https://anybody.blob.core.windows.net/input", testSAS + "\r\nX: y", bad},
		{"http://anybody.blob.core.windows.net/input", testSAS, bad},      // not in the clear
		{"https://anybody.blob.core.windows.net:444/input", testSAS, bad}, // no port of Azure's
		{"https://blob.core.windows.net/input", testSAS, bad},
		{"https://a.b.blob.core.windows.net/input", testSAS, bad},
		{"https://anybody.blob.core.windows.net.evil.example/input", testSAS, bad},
		{"https://evil.example/input", testSAS, bad},
		{"http://169.254.169.254/latest", testSAS, bad},
		{"https://[::1]/input", testSAS, bad},
		{"s3://models", "", ok},
		{"s3://models/", "", ok},
		{"s3://others", "", unlinked},
		{"s3://models/folder", "", bad},
		{"s3://models", testSAS, bad},
		{"gs://anything", "", ok},
		{"gs://", "", bad},
		{"file:///etc", "", unlinked},
		{"file://host/etc", "", bad},
		{"file:///a/../b", "", bad},
		{"ftp://host/x", "", bad},
		{"input", "", bad},
		{"", "", bad},
		{"https:opaque", testSAS, bad},
		{"://", "", bad},
	} {
		err := o.Check(testAccount, c.uri, c.sas)
		if got := arr.CodeOf(err); got != c.want {
			t.Errorf("%s: got %v, want %q", c.uri, err, c.want)
		}
		hides(t, c.uri, fmt.Sprint(err))
	}
	err = o.Check(testAccount, "https://anybody.blob.core.windows.net/input", "")
	if arr.CodeOf(err).HTTPStatus() != http.StatusForbidden || !strings.Contains(err.Error(), "insufficient permissions. Check if the Mixed Reality") {
		t.Errorf("got %v, want the contract's 403", err)
	}
}

const (
	testAccount  arr.AccountID = "8f4c0d7e-2f0b-4b6e-9a55-3c1d2e9a7b10"
	otherAccount arr.AccountID = "0e1d2c3b-4a59-4876-8544-332211009988"
)

// TestReserved: what is reserved opens to its accounts only, and a signature opens it to all.
func TestReserved(t *testing.T) {
	dir := t.TempDir()
	mine := []string{strings.ToUpper(string(testAccount))}
	c := Config{
		Azure: Azure{Accounts: []AzureAccount{{Name: "whole", Key: testKey}, {Name: "part", Key: testKey}}},
		S3:    S3{Buckets: []string{"*"}, Region: "r", AccessKeyID: "a", SecretAccessKey: "s"},
		Local: Local{Roots: []string{dir}},
		Reserved: []Reservation{
			{URI: "https://whole.blob.core.windows.net", Accounts: mine},
			{URI: "https://part.blob.core.windows.net/press", Accounts: mine},
			{URI: "s3://press", Accounts: mine},
			{URI: "file://" + dir + "/press/", Accounts: mine},
		},
	}
	o, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, uri := range []string{
		"https://whole.blob.core.windows.net/any", "https://WHOLE.blob.core.windows.net/any/", "https://part.blob.core.windows.net/press",
		"s3://press", "file://" + dir + "/press", "file://" + dir + "/press/below", "file://" + dir + "/%70ress",
		"file://" + dir, // it has the reserved directory in it
	} {
		if err := o.Check(testAccount, uri, ""); err != nil {
			t.Errorf("%s for its account: %v", uri, err)
		}
		if err := o.Check(otherAccount, uri, ""); arr.CodeOf(err) != arr.CodeStorageAccess {
			t.Errorf("%s for another: %v", uri, err)
		}
		if _, err := o.Open(t.Context(), otherAccount, uri, ""); err == nil {
			t.Errorf("%s opens for another", uri)
		}
	}
	for _, uri := range []string{
		"https://part.blob.core.windows.net/press2", "s3://press2", "file://" + dir + "/press2", "file://" + dir + "/other",
	} {
		if err := o.Check(otherAccount, uri, ""); err != nil {
			t.Errorf("%s: %v", uri, err)
		}
	}
	if err := o.Check(otherAccount, "https://whole.blob.core.windows.net/any", testSAS); err != nil {
		t.Errorf("with a signature: %v", err)
	}
	for _, r := range []Reservation{
		{URI: "s3://press"}, {URI: "s3://press", Accounts: []string{"somebody"}}, {URI: "gs://press", Accounts: mine}, {URI: "file:///etc", Accounts: mine},
		{URI: "https://nobody.blob.core.windows.net", Accounts: mine}, {URI: "https://whole.blob.core.windows.net/a/b", Accounts: mine}, {Accounts: mine},
	} {
		c.Reserved = []Reservation{r}
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), "reserved[0]") {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// hides fails where text has a secret of the tests in it, or a part of one.
func hides(t *testing.T, what, text string) {
	t.Helper()
	for _, secret := range []string{testKey, "secretSignature", "sig=", "c2VjcmV0"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s: %q is shown in %q", what, secret, text)
		}
	}
}

// server is an Azure account that answers every request alike.
func server(t *testing.T, h http.HandlerFunc) *Opener {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	o, err := New(Config{
		Azure: Azure{Accounts: []AzureAccount{{Name: "acc", Endpoint: s.URL + "/acc"}}},
		S3:    S3{Buckets: []string{"models"}, Endpoint: s.URL, PathStyle: true, AccessKeyID: "id", SecretAccessKey: testKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	o.retry = policy.RetryOptions{MaxRetries: -1}
	return o
}

func (o *Opener) testURI() string { return o.accounts[0].Endpoint + "/input" }

// operations runs all three on a container and returns their errors.
func operations(ctx context.Context, c *Container) map[string]error {
	return map[string]error{
		"list":     c.List(ctx, "", func(string, int64) error { return nil }),
		"download": c.Download(ctx, "model.glb", io.Discard),
		"upload":   c.Upload(ctx, "model.glb", strings.NewReader("x"), "model/gltf-binary"),
	}
}

// TestFailures maps what servers answer to what users are told, and looks for secrets in all of it.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		name      string
		status    int
		code      string
		reason    Reason
		read      arr.Code
		retryable bool
	}{
		{"denied", 403, "AuthenticationFailed", Denied, arr.CodeInputContainer, false},
		{"wrong permission", 403, "AuthorizationPermissionMismatch", Denied, arr.CodeInputContainer, false},
		{"anonymous", 409, "PublicAccessNotPermitted", Denied, arr.CodeInputContainer, false},
		{"missing", 404, "BlobNotFound", NotFound, arr.CodeNotFound, false},
		{"no container", 404, "ContainerNotFound", NotFound, arr.CodeNotFound, false},
		{"throttled", 503, "ServerBusy", Busy, arr.CodeInputContainer, true},
		{"broken", 500, "InternalError", Busy, arr.CodeInputContainer, true},
		{"too many", 429, "", Busy, arr.CodeInputContainer, true},
		{"odd", 400, "OutOfRangeInput", Failed, arr.CodeInputContainer, false},
		{"redirected", 307, "", Failed, arr.CodeInputContainer, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := server(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("x-ms-error-code", c.code)
				w.Header().Set("Content-Type", "application/xml")
				if c.status == 307 {
					w.Header().Set("Location", "http://127.0.0.1:1/?"+r.URL.RawQuery)
				}
				w.WriteHeader(c.status)
				fmt.Fprintf(w, "<Error><Code>%s</Code><Message>for %s</Message></Error>", c.code, r.URL)
			})
			for op, err := range operations(t.Context(), openURI(t, o, o.testURI(), testSAS)) {
				var e *Error
				if !errors.As(err, &e) {
					t.Fatalf("%s: %v", op, err)
				}
				want := c.read
				if op == "upload" {
					want = arr.CodeOutputContainer
				}
				if e.Reason != c.reason || e.User.Code != want || e.Retryable() != c.retryable {
					t.Errorf("%s: got reason %d, %v, retryable %v; want %d, %s, %v", op, e.Reason, e, e.Retryable(), c.reason, want, c.retryable)
				}
				hidesAll(t, op, err)
			}
		})
	}
}

// hidesAll looks at an error in every way in which it may be printed.
func hidesAll(t *testing.T, what string, err error) {
	t.Helper()
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("failed", "err", err)
	for e := err; e != nil; e = errors.Unwrap(e) {
		hides(t, what, fmt.Sprintf("%v %+v %#v %s", e, e, e, log.String()))
	}
}

func TestExpired(t *testing.T) {
	o := server(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) })
	sas := strings.Replace(testSAS, "2099", "2021", 1)
	err := openURI(t, o, o.testURI(), sas).Download(t.Context(), "a", io.Discard)
	if !strings.Contains(fmt.Sprint(err), "expired at 2021-01-01T00:00:00Z") {
		t.Errorf("got %v, want when the signature expired", err)
	}
}

func TestUnreachable(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	url := s.URL
	s.Close() // nobody listens there now
	o, err := New(Config{
		Azure: Azure{Accounts: []AzureAccount{{Name: "acc", Endpoint: url + "/acc"}}},
		S3:    S3{Buckets: []string{"models"}, Endpoint: url, PathStyle: true, AccessKeyID: "id", SecretAccessKey: testKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	o.retry = policy.RetryOptions{MaxRetries: -1}
	for op, err := range operations(t.Context(), openURI(t, o, o.testURI(), testSAS)) {
		var e *Error
		if !errors.As(err, &e) || e.Reason != Unreachable || !e.Retryable() {
			t.Errorf("%s: got %v, want it to be unreachable", op, err)
		}
		hidesAll(t, op, err)
	}
	err = openURI(t, o, "s3://models", "").Upload(t.Context(), "a", strings.NewReader("x"), "text/plain")
	var e *Error
	if !errors.As(err, &e) || e.Reason != Unreachable {
		t.Errorf("S3: got %v, want it to be unreachable", err)
	}
	hidesAll(t, "S3", err)
}

// TestGuard points a name that clients may give at this machine.
func TestGuard(t *testing.T) {
	reached := false
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer s.Close()
	resp, err := newClient(true).Get(s.URL)
	if err == nil {
		_ = resp.Body.Close()
	}
	if !errors.Is(err, errForbiddenAddress) || reached {
		t.Errorf("a guarded client reached %s: %v", s.URL, err)
	}
	if reason, _ := classify(err); reason != Unreachable {
		t.Errorf("got reason %d", reason)
	}
	resp, err = newClient(false).Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

func TestStall(t *testing.T) {
	if cause(context.Background(), io.ErrUnexpectedEOF) != io.ErrUnexpectedEOF { //nolint:errorlint // exactly that
		t.Error("a context that goes on is no cause")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStalled)
	c := &Container{}
	var e *Error
	if err := c.failure(t.Context(), opRead, cause(ctx, ctx.Err())); !errors.As(err, &e) || e.Reason != Unreachable {
		t.Errorf("got %v, want it to be unreachable", err)
	}
}

func TestSecretsOfConfig(t *testing.T) {
	c := Config{
		Azure: Azure{Accounts: []AzureAccount{{Name: "a", Key: testKey}}},
		S3:    S3{SecretAccessKey: testKey, SessionToken: testKey},
	}
	text, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("start", "config", c, "key", c.Azure.Accounts[0].Key)
	hides(t, "config", fmt.Sprintf("%s %v %+v %#v %s", text, c, c, c, log.String()))
	if !strings.Contains(string(text), "redacted") {
		t.Errorf("%s does not say that there is a key", text)
	}
	var back Config
	if err := yaml.UnmarshalWithOptions([]byte("azure:\n  accounts: [{name: a, key: "+testKey+"}]\n"), &back, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if back.Azure.Accounts[0].Key.Reveal() != testKey {
		t.Error("the key is not read")
	}
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]Config{
		"root":     {Local: Local{Roots: []string{"/does/not/exist"}}},
		"name":     {Azure: Azure{Accounts: []AzureAccount{{Key: testKey}}}},
		"endpoint": {Azure: Azure{Accounts: []AzureAccount{{Name: "a", Endpoint: "ftp://x"}}}},
		"query":    {Azure: Azure{Accounts: []AzureAccount{{Name: "a", Endpoint: "https://x/?" + testSAS}}}},
		"both":     {Azure: Azure{Accounts: []AzureAccount{{Name: "a", Key: testKey, Identity: true}}}},
		"clear":    {Azure: Azure{Accounts: []AzureAccount{{Name: "a", Endpoint: "http://x", Identity: true}}}},
		"base64":   {Azure: Azure{Accounts: []AzureAccount{{Name: "a", Key: "not base64!"}}}},
	} {
		_, err := New(c)
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
		hides(t, name, fmt.Sprint(err))
	}
}

func TestExpiryLayouts(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	for se, past := range map[string]bool{
		"2026-01-01T00:00:00Z": true, "2026-01-01T00:00Z": true, "2026-01-01": true, "2026-02-01": false, "": false, "soon": false,
	} {
		p := place{sas: "sig=x&se=" + se}
		if got := !p.expired(now).IsZero(); got != past {
			t.Errorf("%q: expired %v, want %v", se, got, past)
		}
	}
}

// fakeIdentity stands for azidentity's chain.
type fakeIdentity struct{ err error }

func (f fakeIdentity) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "identity-token", ExpiresOn: time.Now().Add(time.Hour)}, f.err
}

// noCredential is how azidentity says that there is no identity.
type noCredential struct{ error }

func (noCredential) NonRetriable() {}

// TestIdentity links an account by the identity that the service runs as.
func TestIdentity(t *testing.T) {
	var got atomic.Value
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.Header.Get("Authorization"))
		fmt.Fprint(w, "the blob")
	}))
	defer s.Close()
	o, err := New(Config{Azure: Azure{Accounts: []AzureAccount{{Name: "acc", Endpoint: s.URL + "/acc", Identity: true}}}})
	if err != nil {
		t.Fatal(err)
	}
	o.trusted, o.retry, o.identity = s.Client(), policy.RetryOptions{MaxRetries: -1}, fakeIdentity{}
	if err := o.Check(testAccount, o.testURI(), ""); err != nil {
		t.Errorf("a linked account: %v", err)
	}
	var b bytes.Buffer
	if err := openURI(t, o, o.testURI(), "").Download(t.Context(), "a", &b); err != nil || b.String() != "the blob" {
		t.Errorf("got %q, %v", b.String(), err)
	}
	if got.Load() != "Bearer identity-token" {
		t.Errorf("authorised by %q", got.Load())
	}
	// A client's signature goes before the service's identity: it has its own rights.
	if err := openURI(t, o, o.testURI(), testSAS).Download(t.Context(), "a", io.Discard); err != nil || got.Load() != "" {
		t.Errorf("with a signature: authorised by %q, %v", got.Load(), err)
	}
	o.identity = fakeIdentity{noCredential{errors.New("no managed identity endpoint")}}
	err = openURI(t, o, o.testURI(), "").Download(t.Context(), "a", io.Discard)
	var e *Error
	if !errors.As(err, &e) || e.Reason != Denied || !strings.Contains(e.User.Message, "account or identity") {
		t.Errorf("without an identity: %v", err)
	}
}
