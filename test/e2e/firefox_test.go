package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/devserver"
)

// TestFirefox runs firefox.mjs: the viewer in a Firefox as it comes, which needs a candidate that is not loopback, and
// in Chromium beside it. It happens in a network namespace of its own, a machine with one address of a network.
func TestFirefox(t *testing.T) {
	if _, err := os.Stat("../../web/node_modules/playwright-core"); err != nil {
		missing(t, "web/node_modules is not installed: run make deps")
	}
	firefox := find("firefox-esr", "firefox")
	if firefox == "" || find("node") == "" || find("ip") == "" {
		missing(t, "firefox-esr, node or ip (iproute2) is not installed: run make test-deps")
	}
	ns := namespace(t)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ip", "netns", "exec", ns, "node", "firefox.mjs", firefox, t.TempDir())
	cmd.Env = append(os.Environ(), devserver.BinDirEnv+"="+devserver.BinDir(t))
	cmd.WaitDelay = 10 * time.Second // its children hold the output open
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	t.Logf("firefox.mjs:\n%s", out.String())
	if err != nil {
		t.Fatal(err)
	}
}

func find(names ...string) string {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// namespace makes a machine that reaches nobody: loopback and one address of a network. Firefox wants a default route, too.
// At the end whatever still runs there is killed.
func namespace(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "a network namespace needs root")
	}
	ns := fmt.Sprintf("heliograph-e2e-%d", os.Getpid())
	if out, err := ip(t, "netns add "+ns); err != nil {
		missing(t, "no network namespace can be made here: "+out)
	}
	t.Cleanup(func() {
		pids, err := ip(t, "netns pids "+ns)
		if err != nil {
			t.Error(pids, err)
		}
		for p := range strings.FieldsSeq(pids) {
			if pid, err := strconv.Atoi(p); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if out, err := ip(t, "netns del "+ns); err != nil {
			t.Error(out, err)
		}
	})
	for _, args := range []string{
		"link set lo up",
		"link add hg0 type veth peer name nobody",
		"addr add 10.77.0.1/24 dev hg0",
		"link set hg0 up",
		"link set nobody up",
		"route add default via 10.77.0.254",
	} {
		if out, err := ip(t, "-n "+ns+" "+args); err != nil {
			t.Fatalf("ip %s: %v\n%s", args, err, out)
		}
	}
	return ns
}

// ip runs after the end of the test, too.
func ip(t *testing.T, args string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "ip", strings.Fields(args)...).CombinedOutput()
	return string(out), err
}
