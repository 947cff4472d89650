package storage

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/heliograph/heliograph/client"
	"github.com/heliograph/heliograph/internal/devserver"
	"github.com/heliograph/heliograph/internal/testassets"
)

// BenchmarkLoad prints how long it takes from asking a session to load an asset of 5 million triangles until the load is
// done, which is when frames show it, and until a snapshot has every detail that its pixels show. Each time is the median of
// three fresh sessions; loads are polled every 100 ms. Run it with -benchtime=1x.
func BenchmarkLoad(b *testing.B) {
	const runs = 3
	dir := b.TempDir()
	file := testassets.Path(b, "scale/terrain5m_meshopt.glb")
	cmd := exec.CommandContext(b.Context(), filepath.Join(devserver.BinDir(b), "heliograph"), "convert", file, "-o", dir, "--name", "terrain", "--no-progress")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("convert: %v\n%s", err, out)
	}
	name := filepath.Join(dir, "terrain.arrAsset")
	info, err := os.Stat(name)
	if err != nil {
		b.Fatal(err)
	}

	ca := newAuthority(b)
	az := startAzurite(b, ca)
	uri := az.container(b, "assets")
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := az.client.UploadFile(b.Context(), "assets", "terrain.arrAsset", f, nil); err != nil {
		b.Fatal(err)
	}
	signed := uri + "/terrain.arrAsset?" + az.sign(b, "assets", sas.ContainerPermissions{Read: true}, time.Hour)
	server := serve(b, ca, nil, hostOf(b, az.endpoint), "--models", dir)
	cl, err := client.New(client.Config{
		Endpoint: server.Endpoint, STS: server.STS, AccountID: server.AccountID, AccountKey: client.Secret(server.AccountKey),
		HTTPClient: server.HTTPClient(b),
	})
	if err != nil {
		b.Fatal(err)
	}

	fmt.Printf("## Load 5 million triangles (asset of %d MiB, median of %d sessions)\n", info.Size()>>20, runs)
	fmt.Println("| from | load done ms | picture with all detail ms |")
	fmt.Println("|---|---|---|")
	for _, from := range []struct{ id, what, uri string }{{"file", "a file", "file://" + name}, {"azurite", "Azurite, by ranges", signed}} {
		var loads, pictures []time.Duration
		for run := range runs {
			load, picture := load(b, cl, fmt.Sprintf("%s-%d", from.id, run), from.uri)
			loads, pictures = append(loads, load), append(pictures, picture)
		}
		slices.Sort(loads)
		slices.Sort(pictures)
		fmt.Printf("| %s | %d | %d |\n", from.what, loads[runs/2].Milliseconds(), pictures[runs/2].Milliseconds())
	}
}

// load returns the times from asking for a load until it is done, and until a picture has all detail.
func load(b *testing.B, cl *client.Client, id, uri string) (load, picture time.Duration) {
	b.Helper()
	ctx := b.Context()
	if _, err := cl.CreateSession(ctx, id, client.CreateOptions{Lease: time.Hour}); err != nil {
		b.Fatal(err)
	}
	if _, err := cl.WaitReady(ctx, id, client.WaitOptions{}); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	asked, err := cl.LoadModel(ctx, id, uri)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := cl.WaitLoad(ctx, id, asked, nil); err != nil {
		b.Fatal(err)
	}
	load = time.Since(start)
	r, err := cl.Snapshot(ctx, id, client.SnapshotOptions{Width: 1280, Height: 720})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		b.Fatal(err)
	}
	_ = r.Close() // all is read
	picture = time.Since(start)
	if err := cl.StopSession(ctx, id); err != nil {
		b.Fatal(err)
	}
	return load, picture
}
