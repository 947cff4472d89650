// Package crash kills the real binaries and looks at what is left: a worker's crash ends one session, a crash of the
// control plane none, and a worker without a control plane ends itself.
package crash

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/client"
	"github.com/heliograph/heliograph/internal/devserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sdk is a client of s.
func sdk(t *testing.T, s *devserver.Server) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Endpoint: s.Endpoint, STS: s.STS, AccountID: s.AccountID, AccountKey: client.Secret(s.AccountKey),
		HTTPClient: s.HTTPClient(t)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// start creates a session and returns it Ready, with its worker's process.
func start(t *testing.T, s *devserver.Server, id string) (ready *client.Session, pid int) {
	t.Helper()
	c := sdk(t, s)
	before := s.Workers(t)
	if _, err := c.CreateSession(t.Context(), id, client.CreateOptions{Lease: time.Hour}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ready, err := c.WaitReady(ctx, id, client.WaitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	fresh := slices.DeleteFunc(s.Workers(t), func(pid int) bool { return slices.Contains(before, pid) })
	if len(fresh) != 1 {
		t.Fatalf("worker processes %v, want one", fresh)
	}
	return ready, fresh[0]
}

// healthy reports whether the worker of session answers on its inspector port.
func healthy(t *testing.T, hc *http.Client, session *client.Session) error {
	t.Helper()
	url := fmt.Sprintf("https://%s:%d/healthz", session.Hostname, session.ArrInspectorPort)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true // a kept connection would say nothing about the port
	resp, err := hc.Do(req)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("healthz: %s", resp.Status)
	}
	return nil
}

// patience is how long a busy machine may take for anything: it only catches hangs.
const patience = time.Minute

// within polls until ok holds, and fails when it does not within a time that only catches hangs.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %v: %s", patience, what)
		case <-poll.C:
		}
	}
}

// gone reports whether pid is no process any more (a zombie is none).
func gone(t *testing.T, s *devserver.Server, pid int) bool {
	return !slices.Contains(s.Workers(t), pid)
}

func portsFree(session *client.Session) bool {
	for _, port := range []int{session.HandshakePort, session.ArrInspectorPort} {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err == nil {
			_ = conn.Close()
			return false
		}
	}
	return true
}

func TestKilledWorkerEndsItsSessionOnly(t *testing.T) {
	const promised = 2 * time.Second
	s := devserver.Start(t, devserver.Options{})
	victim, pid := start(t, s, "victim")
	other, otherPID := start(t, s, "other")
	got, took := killWorker(t, s, victim, pid)
	if got.Error == nil || got.Error.Code != "WorkerLost" || got.Error.Message == "" {
		t.Errorf("error %+v, want WorkerLost with a message", got.Error)
	}
	if got.Hostname != "" || got.HandshakePort != 0 || got.ArrInspectorPort != 0 {
		t.Errorf("an ended session still shows %s:%d", got.Hostname, got.HandshakePort)
	}
	if !gone(t, s, pid) || !portsFree(victim) {
		t.Errorf("process %d or its ports are still there", pid)
	}
	// A busy machine may stall once, but not each time.
	for i := 2; i <= 3 && took > promised; i++ {
		again, pid := start(t, s, fmt.Sprintf("victim-%d", i))
		_, took = killWorker(t, s, again, pid)
	}
	if took > promised {
		t.Errorf("Error after %v, want within %v", took, promised)
	}
	if now, err := sdk(t, s).GetSession(t.Context(), other.ID); err != nil || now.Status != client.Ready {
		t.Errorf("the other session: %+v, %v", now, err)
	}
	if err := healthy(t, s.HTTPClient(t), other); err != nil || gone(t, s, otherPID) {
		t.Errorf("the other worker: %v", err)
	}
}

// killWorker kills the worker of a session and returns the session in Error, and how long that took.
func killWorker(t *testing.T, s *devserver.Server, victim *client.Session, pid int) (got *client.Session, took time.Duration) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killed, c := time.Now(), sdk(t, s)
	within(t, "session in Error", func() bool {
		var err error
		if got, err = c.GetSession(t.Context(), victim.ID); err != nil {
			t.Fatal(err)
		}
		return got.Status == client.Failed
	})
	return got, time.Since(killed)
}

func TestKilledControlPlaneLosesNothing(t *testing.T) {
	first := devserver.Start(t, devserver.Options{})
	hc := first.HTTPClient(t)
	ready, pid := start(t, first, "kept")
	if err := sdk(t, first).StopSession(t.Context(), startStopped(t, first)); err != nil {
		t.Fatal(err)
	}
	// Acknowledged just before the crash: it must come up after it.
	if _, err := sdk(t, first).CreateSession(t.Context(), "acknowledged", client.CreateOptions{Lease: time.Hour}); err != nil {
		t.Fatal(err)
	}
	before := loadCube(t, first, ready)
	token := fetchToken(t, first)
	first.Kill()
	if err := healthy(t, hc, ready); err != nil {
		t.Errorf("the worker without its control plane: %v", err)
	}
	if !bytes.Equal(picture(t, hc, ready, token), before) {
		t.Error("the worker without its control plane shows another picture")
	}

	second := devserver.Start(t, devserver.Options{DataDir: first.DataDir})
	if second.AccountID != first.AccountID || second.AccountKey != first.AccountKey {
		t.Error("the account has changed")
	}
	c := sdk(t, second)
	got, err := c.GetSession(t.Context(), ready.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ready, got, cmpopts.IgnoreFields(client.Session{}, "ElapsedTimeMinutes")); diff != "" {
		t.Errorf("session differs after the restart (-before +after):\n%s", diff)
	}
	if gone(t, second, pid) {
		t.Errorf("worker %d was not kept", pid)
	}
	if !bytes.Equal(picture(t, second.HTTPClient(t), ready, fetchToken(t, second)), before) {
		t.Error("the adopted worker shows another picture")
	}
	if got, err := c.GetSession(t.Context(), "stopped"); err != nil || got.Status != client.Stopped {
		t.Errorf("stopped session: %+v, %v", got, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := c.WaitReady(ctx, "acknowledged", client.WaitOptions{}); err != nil {
		t.Error(err)
	}
	// The crash may have come before the stopped session's worker was told to end.
	within(t, "two workers left", func() bool { return len(second.Workers(t)) == 2 })

	// Adopted for real: its stop ends it.
	if err := c.StopSession(t.Context(), ready.ID); err != nil {
		t.Fatal(err)
	}
	within(t, "the adopted worker gone", func() bool { return gone(t, second, pid) })
	if !portsFree(ready) {
		t.Error("its ports are still there")
	}
}

// loadCube puts a cube into the session and returns its picture.
func loadCube(t *testing.T, s *devserver.Server, session *client.Session) []byte {
	t.Helper()
	c := sdk(t, s)
	load, err := c.LoadModel(t.Context(), session.ID, "builtin://cube")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.WaitLoad(t.Context(), session.ID, load, nil); err != nil {
		t.Fatal(err)
	}
	return picture(t, s.HTTPClient(t), session, fetchToken(t, s))
}

// picture asks the worker itself, not the control plane, for what it shows.
func picture(t *testing.T, hc *http.Client, session *client.Session, token string) []byte {
	t.Helper()
	url := fmt.Sprintf("https://%s:%d/snapshot?width=64&height=64&format=png", session.Hostname, session.ArrInspectorPort)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	png, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("snapshot: %s, %v, %.200s", resp.Status, err, png)
	}
	return png
}

// startStopped starts the session "stopped" and returns its id.
func startStopped(t *testing.T, s *devserver.Server) string {
	t.Helper()
	ready, _ := start(t, s, "stopped")
	return ready.ID
}

// A worker that died while nobody watched is found dead by the restarted control plane.
func TestWorkerKilledWhileTheControlPlaneIsDown(t *testing.T) {
	first := devserver.Start(t, devserver.Options{})
	ready, pid := start(t, first, "victim")
	first.Kill()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	within(t, "worker gone", func() bool { return gone(t, first, pid) })
	second := devserver.Start(t, devserver.Options{DataDir: first.DataDir})
	c := sdk(t, second)
	within(t, "session in Error", func() bool {
		got, err := c.GetSession(t.Context(), ready.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got.Status == client.Failed
	})
}

func TestOrphanedWorkerEndsItself(t *testing.T) {
	const orphanAfter = 5 * time.Second
	s := devserver.Start(t, devserver.Options{Env: []string{
		"HELIOGRAPH_WORKER_RENEW_EVERY=200ms", "HELIOGRAPH_WORKER_ORPHAN_AFTER=" + orphanAfter.String(),
	}})
	ready, pid := start(t, s, "orphan")
	s.Kill()
	within(t, "orphan gone", func() bool { return gone(t, s, pid) })
	if !portsFree(ready) {
		t.Error("its ports are still there")
	}
}

// SIGTERM of the control plane is a restart, not the end of its sessions.
func TestStoppedControlPlaneLeavesItsWorkers(t *testing.T) {
	first := devserver.Start(t, devserver.Options{})
	ready, pid := start(t, first, "kept")
	first.Stop(t)
	if gone(t, first, pid) {
		t.Fatal("the worker ended with the control plane")
	}
	second := devserver.Start(t, devserver.Options{DataDir: first.DataDir})
	got, err := sdk(t, second).GetSession(t.Context(), ready.ID)
	if err != nil || got.Status != client.Ready || got.HandshakePort != ready.HandshakePort {
		t.Errorf("session after the restart: %+v, %v", got, err)
	}
}

// Two control planes on one data directory would fight over its sessions.
func TestSecondControlPlaneIsRefused(t *testing.T) {
	s := devserver.Start(t, devserver.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, stderr, err := s.Run(ctx, t, "serve", "--dev", "--data", s.DataDir, "--listen", "127.0.0.1:0", "--dashboard-listen", "127.0.0.1:0")
	if err == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) || !strings.Contains(stderr, "another process") {
		t.Errorf("got %v, %q", err, stderr)
	}
}

// The first SIGTERM lets requests in flight end; the second ends the process at once.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	s := devserver.Start(t, devserver.Options{})
	hold, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(s.Dashboard, "http://"), "/"))
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	token := fetchToken(t, s)
	_, err = fmt.Fprintf(hold, "PUT /accounts/%s/sessions/slow?api-version=2021-01-01 HTTP/1.1\r\nHost: localhost\r\n"+
		"Authorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n",
		s.AccountID, token)
	if err != nil {
		t.Fatal(err)
	}
	// The server asks for the body once the handler reads it: from here on the request is in flight.
	if line, err := bufio.NewReader(hold).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("got %q, %v", line, err)
	}
	if err := syscall.Kill(s.PID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	within(t, "listener closed", func() bool {
		conn, err := net.Dial("tcp", hold.RemoteAddr().String())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	if !alive(s.PID) {
		t.Error("the server did not wait for the request")
	}
	within(t, "the end by another signal", func() bool { // which may come before the first one is dealt with
		_ = syscall.Kill(s.PID, syscall.SIGTERM)
		return !alive(s.PID)
	})
	s.Stop(t)
	if strings.Contains(s.Log(), "requests cut off") {
		t.Error("the second signal waited for the request like the first")
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// fetchToken buys an access token with the account's key.
func fetchToken(t *testing.T, s *devserver.Server) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.STS+"/accounts/"+s.AccountID+"/token", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.AccountID+":"+s.AccountKey)
	resp, err := s.HTTPClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ AccessToken string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.AccessToken == "" {
		t.Fatalf("token: %s, %v", resp.Status, err)
	}
	return answer.AccessToken
}
