// Command heliograph-worker renders one session, or does one conversion. The control plane starts it; people start it only to
// debug.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/heliograph/heliograph/internal/converter/child"
	"github.com/heliograph/heliograph/internal/encode/codecs"
	"github.com/heliograph/heliograph/internal/machine"
	"github.com/heliograph/heliograph/internal/obs"
	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/render/cpu"
	"github.com/heliograph/heliograph/internal/worker"
	"github.com/heliograph/heliograph/internal/workerrpc"
)

// Exit codes; a crash is anything else.
const (
	exitOK       = 0 // told to end: SIGTERM, or the control plane says that the session is over
	exitFailed   = 1
	exitUsage    = 2
	exitOrphaned = 3 // the lease could not be renewed
)

type cli struct {
	Render    renderCmd        `cmd:"" help:"Render one session; started by the control plane."`
	Convert   convertCmd       `cmd:"" help:"Convert one model; started by the control plane and by heliograph convert."`
	Thumbnail thumbnailCmd     `cmd:"" help:"Draw an asset into a PNG file; started by heliograph asset info."`
	Version   kong.VersionFlag `help:"Print the version and exit."`
}

type renderCmd struct {
	Config    string `required:"" type:"existingfile" help:"JSON file written by the backend (workerrpc.WorkerConfig)."`
	LogLevel  string `default:"info" enum:"debug,info,warn,error" env:"HELIOGRAPH_LOG_LEVEL" help:"Least severe level that is logged."`
	LogFormat string `default:"text" enum:"auto,text,json" env:"HELIOGRAPH_LOG_FORMAT" help:"Shape of log lines on standard error."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	var c cli
	exit := -1
	parser, err := kong.New(&c, kong.Name("heliograph-worker"), kong.Description("Renders one Heliograph session, or converts one model."),
		kong.Vars{"version": obs.Version()}, kong.Writers(stdout, stderr), kong.Exit(func(code int) { exit = code }))
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	k, err := parser.Parse(args)
	if exit >= 0 { // --help or --version was served
		return exit
	}
	if err != nil {
		fmt.Fprintln(stderr, "heliograph-worker:", err)
		return exitUsage
	}
	if err := k.Run(&env{ctx: ctx, getenv: getenv, confine: child.Confine, stdout: stdout, stderr: stderr}); err != nil {
		fmt.Fprintln(stderr, "heliograph-worker:", err)
		return exitCode(err)
	}
	return exitOK
}

type env struct {
	ctx     context.Context
	getenv  func(string) string
	confine func(child.Limits) (missing []string, err error) // a test must not confine itself for good
	stdout  io.Writer
	stderr  io.Writer
}

func exitCode(err error) int {
	var usage usageError
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, worker.ErrOrphaned):
		return exitOrphaned
	}
	return exitFailed
}

type usageError struct{ error }

// goShare is the part of the memory limit that Go's heap may fill before the collector works harder; the rest is for
// the picture and codec buffers of C.
const goShare = 0.8

// Run renders one session.
func (c *renderCmd) Run(e *env) error {
	config, err := worker.ReadConfig(c.Config)
	if err != nil {
		return usageError{err}
	}
	log, err := obs.NewLogger(e.stderr, c.LogLevel, c.LogFormat)
	if err != nil {
		return usageError{err}
	}
	if config.MemoryLimit > 0 {
		debug.SetMemoryLimit(int64(float64(config.MemoryLimit) * goShare))
	}
	teraflops, err := machine.Teraflops(e.ctx, config.CacheDir)
	if err != nil {
		log.Warn("the measured teraflops could not be cached", "error", err)
	}
	home, err := workerrpc.NewClient(config)
	if err != nil {
		return usageError{err}
	}
	defer home.Close()
	s, err := worker.New(worker.Options{
		Config: config, Home: home, Teraflops: teraflops, Version: obs.Version(), Log: log,
		NewEngine: func() (render.Engine, error) { return newEngine(config, log) },
		Encoders:  func() worker.Encoders { return loadCodecs(e.getenv, log) },
	})
	if err != nil {
		return usageError{err}
	}
	return s.Run(e.ctx)
}

// Pages of geometry take at most maxPageBytes, and no more than this part of the memory limit.
const (
	maxPageBytes = 512 << 20
	pageShare    = 8
)

// newEngine makes the renderer that the session's profile asks for, as far as there is one.
func newEngine(c workerrpc.WorkerConfig, log *slog.Logger) (render.Engine, error) {
	if c.Renderer == "gpu" {
		log.Warn("this build has no GPU renderer; the CPU draws instead")
	}
	pages := int64(maxPageBytes)
	if c.MemoryLimit > 0 {
		pages = min(pages, c.MemoryLimit/pageShare)
	}
	e, err := cpu.New(cpu.Config{PageBytes: pages, Log: log})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// loadCodecs looks for the encoder libraries of this machine.
func loadCodecs(getenv func(string) string, log *slog.Logger) *codecs.Set {
	set := codecs.Load(getenv)
	for codec, err := range set.Problems() {
		log.Warn("no encoder for a codec", "codec", codec, "error", err)
	}
	return set
}
