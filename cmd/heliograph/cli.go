package main

import (
	"fmt"

	"github.com/heliograph/heliograph/internal/config"
	"github.com/heliograph/heliograph/internal/obs"
)

// cli is the command line, as kong reads it.
type cli struct {
	Serve       serveCmd       `cmd:"" help:"Run the service."`
	CheckConfig checkConfigCmd `cmd:"" help:"Check a configuration file and print what it means."`
	Account     accountCmd     `cmd:"" help:"Create and list accounts, and rotate their keys (on the service's machine)."`
	Token       tokenCmd       `cmd:"" help:"Mint an access token (on the service's machine)."`
	RotateKey   rotateKeyCmd   `cmd:"" name:"rotate-signing-key" help:"Replace the key that signs access tokens (on the service's machine)."`
	Session     sessionCmd     `cmd:"" help:"Create, watch, use and stop rendering sessions."`
	Convert     convertCmd     `cmd:"" help:"Make an asset of a model, on this machine."`
	Conversion  conversionCmd  `cmd:"" help:"Have a service make assets of models in its storage; watch and cancel that."`
	Asset       assetCmd       `cmd:"" help:"Say what is in an asset, draw it, and check it."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

// configFlag names the configuration of commands that work on the service's own machine.
type configFlag struct {
	Config string `byenv:"" placeholder:"FILE" help:"YAML file with the settings ($HELIOGRAPH_CONFIG)."`
}

type checkConfigCmd struct {
	File string `arg:"" optional:"" help:"YAML file to check; without it, the environment alone is."`
}

func (checkConfigCmd) Help() string {
	return `A mistake is reported with its line, and the exit code is 1. A correct configuration is printed in full,
with the defaults and the environment (HELIOGRAPH_...) laid over the file, as the service would use it.

Example:

    heliograph check-config /etc/heliograph.yaml
`
}

func (c *checkConfigCmd) Run(a *app) error {
	cfg, err := config.Load(config.Default(), c.File, a.getenv)
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return err
	}
	text, err := cfg.YAML()
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(text)
	return err
}

type versionCmd struct{}

func (versionCmd) Run(a *app) error {
	_, err := fmt.Fprintln(a.stdout, "heliograph", obs.Version())
	return err
}
