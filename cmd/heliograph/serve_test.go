package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/config"
	"github.com/heliograph/heliograph/internal/obs"
	"github.com/heliograph/heliograph/internal/pki"
	"github.com/heliograph/heliograph/internal/readyfile"
)

// idle is the environment of a service that starts no worker.
func idle(t *testing.T) map[string]string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"HELIOGRAPH_WORKER_BINARY": self, "HELIOGRAPH_ADMIN_LISTEN": "127.0.0.1:0"}
}

func TestDevIdentityIsKept(t *testing.T) {
	data := t.TempDir()
	var first, second readyfile.Info
	var ca []byte
	t.Run("first", func(t *testing.T) {
		first = serveDev(t, idle(t), "--data", data)
		var err error
		if ca, err = os.ReadFile(first.CAFile); err != nil {
			t.Fatal(err)
		}
		if published, err := readyfile.Read(filepath.Join(data, devFile)); err != nil || published != first {
			t.Errorf("%s: %+v, %v", devFile, published, err)
		}
	})
	if _, err := os.Stat(filepath.Join(data, devFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s after the end: %v", devFile, err)
	}
	t.Run("second", func(t *testing.T) {
		second = serveDev(t, idle(t), "--data", data)
		again, err := os.ReadFile(second.CAFile)
		if err != nil || !bytes.Equal(ca, again) {
			t.Errorf("the CA has changed, %v", err)
		}
	})
	if first.AccountID != second.AccountID || first.AccountKey != second.AccountKey {
		t.Error("the account has changed")
	}
	// A new database: the account is made again under its id.
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(data, databaseFile+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	t.Run("third", func(t *testing.T) {
		if third := serveDev(t, idle(t), "--data", data); third.AccountID != first.AccountID || third.AccountKey == first.AccountKey {
			t.Errorf("account %s with the same key: %v", third.AccountID, third.AccountKey == first.AccountKey)
		}
	})
	// Nothing in the data directory is for others.
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && path != data && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestListenMovesOnlyWhenNobodyChose(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var log bytes.Buffer
	logger, err := obs.NewLogger(&log, "info", "text")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listen(t.Context(), taken.Addr().String(), false, logger); err == nil {
		t.Error("a chosen port was moved")
	}
	ln, err := listen(t.Context(), taken.Addr().String(), true, logger)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if !strings.Contains(log.String(), ln.Addr().String()) {
		t.Errorf("log %q does not say where", log.String())
	}
}

// The dashboard's listener serves the pages and the same API in plain HTTP.
func TestDashboardServesTheAPI(t *testing.T) {
	info := serveDev(t, idle(t), "--data", t.TempDir())
	for path, want := range map[string]string{"healthz": "", "": "<html", "viewer/": "<html"} {
		resp, err := http.Get(info.Dashboard + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
			t.Errorf("GET /%s: %s, %v, %.80s", path, resp.Status, err, text)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, info.Dashboard+"accounts/"+info.AccountID+"/token", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+info.AccountID+":"+info.AccountKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("token: %s", resp.Status)
	}
}

// freeAddress is a loopback address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// Without --dev: TLS from files, no account made up, no key written, metrics on the admin address.
func TestServeForOthers(t *testing.T) {
	dir := t.TempDir()
	ca, err := pki.Open(filepath.Join(dir, "their-ca"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	certPEM, keyPEM, err := ca.Issue(time.Now(), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	set := settings{Config: config.Default()}
	set.DataDir = filepath.Join(dir, "data")
	set.Listen, set.AdminListen = "127.0.0.1:0", freeAddress(t)
	set.TLS = config.TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	set.Worker.Binary = idle(t)["HELIOGRAPH_WORKER_BINARY"]
	for name, text := range map[string][]byte{set.TLS.CertFile: certPEM, set.TLS.KeyFile: keyPEM} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}}
	defer transport.CloseIdleConnections()
	hc := &http.Client{Transport: transport}
	served := false
	err = serve(ctx, set, slog.New(slog.DiscardHandler), func(_ context.Context, info readyfile.Info) error {
		served = true
		defer cancel()
		if info.AccountID != "" || info.AccountKey != "" || info.CAFile != "" {
			t.Errorf("published %+v", info)
		}
		for _, tc := range []struct{ url, want string }{
			{info.Endpoint + "/healthz", `"ok"`},
			{info.Endpoint + "/readyz", `"ok"`},
			{"http://" + set.AdminListen + "/healthz", `"ok"`},
			{"http://" + set.AdminListen + "/metrics", "heliograph_http_requests_total"},
		} {
			resp, err := hc.Get(tc.url)
			if err != nil {
				return err
			}
			text, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || !strings.Contains(string(text), tc.want) {
				t.Errorf("%s: %s, %v, %.100s", tc.url, resp.Status, err, text)
			}
		}
		return nil
	})
	if err != nil || !served {
		t.Errorf("served %v, %v", served, err)
	}
	for _, name := range []string{devFile, devAccountFile} {
		if _, err := os.Stat(filepath.Join(set.DataDir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was written: %v", name, err)
		}
	}
}

func TestReadyFileNeedsDev(t *testing.T) {
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"serve", "--ready-file", "x"}, func(string) string { return "" }, &out, &errs)
	if code != exitFailure || !strings.Contains(errs.String(), "--ready-file") {
		t.Errorf("exit code %d, %q", code, errs.String())
	}
}
