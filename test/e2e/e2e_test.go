// Package e2e drives the main job in a real browser, against the real programs.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/devserver"
)

const timeout = 8 * time.Minute // a busy machine takes two

// TestViewer runs viewer.mjs: dashboard, create, viewer, the sample model compared with the worker's own snapshot, a
// drag, a conversion, stop. It needs Chromium, Node and the packages of web/ (`make test-deps`). Screenshots land in out/.
func TestViewer(t *testing.T) {
	if _, err := os.Stat("../../web/node_modules/playwright-core"); err != nil {
		missing(t, "web/node_modules is not installed: run make deps")
	}
	if _, err := exec.LookPath("node"); err != nil {
		missing(t, "node is not installed")
	}
	storage := t.TempDir() // holds the source of a conversion, and then the asset
	if err := os.WriteFile(filepath.Join(storage, "wedge.obj"), []byte(wedge), 0o600); err != nil {
		t.Fatal(err)
	}
	server := devserver.Start(t, devserver.Options{Args: []string{"--storage", storage}})
	info, err := json.Marshal(server.Info)
	if err != nil {
		t.Fatal(err)
	}
	ready := filepath.Join(t.TempDir(), "ready.json")
	if err := os.WriteFile(ready, info, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "viewer.mjs", ready, storage)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	t.Logf("viewer.mjs:\n%s", out.String())
	if err != nil {
		t.Fatal(err)
	}
}

// wedge is a model in OBJ format.
const wedge = `v 0 0 0
v 2 0 0
v 2 0 1
v 0 0 1
v 0 1 0
v 0 1 1
f 1 2 3 4
f 4 3 6
f 1 5 2
f 2 5 6 3
f 1 4 6 5
`

// missing skips on a developer's machine; CI has to have everything.
func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}
