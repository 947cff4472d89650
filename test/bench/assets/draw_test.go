package assets

import (
	"context"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/asset"
	"github.com/heliograph/heliograph/internal/devserver"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/mesh"
	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/render/cpu"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/testassets"
	"github.com/heliograph/heliograph/internal/worker/frame"
)

const (
	drawWidth, drawHeight = 1280, 720
	drawPlaces            = 36 // of an orbit, 10 degrees apart
	drawFrames            = 3  // a degree apart at each of them; the first, before which the view jumped, is not counted
	comparedPlaces        = 4
)

// BenchmarkDraw prints one table: what a moving 720p frame of converted models costs, orbiting around the whole, close by and far
// away, and how it differs from what the same frame would be without levels of detail: one sample a pixel and the edge filter, as
// moving frames have, but every triangle. The still view that follows has more samples and would tell about those instead. PSNR is
// that of whole pictures, the least and the mean of four places. Run it with -benchtime=1x.
func BenchmarkDraw(b *testing.B) {
	dir := b.TempDir()
	made := map[string]string{} // by source
	convertOnce := func(source string) string {
		if made[source] == "" {
			name := fmt.Sprint(len(made))
			out, err := exec.CommandContext(b.Context(), filepath.Join(devserver.BinDir(b), "heliograph"), "convert", source,
				"-o", dir, "--name", name, "--no-progress").CombinedOutput()
			if err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
			made[source] = filepath.Join(dir, name+asset.Extension)
		}
		return made[source]
	}
	fmt.Println("## Draw (1280 x 720, 0.25 pixels; mean of 72 frames of an orbit that go on from one a degree before)")
	fmt.Println("| model | triangles | view | drawn | CPU ms/frame | wall ms/frame | PSNR dB, mean / least |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, r := range []struct {
		name      string
		source    func() string
		instances int
	}{
		{"rock", func() string { return testassets.Path(b, "scale/rock1m_meshopt.glb") }, 1},
		{"terrain", func() string { return testassets.Path(b, "scale/terrain5m_meshopt.glb") }, 1},
		{"large terrain", func() string { return generate(b, 20_000_000) }, 1},
		{"20 terrains", func() string { return testassets.Path(b, "scale/terrain5m_meshopt.glb") }, 20},
		{"machine of 10,401 nodes", func() string { return testassets.Path(b, "scale/machine10k.glb") }, 1},
	} {
		b.Run(r.name, func(b *testing.B) { draw(b, r.name, convertOnce(r.source()), r.instances) })
	}
}

// draw prints the rows of one model, set up that many times side by side.
func draw(b *testing.B, name, file string, instances int) {
	b.Helper()
	f, err := asset.OpenFile(file)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() }) // after the engines that read it
	model := f.Model()
	if model.Proxies, err = mesh.Proxies(b.Context(), model); err != nil { // as the worker's loader does
		b.Fatal(err)
	}
	editor := scene.NewEditor()
	columns := int(math.Ceil(math.Sqrt(float64(instances))))
	size := model.Bounds.Size()
	for i := range instances {
		_, root := editor.AddModel(model)
		at := geom.Vec3{size[0] * float32(i%columns), 0, size[2] * float32(i/columns)}
		if err := editor.SetTransform(root, geom.TRS(at, geom.Quat{0, 0, 0, 1}, geom.Vec3{1, 1, 1})); err != nil {
			b.Fatal(err)
		}
	}
	snap := editor.Snapshot()
	target, full := newTarget(b, model, false), newTarget(b, model, true)
	fit := frame.DefaultView(snap.Bounds, float32(drawWidth)/drawHeight)
	center := snap.Bounds.Center()
	distance := fit.Position.Sub(center).Len()
	for _, view := range []struct {
		name     string
		distance float32
	}{{"all of it", distance}, {"close", distance / 4}, {"far", distance * 4}} {
		pose := func(place, frame int) render.View {
			degrees := 360/drawPlaces*float64(place) + float64(frame)
			return orbit(fit, center, view.distance, degrees*math.Pi/180)
		}
		// Once around with all pages that are wanted; later frames find them.
		for i := range drawPlaces * drawFrames {
			settle(b, target, snap, pose(i/drawFrames, i%drawFrames))
		}
		var drawn int64
		var used, wall time.Duration
		for place := range drawPlaces {
			mustRender(b, target, snap, pose(place, 0))
			cpuBefore, start := cpuTime(b), time.Now()
			for i := 1; i < drawFrames; i++ {
				drawn += mustRender(b, target, snap, pose(place, i)).TrianglesDrawn
			}
			wall, used = wall+time.Since(start), used+cpuTime(b)-cpuBefore
		}
		const counted = drawPlaces * (drawFrames - 1)
		mean, least := 0.0, math.Inf(1)
		for i := range comparedPlaces {
			place := i * drawPlaces / comparedPlaces
			for k := range drawFrames {
				mustRender(b, target, snap, pose(place, k))
			}
			last := pose(place, drawFrames-1)
			settle(b, full, snap, last)
			mustRender(b, full, snap, pose(place, 0)) // the same view again would be refined
			mustRender(b, full, snap, last)
			db := psnr(target, full)
			mean, least = mean+db/comparedPlaces, min(least, db)
		}
		fmt.Printf("| %s | %.1f M | %s | %d k | %.1f | %.1f | %.1f / %.1f |\n", name, float64(snap.Triangles)/1e6, view.name,
			drawn/counted/1000, used.Seconds()*1000/counted, wall.Seconds()*1000/counted, mean, least)
	}
}

// drawTarget is a target of an engine of its own, which tells when pages arrive.
type drawTarget struct {
	render.Target
	arrived chan struct{}
}

// newTarget makes a target that is ready to draw model.
func newTarget(b *testing.B, model *scene.Model, fullDetail bool) drawTarget {
	b.Helper()
	engine, err := cpu.New(cpu.Config{PageBytes: 2 << 30, FullDetail: fullDetail})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = engine.Close() })
	arrived := make(chan struct{}, 1)
	engine.OnArrival(func() {
		select {
		case arrived <- struct{}{}:
		default:
		}
	})
	if err := engine.Prepare(b.Context(), model, nil); err != nil {
		b.Fatal(err)
	}
	target, err := engine.NewTarget(drawWidth, drawHeight)
	if err != nil {
		b.Fatal(err)
	}
	return drawTarget{target, arrived}
}

func mustRender(b *testing.B, target render.Target, snap *scene.Snapshot, v render.View) render.Stats {
	b.Helper()
	stats, err := target.Render(snap, v)
	if err != nil {
		b.Fatal(err)
	}
	return stats
}

// psnr compares the pictures of two targets, over all pixels and the three colours, in dB.
func psnr(x, y render.Target) float64 {
	a, b := make([]byte, 4*drawWidth*drawHeight), make([]byte, 4*drawWidth*drawHeight)
	x.RGBA(a)
	y.RGBA(b)
	var sum float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return 10 * math.Log10(255*255*3*drawWidth*drawHeight/sum) // alpha is equal
}

// settle draws one view as if it moved until no page is missing.
func settle(b *testing.B, target drawTarget, snap *scene.Snapshot, v render.View) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		if mustRender(b, target, snap, v).PagesMissing == 0 {
			return
		}
		for reading := true; reading; { // all that it missed, and not a page at a time
			select {
			case <-target.arrived:
			case <-time.After(100 * time.Millisecond):
				reading = false
			}
		}
		v.Near *= 1.0001 // another view: refining it would want finer pages
	}
	b.Fatal("pages are missing for ever")
}

// orbit is the fitting view turned about the vertical through center, at a distance.
func orbit(fit render.View, center geom.Vec3, distance float32, angle float64) render.View {
	sin, cos := math.Sincos(angle / 2)
	turn := geom.TRS(geom.Vec3{}, geom.Quat{0, float32(sin), 0, float32(cos)}, geom.Vec3{1, 1, 1})
	back := fit.Position.Sub(center).Normalize()
	v := fit
	v.Position = center.Add(turn.Dir(back).Mul(distance))
	v.Near = fit.Near * distance / fit.Position.Sub(center).Len()
	q, t := fit.Orientation, geom.Quat{0, float32(sin), 0, float32(cos)}
	v.Orientation = geom.Quat{ // t times q
		t[3]*q[0] + t[1]*q[2], t[3]*q[1] + t[1]*q[3], t[3]*q[2] - t[1]*q[0], t[3]*q[3] - t[1]*q[1],
	}
	return v
}

// cpuTime is what the process has used, user and system.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
