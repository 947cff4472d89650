package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// ViewerToken lets one browser watch one session.
type ViewerToken struct {
	Token     Secret    `json:"token"`
	ExpiresAt time.Time `json:"expiresAt"`
	ViewerURL string    `json:"viewerUrl"` // the viewer page; carries the token in its fragment
}

// ViewerToken makes a token that is good for this session only, and the URL of a viewer that uses it.
func (c *Client) ViewerToken(ctx context.Context, id string) (ViewerToken, error) {
	var t ViewerToken
	err := c.do(ctx, request{method: http.MethodPost, path: sessionPath(id) + "/viewer-token", repeatable: true}, &t)
	return t, err
}

// LoadState is how far a load has come.
type LoadState string

// The states of a load.
const (
	LoadRunning LoadState = "running"
	LoadDone    LoadState = "done"
	LoadFailed  LoadState = "failed"
)

// Load is the loading of one model into a session.
type Load struct {
	ID        string    `json:"id"`
	URI       string    `json:"uri"`
	Stage     string    `json:"stage"` // what the worker does at present, in a word
	Done      float64   `json:"done"`  // of the stage, 0..1
	State     LoadState `json:"state"`
	Error     *Failure  `json:"error,omitempty"` // why State is failed
	Triangles int64     `json:"triangles"`
	Warnings  []string  `json:"warnings,omitempty"` // what of the model could not be shown
}

// LoadModel starts to load a model and returns its load's id. The URI is builtin://NAME, an https URL of a host that
// the worker may fetch from, or a file URI below one of its model roots.
func (c *Client) LoadModel(ctx context.Context, id, uri string) (string, error) {
	var l Load
	body := map[string]string{"uri": uri}
	// Not repeatable: a second load would put the model there twice.
	err := c.do(ctx, request{method: http.MethodPost, path: sessionPath(id) + "/inspector/load", body: body}, &l)
	return l.ID, err
}

// WaitLoad polls a load until it is done, calling progress (which may be nil) after every poll.
func (c *Client) WaitLoad(ctx context.Context, id, load string, progress func(Load)) (Load, error) {
	r := request{method: http.MethodGet, path: sessionPath(id) + "/inspector/loads/" + url.PathEscape(load), repeatable: true}
	for {
		var l Load
		if err := c.do(ctx, r, &l); err != nil {
			return l, err
		}
		if progress != nil {
			progress(l)
		}
		switch {
		case l.State == LoadDone:
			return l, nil
		case l.State == LoadFailed && l.Error != nil:
			return l, fmt.Errorf("load %s: %w", l.URI, l.Error)
		case l.State != LoadRunning:
			return l, fmt.Errorf("load %s ended in state %q", l.URI, l.State)
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return l, fmt.Errorf("load %s is still at %s: %w", l.URI, l.Stage, err)
		}
	}
}

// SnapshotOptions shape a picture. Zero leaves the choice to the worker.
type SnapshotOptions struct{ Width, Height int }

// Snapshot returns the session's present view as PNG. The caller closes it.
func (c *Client) Snapshot(ctx context.Context, id string, o SnapshotOptions) (io.ReadCloser, error) {
	q := url.Values{"format": {"png"}}
	if o.Width != 0 {
		q.Set("width", strconv.Itoa(o.Width))
	}
	if o.Height != 0 {
		q.Set("height", strconv.Itoa(o.Height))
	}
	resp, err := c.open(ctx, request{method: http.MethodGet, path: sessionPath(id) + "/inspector/snapshot", query: q, repeatable: true})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// MaxLogLines is the most that Log gives.
const MaxLogLines = 10_000

// Log returns the last lines of the session's worker log, MaxLogLines if lines is less than 1 or more than that. The
// caller closes it.
func (c *Client) Log(ctx context.Context, id string, lines int) (io.ReadCloser, error) {
	return c.log(ctx, sessionPath(id), lines)
}
