package main

import (
	"context"
	"fmt"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/store/sqlite"
	"github.com/heliograph/heliograph/internal/token"
)

type accountCmd struct {
	Create    accountCreateCmd    `cmd:"" help:"Create an account and print its two keys."`
	List      accountListCmd      `cmd:"" help:"List the accounts."`
	RotateKey accountRotateKeyCmd `cmd:"" help:"Replace one of an account's two keys and print the new one."`
}

func (accountCmd) Help() string {
	return `An account owns sessions. Its two keys are equal in rights: move your clients to the secondary key, rotate the primary
one, and no client is ever without. Keys are shown once, here; the service keeps hashes only.
` + localHelp
}

type accountCreateCmd struct {
	serviceData
	output
	Name string `arg:"" optional:"" help:"A name for people."`
	ID   string `placeholder:"GUID" help:"The account's id, for example one that clients know from Azure; by default a new one."`
}

func (c *accountCreateCmd) Run(ctx context.Context, a *app) error {
	var id arr.AccountID
	if c.ID != "" {
		var err error
		if id, err = arr.ParseAccountID(c.ID); err != nil {
			return err
		}
	}
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	return withStore(ctx, dir, func(store *sqlite.Store) error {
		acc, keys, err := token.NewAccounts(store).Create(ctx, id, c.Name)
		if err != nil {
			return err
		}
		primary, secondary := keys[token.Primary].Reveal(), keys[token.Secondary].Reveal()
		if c.JSON {
			return printJSON(a.stdout, map[string]string{"id": string(acc.ID), "name": acc.Name, "primaryKey": primary, "secondaryKey": secondary})
		}
		return table(a.stdout, []string{"Account", string(acc.ID)}, []string{"Name", acc.Name},
			[]string{"Primary key", primary}, []string{"Secondary key", secondary})
	})
}

type accountListCmd struct {
	serviceData
	output
}

func (c *accountListCmd) Run(ctx context.Context, a *app) error {
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	return withStore(ctx, dir, func(store *sqlite.Store) error {
		all, err := token.NewAccounts(store).List(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			type row struct {
				ID      arr.AccountID `json:"id"`
				Name    string        `json:"name"`
				Created time.Time     `json:"created"`
			}
			rows := []row{}
			for _, acc := range all {
				rows = append(rows, row{acc.ID, acc.Name, acc.CreatedAt.UTC()})
			}
			return printJSON(a.stdout, rows)
		}
		rows := [][]string{{"ACCOUNT", "NAME", "CREATED"}}
		for _, acc := range all {
			rows = append(rows, []string{string(acc.ID), acc.Name, acc.CreatedAt.UTC().Format(time.DateTime)})
		}
		return table(a.stdout, rows...)
	})
}

type accountRotateKeyCmd struct {
	serviceData
	output
	ID  string `arg:"" help:"The account."`
	Key string `arg:"" enum:"primary,secondary" help:"Which key to replace: primary or secondary."`
}

func (accountRotateKeyCmd) Help() string {
	return `The old key buys no more tokens from now on. Tokens bought with it stay good until they expire, at most 24 hours.

    heliograph account rotate-key 9c4b2ae8-41e9-4ef3-a0d9-d2a7e8d1b1ce primary
` + localHelp
}

func (c *accountRotateKeyCmd) Run(ctx context.Context, a *app) error {
	id, err := arr.ParseAccountID(c.ID)
	if err != nil {
		return err
	}
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	slot := token.Primary
	if c.Key == "secondary" {
		slot = token.Secondary
	}
	return withStore(ctx, dir, func(store *sqlite.Store) error {
		key, err := token.NewAccounts(store).RotateKey(ctx, id, slot)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(a.stdout, map[string]string{"id": string(id), "slot": c.Key, "key": key.Reveal()})
		}
		_, err = fmt.Fprintln(a.stdout, key.Reveal())
		return err
	})
}
