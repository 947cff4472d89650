package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// APIVersion is the version of the REST contract that this package speaks.
const APIVersion = "2021-01-01"

// maxBody bounds what is read of a JSON answer.
const maxBody = 8 << 20

// Secret is text that no log or format verb shows.
type Secret string

// String, GoString and LogValue hide the secret.
func (Secret) String() string { return "REDACTED" }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return "REDACTED" }

// LogValue hides the secret from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue("REDACTED") }

// Config says which service and account to use. Endpoint and AccountID are required, and one of AccountKey (with STS)
// and Token.
type Config struct {
	Endpoint   string // origin of the REST API, e.g. https://remoterendering.example.com; a path prefix is kept
	STS        string // origin of the token service, e.g. https://sts.example.com
	AccountID  string // GUID
	AccountKey Secret
	Token      func(context.Context) (Secret, error) // returns an access token; replaces STS and AccountKey

	HTTPClient *http.Client // nil = a client with Go's default transport
	MaxRetries int          // repeats after the first attempt; 0 = 4, negative = none
}

// Client is a connection to one account. Make it with New.
type Client struct {
	endpoint string
	account  string
	http     *http.Client
	token    *tokenCache
	retries  int
}

// New checks the configuration. It does not contact the service.
func New(c Config) (*Client, error) {
	endpoint, err := origin("endpoint", c.Endpoint)
	if err != nil {
		return nil, err
	}
	if c.AccountID == "" {
		return nil, errors.New("client: account ID is empty")
	}
	cl := &Client{endpoint: endpoint, account: url.PathEscape(c.AccountID), http: c.HTTPClient, retries: c.MaxRetries}
	if cl.http == nil {
		cl.http = &http.Client{}
	}
	switch {
	case c.MaxRetries == 0:
		cl.retries = 4
	case c.MaxRetries < 0:
		cl.retries = 0
	}
	switch {
	case c.Token != nil:
		cl.token = newTokenCache(c.Token)
	case c.AccountKey == "":
		return nil, errors.New("client: neither account key nor token given")
	default:
		sts, err := origin("STS", c.STS)
		if err != nil {
			return nil, err
		}
		url := sts + "/Accounts/" + cl.account + "/token?api-version=2019-02-28-preview"
		cl.token = newTokenCache(func(ctx context.Context) (Secret, error) {
			return cl.exchangeKey(ctx, url, c.AccountID, c.AccountKey)
		})
	}
	return cl, nil
}

func origin(what, s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("client: %s %q is not an http or https URL", what, s)
	}
	return strings.TrimRight(s, "/"), nil
}

// Error is a refusal by the service.
type Error struct {
	Status     int           // HTTP status
	Code       string        // machine-readable, e.g. "Conflict"; "" when the answer had no error body
	Message    string        // for people
	Target     string        // the member or parameter at fault, if named
	RequestID  string        // the service's correlation vector (MS-CV), to find the request in its log
	RetryAfter time.Duration // how long the service asked to wait; 0 = it did not ask
}

func (e *Error) Error() string {
	text := e.Message
	if text == "" {
		text = http.StatusText(e.Status)
	}
	if e.Code != "" {
		text = e.Code + ": " + text
	}
	return fmt.Sprintf("%s (status %d, request %s)", text, e.Status, e.RequestID)
}

// request is one call of the service.
type request struct {
	method, path string // path below the account
	link         string // instead of path: a URL that the service gave
	query        url.Values
	body         any // sent as JSON unless nil
	// repeatable says that doing it twice equals doing it once, so that a lost answer may be answered by asking again.
	repeatable bool
}

// do sends r, repeating as retry.go rules, and decodes a JSON answer into out unless out is nil.
func (c *Client) do(ctx context.Context, r request, out any) error {
	resp, err := c.open(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return fmt.Errorf("read answer of %s %s: %w", r.method, r.path, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("decode answer of %s %s: %w", r.method, r.path, err)
	}
	return nil
}

// open sends r and returns a successful answer, whose body the caller closes.
func (c *Client) open(ctx context.Context, r request) (*http.Response, error) {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return nil, fmt.Errorf("encode body of %s %s: %w", r.method, r.path, err)
		}
	}
	target := cmp.Or(r.link, c.endpoint+"/accounts/"+c.account+r.path)
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	refreshed := false
	for attempt := 0; ; attempt++ {
		token, err := c.token.get(ctx)
		if err != nil {
			return nil, err
		}
		resp, err := c.send(ctx, r.method, target, "Bearer "+string(token), body)
		var refusal *Error
		if errors.As(err, &refusal) && refusal.Status == http.StatusUnauthorized && !refreshed {
			refreshed = true // the service may have changed its signing key: one try with a fresh token
			c.token.drop(token)
			continue
		}
		if err == nil || attempt >= c.retries || !retryable(err, r.repeatable) {
			return resp, err
		}
		if werr := wait(ctx, attempt, err); werr != nil {
			return nil, err // the refusal says more than "context deadline exceeded"
		}
	}
}

// send makes one HTTP exchange; an answer outside 2xx is an *Error.
func (c *Client) send(ctx context.Context, method, target, authorization string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", authorization)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, refusal(resp)
}

func refusal(resp *http.Response) *Error {
	e := &Error{Status: resp.StatusCode, RequestID: resp.Header.Get("MS-CV")}
	e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return e // the status alone is still true
	}
	var envelope struct {
		Error struct{ Code, Message, Target string }
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case kind == "application/json" && json.Unmarshal(text, &envelope) == nil:
		e.Code, e.Message, e.Target = envelope.Error.Code, envelope.Error.Message, envelope.Error.Target
	case kind == "text/plain":
		e.Message = strings.TrimSpace(string(text[:min(len(text), 500)]))
	}
	return e
}
