package machine

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

func TestTeraflopsMeasuresOnceThenReadsTheCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made-on-demand")
	first, err := Teraflops(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if first <= 0 || first > 1000 {
		t.Fatalf("measured %v teraflops", first)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("cache holds %v, %v; want one file", files, err)
	}
	if err := os.WriteFile(files[0], []byte(`{"teraflops":12.5}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if v, err := Teraflops(t.Context(), dir); err != nil || v != 12.5 {
		t.Errorf("second call = %v, %v; want the cached 12.5", v, err)
	}
	if err := os.WriteFile(files[0], []byte(`{"teraflops":-`), 0o600); err != nil {
		t.Fatal(err)
	}
	if v, err := Teraflops(t.Context(), dir); err != nil || v <= 0 || v == 12.5 {
		t.Errorf("with a damaged cache = %v, %v; want a fresh measurement", v, err)
	}
}

func TestMeasureEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := measure(ctx, runtime.GOMAXPROCS(0), time.Hour); err == nil {
		t.Error("measure ignored a cancelled context")
	}
}

func TestRound(t *testing.T) {
	for in, want := range map[float64]float64{8.1234: 8.1, 10.64: 10.6, 0.2049: 0.2, 0.2151: 0.22, 0.01234: 0.012, 1: 1, 0: 0} {
		if got := round(in); got != want {
			t.Errorf("round(%v) = %v, want %v", in, got, want)
		}
	}
}

func TestPortableKernelCounts(t *testing.T) {
	if got := portable(10); got != 160 {
		t.Errorf("portable(10) = %v operations, want 160", got)
	}
}
