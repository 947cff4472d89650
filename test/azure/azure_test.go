// Package azure proves that the official Azure client for Python works unmodified against the real binaries.
package azure

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heliograph/heliograph/internal/devserver"
	"github.com/heliograph/heliograph/internal/readyfile"
)

// python is the interpreter that Debian's python3-azure belongs to.
const python = "/usr/bin/python3"

const want = `begin: Ready
begin again: same session, other settings conflict
get: equal, pollers by token and by id
list: contains it
update: lease 40, equal lease refused
stop: Stopped, twice is no error
mistakes: 400, 400, 404 with their messages
convert: Succeeded, settings normalised
convert again: same conversion, other settings conflict
get conversion: equal, pollers by token and by id
convert what is missing or broken: Failed, with the words that the client's tests want
convert without a signature: 403
list conversions: all, in order
begin: Ready
begin again: same session, other settings conflict
get: equal, pollers by token and by id
list: contains it
update: lease 40, equal lease refused
stop: Stopped, twice is no error
static token: ok
explicit token endpoint: ok
wrong key: 401
`

func TestOfficialPythonClient(t *testing.T) {
	if err := exec.Command(python, "-c", "import azure.mixedreality.remoterendering").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the official client is missing (apt-get install python3-azure): %v", err)
		}
		t.Skip("the official client is missing (apt-get install python3-azure)")
	}
	storage := t.TempDir()
	for name, text := range map[string]string{
		"cube.obj":   "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 0 0 1\nv 1 0 1\nv 1 1 1\nv 0 1 1\nf 4 3 2 1\nf 5 6 7 8\nf 1 2 6 5\nf 2 3 7 6\n",
		"broken.obj": "v 1 2\nf 1 2 99\n",
	} {
		if err := os.WriteFile(filepath.Join(storage, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := devserver.Start(t, devserver.Options{Args: []string{"--storage", storage}})
	ready := filepath.Join(t.TempDir(), "ready.json")
	if err := readyfile.Write(ready, s.Info); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "client.py", ready, "file://"+storage)
	cmd.Env = append(os.Environ(), "REQUESTS_CA_BUNDLE="+s.CAFile, "PYTHONDONTWRITEBYTECODE=1")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("client.py: %v\n%s", err, stderr.String())
	}
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}
