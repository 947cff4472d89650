package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/heliograph/heliograph/client"
)

type loadCmd struct {
	connection
	output
	ID    string `arg:"" help:"The session."`
	Model string `arg:"" help:"builtin://NAME, an asset or a model below one of the service's model roots, or an https URL."`
}

func (loadCmd) Help() string {
	return `The worker reads the model, so a file must lie on the service's machine, below a directory of worker.modelRoots
(serve --dev --models DIR). URLs must be of a host in worker.modelHosts.

    heliograph session load demo builtin://engine
    heliograph session load demo ./models/engine.arrAsset
    heliograph session load demo ./models/helmet.glb
` + connectionHelp
}

func (c *loadCmd) Run(ctx context.Context, a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	uri, err := modelURI(c.Model)
	if err != nil {
		return err
	}
	start := time.Now()
	id, err := cl.LoadModel(ctx, c.ID, uri)
	if err != nil {
		return err
	}
	bar := newProgress(a.stderr)
	l, err := cl.WaitLoad(ctx, c.ID, id, func(l client.Load) { bar.show(l.Done, l.Stage) })
	bar.end()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, l)
	}
	for _, w := range l.Warnings {
		fmt.Fprintln(a.stderr, "warning:", w)
	}
	_, err = fmt.Fprintf(a.stdout, "loaded %s: %s triangles in %.1f s\n", l.URI, thousands(l.Triangles), time.Since(start).Seconds())
	return err
}

// modelURI keeps a URI and makes a file name one.
func modelURI(model string) (string, error) {
	if strings.Contains(model, "://") {
		return model, nil
	}
	path, err := filepath.Abs(model)
	if err != nil {
		return "", err
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String(), nil
}

type openCmd struct {
	connection
	output
	ID      string `arg:"" help:"The session."`
	Browser bool   `help:"Open it in the default browser, too."`
}

func (openCmd) Help() string {
	return `The URL carries a token that is good for this one session: who has it can watch and steer the session until it expires.
` + connectionHelp
}

func (c *openCmd) Run(ctx context.Context, a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	t, err := cl.ViewerToken(ctx, c.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		// The token is what the command is asked for, so here it is shown.
		err = printJSON(a.stdout, map[string]any{"token": string(t.Token), "expiresAt": t.ExpiresAt, "viewerUrl": t.ViewerURL})
	} else {
		_, err = fmt.Fprintln(a.stdout, t.ViewerURL)
	}
	if err != nil || !c.Browser {
		return err
	}
	opener := map[string]string{"darwin": "open", "windows": "explorer"}[runtime.GOOS]
	if opener == "" {
		opener = "xdg-open"
	}
	if err := exec.CommandContext(ctx, opener, t.ViewerURL).Run(); err != nil {
		return fmt.Errorf("open browser: %w", err)
	}
	return nil
}

type snapshotCmd struct {
	connection
	ID     string `arg:"" help:"The session."`
	Output string `short:"o" required:"" placeholder:"FILE" help:"PNG file to write; - is standard output."`
	Width  int    `help:"Width in pixels; by default the viewer's."`
	Height int    `help:"Height in pixels; by default the viewer's."`
}

func (snapshotCmd) Help() string {
	return `The picture is lossless and made by the worker itself, whether anybody watches or not.

    heliograph session snapshot demo -o view.png --width 1920 --height 1080
` + connectionHelp
}

func (c *snapshotCmd) Run(ctx context.Context, a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	picture, err := cl.Snapshot(ctx, c.ID, client.SnapshotOptions{Width: c.Width, Height: c.Height})
	if err != nil {
		return err
	}
	defer picture.Close()
	png, err := io.ReadAll(picture) // whole before the file is touched: a broken connection leaves no half picture
	if err != nil {
		return fmt.Errorf("read picture: %w", err)
	}
	if c.Output == "-" {
		_, err = a.stdout.Write(png)
		return err
	}
	return os.WriteFile(c.Output, png, 0o644)
}

type logsCmd struct {
	connection
	ID     string `arg:"" help:"The session."`
	Lines  int    `short:"n" default:"100" help:"How many of the last lines; 0 is as many as the service gives, 10,000."`
	Follow bool   `short:"f" help:"Go on printing what comes, until interrupted or the session has ended."`
}

// followEvery is how often logs -f looks for more.
const followEvery = 500 * time.Millisecond

func (c *logsCmd) Run(ctx context.Context, a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	return printLog(ctx, a.stdout, c.Lines, c.Follow, logSource{
		read: func(lines int) (io.ReadCloser, error) { return cl.Log(ctx, c.ID, lines) },
		ended: func() (bool, error) {
			s, err := cl.GetSession(ctx, c.ID)
			return err == nil && s.Status.Final(), err
		},
	})
}

// logSource is a log that grows until it has ended.
type logSource struct {
	read  func(lines int) (io.ReadCloser, error) // the last lines; 0 = as many as there are
	ended func() (bool, error)
}

func (l logSource) text(lines int) ([]byte, error) {
	log, err := l.read(lines)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	return io.ReadAll(log)
}

// printLog prints the last lines of a log, and with follow what comes after them.
func printLog(ctx context.Context, w io.Writer, lines int, follow bool, log logSource) error {
	if !follow {
		text, err := log.text(lines)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	var before []byte
	for first := true; ; first = false {
		ended, err := log.ended() // before the log, so that the last lines are not missed
		if err != nil {
			return interrupted(ctx, err)
		}
		now, err := log.text(0)
		if err != nil {
			return interrupted(ctx, err)
		}
		more := added(before, now)
		if first {
			more = tail(now, lines)
		}
		if _, err := w.Write(more); err != nil {
			return err
		}
		if ended {
			return nil
		}
		before = now
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// added is what a log has more now than before. Both are windows on its end, so the last of before is looked for in now;
// if it has moved out of the window, all of now is new.
func added(before, now []byte) []byte {
	const unique = 4 << 10 // so many bytes of time-stamped lines do not occur twice
	mark := before[max(0, len(before)-unique):]
	if i := bytes.LastIndex(now, mark); i >= 0 && len(mark) > 0 {
		return now[i+len(mark):]
	}
	return now
}

// interrupted is nil if the user ended the command, which is how following ends.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// tail is the last n lines of text; all of it for n < 1.
func tail(text []byte, n int) []byte {
	if n < 1 {
		return text
	}
	at := len(bytes.TrimSuffix(text, []byte("\n")))
	for ; n > 0; n-- {
		if at = bytes.LastIndexByte(text[:at], '\n'); at < 0 {
			return text
		}
	}
	return text[at+1:]
}
