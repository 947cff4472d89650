package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/heliograph/heliograph/internal/config"
	"github.com/heliograph/heliograph/internal/store/sqlite"
)

// The files of the data directory.
const (
	databaseFile   = "heliograph.db"
	signingKeyFile = "token-keys.json" // signs access tokens
	sealKeyFile    = "conversion-key"  // encrypts the signatures of conversions
	socketFile     = "control.sock"    // workers report here
	caDir          = "ca"
	sessionsDir    = "sessions"    // configuration and log of each worker
	conversionsDir = "conversions" // files and log of each conversion
	cacheDir       = "cache"
	devAccountFile = "dev-account.json"
)

// serviceData is the data directory of the service on this machine, for commands that work on it.
type serviceData struct {
	configFlag
	Data string `placeholder:"DIR" help:"The service's data directory; by default the configuration's, or that of serve --dev."`
}

// localHelp ends the help of those commands.
const localHelp = `
It works on the service's data directory, on its machine, and may run beside the service.
`

// dir finds the data directory: by flag, by configuration, else that of this user's `serve --dev`.
func (d *serviceData) dir(a *app) (string, error) {
	if d.Data != "" {
		return d.Data, nil
	}
	base := config.Default()
	base.DataDir = defaultDevData(a.getenv)
	if d.Config != "" {
		base.DataDir = config.Default().DataDir
	}
	cfg, err := config.Load(base, d.Config, a.getenv)
	return cfg.DataDir, err
}

// withStore opens the store of dir and runs it for f.
func withStore(ctx context.Context, dir string, f func(*sqlite.Store) error) error {
	if _, err := os.Stat(filepath.Join(dir, databaseFile)); err != nil { // not made here: a typo must not be a new service
		return fmt.Errorf("no service has run on %s yet: %w", dir, err)
	}
	store, err := sqlite.Open(filepath.Join(dir, databaseFile))
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- store.Run(running) }()
	err = f(store)
	stop()
	return errors.Join(err, <-ended, store.Close())
}
