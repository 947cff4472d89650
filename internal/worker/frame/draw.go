package frame

import (
	"context"
	"time"

	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/scene"
	"github.com/heliograph/heliograph/internal/streampb"
)

const (
	frameInterval = time.Second / 60
	// settleAfter is how long the pose must rest before a picture that was shrunk for motion is drawn in full again.
	settleAfter = 150 * time.Millisecond
	// polishFrames repeat a converged picture, polishEvery apart: each lets the encoder spend another frame's bits on
	// what it had to leave out, until the still picture is crisp.
	polishFrames = 3
	polishEvery  = 50 * time.Millisecond

	// missingEvery is how often a picture that misses pages is drawn again at least, arrivals or not: its wants may have given
	// way to another view's.
	missingEvery = 250 * time.Millisecond
	// arrivalsEvery is how often it is drawn while pages arrive: they come one by one, and reading them needs the machine too.
	arrivalsEvery = 50 * time.Millisecond

	forever time.Duration = -1
)

// drawer decides what to draw, and draws it. It belongs to one goroutine.
type drawer struct {
	l       *Loop
	engine  render.Engine
	targets map[Size]render.Target // of the full size, and of the moving one
	gov     governor

	due      time.Time // no moving frame starts before
	handed   time.Time // when the last picture was handed over
	movedAt  time.Time // last change of pose, or of a scene that keeps changing
	editedAt time.Time // last change of the scene
	told     uint64    // version of the scene that SceneChanged was told of

	// The last picture drawn; target is nil before the first.
	target    render.Target
	view      render.View
	version   uint64
	size      Size
	stats     render.Stats
	renderFor time.Duration
	drawnAt   time.Time
	arrived   bool // pages have come since

	viewer *viewer // whom the last picture was handed over for
	key    bool    // a key frame is owed
	polish int     // repeats owed
}

func (l *Loop) draw(ctx context.Context) error {
	d := &drawer{l: l, targets: map[Size]render.Target{}}
	defer d.close()
	for {
		var pic *picture
		select {
		case <-ctx.Done():
			return nil
		case pic = <-l.free:
		}
		if ok, err := d.fill(ctx, pic); !ok {
			return err
		}
		l.pictures <- pic // has room for both pictures, so that it does not block when the encoder has ended
	}
}

// fill waits until there is a picture to show and puts it into pic. It reports false when ctx ends or drawing fails.
func (d *drawer) fill(ctx context.Context, pic *picture) (bool, error) {
	for {
		done, wait, err := d.step(time.Now(), pic)
		if done || err != nil {
			return done, err
		}
		var timeout <-chan time.Time
		if wait >= 0 {
			timeout = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-d.l.wake:
		case <-timeout:
		}
	}
}

func (d *drawer) close() {
	for _, t := range d.targets {
		_ = t.Close()
	}
}

// action is what a step does.
type action int

const (
	idle action = iota
	redraw
	refine
	resend
)

// step does the next thing there is to do. It reports whether pic was filled, else how long to wait for a change.
func (d *drawer) step(now time.Time, pic *picture) (done bool, wait time.Duration, err error) {
	d.l.drawing.RLock()
	defer d.l.drawing.RUnlock()
	st := d.l.take()
	d.answer(st.picks)
	d.arrived = d.arrived || st.arrived
	if st.viewer == nil {
		return false, forever, nil
	}
	snap := d.l.cfg.Editor.Snapshot()
	if snap.Version != d.told {
		d.told = snap.Version
		d.l.cfg.SceneChanged(snap)
	}
	view := st.viewFor(snap)
	if d.viewer != st.viewer || st.again || st.viewer.sink.KeyFrameWanted() {
		d.key = true
	}
	what, size, wait := d.decide(now, &st, snap, view)
	switch what {
	case idle:
		return false, wait, nil
	case redraw, refine:
		posed := d.target == nil || view != d.view
		if err := d.render(snap, view, size); err != nil {
			return false, 0, err
		}
		if d.movedAt.Equal(now) {
			d.gov.moved(d.frameFor())
		}
		if what == redraw {
			d.due = later(d.due.Add(frameInterval), now.Add(frameInterval/2)) // 60 a second on average, with some jitter
		}
		if d.stats.Interrupted || !d.worthSending() {
			return false, 0, nil
		}
		pic.poseWait, pic.renderFor = 0, d.renderFor
		if posed && st.posed {
			pic.poseWait = max(0, now.Sub(st.poseAt)) // a pose may have arrived since now was read
		}
		d.polish = polishFrames
	case resend:
		pic.poseWait, pic.renderFor = 0, 0
		d.polish--
	}
	d.hand(pic, &st, now)
	return true, 0, nil
}

// decide says what to do at now, at which size, or how long there is nothing to do.
func (d *drawer) decide(now time.Time, st *state, snap *scene.Snapshot, view render.View) (action, Size, time.Duration) {
	if d.target != nil && st.posed && view != d.view {
		d.movedAt = now
	}
	if d.target != nil && snap.Version != d.version {
		if now.Sub(d.editedAt) < settleAfter {
			d.movedAt = now
		}
		d.editedAt = now
	}
	rest := settleAfter - now.Sub(d.movedAt)
	size := st.size
	if rest > 0 {
		size = d.gov.size(st.size)
	}
	switch {
	case d.target == nil, view != d.view, snap.Version != d.version, rest <= 0 && d.size != size:
		if wait := d.due.Sub(now); wait > 0 {
			return idle, size, wait
		}
		return redraw, size, 0
	case d.size == st.size && !d.stats.Converged:
		if d.stats.PagesMissing > 0 && !d.key {
			every := missingEvery
			if d.arrived {
				every = arrivalsEvery
			}
			if wait := d.drawnAt.Add(every).Sub(now); wait > 0 {
				return idle, size, wait
			}
		}
		return refine, size, 0
	case d.key:
		if wait := d.handed.Add(frameInterval).Sub(now); wait > 0 {
			return idle, size, wait
		}
		return resend, size, 0
	case d.size != st.size:
		return idle, size, rest
	case d.polish > 0:
		if wait := d.handed.Add(polishEvery).Sub(now); wait > 0 {
			return idle, size, wait
		}
		return resend, size, 0
	}
	return idle, size, forever
}

// worthSending thins out the refining pictures of a still view: those with 1, 2, 4, 8 ... samples, and the last.
func (d *drawer) worthSending() bool {
	n := d.stats.Sample + 1
	return n&(n-1) == 0 || d.stats.Converged || d.key
}

func (d *drawer) render(snap *scene.Snapshot, view render.View, size Size) error {
	t, err := d.targetFor(size)
	if err != nil {
		return err
	}
	start := time.Now()
	i, _ := t.(render.Interrupter)
	d.l.rendering.Store(&rendering{i, view})
	stats, err := t.Render(snap, view)
	d.l.rendering.Store(nil)
	if err != nil {
		return err
	}
	d.drawnAt, d.arrived = time.Now(), false
	d.renderFor = d.drawnAt.Sub(start)
	d.target, d.view, d.version, d.size, d.stats = t, view, snap.Version, size, stats
	d.l.metrics.observe("render", d.renderFor)
	d.l.mu.Lock()
	d.l.stats.Rendered++
	d.l.stats.PointsDrawn, d.l.stats.PagesMissing = stats.PointsDrawn, stats.PagesMissing
	d.l.mu.Unlock()
	return nil
}

// frameFor is how far apart frames are by the last picture's drawing and the last frame's encoding.
func (d *drawer) frameFor() time.Duration {
	encodeFor := time.Duration(d.l.Stats().EncodeUS) * time.Microsecond
	if d.l.overlap {
		return max(d.renderFor, encodeFor)
	}
	return d.renderFor + encodeFor
}

// targetFor returns the target of that size, and closes those of sizes that are no longer drawn.
func (d *drawer) targetFor(size Size) (render.Target, error) {
	if t := d.targets[size]; t != nil {
		return t, nil
	}
	if d.engine == nil {
		e, err := d.l.cfg.Engine()
		if err != nil {
			return nil, err
		}
		d.engine = e
	}
	for s, t := range d.targets {
		if len(d.targets) > 1 && s != d.size {
			_ = t.Close()
			delete(d.targets, s)
		}
	}
	t, err := d.engine.NewTarget(size.W, size.H)
	if err != nil {
		return nil, err
	}
	d.targets[size] = t
	return t, nil
}

// hand copies the last picture into pic: the target's own planes are drawn into again while pic is encoded.
func (d *drawer) hand(pic *picture, st *state, now time.Time) {
	y, u, v, strideY, strideUV := d.target.I420()
	pic.resize(d.size)
	copyPlane(pic.y, d.size.W, y, strideY, d.size.W, d.size.H)
	copyPlane(pic.u, d.size.W/2, u, strideUV, d.size.W/2, d.size.H/2)
	copyPlane(pic.v, d.size.W/2, v, strideUV, d.size.W/2, d.size.H/2)
	pic.viewer, pic.key, pic.start = st.viewer, d.key, now
	pic.rec = &streampb.FrameRecord{
		PoseId: st.poseID, Width: uint32(d.size.W), Height: uint32(d.size.H),
		Converged:      d.stats.Converged && d.size == st.size,
		TrianglesDrawn: uint64(d.stats.TrianglesDrawn),
		PoseWaitUs:     uint32(pic.poseWait.Microseconds()),
		RenderUs:       uint32(pic.renderFor.Microseconds()),
	}
	d.viewer, d.key, d.handed = st.viewer, false, now
}

// answer serves picks from the last picture.
func (d *drawer) answer(picks []pickRequest) {
	for _, p := range picks {
		var h Hit
		if d.target != nil {
			x, y := min(int(p.x*float32(d.size.W)), d.size.W-1), min(int(p.y*float32(d.size.H)), d.size.H-1)
			e, depth := d.target.Pick(x, y)
			if e != 0 {
				h = Hit{Entity: e, Position: unproject(d.view, d.size, x, y, depth)}
			}
		}
		p.answer <- h
	}
}

func copyPlane(dst []byte, dstStride int, src []byte, srcStride, w, h int) {
	for row := range h {
		copy(dst[row*dstStride:][:w], src[row*srcStride:])
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
