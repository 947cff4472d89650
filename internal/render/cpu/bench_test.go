package cpu_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/render/cpu"
)

// cpuTime is what the process has used, user and system.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkFrame is one 720p frame of an orbit, one degree a frame, over 64 untextured objects. cpu-ms is the time all
// threads used, the figure to compare on a busy machine.
func BenchmarkFrame(b *testing.B) {
	for _, tris := range []int{100_000, 1_000_000, 5_000_000} {
		b.Run(fmt.Sprintf("%dk", tris/1000), func(b *testing.B) {
			e := newEngine(b, cpu.Config{})
			s := grid(4, tris)
			prepare(b, e, s)
			target := newTarget(b, e, 1280, 720)
			angle := 0.0
			frame := func() {
				mustRender(b, target, s, orbit(11, angle))
				angle++
			}
			frame()
			frame()
			b.ResetTimer()
			start := cpuTime(b)
			for range b.N {
				frame()
			}
			b.ReportMetric(float64((cpuTime(b)-start).Microseconds())/1000/float64(b.N), "cpu-ms/frame")
		})
	}
}
