package main

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"

	"github.com/heliograph/heliograph/internal/config"
	"github.com/heliograph/heliograph/internal/obs"
	"github.com/heliograph/heliograph/internal/readyfile"
)

type serveCmd struct {
	configFlag
	Dev             bool     `help:"Serve this machine only, with an account, a local CA and a dashboard made for you."`
	Data            string   `placeholder:"DIR" help:"Data directory (dataDir)."`
	Listen          string   `placeholder:"HOST:PORT" help:"Address of the SDK endpoint (listen)."`
	DashboardListen string   `placeholder:"HOST:PORT" help:"Address of the plain-HTTP dashboard, loopback only (dashboardListen)."`
	Models          []string `placeholder:"DIR" type:"existingdir" help:"Directory for file models; repeatable (worker.modelRoots)."`
	Storage         []string `placeholder:"DIR" type:"existingdir" help:"Directory for file containers; repeatable (storage.local.roots)."`
	Demo            bool     `help:"With --dev: start a session with the sample model and print the viewer's address."`
	ReadyFile       string   `placeholder:"FILE" help:"With --dev: write a JSON file with endpoint, account, key and CA once it serves."`
}

func (serveCmd) Help() string {
	return `For yourself, on your own machine:

    heliograph serve --dev
    heliograph serve --dev --demo
    heliograph serve --dev --models ~/models --storage ~/assets

The account, its key and the local certificate authority are kept in the data directory, by default
~/.local/share/heliograph. If a default port is taken, a free one is used.

For others, with settings from a file, the environment (HELIOGRAPH_...), or both:

    heliograph check-config /etc/heliograph.yaml
    heliograph serve --config /etc/heliograph.yaml

The first Ctrl-C (or SIGTERM) ends the service in good order, the second at once. Sessions live on meanwhile: their
workers wait worker.orphanAfter for the service to come back.
`
}

func (c *serveCmd) Run(ctx context.Context, a *app) error {
	set, err := c.settings(a)
	if err != nil {
		return err
	}
	log, err := obs.NewLogger(a.stderr, set.Log.Level, set.Log.Format)
	if err != nil {
		return err
	}
	return serve(ctx, set, log, func(ctx context.Context, info readyfile.Info) error {
		if !c.Dev {
			return nil
		}
		if c.ReadyFile != "" {
			if err := readyfile.Write(c.ReadyFile, info); err != nil {
				return err
			}
		}
		if err := printWelcome(a.stdout, info, set.Config, set.DataDir == defaultDevData(a.getenv)); err != nil || !c.Demo {
			return err
		}
		if err := startDemo(ctx, a.stdout, info); err != nil && ctx.Err() == nil {
			log.Warn("the sample could not be shown", "error", err) // the service itself is well
		}
		return nil
	})
}

// settings lays the flags over the configuration and checks the whole.
func (c *serveCmd) settings(a *app) (settings, error) {
	base := config.Default()
	if c.Dev {
		base = devDefaults(a.getenv)
	} else if c.Demo {
		return settings{}, errors.New("--demo is for --dev: only there an account is at hand")
	} else if c.ReadyFile != "" {
		return settings{}, errors.New("--ready-file is for --dev: only there an account key may be written to a file")
	}
	cfg, err := config.Load(base, c.Config, a.getenv)
	if err != nil {
		return settings{}, err
	}
	cfg.DataDir = cmp.Or(c.Data, cfg.DataDir)
	cfg.Listen = cmp.Or(c.Listen, cfg.Listen)
	cfg.DashboardListen = cmp.Or(c.DashboardListen, cfg.DashboardListen)
	if len(c.Models) > 0 {
		cfg.Worker.ModelRoots = c.Models
	}
	if len(c.Storage) > 0 {
		cfg.Storage.Local.Roots = c.Storage
	}
	if c.Dev {
		err = checkDev(cfg)
	}
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return settings{}, err
	}
	// Workers get these paths and have another working directory; clients name directories of storage by whole paths.
	if cfg.DataDir, err = filepath.Abs(cfg.DataDir); err != nil {
		return settings{}, err
	}
	for _, roots := range [][]string{cfg.Worker.ModelRoots, cfg.Storage.Local.Roots} {
		for i, root := range roots {
			if roots[i], err = filepath.Abs(root); err != nil {
				return settings{}, err
			}
		}
	}
	if c.Dev { // one's own assets are there to be looked at
		cfg.Worker.ModelRoots = slices.Concat(cfg.Worker.ModelRoots, cfg.Storage.Local.Roots)
	}
	return settings{cfg, c.Dev, base}, nil
}

// settings are how a service is to run.
type settings struct {
	config.Config
	dev      bool
	defaults config.Config // what nobody chose may be changed: a default port that is taken
}
