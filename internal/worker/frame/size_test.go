package frame

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestGovernor(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		fixed, pixels time.Duration // of a frame at full size
		from, to      int           // acceptable steps after a while
	}{
		"fast":                     {5 * ms, 10 * ms, 0, 0},
		"just fast enough":         {10 * ms, 22 * ms, 0, 0},
		"all by pixels":            {0, 60 * ms, 2, 3},
		"both":                     {15 * ms, 35 * ms, 2, 3},
		"very slow, all by pixels": {0, 500 * ms, 4, 4},
		"all by triangles":         {60 * ms, 0, 0, 0},
		"slow, mostly triangles":   {100 * ms, 10 * ms, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var g governor
			changes, slowFor := 0, time.Duration(0)
			for range 3000 {
				before := g.step
				d := c.fixed + time.Duration(float64(c.pixels)*steps[g.step]*steps[g.step])
				g.moved(d)
				if g.step != before {
					changes++
				}
				if d > slowFrame {
					slowFor += d
				}
			}
			if g.step < c.from || g.step > c.to {
				t.Errorf("ends at step %d, want %d to %d", g.step, c.from, c.to)
			}
			if changes > 4 {
				t.Errorf("the size changed %d times", changes)
			}
			if fast := c.fixed+c.pixels/4 <= slowFrame; fast && slowFor > 2*time.Second {
				t.Errorf("frames were too slow for %v", slowFor)
			}
		})
	}
}

func TestGovernorFollowsTheLoad(t *testing.T) {
	var g governor
	run := func(frames int, full time.Duration) {
		for range frames {
			g.moved(time.Duration(float64(full) * steps[g.step] * steps[g.step]))
		}
	}
	run(100, 60*time.Millisecond)
	if g.step == 0 {
		t.Error("it did not shrink")
	}
	run(300, 10*time.Millisecond)
	if g.step != 0 {
		t.Errorf("it did not grow back, but stays at step %d", g.step)
	}
}

func TestGovernorKeepsCalmInNoise(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var g governor
	changes := 0
	const frames = 3000
	for range frames {
		before := g.step
		full := 20e6 * (0.7 + 0.9*rnd.Float64()) // other work on the machine
		g.moved(time.Duration(full + full*steps[g.step]*steps[g.step]))
		if g.step != before {
			changes++
		}
	}
	if changes > frames/150 {
		t.Errorf("the size changed %d times in %d frames", changes, frames)
	}
}
