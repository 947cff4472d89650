package assets

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/devserver"
	"github.com/heliograph/heliograph/internal/testassets"
)

// BenchmarkConvert prints one table: what `heliograph convert` costs, with all that a user gets. Run it with -benchtime=1x.
// HELIOGRAPH_BENCH_HUGE=1 adds a terrain of 100 million triangles: 2.4 GB of input, ten minutes.
func BenchmarkConvert(b *testing.B) {
	rows := []struct {
		name string
		file func() string
	}{
		{"rock, 1 M, with UVs", func() string { return testassets.Path(b, "scale/rock1m_meshopt.glb") }},
		{"terrain, 5 M", func() string { return testassets.Path(b, "scale/terrain5m_meshopt.glb") }},
		{"machine, 10,401 nodes", func() string { return testassets.Path(b, "scale/machine10k.glb") }},
		{"terrain, 20 M", func() string { return generate(b, 20_000_000) }},
	}
	if os.Getenv("HELIOGRAPH_BENCH_HUGE") != "" {
		rows = append(rows, rows[0])
		rows[len(rows)-1].name, rows[len(rows)-1].file = "terrain, 100 M", func() string { return generate(b, 100_000_000) }
	}
	fmt.Printf("## Convert (%d threads; CPU seconds and bytes by source triangle)\n", runtime.GOMAXPROCS(0))
	fmt.Println("| model | triangles | wall s | CPU s | CPU s/Mtri | of two cores | peak MiB | B/tri uncompressed | B/tri stored |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|")
	for _, r := range rows {
		file := r.file()
		c := convert(b, file)
		million := float64(c.info.Counts.StoredTriangles) / 1e6
		fmt.Printf("| %s | %d | %.1f | %.1f | %.2f | %.0f %% | %d | %.1f | %.1f |\n", r.name, c.info.Counts.StoredTriangles,
			c.wall.Seconds(), c.cpu.Seconds(), c.cpu.Seconds()/million, 100*c.cpu.Seconds()/c.wall.Seconds()/2, c.peak>>20,
			float64(c.info.Pages.RawBytes)/million/1e6, float64(c.info.Pages.Bytes)/million/1e6)
	}
	file := testassets.Path(b, "scale/terrain5m_meshopt.glb")
	one, two := together(b, file, 1), together(b, file, 2)
	fmt.Printf("\nOf the terrain of 5 M with --threads 1, one conversion takes %.1f s, two at once take %.1f s: what this machine's two cores "+
		"can do is %.2f times what one does.\n", one.Seconds(), two.Seconds(), 2*one.Seconds()/two.Seconds())
}

// together returns how long n conversions at once take that have one thread each: two cores may be threads of one, or share their
// caches and memory, which bounds what a second thread can be worth.
func together(b *testing.B, file string, n int) time.Duration {
	b.Helper()
	var all []*exec.Cmd
	for range n {
		all = append(all, command(b, file, b.TempDir(), "--threads", "1"))
	}
	start := time.Now()
	for _, cmd := range all {
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
	}
	for _, cmd := range all {
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

// conversion is one run of the program.
type conversion struct {
	wall, cpu time.Duration // cpu of the program and the process that does the work
	peak      int64         // bytes, of the larger of the two
	info      asset.Info
}

// command is a conversion to out.arrAsset in dir.
func command(b *testing.B, file, dir string, args ...string) *exec.Cmd {
	b.Helper()
	args = append([]string{"convert", file, "-o", dir, "--name", "out", "--no-progress"}, args...)
	return exec.CommandContext(b.Context(), filepath.Join(devserver.BinDir(b), "heliograph"), args...)
}

func convert(b *testing.B, file string) conversion {
	b.Helper()
	dir := b.TempDir()
	cmd := command(b, file, dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatalf("%v\n%s", err, stderr.String())
	}
	c := conversion{wall: time.Since(start), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	c.peak = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	out, err := exec.CommandContext(b.Context(), cmd.Path, "asset", "info", "--json", filepath.Join(dir, "out.arrAsset")).Output()
	if err != nil {
		b.Fatal(err)
	}
	if err := json.Unmarshal(out, &c.info); err != nil {
		b.Fatal(err)
	}
	return c
}

// generate writes a terrain beside the results of the benchmark.
func generate(b *testing.B, triangles int) string {
	b.Helper()
	file := filepath.Join(b.TempDir(), "terrain.glb")
	if err := terrainOf(triangles).writeGLB(file); err != nil {
		b.Fatal(err)
	}
	return file
}
