package cpu_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer/builtin"
	"github.com/heliograph/heliograph/internal/render/cpu"
	"github.com/heliograph/heliograph/internal/scene"
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

// BenchmarkFrame is one 720p frame of an orbit, one degree a frame, over 64 objects. cpu-ms is the time all threads used,
// the figure to compare on a busy machine. Textured objects have three maps: base colour, normal, and occlusion with
// roughness and metalness.
func BenchmarkFrame(b *testing.B) {
	for _, c := range []struct {
		name     string
		tris     int
		textured bool
		config   cpu.Config
		uri      string // a built-in model instead of the objects
	}{
		{name: "100k", tris: 100_000},
		{name: "1M", tris: 1_000_000},
		{name: "5M", tris: 5_000_000},
		{name: "1M-textured", tris: 1_000_000, textured: true},
		{name: "engine", uri: "builtin://engine"},
		{name: "1M-scalar", tris: 1_000_000, config: cpu.Config{ForceScalar: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := newEngine(b, c.config)
			s, center, distance := newStage(), geom.Vec3{}, 11.0
			switch {
			case c.uri != "":
				center, distance = addModel(b, s, c.uri)
			case c.textured:
				s = grid(4, c.tris)
				addTextures(s)
			default:
				s = grid(4, c.tris)
			}
			prepare(b, e, s)
			target := newTarget(b, e, 1280, 720)
			angle := 0.0
			frame := func() {
				v := orbit(distance, angle)
				v.Position = v.Position.Add(center)
				mustRender(b, target, s, v)
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

// addModel fills s with a built-in model and returns from where it fills the picture.
func addModel(b *testing.B, s *stage, uri string) (center geom.Vec3, distance float64) {
	b.Helper()
	m, err := builtin.Open(b.Context(), uri, nil)
	if err != nil {
		b.Fatal(err)
	}
	editor := scene.NewEditor()
	editor.AddModel(m)
	s.model, s.snap = *m, *editor.Snapshot()
	return m.Bounds.Center(), 0.95 * float64(m.Bounds.Max.Sub(m.Bounds.Min).Len())
}

func addTextures(s *stage) {
	color := texture(checker(1024, 64, [4]uint8{230, 60, 40, 255}, [4]uint8{250, 240, 220, 255}))
	normal := texture(checker(1024, 16, [4]uint8{120, 128, 250, 255}, [4]uint8{136, 128, 250, 255}))
	orm := texture(checker(1024, 32, [4]uint8{255, 80, 0, 255}, [4]uint8{200, 200, 255, 255}))
	for _, sm := range s.model.Meshes {
		m := sm.Primitives[0].Material
		m.BaseColorTex, m.NormalTex, m.MetalRough, m.OcclusionTex = color, normal, orm, orm
	}
}
