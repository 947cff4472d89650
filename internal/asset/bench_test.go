//go:build unix

package asset_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/mesh"
)

// BenchmarkReadPage decodes all pages of a shape with positions and normals, on one thread.
func BenchmarkReadPage(b *testing.B) {
	f, sum, _ := write(b, modelOf(bumpySphere(200, 1, false)), asset.WriteOptions{})
	b.Logf("%.2f bytes a triangle, %.2f before compression",
		float64(sum.PageBytes)/float64(sum.Triangles), float64(sum.RawPageBytes)/float64(sum.Triangles))
	room := make([]mesh.Page, len(f.Pages()))
	var tris int64
	for i, p := range f.Pages() {
		room[i] = mesh.Page{
			Positions: make([]float32, 3*p.Vertices), Surface: make([]uint32, 4*p.Vertices), Triangles: make([]uint32, p.Triangles),
		}
		tris += int64(p.Triangles)
	}
	b.ReportAllocs()
	start := cpuTime(b)
	for b.Loop() {
		for i := range room {
			if err := f.ReadPage(b.Context(), i, room[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(tris)*float64(b.N)/(cpuTime(b)-start).Seconds()/1e6, "Mtri/cpu-s")
}

// cpuTime is what the process has used, user and system: the figure to compare on a busy machine.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
