package frame

import (
	"math"
	"time"
)

// Size is a picture size in pixels.
type Size struct{ W, H int }

// Bounds of a viewport. The long and short edge are those of 4K UHD, the largest picture the encoders take.
const (
	minEdge  = 64
	maxLong  = 3840
	maxShort = 2160
)

// Clamp returns the picture size that is drawn for a viewport of w x h pixels: even on both edges as I420 needs, with
// the viewport's shape, and within the bounds.
func Clamp(w, h int) Size {
	w, h = max(w, 1), max(h, 1)
	long, short := float64(max(w, h)), float64(min(w, h))
	s := min(1, maxLong/long, maxShort/short)
	edge := func(v int) int { return max(minEdge, int(math.Round(float64(v)*s))) &^ 1 }
	return Size{min(edge(w), maxLong), min(edge(h), maxLong)}
}

// scaled returns s times f on both edges, even and not below minEdge.
func (s Size) scaled(f float64) Size {
	return Size{max(minEdge, int(float64(s.W)*f)&^1), max(minEdge, int(float64(s.H)*f)&^1)}
}

// steps are the factors that a picture shrinks by while it moves; each has about 0.7 times the pixels of the one before.
var steps = [...]float64{1, 0.84, 0.7, 0.59, 0.5}

const (
	slowFrame   = time.Second / 30 // the promise: at least 30 frames a second while moving
	fastFrame   = time.Second / 50 // predicted time at the next larger step that allows going back to it
	judgeAfter  = 6                // moving frames at a step before it is judged, unless
	judgeTime   = time.Second / 5  // they took so long together
	growAfter   = 45               // frames before growing: a size change costs a key frame, so it must be rare
	averageOver = 4
)

// governor chooses the step from how long moving frames take.
type governor struct {
	step   int
	frames int           // at this step
	total  time.Duration // that they took
	avg    time.Duration
}

// moved counts a moving frame that took d in its slower stage, and moves to another step when it must. The first frame
// at a size does not count: its target and its encoder were made with it.
func (g *governor) moved(d time.Duration) {
	g.frames++
	switch g.frames {
	case 1:
		return
	case 2:
		g.avg = d
	}
	g.total += d
	g.avg += (d - g.avg) / averageOver
	switch {
	case (g.frames > judgeAfter || g.total >= judgeTime) && g.avg > slowFrame && g.step < len(steps)-1:
		to := g.step + 1
		for to < len(steps)-1 && g.predict(to) > slowFrame {
			to++
		}
		g.to(to)
	case g.frames > growAfter && g.step > 0 && g.predict(g.step-1) < fastFrame:
		g.to(g.step - 1)
	}
}

// predict is the time of a frame at another step, if all of it went by pixels: too high when growing, as is safe.
func (g *governor) predict(step int) time.Duration {
	r := steps[step] / steps[g.step]
	return time.Duration(float64(g.avg) * r * r)
}

func (g *governor) to(step int) { *g = governor{step: step} }

func (g *governor) size(full Size) Size { return full.scaled(steps[g.step]) }
