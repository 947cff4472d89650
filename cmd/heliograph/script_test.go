package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/devserver"
	"github.com/heliograph/heliograph/internal/readyfile"
)

// checked is a run of all tests that must leave no goroutine.
type checked struct{ m *testing.M }

func (c checked) Run() int {
	code := c.m.Run()
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

func TestMain(m *testing.M) {
	testscript.Main(checked{m}, map[string]func(){
		"heliograph": func() { os.Exit(run(context.Background(), os.Args[1:], os.Getenv, os.Stdout, os.Stderr)) },
	})
}

// serveDev runs the program's own `serve --dev` in this process until the test ends.
func serveDev(t *testing.T, env map[string]string, args ...string) readyfile.Info {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready.json")
	ctx, cancel := context.WithCancel(t.Context())
	var out, log bytes.Buffer
	done := make(chan int, 1)
	args = append([]string{"serve", "--dev", "--listen", "127.0.0.1:0", "--dashboard-listen", "127.0.0.1:0", "--ready-file", ready}, args...)
	go func() {
		done <- run(ctx, args, func(k string) string { return env[k] }, &out, &log)
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-done; code != exitOK {
			t.Errorf("serve --dev: exit code %d", code)
		}
		if t.Failed() {
			t.Logf("serve --dev printed:\n%s%s", out.String(), log.String())
		}
	})
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		if info, err := readyfile.Read(ready); err == nil {
			return info
		}
		select {
		case <-poll.C:
		case code := <-done:
			done <- code
			t.Fatalf("serve --dev ended with %d", code)
		case <-limit.C:
			t.Fatal("serve --dev is not ready")
		}
	}
}

const triangle = `{"asset":{"version":"2.0"},"scene":0,"scenes":[{"nodes":[0]}],"nodes":[{"mesh":0}],
"meshes":[{"primitives":[{"attributes":{"POSITION":0}}]}],
"accessors":[{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3","min":[0,0,0],"max":[1,1,0]}],
"bufferViews":[{"buffer":0,"byteLength":36}],
"buffers":[{"byteLength":36,"uri":"data:application/octet-stream;base64,AAAAAAAAAAAAAAAAAACAPwAAAAAAAAAAAAAAAAAAgD8AAAAA"}]}`

func TestScripts(t *testing.T) {
	data, models := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(models, "triangle.gltf"), []byte(triangle), 0o600); err != nil {
		t.Fatal(err)
	}
	info := serveDev(t, map[string]string{
		"HELIOGRAPH_WORKER_BINARY": filepath.Join(devserver.BinDir(t), "heliograph-worker"),
		"HELIOGRAPH_ADMIN_LISTEN":  "127.0.0.1:0",
		// Workers of scripts that failed do not stay for long.
		"HELIOGRAPH_WORKER_RENEW_EVERY":  "1s",
		"HELIOGRAPH_WORKER_ORPHAN_AFTER": "5s",
	}, "--data", data, "--models", models, "--storage", models)

	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HELIOGRAPH_ENDPOINT", info.Endpoint)
			e.Setenv("HELIOGRAPH_STS", info.STS)
			e.Setenv("HELIOGRAPH_ACCOUNT_ID", info.AccountID)
			e.Setenv("HELIOGRAPH_ACCOUNT_KEY", info.AccountKey)
			e.Setenv("HELIOGRAPH_CA_FILE", info.CAFile)
			e.Setenv("HELIOGRAPH_WORKER_BINARY", filepath.Join(devserver.BinDir(t), "heliograph-worker"))
			e.Setenv("ENDPOINT", info.Endpoint)
			e.Setenv("ACCOUNT", info.AccountID)
			e.Setenv("KEY", info.AccountKey)
			e.Setenv("CA", info.CAFile)
			e.Setenv("DATA", data)
			e.Setenv("MODELS", models)
			e.Setenv("GORACE", "atexit_sleep_ms=0") // else each command under -race takes a second more
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "png": isPNG, "setenv": setenv},
	})
}

// exits CODE COMMAND... runs a command that must end with this exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// png FILE WIDTH HEIGHT checks that FILE is a picture of this size that shows more than one colour.
func isPNG(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: png FILE WIDTH HEIGHT")
	}
	img, err := png.Decode(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	b := img.Bounds()
	if got := []string{strconv.Itoa(b.Dx()), strconv.Itoa(b.Dy())}; got[0] != args[1] || got[1] != args[2] {
		ts.Fatalf("%s is %s x %s, want %s x %s", args[0], got[0], got[1], args[1], args[2])
	}
	first := img.At(b.Min.X, b.Min.Y)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if img.At(x, y) != first {
				return
			}
		}
	}
	ts.Fatalf("%s shows nothing", args[0])
}

// setenv NAME FILE sets a variable to the content of a file (or stdout), trimmed.
func setenv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: setenv NAME FILE")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}
