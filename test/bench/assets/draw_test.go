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
	drawFrames            = 36 // of an orbit, 10 degrees apart
)

// BenchmarkDraw prints one table: what a moving 720p frame of converted models costs, orbiting around the whole, close by and far away.
// Run it with -benchtime=1x.
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
	fmt.Println("## Draw (1280 x 720, moving, 0.25 pixels; mean of 36 frames of an orbit)")
	fmt.Println("| model | triangles | view | drawn | CPU ms/frame | wall ms/frame |")
	fmt.Println("|---|---|---|---|---|---|")
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
	defer f.Close()
	engine, err := cpu.New(cpu.Config{PageBytes: 2 << 30})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = engine.Close() }()
	model := f.Model()
	if model.Proxies, err = mesh.Proxies(b.Context(), model); err != nil { // as the worker's loader does
		b.Fatal(err)
	}
	if err := engine.Prepare(b.Context(), model, nil); err != nil {
		b.Fatal(err)
	}
	defer engine.Forget(model)
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
	target, err := engine.NewTarget(drawWidth, drawHeight)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = target.Close() }()
	fit := frame.DefaultView(snap.Bounds, float32(drawWidth)/drawHeight)
	center := snap.Bounds.Center()
	distance := fit.Position.Sub(center).Len()
	for _, view := range []struct {
		name     string
		distance float32
	}{{"all of it", distance}, {"close", distance / 4}, {"far", distance * 4}} {
		pose := func(i int) render.View { return orbit(fit, center, view.distance, 2*math.Pi*float64(i)/drawFrames) }
		// Once around with all pages that are wanted; later frames find them.
		for i := range drawFrames {
			settle(b, target, snap, pose(i))
		}
		var drawn int64
		cpuBefore, start := cpuTime(b), time.Now()
		for i := range drawFrames {
			stats, err := target.Render(snap, pose(i))
			if err != nil {
				b.Fatal(err)
			}
			drawn += stats.TrianglesDrawn
		}
		wall, used := time.Since(start), cpuTime(b)-cpuBefore
		fmt.Printf("| %s | %.1f M | %s | %d k | %.1f | %.1f |\n", name, float64(snap.Triangles)/1e6, view.name, drawn/drawFrames/1000,
			used.Seconds()*1000/drawFrames, wall.Seconds()*1000/drawFrames)
	}
}

// settle draws one view as if it moved until no page is missing.
func settle(b *testing.B, target render.Target, snap *scene.Snapshot, v render.View) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		stats, err := target.Render(snap, v)
		if err != nil {
			b.Fatal(err)
		}
		if stats.PagesMissing == 0 {
			return
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
