package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/store/sqlite"
	"github.com/heliograph/heliograph/internal/token"
)

type tokenCmd struct {
	serviceData
	output
	Account string        `placeholder:"GUID" help:"The account; may be left out if there is only one."`
	Role    string        `enum:"administrator,client" default:"client" help:"administrator (conversions, too) or client (sessions only)."`
	Session string        `placeholder:"ID" help:"Make a viewer token instead, which may only look at this session."`
	Life    time.Duration `default:"24h" help:"How long it is good, at most 24h."`
}

func (tokenCmd) Help() string {
	return `The token is what clients send as "Authorization: Bearer ..."; a static access token for an SDK, or a viewer token.

    heliograph token --role administrator --life 1h
    heliograph token --session demo
` + localHelp
}

func (c *tokenCmd) Run(ctx context.Context, a *app) error {
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	if c.Life <= 0 {
		return errors.New("--life must be positive")
	}
	grant := token.Grant{Role: token.RoleClient, Life: c.Life}
	if c.Role == "administrator" {
		grant.Role = token.RoleAdministrator
	}
	if c.Session != "" {
		if grant.Session, err = arr.ParseSessionID(c.Session); err != nil {
			return err
		}
	}
	return withStore(ctx, dir, func(store *sqlite.Store) error {
		if grant.Account, err = c.account(ctx, store); err != nil {
			return err
		}
		keys, err := token.OpenKeys(filepath.Join(dir, signingKeyFile), "")
		if err != nil {
			return err
		}
		t, expires, err := token.NewIssuer(keys).Issue(grant)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(a.stdout, map[string]any{"token": t.Reveal(), "expiresAt": expires.UTC()})
		}
		_, err = fmt.Fprintln(a.stdout, t.Reveal())
		return err
	})
}

// account is the given account, or the only one. It must exist: a token for another would be genuine and useless.
func (c *tokenCmd) account(ctx context.Context, store *sqlite.Store) (arr.AccountID, error) {
	if c.Account != "" {
		id, err := arr.ParseAccountID(c.Account)
		if err != nil {
			return "", err
		}
		_, err = store.GetAccount(ctx, id)
		return id, err
	}
	all, err := store.ListAccounts(ctx)
	if err != nil {
		return "", err
	}
	if len(all) != 1 {
		return "", fmt.Errorf("there are %d accounts: say which with --account", len(all))
	}
	return all[0].ID, nil
}

type rotateKeyCmd struct{ serviceData }

func (rotateKeyCmd) Help() string {
	return `New tokens are signed by a new key from now on; those signed by the old one stay good until they expire, at most 24
hours. Running workers know the next key already, so they survive one rotation: wait for their sessions to end before
another.

    heliograph rotate-signing-key
` + localHelp
}

func (c *rotateKeyCmd) Run(ctx context.Context, a *app) error {
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	return withStore(ctx, dir, func(*sqlite.Store) error { // the store: only where a service has run
		keys, err := token.OpenKeys(filepath.Join(dir, signingKeyFile), "")
		if err != nil {
			return err
		}
		return keys.Rotate()
	})
}
