package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/heliograph/heliograph/client"
	"github.com/heliograph/heliograph/internal/readyfile"
)

const (
	demoPrefix = "demo-"
	demoModel  = "builtin://engine"
	demoLease  = 8 * time.Hour
)

// startDemo shows a newcomer something: a session with the sample model, and where to look at it. The session of an
// earlier start is used again while it lives.
func startDemo(ctx context.Context, w io.Writer, info readyfile.Info) error {
	cl, err := connect(info)
	if err != nil {
		return err
	}
	id, fresh, err := demoSession(ctx, cl)
	if err != nil {
		return err
	}
	if _, err := cl.WaitReady(ctx, id, client.WaitOptions{}); err != nil {
		return err
	}
	if fresh {
		load, err := cl.LoadModel(ctx, id, demoModel)
		if err != nil {
			return err
		}
		if _, err := cl.WaitLoad(ctx, id, load, nil); err != nil {
			return err
		}
	}
	t, err := cl.ViewerToken(ctx, id)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "The sample model is loaded in session %s. Look at it in a browser:\n\n  %s\n\n", id, t.ViewerURL)
	return nil
}

// demoSession returns a living session of an earlier start, or makes one: ids are never used twice.
func demoSession(ctx context.Context, cl *client.Client) (id string, fresh bool, err error) {
	for s, err := range cl.Sessions(ctx) {
		if err != nil {
			return "", false, err
		}
		if strings.HasPrefix(s.ID, demoPrefix) {
			return s.ID, false, nil
		}
	}
	id = demoPrefix + time.Now().UTC().Format("20060102-150405")
	_, err = cl.CreateSession(ctx, id, client.CreateOptions{Lease: demoLease})
	return id, true, err
}
