// Package machine says what this computer can do: its float32 throughput, measured once and cached in a file per CPU
// model. It knows nothing of sessions and starts no process.
package machine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// measureFor bounds the first start on a machine: a session must be Ready within 300 ms.
const measureFor = 48 * time.Millisecond

// Teraflops returns the single-precision throughput of all cores that this process may use, in 10^12 operations a
// second (a fused multiply-add counts as two, as vendors do), rounded as the contract's examples are (section 4: 8.1).
// The value is read from cacheDir when this CPU was measured before, else measured in about 50 ms and stored there;
// an empty cacheDir measures each time. It fails only when ctx ends or the cache cannot be written: then the measured
// value is returned beside the error.
func Teraflops(ctx context.Context, cacheDir string) (float64, error) {
	cores := runtime.GOMAXPROCS(0)
	file := ""
	if cacheDir != "" {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s|%d|%s", cpuModel(), cores, kernelName()))
		file = filepath.Join(cacheDir, "teraflops-"+hex.EncodeToString(sum[:8])+".json")
		if v, ok := readCache(file); ok {
			return v, nil
		}
	}
	v, err := measure(ctx, cores, measureFor)
	if err != nil || file == "" {
		return v, err
	}
	return v, writeCache(file, v)
}

type cached struct {
	CPU       string  `json:"cpu"`
	Kernel    string  `json:"kernel"`
	Teraflops float64 `json:"teraflops"`
}

func readCache(file string) (float64, bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	var c cached
	if json.Unmarshal(b, &c) != nil || !(c.Teraflops > 0) {
		return 0, false // damaged: measure again
	}
	return c.Teraflops, true
}

// writeCache is atomic, since many workers may start at once on a new machine.
func writeCache(file string, v float64) error {
	b, err := json.Marshal(cached{CPU: cpuModel(), Kernel: kernelName(), Teraflops: v})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".teraflops-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // fails after the rename, as it should
	if _, err := f.Write(b); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

// measure runs the kernel on every core at once, so that clocks and shared units are those of full load, and sums
// each core's best slice, so that other work on the machine disturbs the number little.
func measure(ctx context.Context, cores int, d time.Duration) (float64, error) {
	best := make([]float64, cores)
	deadline := time.Now().Add(d)
	var wg sync.WaitGroup
	for i := range cores {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for n := 1 << 12; ctx.Err() == nil && time.Now().Before(deadline); {
				t0 := time.Now()
				flops := kernel(n)
				dt := time.Since(t0)
				if dt < time.Millisecond {
					n *= 2 // grow the slice until the clock's grain does not matter
					continue
				}
				best[i] = max(best[i], flops/dt.Seconds())
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	sum := 0.0
	for _, b := range best {
		sum += b
	}
	return round(sum / 1e12), nil
}

// round keeps one decimal, or two significant digits below 1, so that a small CPU does not show 0.
func round(v float64) float64 {
	if v <= 0 {
		return 0
	}
	digits := max(1, 1-int(math.Floor(math.Log10(v))))
	p := math.Pow(10, float64(digits))
	return math.Round(v*p) / p
}

// cpuModel names the CPU; runtime facts stand in where Linux's /proc is missing.
func cpuModel() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				return strings.TrimSpace(v)
			}
		}
	}
	return runtime.GOOS + "/" + runtime.GOARCH
}
