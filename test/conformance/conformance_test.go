package conformance

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/devserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestContract judges the real binaries, or the service that the variables of the command line name
// (HELIOGRAPH_ENDPOINT, _STS, _ACCOUNT_ID, _ACCOUNT_KEY, _CA_FILE).
func TestContract(t *testing.T) {
	t.Parallel()
	if endpoint := os.Getenv("HELIOGRAPH_ENDPOINT"); endpoint != "" {
		Run(t, Target{
			Endpoint: endpoint, STS: os.Getenv("HELIOGRAPH_STS"), AccountID: os.Getenv("HELIOGRAPH_ACCOUNT_ID"),
			AccountKey: os.Getenv("HELIOGRAPH_ACCOUNT_KEY"), Client: clientFor(t, os.Getenv("HELIOGRAPH_CA_FILE")),
			Storage: os.Getenv("HELIOGRAPH_STORAGE"), Model: "cube.obj", Broken: "broken.obj",
		})
		return
	}
	storage := t.TempDir()
	for name, text := range map[string]string{"cube.obj": cube, "broken.obj": "v 1 2\nf 1 2 99\n"} {
		if err := os.WriteFile(filepath.Join(storage, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	target := targetOf(t, devserver.Start(t, devserver.Options{
		// The suite asks faster than any client, and tests of the limit are below.
		Env:  []string{"HELIOGRAPH_RATE_LIMIT_PER_SECOND=0"},
		Args: []string{"--storage", storage},
	}))
	target.Storage, target.Model, target.Broken = "file://"+storage, "cube.obj", "broken.obj"
	Run(t, target)
}

// cube is a model that can be converted.
const cube = `v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
v 0 0 1
v 1 0 1
v 1 1 1
v 0 1 1
f 4 3 2 1
f 5 6 7 8
f 1 2 6 5
f 2 3 7 6
f 3 4 8 7
f 4 1 5 8
`

// TestRateLimit: the answer to too many requests names whole seconds to wait, without which the JavaScript SDK gives up.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	server := devserver.Start(t, devserver.Options{
		Env: []string{"HELIOGRAPH_RATE_LIMIT_PER_SECOND=0.02", "HELIOGRAPH_RATE_LIMIT_BURST=4"},
	})
	s := &suite{Target: targetOf(t, server)}
	s.token = s.buyToken(t)
	list := call{method: "GET", path: "/accounts/" + s.AccountID + "/sessions", query: version}
	for range 3 {
		wantStatus(t, s.send(t, list), http.StatusOK)
	}
	a := s.send(t, list)
	wantError(t, a, http.StatusTooManyRequests, "TooManyRequests", "")
	if n, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || n < 1 || n > 50 {
		t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
	}
}

// TestFullService: on a service with room for one session the others wait, are listed over several pages, and end in Error.
func TestFullService(t *testing.T) {
	t.Parallel()
	const sessions = 101 // one more than a page has by default
	server := devserver.Start(t, devserver.Options{Env: []string{
		"HELIOGRAPH_RATE_LIMIT_PER_SECOND=0", "HELIOGRAPH_SIZES_STANDARD_MAX_SESSIONS=1", "HELIOGRAPH_START_TIMEOUT=20s",
	}})
	s := &suite{Target: targetOf(t, server)}
	s.token = s.buyToken(t)
	ids := make([]string, sessions)
	for i := range ids {
		ids[i] = s.name(t)
	}
	sessionOf(t, s.put(t, ids[0], settings(60, "Standard")), http.StatusCreated)
	s.await(t, ids[0], "Ready")
	var wg sync.WaitGroup
	for part := range slices.Chunk(ids[1:], 10) {
		wg.Go(func() {
			for _, id := range part {
				if a := s.put(t, id, settings(60, "Standard")); a.StatusCode != http.StatusCreated {
					t.Errorf("PUT: status %d: %s", a.StatusCode, a.body)
				}
			}
		})
	}
	wg.Wait()
	all := s.sessions(t)
	for _, id := range ids {
		if _, ok := all[id]; !ok {
			t.Errorf("%s is not listed", id)
		}
	}

	deadline, poll := time.After(time.Minute), time.NewTicker(100*time.Millisecond)
	defer poll.Stop()
	for {
		p := sessionOf(t, s.get(t, ids[1]), http.StatusOK)
		if p.Status == "Error" {
			if p.Error.Code != "InsufficientCapacity" || p.Error.Message == "" {
				t.Errorf("error %+v", p.Error)
			}
			break
		}
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatalf("status %s", p.Status)
		}
	}
	if _, ok := s.sessions(t)[ids[1]]; ok {
		t.Error("a failed session is listed")
	}
	if p := sessionOf(t, s.get(t, ids[0]), http.StatusOK); p.Status != "Ready" {
		t.Errorf("the one session is %s", p.Status)
	}
}

// TestSignaturesAreNotKept: while a conversion waits or runs, its signatures are in no file of the service in clear, and in
// no log.
func TestSignaturesAreNotKept(t *testing.T) {
	t.Parallel()
	server := devserver.Start(t, devserver.Options{})
	s := &suite{Target: targetOf(t, server)}
	s.token = s.buyToken(t)
	id := s.unusedName()
	a := s.putConversion(t, id, `{"settings":{"inputLocation":{"storageContainerUri":"https://contosostorage01.blob.core.windows.net/in",`+
		`"relativeInputAssetPath":"a.glb","storageContainerReadListSas":"?sv=1&sig=hushhush"},"outputLocation":{"storageContainerUri":`+
		`"https://contosostorage01.blob.core.windows.net/out","storageContainerWriteSas":"sv=1&sig=hushhush"}}}`)
	conversionOf(t, a, http.StatusCreated)
	conversionOf(t, s.getConversion(t, id), http.StatusOK)
	files := 0
	look := func() {
		t.Helper()
		err := filepath.WalkDir(server.DataDir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil //nolint:nilerr // it has gone meanwhile
			}
			text, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if files++; bytes.Contains(text, []byte("hushhush")) {
				t.Errorf("a signature is in %s", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	look()
	wantStatus(t, s.raw(t, s.Endpoint, call{method: "POST", path: s.conversion(id) + "/:cancel", auth: s.token}), http.StatusNoContent)
	if c := conversionOf(t, s.getConversion(t, id), http.StatusOK); c.Status != "Failed" {
		t.Errorf("cancelled: %+v", c)
	}
	look()
	if log := server.Log(); strings.Contains(log, "hushhush") || !strings.Contains(log, id) || files < 4 {
		t.Errorf("looked through %d files; log:\n%s", files, log)
	}
}

// TestExtensions: what the control plane serves beyond the contract reaches the worker and its log.
func TestExtensions(t *testing.T) {
	t.Parallel()
	server := devserver.Start(t, devserver.Options{})
	s := &suite{Target: targetOf(t, server)}
	s.token = s.buyToken(t)
	id := s.name(t)
	sessionOf(t, s.put(t, id, settings(5, "Standard")), http.StatusCreated)
	s.await(t, id, "Ready")

	ask := func(method, path, token string) (status int, header http.Header, body string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, s.Endpoint+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := s.Client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header, string(text)
	}
	var viewer struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expiresAt"`
		ViewerURL string    `json:"viewerUrl"`
	}
	status, _, body := ask("POST", s.session(id)+"/viewer-token", s.token)
	if status != http.StatusOK {
		t.Fatalf("viewer token: %d %s", status, body)
	}
	decode(t, []byte(body), &viewer)
	if want := server.Dashboard + "viewer/#account=" + s.AccountID + "&session=" + id + "&token=" + viewer.Token; viewer.ViewerURL != want {
		t.Errorf("viewer URL %s", viewer.ViewerURL)
	}
	for name, token := range map[string]string{"account": s.token, "viewer": viewer.Token} {
		status, header, body := ask("GET", s.session(id)+"/inspector/status", token)
		if status != http.StatusOK || !json.Valid([]byte(body)) || len(header.Values("X-Content-Type-Options")) != 1 {
			t.Errorf("inspector with the %s token: %d %s, %v", name, status, body, header)
		}
	}
	if status, _, _ := ask("GET", "/accounts/"+s.AccountID+"/sessions?"+version, viewer.Token); status != http.StatusForbidden {
		t.Errorf("the viewer token lists sessions: %d", status)
	}
	if status, header, body := ask("GET", s.session(id)+"/log?tail=5", s.token); status != http.StatusOK || body == "" ||
		header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("log: %d %q", status, body)
	}
	if status, _, body := ask("POST", s.session(id)+"/whep", viewer.Token); status < 400 || status >= 500 {
		t.Errorf("an empty offer: %d %s", status, body) // the worker's refusal, relayed
	}
	wantStatus(t, s.stop(t, id), http.StatusNoContent)
	if status, _, _ := ask("GET", s.session(id)+"/inspector/status", viewer.Token); status != http.StatusGone {
		t.Errorf("inspector of an ended session: %d", status)
	}
}

func targetOf(t *testing.T, s *devserver.Server) Target {
	return Target{Endpoint: s.Endpoint, STS: s.STS, AccountID: s.AccountID, AccountKey: s.AccountKey, Client: s.HTTPClient(t)}
}

func clientFor(t *testing.T, caFile string) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	if caFile != "" {
		text, err := os.ReadFile(caFile)
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			t.Fatalf("no certificate in %s", caFile)
		}
		tr.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return &http.Client{Transport: tr, Timeout: time.Minute}
}
