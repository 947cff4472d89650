// Command heliograph is the control plane (serve) and the command line of Heliograph. It is static Go: nothing here may
// reach cgo, a codec or a renderer.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/heliograph/heliograph/internal/config"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// app is what every command works with.
type app struct {
	getenv         func(string) string
	stdout, stderr io.Writer
}

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// run is the whole program. The first SIGINT or SIGTERM ends ctx, and with it the command in good order; the second
// ends the process at once.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) (code int) {
	ctx, cancel := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	context.AfterFunc(ctx, cancel) // gives the second signal back to the system

	a := &app{getenv, stdout, stderr}
	var c cli
	defer func() {
		switch e := recover().(type) {
		case nil:
		case exit:
			code = int(e)
		default:
			panic(e)
		}
	}()
	parser, err := kong.New(&c,
		kong.Name("heliograph"),
		kong.Description("Heliograph is an open, self-hosted remote-rendering service that speaks the REST API of Azure Remote Rendering."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { panic(exit(code)) }), // only --help does, and it must not go on
		kong.Resolvers(envResolver(getenv)),
		kong.ExplicitGroups([]kong.Group{serviceGroup()}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(a),
	)
	if err != nil {
		fmt.Fprintln(stderr, "heliograph:", err)
		return exitFailure
	}
	command, err := parser.Parse(args)
	if err != nil {
		var perr *kong.ParseError
		hint := "heliograph"
		if errors.As(err, &perr) && perr.Context.Selected() != nil {
			hint = perr.Context.Selected().FullPath()
		}
		fmt.Fprintf(stderr, "heliograph: %v\nTry: %s --help\n", err, hint)
		return exitUsage
	}
	if err := command.Run(); err != nil {
		fmt.Fprintln(stderr, "heliograph:", err)
		return exitFailure
	}
	return exitOK
}

// exit is panicked by kong's Exit hook and caught in run.
type exit int

// envResolver fills flags that have a byenv tag from HELIOGRAPH_ and their name. kong's own env tag would bypass getenv.
func envResolver(getenv func(string) string) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if !flag.Tag.Has("byenv") {
			return nil, nil
		}
		if value := getenv(config.EnvPrefix + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))); value != "" {
			return value, nil
		}
		return nil, nil
	})
}
