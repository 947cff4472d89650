package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func open(t *testing.T, dir string, now time.Time) *CA {
	t.Helper()
	ca, err := Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func TestIssuedCertificateServesTLS(t *testing.T) {
	ca := open(t, t.TempDir(), time.Now())
	certPEM, keyPEM, err := ca.Issue(time.Now(), "localhost", "sts.localhost", "127.0.0.1", "::1")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	srv.StartTLS()
	defer srv.Close()
	for name, ok := range map[string]bool{"localhost": true, "sts.localhost": true, "127.0.0.1": true, "example.com": false} {
		conn, err := tls.Dial("tcp", srv.Listener.Addr().String(), &tls.Config{RootCAs: ca.Pool(), ServerName: name})
		if (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
	if _, err := tls.Dial("tcp", srv.Listener.Addr().String(), &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}); err == nil {
		t.Error("trusted without the CA")
	}
}

func TestConstrainedAuthorityVouchesForItsDomainsOnly(t *testing.T) {
	ca, err := Open(t.TempDir(), time.Now(), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	for host, ok := range map[string]bool{
		"localhost": true, "sts.localhost": true, "127.0.0.1": true, "::1": true, "example.com": false, "10.0.0.1": false,
	} {
		certPEM, _, err := ca.Issue(time.Now(), host)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(certPEM)
		leaf, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: ca.Pool(), DNSName: host}); (err == nil) != ok {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestReopenKeepsTheAuthority(t *testing.T) {
	dir := t.TempDir()
	first, again := open(t, dir, time.Now()), open(t, dir, time.Now())
	if !bytes.Equal(first.pem, again.pem) {
		t.Error("the authority changed")
	}
	for _, name := range []string{caFile, caKeyFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
	// Too old to issue a leaf that it outlives: replaced.
	if later := open(t, dir, time.Now().Add(caLife-leafLife)); bytes.Equal(first.pem, later.pem) {
		t.Error("an authority near its end was kept")
	}
}

func TestDamagedFilesAreNotReplaced(t *testing.T) {
	for _, name := range []string{caFile, caKeyFile} {
		dir := t.TempDir()
		open(t, dir, time.Now())
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, time.Now()); err == nil {
			t.Errorf("damaged %s: no error", name)
		}
	}
	// The key of another authority.
	dir := t.TempDir()
	open(t, dir, time.Now())
	other := t.TempDir()
	open(t, other, time.Now())
	key, err := os.ReadFile(filepath.Join(other, caKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, caKeyFile), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, time.Now()); err == nil {
		t.Error("foreign key: no error")
	}
}

func TestIssueNeedsAHost(t *testing.T) {
	if _, _, err := open(t, t.TempDir(), time.Now()).Issue(time.Now()); err == nil {
		t.Error("no error")
	}
}
