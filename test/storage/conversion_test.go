package storage

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"image"
	"image/png"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/heliograph/heliograph/internal/devserver"
	"github.com/heliograph/heliograph/internal/testassets"
)

// The model that is converted: several files, and a folder whose name URLs do not take as it is.
const (
	model  = "Avocado.gltf"
	folder = "models & more/Avocado #1/"
)

var outputs = []string{"Output/Avocado.arrAsset", "Output/Avocado.info.json", "Output/Avocado.result.json"}

// eachFile calls f with every file of the model.
func eachFile(t *testing.T, f func(key string, data []byte)) {
	t.Helper()
	dir := testassets.Path(t, "gltf/Avocado/glTF")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		f(folder+e.Name(), data)
	}
}

// serve starts a service whose conversions may use storage, and whose sessions load from host; args are further ones.
func serve(t testing.TB, a *authority, storage map[string]any, host string, args ...string) *devserver.Server {
	t.Helper()
	if storage == nil {
		storage = map[string]any{}
	}
	text, err := yaml.Marshal(map[string]any{"storage": storage, "worker": map[string]any{"modelHosts": []string{host}}})
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "heliograph.yaml")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return devserver.Start(t, devserver.Options{
		Args: append(args, "--config", config),
		// What the SDKs and the workers trust instead of the system's certificates.
		Env: []string{"SSL_CERT_FILE=" + a.certFile, "AWS_CA_BUNDLE=" + a.certFile},
	})
}

const want = `convert: Succeeded, no signature in it
convert again with other signatures: the same conversion
without a signature: 403 DelegatedResourceAccessError
missing asset: InputContainerError
expired signature: InputContainerError
output not writable: OutputContainerError
list: all of them, no signature
`

// TestAzureConversion is the way of an old client: a model in Azure Blob storage, two signatures, the official client for
// Python, and a session that shows the asset by a signature of its own.
func TestAzureConversion(t *testing.T) {
	const python = "/usr/bin/python3" // that Debian's python3-azure belongs to
	if err := exec.Command(python, "-c", "import azure.mixedreality.remoterendering").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the official client is missing (apt-get install python3-azure): %v", err)
		}
		t.Skip("the official client is missing (apt-get install python3-azure)")
	}
	ca := newAuthority(t)
	az := startAzurite(t, ca)
	input, output := az.container(t, "arrinput"), az.container(t, "arroutput")
	eachFile(t, func(key string, data []byte) {
		if _, err := az.client.UploadBuffer(t.Context(), "arrinput", key, data, nil); err != nil {
			t.Fatal(err)
		}
	})
	read, write := sas.ContainerPermissions{Read: true, List: true}, sas.ContainerPermissions{Write: true}
	signatures := map[string]string{
		"read": az.sign(t, "arrinput", read, time.Hour), "readToo": az.sign(t, "arrinput", read, 2*time.Hour),
		"expired": az.sign(t, "arrinput", read, -time.Hour),
		"write":   az.sign(t, "arroutput", write, time.Hour), "readOutput": az.sign(t, "arroutput", read, time.Hour),
	}
	server := serve(t, ca, map[string]any{
		"azure": map[string]any{"accounts": []any{map[string]any{"name": account, "endpoint": az.endpoint}}},
	}, hostOf(t, az.endpoint))

	given, err := json.Marshal(map[string]any{"ready": server.Info, "input": input, "output": output, "sas": signatures})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "given.json")
	if err := os.WriteFile(file, given, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "client.py", file)
	cmd.Env = append(os.Environ(), "REQUESTS_CA_BUNDLE="+server.CAFile, "PYTHONDONTWRITEBYTECODE=1")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("client.py: %v\n%s", err, stderr.String())
	}
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Fatalf("steps (-want +got):\n%s", diff)
	}

	check := func(key string, data []byte) { checkOutput(t, server, key, data) }
	for _, key := range outputs {
		check(key, az.download(t, "arroutput", key))
	}
	if text := az.download(t, "arroutput", "Failed/not here.result.json"); !strings.Contains(string(text), "Could not find the asset file") {
		t.Errorf("result.json of a missing asset: %s", text)
	}
	show(t, server, output+"/"+outputs[0]+"?"+signatures["readOutput"])

	hidden := []string{"sig=", accountKey}
	for _, s := range signatures {
		q, err := url.ParseQuery(s)
		if err != nil {
			t.Fatal(err)
		}
		hidden = append(hidden, q.Get("sig"), url.QueryEscape(q.Get("sig")))
	}
	notAnywhere(t, server, hidden)
}

// TestS3Conversion does the same with S3, and sees that the session reads the asset by parts.
func TestS3Conversion(t *testing.T) {
	ca := newAuthority(t)
	store := s3mem.New()
	var ranges atomic.Int32
	fake := gofakes3.New(store).Server()
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" && strings.HasSuffix(r.URL.Path, ".arrAsset") {
			ranges.Add(1)
		}
		fake.ServeHTTP(w, r)
	}))
	front.TLS = &tls.Config{Certificates: []tls.Certificate{ca.pair}}
	front.StartTLS()
	defer front.Close()
	client := s3.New(s3.Options{
		BaseEndpoint: &front.URL, UsePathStyle: true, Region: "us-east-1", HTTPClient: ca.client,
		Credentials: credentials.NewStaticCredentialsProvider("id", "key", ""),
	})
	for _, bucket := range []string{"models", "assets"} {
		if err := store.CreateBucket(bucket); err != nil {
			t.Fatal(err)
		}
	}
	eachFile(t, func(key string, data []byte) {
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("models"), Key: &key, Body: bytes.NewReader(data)})
		if err != nil {
			t.Fatal(err)
		}
	})
	server := serve(t, ca, map[string]any{"s3": map[string]any{
		"buckets": []string{"models", "assets"}, "endpoint": front.URL, "pathStyle": true, "accessKeyID": "id", "secretAccessKey": "hidden-s3-key",
	}}, hostOf(t, front.URL))
	run(t, server, "conversion", "create", "avocado", "--input", "s3://models", "--prefix", folder, "--file", model,
		"--output", "s3://assets", "--output-prefix", "Output", "--wait")
	for _, key := range outputs {
		object, err := store.GetObject("assets", key, nil)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(object.Contents); err != nil {
			t.Fatal(err)
		}
		checkOutput(t, server, key, b.Bytes())
	}
	signed, err := s3.NewPresignClient(client).PresignGetObject(t.Context(),
		&s3.GetObjectInput{Bucket: aws.String("assets"), Key: &outputs[0]}, s3.WithPresignExpires(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	ranges.Store(0)
	show(t, server, signed.URL)
	if ranges.Load() < 2 {
		t.Errorf("the asset was read by %d ranges, want parts", ranges.Load())
	}
	notAnywhere(t, server, []string{"hidden-s3-key", "X-Amz-Signature="})
}

func hostOf(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// run runs a command of the command line, which must succeed.
func run(t *testing.T, s *devserver.Server, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	stdout, stderr, err := s.Run(ctx, t, args...)
	if err != nil {
		t.Fatalf("heliograph %s: %v\n%s%s", strings.Join(args[:2], " "), err, stdout, stderr)
	}
	return stdout
}

// checkOutput looks at what a conversion has written.
func checkOutput(t *testing.T, s *devserver.Server, key string, data []byte) {
	t.Helper()
	if strings.HasSuffix(key, ".json") {
		if !json.Valid(data) {
			t.Errorf("%s is no JSON: %s", key, data)
		}
		return
	}
	name := filepath.Join(t.TempDir(), "made.arrAsset")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, s, "asset", "verify", name)
}

// show loads an asset into a session and wants a picture of it.
func show(t *testing.T, s *devserver.Server, uri string) {
	t.Helper()
	run(t, s, "session", "create", "look", "--wait")
	run(t, s, "session", "load", "look", uri)
	name := filepath.Join(t.TempDir(), "look.png")
	run(t, s, "session", "snapshot", "look", "-o", name, "--width", "320", "--height", "240")
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if green := count(picture); green < 500 {
		t.Errorf("%d pixels of %v have an avocado's green, want many", green, picture.Bounds())
	}
	run(t, s, "session", "stop", "look")
}

// count is the number of pixels in which green leads by far.
func count(im image.Image) (n int) {
	for y := im.Bounds().Min.Y; y < im.Bounds().Max.Y; y++ {
		for x := im.Bounds().Min.X; x < im.Bounds().Max.X; x++ {
			if r, g, b, _ := im.At(x, y).RGBA(); g > b+b/4 && g >= r && g > 0x1000 {
				n++
			}
		}
	}
	return n
}

// notAnywhere wants none of the texts in what the service printed and in what it keeps.
func notAnywhere(t *testing.T, s *devserver.Server, texts []string) {
	t.Helper()
	look := func(where string, data []byte) {
		for _, text := range texts {
			if bytes.Contains(data, []byte(text)) {
				t.Errorf("%s has %q in it", where, text)
			}
		}
	}
	look("the log", []byte(s.Log()))
	err := filepath.WalkDir(s.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || slices.Contains([]string{".arrAsset", ".png"}, filepath.Ext(path)) {
			return nil //nolint:nilerr // what is gone by now is fine
		}
		data, err := os.ReadFile(path)
		if err == nil {
			look(path, data)
		}
		return nil //nolint:nilerr // as above
	})
	if err != nil {
		t.Error(err)
	}
}
