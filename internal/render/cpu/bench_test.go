package cpu_test

import (
	"image"
	"syscall"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/importer/builtin"
	"github.com/heliograph/heliograph/internal/render"
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

// BenchmarkPaged is BenchmarkFrame with the objects as hierarchies, at the tolerance of a moving view: a cost set by the screen.
// 20M is 8 meshes of 312,000 triangles, each in 8 places, and 100M the same in 40 places. psnr-dB compares the last picture with
// that of full detail.
func BenchmarkPaged(b *testing.B) {
	for _, c := range []struct {
		name     string
		tris     int
		distinct int // meshes
		copies   int
	}{
		{"1M", 1_000_000, 64, 1}, {"5M", 5_000_000, 64, 1}, {"20M", 20_000_000, 8, 8}, {"100M", 20_000_000, 8, 40},
	} {
		b.Run(c.name, func(b *testing.B) {
			if testing.Short() && c.tris > 1_000_000 {
				b.Skip("building the hierarchies takes long")
			}
			e := newEngine(b, cpu.Config{PageBytes: 2 << 30})
			s := benchObjects(b, c.tris/64, c.distinct, c.copies)
			prepare(b, e, s)
			target := newTarget(b, e, 1280, 720)
			// Every page that the orbit needs is read before.
			angle := 0.0
			for ; angle < 100; angle += 5 {
				complete(b, target, s, orbit(11, angle))
			}
			angle = 0
			var drawn int64
			b.ResetTimer()
			start := cpuTime(b)
			for range b.N {
				drawn += mustRender(b, target, s, orbit(11, angle)).TrianglesDrawn
				angle++
			}
			b.StopTimer()
			b.ReportMetric(float64((cpuTime(b)-start).Microseconds())/1000/float64(b.N), "cpu-ms/frame")
			b.ReportMetric(float64(drawn)/float64(b.N), "triangles/frame")
			moving := picture(target)
			b.ReportMetric(psnr(moving, fullDetail(b, s, orbit(11, angle-1))), "psnr-dB")
		})
	}
}

// fullDetail is the first picture of a view as it would be without levels of detail.
func fullDetail(t testing.TB, s *stage, v render.View) *image.NRGBA {
	t.Helper()
	e := newEngine(t, cpu.Config{FullDetail: true, PageBytes: 2 << 30})
	prepare(t, e, s)
	target := newTarget(t, e, 1280, 720)
	complete(t, target, s, v)
	return picture(target)
}

// benchObjects is distinct meshes of so many triangles, in copies of the grid of 64 places.
func benchObjects(b *testing.B, tris, distinct, copies int) *stage {
	b.Helper()
	flat := newStage()
	for i := range distinct {
		c := float32(i+1) / float32(distinct)
		m := material(geom.Vec4{0.3 + 0.7*c, 1 - 0.6*c, 0.5 + 0.3*c, 1}, float32(i%2), 0.15+0.7*c)
		flat.mesh(bumpySphere(tris, 1+0.01*float64(i)), m)
	}
	s := resident(b, flat)
	for i := range distinct * copies {
		k := i % 64
		s.place(s.model.Meshes[i%distinct], at(2*float32(k%4)-3, 2*float32(k/4%4)-3+float32(8*(i/64)), 2*float32(k/16)-3, 0.9))
	}
	return s
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
