package workerrpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// The ends of a worker's relation to the control plane. Both mean: exit.
var (
	// ErrEnded: the control plane says that the session has ended, or that this worker is not its worker (410, 401).
	ErrEnded = errors.New("the session has ended")
	// ErrOrphaned: the control plane could not be reached for the whole of orphanAfter.
	ErrOrphaned = errors.New("the control plane is out of reach")
)

// errRefused wraps answers that repeating the same report cannot change (4xx).
var errRefused = errors.New("the control plane refused the report")

const (
	minBackoff = 20 * time.Millisecond
	maxBackoff = time.Second
	// maxAttempt bounds one request, so that a control plane that accepts and never answers is one that is out of reach.
	maxAttempt = 5 * time.Second
)

// Client is a worker's line home. Safe for concurrent use.
type Client struct {
	http    *http.Client
	base    string // origin of the control plane
	session string // <account>/<id>
	token   string

	leaseEnd atomic.Pointer[time.Time] // by the last renewal; nil before
}

// NewClient returns a Client for c.ControlAddress, c.ControlToken, c.Account and c.Session. It dials nothing.
func NewClient(c WorkerConfig) (*Client, error) {
	client := &Client{http: &http.Client{}, session: c.Account + "/" + c.Session, token: c.ControlToken}
	transport := &http.Transport{MaxIdleConns: 1, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: maxAttempt}
	client.http.Transport = transport
	switch path, unix := strings.CutPrefix(c.ControlAddress, "unix:"); {
	case unix:
		client.base = "http://control" // the name is never looked up
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return dialUnix(ctx, path) }
	case strings.HasPrefix(c.ControlAddress, "https://"):
		client.base = strings.TrimSuffix(c.ControlAddress, "/")
	default:
		return nil, fmt.Errorf("control address %q is neither unix:PATH nor https://HOST:PORT", c.ControlAddress)
	}
	return client, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Ready reports that the worker serves. It repeats itself until the control plane has taken it (nil), has refused it
// (ErrEnded, or another error that is final), or ctx ends. A repeated report of the same facts is not an error.
func (c *Client) Ready(ctx context.Context, r ReadyReport) error {
	for backoff := minBackoff; ; backoff = min(2*backoff, maxBackoff) {
		err := c.post(ctx, maxAttempt, readyPath, r, nil)
		if err == nil || errors.Is(err, ErrEnded) || errors.Is(err, errRefused) {
			return err
		}
		if !sleep(ctx, backoff) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

// RenewLoop renews every so often until ctx ends (its error), the session has ended (ErrEnded), or no renewal has
// succeeded for orphanAfter (ErrOrphaned). report is called for each renewal, from this goroutine.
func (c *Client) RenewLoop(ctx context.Context, every, orphanAfter time.Duration, report func() RenewReport) error {
	every = max(every, minBackoff)
	last := time.Now()
	wait := every
	backoff := minBackoff
	for {
		left := orphanAfter - time.Since(last)
		if !sleep(ctx, min(wait, max(left, 0))) {
			return ctx.Err()
		}
		left = orphanAfter - time.Since(last)
		if left <= 0 {
			return ErrOrphaned
		}
		var answer Renewal
		switch err := c.post(ctx, min(left, maxAttempt), renewPath, report(), &answer); {
		case err == nil:
			last = time.Now()
			end := last.Add(time.Duration(answer.LeaseSecondsLeft * float64(time.Second)))
			c.leaseEnd.Store(&end)
			wait, backoff = every, minBackoff
		case errors.Is(err, ErrEnded):
			return err
		default: // a control plane that restarts is back in a moment: ask soon, then less often
			wait = min(backoff, every)
			backoff = min(2*backoff, maxBackoff)
		}
	}
}

// LeaseLeft is what was left of the lease by the last renewal; ok is false before the first.
func (c *Client) LeaseLeft() (left time.Duration, ok bool) {
	end := c.leaseEnd.Load()
	if end == nil {
		return 0, false
	}
	return max(0, time.Until(*end)), true
}

// post makes one attempt. It returns ErrEnded, an error that wraps errRefused, or one that may pass.
func (c *Client) post(ctx context.Context, limit time.Duration, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set(sessionHeader, c.session)
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxReport))
	switch {
	case err != nil:
		return err
	case res.StatusCode == http.StatusGone, res.StatusCode == http.StatusUnauthorized:
		return ErrEnded
	case res.StatusCode/100 == 4:
		return fmt.Errorf("%w: %s: %s", errRefused, res.Status, bytes.TrimSpace(answer))
	case res.StatusCode/100 != 2:
		return fmt.Errorf("POST %s: %s: %s", path, res.Status, bytes.TrimSpace(answer))
	case out != nil:
		return json.Unmarshal(answer, out)
	}
	return nil
}

// sleep waits for d and reports true, or false as soon as ctx ends.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
