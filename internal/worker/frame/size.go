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
	fastFrame   = time.Second / 40 // predicted time of a larger picture that allows it again
	judgeAfter  = 6                // moving frames at a step before it is judged, unless
	judgeTime   = time.Second / 5  // they took so long together
	growAfter   = 45               // frames before growing: a size change costs a key frame, so it must be rare
	maxPatience = 16               // times growAfter, after growing was regretted again and again
	averageOver = 4
	// fixedShare is the part of a frame's time that is taken to go not by pixels but by triangles, before two sizes
	// were seen.
	fixedShare = 0.3
	// worthwhile is how much slower than the smallest a picture may be where none is fast enough: where triangles
	// take the time, a small picture would only look bad.
	worthwhile = 1.15
)

// governor chooses the step from how long moving frames take.
type governor struct {
	step     int
	frames   int           // at this step
	total    time.Duration // that they took
	avg      time.Duration
	grown    bool // to this step, rather than shrunk
	patience int  // times growAfter; 0 means 1

	prev    int // the step before this one, and how long frames took there; 0 = there was none
	prevAvg time.Duration
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
	patient := growAfter * max(g.patience, 1)
	if g.frames <= judgeAfter && g.total < judgeTime {
		return
	}
	limit := fastFrame
	if g.avg > slowFrame {
		limit = slowFrame
	}
	switch to := g.choose(limit); {
	case to > g.step && g.avg > slowFrame:
		if g.grown && g.frames < patient {
			g.patience = min(2*max(g.patience, 1), maxPatience)
		}
		g.to(to)
	case to < g.step && g.frames > patient:
		g.to(to)
	}
}

// choose returns the largest picture that is predicted to take at most limit, or else the largest that is hardly slower
// than the smallest.
func (g *governor) choose(limit time.Duration) int {
	last := len(steps) - 1
	if g.predict(last) > limit {
		limit = time.Duration(worthwhile * float64(g.predict(last)))
	}
	for i := range steps {
		if g.predict(i) <= limit {
			return i
		}
	}
	return last
}

// predict is how long a frame takes at a step: a constant and so much a pixel, by the last two steps.
func (g *governor) predict(step int) time.Duration {
	pixels := func(i int) float64 { return steps[i] * steps[i] }
	avg := float64(g.avg)
	perPixel := (1 - fixedShare) * avg / pixels(g.step)
	if g.prevAvg > 0 {
		slope := (avg - float64(g.prevAvg)) / (pixels(g.step) - pixels(g.prev))
		perPixel = min(max(slope, 0), avg/pixels(g.step))
	}
	return time.Duration(avg + perPixel*(pixels(step)-pixels(g.step)))
}

func (g *governor) to(step int) {
	*g = governor{step: step, grown: step < g.step, patience: g.patience, prev: g.step, prevAvg: g.avg}
}

func (g *governor) size(full Size) Size { return full.scaled(steps[g.step]) }
