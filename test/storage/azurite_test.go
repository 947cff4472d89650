package storage

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
)

// azurite is Microsoft's own emulator of Azure Blob storage, with one account.
type azurite struct {
	endpoint string // of the account
	cred     *azblob.SharedKeyCredential
	client   *azblob.Client
}

const (
	account    = "helios"
	accountKey = "aGVsaW9ncmFwaC10ZXN0LWtleS1vZi1henVyaXRlLi4="
)

// startAzurite starts the emulator on a free port, and stops it at the end of the test. With an authority it serves https.
// scripts/deps.sh installs it.
func startAzurite(t testing.TB, ca *authority) *azurite {
	t.Helper()
	script, err := filepath.Abs("azurite/node_modules/azurite/dist/src/blob/main.js")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(script); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("Azurite is missing (scripts/deps.sh): %v", err)
		}
		t.Skip("Azurite is missing (scripts/deps.sh)")
	}
	// Newer SDKs ask for newer versions of the API than it knows, though not for more than it does.
	args := []string{script, "--blobHost", "127.0.0.1", "--blobPort", "0", "--location", t.TempDir(), "--skipApiVersionCheck", "--disableTelemetry"}
	if ca != nil {
		args = append(args, "--cert", ca.certFile, "--key", ca.keyFile)
	}
	cmd := exec.Command("node", args...)
	cmd.Env = append(os.Environ(), "AZURITE_ACCOUNTS="+account+":"+accountKey)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	urls, ended := make(chan string, 1), make(chan struct{})
	go func() { // reads all that is printed, lest the pipe fills
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if _, url, ok := strings.Cut(lines.Text(), "successfully listens on "); ok {
				urls <- url
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		<-ended
		_ = cmd.Wait() // its status says nothing
	})
	a := &azurite{}
	select {
	case url := <-urls:
		a.endpoint = url + "/" + account
	case <-ended:
		t.Fatal("Azurite ended at once")
	case <-time.After(time.Minute):
		t.Fatal("Azurite did not start within a minute")
	}
	if a.cred, err = azblob.NewSharedKeyCredential(account, accountKey); err != nil {
		t.Fatal(err)
	}
	if a.client, err = azblob.NewClientWithSharedKeyCredential(a.endpoint, a.cred, ca.options()); err != nil {
		t.Fatal(err)
	}
	return a
}

// container makes an empty container and returns its URI.
func (a *azurite) container(t testing.TB, name string) string {
	t.Helper()
	if _, err := a.client.CreateContainer(t.Context(), name, nil); err != nil {
		t.Fatal(err)
	}
	return a.endpoint + "/" + name
}

// sign makes a shared access signature of a container that ends after life, which may be negative.
func (a *azurite) sign(t testing.TB, container string, p sas.ContainerPermissions, life time.Duration) string {
	t.Helper()
	now := time.Now().UTC()
	q, err := sas.BlobSignatureValues{
		Protocol: sas.ProtocolHTTPSandHTTP, StartTime: now.Add(-2 * time.Hour), ExpiryTime: now.Add(life), Permissions: p.String(), ContainerName: container,
	}.SignWithSharedKey(a.cred)
	if err != nil {
		t.Fatal(err)
	}
	return q.Encode()
}

// download reads a blob with the account's key.
func (a *azurite) download(t *testing.T, container, key string) []byte {
	t.Helper()
	r, err := a.client.DownloadStream(t.Context(), container, key, nil)
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", key, err))
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(r.Body); err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close() // all is read
	return b.Bytes()
}
