package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/heliograph/heliograph/client"
)

// sessionCmd holds the commands that use the REST API, and what they share.
type sessionCmd struct {
	Create   createCmd   `cmd:"" help:"Create a session."`
	List     listCmd     `cmd:"" help:"List the sessions that are Starting or Ready."`
	Show     showCmd     `cmd:"" help:"Show one session, also after its end."`
	Load     loadCmd     `cmd:"" help:"Load a model into a session."`
	Open     openCmd     `cmd:"" help:"Print or open the URL of a viewer for a session."`
	Snapshot snapshotCmd `cmd:"" help:"Save what a session shows as a picture."`
	Logs     logsCmd     `cmd:"" help:"Print the log of a session's worker."`
	Extend   extendCmd   `cmd:"" help:"Set the total lease of a session."`
	Stop     stopCmd     `cmd:"" help:"Stop a session."`
}

func (sessionCmd) Help() string {
	return `A session is one render worker that is leased to you: create one, load a model, look at it, stop it.

    heliograph session create demo --lease 2h --wait
    heliograph session load demo builtin://engine
    heliograph session open demo --browser
    heliograph session stop demo
` + connectionHelp
}

// output says how results are printed.
type output struct {
	JSON bool `name:"json" help:"Print JSON instead of a table."`
}

func (o output) session(a *app, s *client.Session) error {
	if o.JSON {
		return printJSON(a.stdout, s)
	}
	return printSession(a.stdout, s)
}

// lease is a whole number of minutes ("90") or a duration ("1h30m").
type lease time.Duration

// UnmarshalText parses either form.
func (l *lease) UnmarshalText(text []byte) error {
	if n, err := strconv.Atoi(string(text)); err == nil {
		*l = lease(time.Duration(n) * time.Minute)
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is neither minutes (90) nor a duration (1h30m)", text)
	}
	*l = lease(d)
	return nil
}

type createCmd struct {
	connection
	output
	ID   string      `arg:"" help:"The new session's id: 1 to 256 characters of A-Z, a-z, 0-9, _ and -."`
	Size client.Size `default:"Standard" help:"Standard or Premium."`

	Lease lease `default:"1h" help:"How long it may run once it is Ready: minutes or a duration, at most 24h."`
	Wait  bool  `help:"Wait until it is Ready."`
}

func (createCmd) Help() string {
	return `Creating a session that exists with the same settings returns that session. It is empty until a model is loaded.

    heliograph session create demo --wait
    heliograph session create big --size Premium --lease 8h --json
` + connectionHelp
}

func (c *createCmd) Run(ctx context.Context, a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	start := time.Now()
	s, err := cl.CreateSession(ctx, c.ID, client.CreateOptions{Size: c.Size, Lease: time.Duration(c.Lease)})
	if err != nil {
		return err
	}
	if c.Wait {
		var last client.Status
		s, err = cl.WaitReady(ctx, c.ID, client.WaitOptions{Progress: func(s *client.Session) {
			if s.Status != last {
				fmt.Fprintf(a.stderr, "%s: %s after %.1f s\n", c.ID, s.Status, time.Since(start).Seconds())
				last = s.Status
			}
		}})
		if err != nil {
			return err
		}
	}
	return c.session(a, s)
}

type listCmd struct {
	connection
	output
}

func (c *listCmd) Run(ctx context.Context, a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	all := []*client.Session{} // not nil: JSON prints [] and not null
	for s, err := range cl.Sessions(ctx) {
		if err != nil {
			return err
		}
		all = append(all, s)
	}
	if c.JSON {
		return printJSON(a.stdout, all)
	}
	return printSessions(a.stdout, all)
}

type showCmd struct {
	connection
	output
	ID string `arg:"" help:"The session."`
}

func (c *showCmd) Run(ctx context.Context, a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	s, err := cl.GetSession(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.session(a, s)
}

type extendCmd struct {
	connection
	output
	ID    string `arg:"" help:"The session."`
	Lease lease  `arg:"" help:"The new total, counted from Ready: minutes or a duration, longer than the present one."`
}

func (extendCmd) Help() string {
	return `The lease is a total and not an addition: a session created with --lease 1h that runs for 50 minutes has ten minutes
left, and after this has 70:

    heliograph session extend demo 2h
` + connectionHelp
}

func (c *extendCmd) Run(ctx context.Context, a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	s, err := cl.ExtendSession(ctx, c.ID, time.Duration(c.Lease))
	if err != nil {
		return err
	}
	return c.session(a, s)
}

type stopCmd struct {
	connection
	output
	ID string `arg:"" help:"The session."`
}

func (c *stopCmd) Run(ctx context.Context, a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	if err := cl.StopSession(ctx, c.ID); err != nil {
		return err
	}
	s, err := cl.GetSession(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.session(a, s)
}
