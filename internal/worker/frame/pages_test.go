package frame

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/render"
	"github.com/heliograph/heliograph/internal/scene"
)

// TestAStillViewRefinesAsPagesArrive: while pages are missing a still view is drawn now and then, soon after an arrival, and goes
// on to converge when all are there.
func TestAStillViewRefinesAsPagesArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.engine.missing.Store(3)
		defer b.run(t)()
		b.Attach(b.sink, encode.VP8)
		advance(time.Second)
		before := b.engine.count()
		advance(10 * time.Second)
		if n := b.engine.count() - before; n < 30 || n > 50 {
			t.Errorf("%d pictures in 10 s without an arrival", n)
		}
		if st := b.Stats(); st.PagesMissing != 3 || st.Converged {
			t.Errorf("stats: %+v", st)
		}
		before = b.engine.count()
		for range 1000 { // pages come every millisecond
			b.Arrived()
			advance(time.Millisecond)
		}
		if n := b.engine.count() - before; n < 15 || n > 25 {
			t.Errorf("%d pictures in a second of arrivals", n)
		}
		b.engine.missing.Store(0)
		b.Arrived()
		advance(time.Second)
		if st := b.Stats(); st.PagesMissing != 0 || !st.Converged {
			t.Errorf("stats when all pages are there: %+v", st)
		}
	})
}

// slowTarget draws until it is interrupted, from its second picture of a view on.
type slowTarget struct {
	*fakeTarget
	stop, end chan struct{}
}

func (t *slowTarget) Interrupt() {
	select {
	case t.stop <- struct{}{}:
	default:
	}
}

func (t *slowTarget) Render(s *scene.Snapshot, v render.View) (render.Stats, error) {
	if t.seen == s && t.view == v {
		select {
		case <-t.stop:
		case <-t.end:
		}
		t.seen = nil
		return render.Stats{Interrupted: true}, nil
	}
	select {
	case <-t.stop:
	default:
	}
	return t.fakeTarget.Render(s, v)
}

type slowEngine struct {
	*fakeEngine
	end chan struct{} // closed: nothing is slow any more
}

func (e slowEngine) NewTarget(w, h int) (render.Target, error) {
	t, err := e.fakeEngine.NewTarget(w, h)
	return &slowTarget{t.(*fakeTarget), make(chan struct{}, 1), e.end}, err
}

// TestAPoseInterruptsRefining: a view that begins to move does not wait until a slow refinement has been drawn.
func TestAPoseInterruptsRefining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		end := make(chan struct{})
		b.cfg.Engine = func() (render.Engine, error) { return slowEngine{b.engine, end}, nil }
		stop := b.run(t)
		b.Attach(b.sink, encode.VP8)
		for i := range uint32(5) {
			b.SetPose(pose(i+1, float32(i)), time.Now())
			advance(100 * time.Millisecond)
			recs := b.sink.records()
			if len(recs) == 0 || recs[len(recs)-1].GetPoseId() != i+1 {
				t.Fatalf("pose %d is not shown after 100 ms", i+1)
			}
		}
		close(end)
		stop()
	})
}
