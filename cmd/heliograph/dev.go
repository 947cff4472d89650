package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/config"
	"github.com/heliograph/heliograph/internal/readyfile"
	"github.com/heliograph/heliograph/internal/token"
)

// devDefaults are the defaults of `serve --dev`: one user on one machine, and a browser that needs no certificate.
func devDefaults(getenv func(string) string) config.Config {
	c := config.Default()
	c.DataDir = defaultDevData(getenv)
	c.DashboardListen = "127.0.0.1:8080"
	c.RateLimit = config.RateLimit{} // one's own load tests are welcome
	return c
}

// checkDev refuses what would show a development service, its generated account and its files, to other machines.
func checkDev(c config.Config) error {
	for _, addr := range []string{c.Listen, c.AdminListen, c.Worker.BindIP + ":0"} {
		if addr != "" && !config.Loopback(addr) {
			return fmt.Errorf("--dev serves this machine only, and %s is not a loopback address", addr)
		}
	}
	return nil
}

// devAccount is the account of a development service. The service itself keeps only hashes of keys, so the key is kept
// here, readable by its owner alone, and stays the same over restarts.
type devAccount struct {
	ID  arr.AccountID `json:"id"`
	Key string        `json:"key"`
}

// openDevAccount returns the account kept in dir, making what is missing.
func openDevAccount(ctx context.Context, dir string, accounts *token.Accounts) (devAccount, error) {
	path := filepath.Join(dir, devAccountFile)
	var a devAccount
	switch text, err := os.ReadFile(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return a, fmt.Errorf("read development account: %w", err)
	default:
		if err := json.Unmarshal(text, &a); err != nil {
			return a, fmt.Errorf("read development account %s: %w", path, err)
		}
		switch err := accounts.CheckKey(ctx, a.ID, arr.Secret(a.Key)); arr.CodeOf(err) {
		case "":
			return a, nil
		case arr.CodeUnauthorized: // its key was rotated, or the database is new
		default:
			return a, err
		}
	}
	id, key, err := freshKey(ctx, accounts, a.ID)
	if err != nil {
		return a, fmt.Errorf("make development account: %w", err)
	}
	a = devAccount{id, key.Reveal()}
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return a, err
	}
	return a, os.WriteFile(path, append(text, '\n'), 0o600)
}

// freshKey gives the account id a new key, making the account if need be; an empty id gets a new one.
func freshKey(ctx context.Context, accounts *token.Accounts, id arr.AccountID) (arr.AccountID, arr.Secret, error) {
	if id != "" {
		key, err := accounts.RotateKey(ctx, id, token.Primary)
		if arr.CodeOf(err) != arr.CodeNotFound {
			return id, key, err
		}
	}
	made, keys, err := accounts.Create(ctx, id, "development")
	return made.ID, keys[token.Primary], err
}

// welcome tells a newcomer what is there and what to do with it. The account key of the one-click URL is in its fragment,
// which browsers send to no server.
var welcome = template.Must(template.New("welcome").Parse(`
Heliograph serves this machine. Ctrl-C ends it; sessions live on and are found again if it starts within {{.OrphanAfter}}.

  Dashboard    {{.Dashboard}}
  signed in    {{.Dashboard}}#{{.Fragment}}

  Endpoint     {{.Endpoint}}
  Account      {{.AccountID}}
  Key          {{.AccountKey}}
  Domain       {{.AccountDomain}}
  Trust        {{.CAFile}}
               (REQUESTS_CA_BUNDLE for Python, NODE_EXTRA_CA_CERTS for Node.js, SSL_CERT_FILE for Go and .NET)
  Data         {{.DataDir}}

In another terminal:

  {{.Program}} session create demo --wait{{.DataFlag}}
  {{.Program}} session load demo builtin://engine{{.DataFlag}}
  {{.Program}} session open demo --browser{{.DataFlag}}

The same REST API as an SDK sees it:

  export CURL_CA_BUNDLE={{.CAFile}}
  TOKEN=$(curl -s -H "Authorization: Bearer {{.AccountID}}:{{.AccountKey}}" \
    {{.STS}}/accounts/{{.AccountID}}/token | cut -d '"' -f 4)
  curl -s -H "Authorization: Bearer $TOKEN" \
    "{{.Endpoint}}/accounts/{{.AccountID}}/sessions?api-version=2021-01-01"

`))

// printWelcome prints it for a service that runs as cfg says and is reached as info says.
func printWelcome(w io.Writer, info readyfile.Info, cfg config.Config, standardData bool) error {
	flag := ""
	if !standardData {
		flag = " --data " + cfg.DataDir
	}
	return welcome.Execute(w, struct {
		readyfile.Info
		Program, Fragment, DataDir, DataFlag string
		OrphanAfter                          time.Duration
	}{info, os.Args[0], url.Values{"account": {info.AccountID}, "key": {info.AccountKey}}.Encode(), cfg.DataDir, flag, cfg.Worker.OrphanAfter})
}
