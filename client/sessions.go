package client

import (
	"context"
	"fmt"
	"iter"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Size is the profile of a session.
type Size string

// The sizes of the contract.
const (
	Standard Size = "Standard"
	Premium  Size = "Premium"
)

// Status is the state of a session.
type Status string

// The states of a session. The last three are final.
const (
	Starting Status = "Starting"
	Ready    Status = "Ready"
	Stopped  Status = "Stopped"
	Expired  Status = "Expired"
	Failed   Status = "Error"
)

// Final reports whether the session has ended.
func (s Status) Final() bool { return s == Stopped || s == Expired || s == Failed }

// Session is a rendering session as the service describes it.
type Session struct {
	ID                  string    `json:"id"`
	CreationTime        time.Time `json:"creationTime"`
	ArrInspectorPort    int       `json:"arrInspectorPort,omitempty"` // only while Ready
	HandshakePort       int       `json:"handshakePort,omitempty"`    // only while Ready
	Hostname            string    `json:"hostname,omitempty"`         // only while Ready
	ElapsedTimeMinutes  int       `json:"elapsedTimeMinutes"`         // spent in Ready
	MaxLeaseTimeMinutes int       `json:"maxLeaseTimeMinutes"`        // counted from Ready
	Size                Size      `json:"size"`
	Status              Status    `json:"status"`
	Teraflops           float64   `json:"teraflops,omitempty"` // from Ready on
	Error               *Failure  `json:"error,omitempty"`     // why Status is Error
}

// Failure says why a session or a load failed.
type Failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (f *Failure) Error() string { return f.Code + ": " + f.Message }

// CreateOptions are the settings of a new session.
type CreateOptions struct {
	Size  Size          // "" = Standard
	Lease time.Duration // whole minutes from Ready, at most 24 h; rounded up
}

// CreateSession creates the session id, which the caller chooses ([A-Za-z0-9_-], 1..256), and returns it Starting.
// For an id that exists with the same settings it returns that session; with other settings it is a Conflict.
func (c *Client) CreateSession(ctx context.Context, id string, o CreateOptions) (*Session, error) {
	if o.Size == "" {
		o.Size = Standard
	}
	body := struct {
		Lease int  `json:"maxLeaseTimeMinutes"`
		Size  Size `json:"size"`
	}{minutes(o.Lease), o.Size}
	return c.session(ctx, request{method: http.MethodPut, path: sessionPath(id), body: body, repeatable: true})
}

// GetSession returns the present state of a session, also after its end (for 30 days).
func (c *Client) GetSession(ctx context.Context, id string) (*Session, error) {
	return c.session(ctx, request{method: http.MethodGet, path: sessionPath(id), repeatable: true})
}

// ExtendSession sets the total lease, counted from Ready. It must be longer than the present one.
func (c *Client) ExtendSession(ctx context.Context, id string, lease time.Duration) (*Session, error) {
	body := struct {
		Lease int `json:"maxLeaseTimeMinutes"`
	}{minutes(lease)}
	// Not repeatable: an equal lease is refused (422), so repeating after a lost answer would report a false failure.
	return c.session(ctx, request{method: http.MethodPatch, path: sessionPath(id), body: body})
}

// StopSession ends a session. Stopping one that has ended is no error.
func (c *Client) StopSession(ctx context.Context, id string) error {
	return c.do(ctx, request{method: http.MethodPost, path: sessionPath(id) + "/:stop", query: versioned(), repeatable: true}, nil)
}

// Sessions iterates over the sessions that are Starting or Ready, fetching page by page. After an error it ends.
func (c *Client) Sessions(ctx context.Context) iter.Seq2[*Session, error] {
	return pages[Session](ctx, c, "sessions")
}

// pages iterates over a collection of the account.
func pages[T any](ctx context.Context, c *Client, collection string) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		r := request{method: http.MethodGet, path: "/" + collection, query: versioned(), repeatable: true}
		for {
			var page struct { // one of the two is there
				Sessions    []*T   `json:"sessions"`
				Conversions []*T   `json:"conversions"`
				NextLink    string `json:"@nextLink"`
			}
			if err := c.do(ctx, r, &page); err != nil {
				yield(nil, err)
				return
			}
			for _, s := range append(page.Sessions, page.Conversions...) {
				if !yield(s, nil) {
					return
				}
			}
			if page.NextLink == "" {
				return
			}
			if !c.own(page.NextLink) {
				yield(nil, fmt.Errorf("list %s: next page %q is on another host; the token stays here", collection, page.NextLink))
				return
			}
			r.link, r.query = page.NextLink, nil // absolute, and with an api-version of its own (contract section 6)
		}
	}
}

// own reports whether link is at the endpoint's origin.
func (c *Client) own(link string) bool {
	l, err := url.Parse(link)
	e, _ := url.Parse(c.endpoint)
	return err == nil && l.Scheme == e.Scheme && l.Host == e.Host
}

// WaitOptions shape WaitReady.
type WaitOptions struct {
	// Every is the time between polls; 0 starts at 50 ms and slows down to 2 s, the contract's pace for Standard.
	Every    time.Duration
	Progress func(*Session) // called after every poll; may be nil
}

// WaitReady polls until the session is Ready. A session that ends instead is an error: its *Failure if it has one.
func (c *Client) WaitReady(ctx context.Context, id string, o WaitOptions) (*Session, error) {
	pause := o.Every
	if pause == 0 {
		pause = 50 * time.Millisecond
	}
	for {
		s, err := c.GetSession(ctx, id)
		if err != nil {
			return nil, err
		}
		if o.Progress != nil {
			o.Progress(s)
		}
		switch {
		case s.Status == Ready:
			return s, nil
		case s.Error != nil:
			return s, fmt.Errorf("session %s: %w", id, s.Error)
		case s.Status.Final():
			return s, fmt.Errorf("session %s is %s", id, s.Status)
		}
		if err := sleep(ctx, pause); err != nil {
			return s, fmt.Errorf("session %s is still %s: %w", id, s.Status, err)
		}
		if o.Every == 0 {
			pause = min(2*time.Second, pause*3/2)
		}
	}
}

func (c *Client) session(ctx context.Context, r request) (*Session, error) {
	r.query = versioned()
	var s Session
	if err := c.do(ctx, r, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

func versioned() url.Values { return url.Values{"api-version": {APIVersion}} }

func sessionPath(id string) string { return "/sessions/" + segment(id) }

// segment is a path segment that is not taken for a verb such as :stop.
func segment(id string) string { return strings.ReplaceAll(url.PathEscape(id), ":", "%3A") }

func minutes(d time.Duration) int { return int(math.Ceil(d.Minutes())) }
