package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/heliograph/heliograph/internal/worker"
	"github.com/heliograph/heliograph/internal/workerrpc"
)

// home reports over workerrpc's wire.
type home struct {
	base    string
	token   string
	session string
	client  *http.Client
}

func newHome(c workerrpc.WorkerConfig) *home {
	h := &home{base: c.ControlAddress, token: c.ControlToken, session: c.Account + "/" + c.Session, client: &http.Client{}}
	if path, ok := strings.CutPrefix(c.ControlAddress, "unix:"); ok {
		h.base = "http://control"
		h.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}}
	}
	return h
}

func (h *home) Ready(ctx context.Context, r workerrpc.ReadyReport) error {
	return h.post(ctx, "/v1/ready", r, nil)
}

func (h *home) Renew(ctx context.Context, r workerrpc.RenewReport) (workerrpc.Renewal, error) {
	var out workerrpc.Renewal
	return out, h.post(ctx, "/v1/renew", r, &out)
}

func (h *home) post(ctx context.Context, path string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.base+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+h.token)
	req.Header.Set("Heliograph-Session", h.session)
	res, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusGone:
		return worker.ErrGone
	case res.StatusCode/100 != 2:
		return fmt.Errorf("%s: %s", path, res.Status)
	case out == nil:
		return nil
	}
	return json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(out)
}
