package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/alecthomas/kong"

	"github.com/heliograph/heliograph/client"
	"github.com/heliograph/heliograph/internal/config"
	"github.com/heliograph/heliograph/internal/readyfile"
)

// devFile is where `serve --dev` leaves its connection details, in its data directory.
const devFile = "dev.json"

// connection says which service and account a command uses.
type connection struct {
	Endpoint   string `group:"service" byenv:"" placeholder:"URL" help:"Origin of the service."`
	STS        string `group:"service" byenv:"" name:"sts" placeholder:"URL" help:"Origin of the token service, if another."`
	AccountID  string `group:"service" byenv:"" placeholder:"GUID" help:"Account."`
	AccountKey string `group:"service" byenv:"" placeholder:"KEY" help:"Its key; here, other users of this machine can see it."`
	CAFile     string `group:"service" byenv:"" name:"ca-file" placeholder:"FILE" help:"PEM certificates to trust beside the system's."`
	Data       string `group:"service" placeholder:"DIR" help:"Without an endpoint: data directory of a running serve --dev."`
}

// serviceGroup heads those flags in the help.
func serviceGroup() kong.Group {
	return kong.Group{Key: "service", Title: "Service (each also by environment: $HELIOGRAPH_ENDPOINT ... $HELIOGRAPH_CA_FILE):"}
}

// connectionHelp ends the help of commands that talk to a service.
const connectionHelp = `
Beside a running "heliograph serve --dev" of the same user nothing else needs to be given.
`

// client connects by flags and environment, or without an endpoint to this user's `serve --dev`.
func (c *connection) client(a *app) (*client.Client, error) {
	at := readyfile.Info{
		Endpoint: c.Endpoint, STS: cmp.Or(c.STS, c.Endpoint), AccountID: c.AccountID, AccountKey: c.AccountKey, CAFile: c.CAFile,
	}
	if c.Endpoint == "" {
		file := filepath.Join(cmp.Or(c.Data, a.getenv(config.EnvName("dataDir")), defaultDevData(a.getenv)), devFile)
		var err error
		at, err = readyfile.Read(file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("no service to talk to: set HELIOGRAPH_ENDPOINT, or start `heliograph serve --dev` (there is no %s)", file)
		}
		if err != nil {
			return nil, err
		}
	}
	if at.AccountID == "" || at.AccountKey == "" {
		return nil, errors.New("no account: set HELIOGRAPH_ACCOUNT_ID and HELIOGRAPH_ACCOUNT_KEY")
	}
	return connect(at)
}

// connect makes a client of the service that at describes.
func connect(at readyfile.Info) (*client.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if at.CAFile != "" {
		pool, err := trust(at.CAFile)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return client.New(client.Config{
		Endpoint: at.Endpoint, STS: at.STS, AccountID: at.AccountID, AccountKey: client.Secret(at.AccountKey),
		HTTPClient: &http.Client{Transport: transport},
	})
}

// trust is the system's certificates and those in file.
func trust(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read CA file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a machine without a store trusts the file alone
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read CA file: no PEM certificate in %s", file)
	}
	return pool, nil
}

// defaultDevData is where `serve --dev` keeps its data (XDG base directory specification).
func defaultDevData(getenv func(string) string) string {
	return filepath.Join(cmp.Or(getenv("XDG_DATA_HOME"), filepath.Join(getenv("HOME"), ".local", "share")), "heliograph")
}
