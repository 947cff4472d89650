package frame

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/geom"
	"github.com/heliograph/heliograph/internal/scene"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAStillConvergedViewCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.run(t)()
		advance(time.Hour)
		if n := b.engine.count(); n != 0 {
			t.Fatalf("%d pictures were drawn with nobody looking", n)
		}
		b.Attach(b.sink, encode.VP8)
		advance(time.Second)
		if n := b.engine.count(); n != 5 {
			t.Errorf("%d pictures were drawn of a view that converges with 5", n)
		}
		// Samples 1, 2, 4 and the last, 5; then the repeats.
		recs := b.sink.records()
		if want := 4 + polishFrames; len(recs) != want {
			t.Errorf("%d frames were sent, want %d", len(recs), want)
		}
		for i, r := range recs {
			if r.GetKey() != (i == 0) || r.GetConverged() != (i >= 3) || r.GetFrameId() != uint32(i+1) {
				t.Errorf("frame %d: %v", i, r)
			}
		}
		advance(time.Hour)
		if n, sent := b.engine.count(), len(b.sink.records()); n != 5 || sent != len(recs) {
			t.Errorf("an hour at rest drew %d more pictures and sent %d more frames", n-5, sent-len(recs))
		}
	})
}

func TestTheNewestPoseWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.engine.renderFor = func(Size) time.Duration { return 10 * time.Millisecond }
		defer b.run(t)()
		b.Attach(b.sink, encode.VP8)
		advance(time.Second)
		before := len(b.sink.records())
		for id := range uint32(100) { // 1 kHz
			b.SetPose(pose(id+1, float32(id)), time.Now())
			advance(time.Millisecond)
		}
		b.SetPose(pose(3, -1), time.Now()) // overtaken on its way
		advance(time.Second)
		recs := b.sink.records()[before:]
		last := uint32(0)
		for _, r := range recs {
			if r.GetPoseId() < last {
				t.Errorf("pose %d was shown after pose %d", r.GetPoseId(), last)
			}
			last = r.GetPoseId()
			if r.GetPoseWaitUs() > 17_000 {
				t.Errorf("pose %d waited %d us", r.GetPoseId(), r.GetPoseWaitUs())
			}
		}
		if last != 100 {
			t.Errorf("the last frame shows pose %d, want 100", last)
		}
		if moving := len(recs) - 3 - polishFrames; moving < 6 || moving > 8 {
			t.Errorf("%d frames in 100 ms of motion, want 60 a second", moving)
		}
	})
}

func TestRTPTimestampsNameFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.engine.samples = 64
		defer b.run(t)()
		b.Attach(b.sink, encode.VP8)
		advance(time.Second) // the fake draws in no time: many frames at one instant
		seen := map[uint32]bool{}
		for _, r := range b.sink.records() {
			if seen[r.GetRtpTimestamp()] {
				t.Errorf("timestamp %d was used twice", r.GetRtpTimestamp())
			}
			seen[r.GetRtpTimestamp()] = true
		}
		if len(seen) < 7 {
			t.Errorf("%d frames", len(seen))
		}
	})
}

func TestInvalidPosesAreIgnored(t *testing.T) {
	b := newBench(t)
	nan := float32(math.NaN())
	bad := pose(1, nan)
	b.SetPose(bad, time.Now())
	bad = pose(2, 0)
	bad.FovY = 0
	b.SetPose(bad, time.Now())
	bad = pose(3, 0)
	bad.Orientation = nil
	b.SetPose(bad, time.Now())
	if b.st.posed {
		t.Error("a pose that cannot be drawn with was taken")
	}
}

func TestAKeyFrameIsSentFromRestWithoutDrawing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.run(t)()
		b.Attach(b.sink, encode.VP8)
		advance(time.Second)
		drawn, sent := b.engine.count(), len(b.sink.records())
		b.sink.set(func(s *fakeSink) { s.key = true })
		b.Wake()
		advance(time.Second)
		recs := b.sink.records()
		if len(recs) != sent+1 || !recs[sent].GetKey() {
			t.Errorf("%d frames after a key frame was wanted, want one key frame", len(recs)-sent)
		}
		if n := b.engine.count(); n != drawn {
			t.Errorf("%d pictures were drawn for it", n-drawn)
		}
	})
}

func TestASecondViewerGetsTheStillPicture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.run(t)()
		b.Attach(b.sink, encode.VP8)
		b.SetPose(pose(9, 1), time.Now())
		advance(time.Second)
		b.Detach(b.sink)
		drawn := b.engine.count()
		next := &fakeSink{rate: 1_000_000}
		b.Attach(next, encode.H264)
		b.Detach(b.sink) // late; it must not detach the other
		advance(time.Second)
		recs := next.records()
		if len(recs) == 0 || !recs[0].GetKey() || recs[0].GetFrameId() != 1 || recs[0].GetPoseId() != 0 {
			t.Fatalf("the next viewer got %v", recs)
		}
		if n := b.engine.count(); n != drawn {
			t.Errorf("%d pictures were drawn of a view that had converged", n-drawn)
		}
		b.SetPose(pose(1, 2), time.Now()) // ids start anew
		advance(time.Second)
		if recs = next.records(); recs[len(recs)-1].GetPoseId() != 1 {
			t.Error("the first pose of the next viewer was taken for an old one")
		}
	})
}

func TestResolutionFollowsSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		full := Size{1280, 720}
		b.engine.renderFor = func(s Size) time.Duration { // 50 ms at 720p
			return time.Duration(50e6 * float64(s.W*s.H) / float64(full.W*full.H))
		}
		defer b.run(t)()
		b.Attach(b.sink, encode.VP8)
		b.SetViewport(full.W, full.H)
		advance(time.Second)
		id := uint32(0)
		turn := func() {
			id++
			b.SetPose(pose(id, float32(id)), time.Now())
		}
		for name, change := range map[string]func(){"the view": turn, "the scene": func() {
			b.editor.SetSky(scene.Sky{Name: "studio"})
			b.Wake()
		}} {
			for range 125 {
				change()
				advance(16 * time.Millisecond)
			}
			recs := b.sink.records()
			r := recs[len(recs)-1]
			if r.GetWidth() >= 1280 || time.Duration(r.GetRenderUs())*time.Microsecond > slowFrame {
				t.Errorf("after 2 s of change of %s a frame has %d pixels a row and takes %d us", name, r.GetWidth(), r.GetRenderUs())
			}
			advance(2 * time.Second)
			recs = b.sink.records()
			r = recs[len(recs)-1]
			if r.GetWidth() != 1280 || r.GetHeight() != 720 || !r.GetConverged() {
				t.Errorf("at rest the last frame is %dx%d, converged %v", r.GetWidth(), r.GetHeight(), r.GetConverged())
			}
		}
		if len(b.opened) > 8 {
			t.Errorf("the encoder was opened %d times", len(b.opened))
		}
	})
}

func TestTheEncoderHoldsAtMostOnePictureBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.encodeFor = 100 * time.Millisecond
		b.engine.renderFor = func(Size) time.Duration { return time.Millisecond }
		defer b.run(t)()
		b.Attach(b.sink, encode.VP8)
		for id := range uint32(200) {
			b.SetPose(pose(id+1, float32(id)), time.Now())
			advance(10 * time.Millisecond)
		}
		advance(time.Second)
		for _, r := range b.sink.records() {
			if total := time.Duration(r.GetPoseWaitUs()+r.GetRenderUs()+r.GetQueueUs()+r.GetEncodeUs()) * time.Microsecond; total > 215*time.Millisecond {
				t.Errorf("frame %d is %v old when it is sent: more than one encode waited for another", r.GetFrameId(), total)
			}
		}
	})
}

func TestBitrateFollowsTheNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.run(t)()
		b.Attach(b.sink, encode.VP8)
		b.SetPose(pose(1, 1), time.Now())
		advance(time.Second)
		b.sink.set(func(s *fakeSink) { s.rate = 8_100_000 }) // within the grain
		b.SetPose(pose(2, 2), time.Now())
		advance(time.Second)
		b.sink.set(func(s *fakeSink) { s.rate = 2_000_000 })
		b.SetPose(pose(3, 3), time.Now())
		advance(time.Second)
		if len(b.rates) != 1 || b.rates[0] != 2_000_000 || b.opened[0].BitsPerSecond != 8_000_000 {
			t.Errorf("encoder was opened with %+v and set to %v", b.opened[0], b.rates)
		}
	})
}

func TestABrokenEncoderEndsTheViewerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		no := errors.New("no")
		b.encodeErr = []error{no, no, no, no}
		defer b.run(t)()
		b.Attach(b.sink, encode.VP8)
		advance(time.Second)
		if b.sink.failed == nil {
			t.Error("the viewer was not told")
		}
		if n := len(b.opened); n != maxEncoderErrors {
			t.Errorf("%d encoders were opened, want %d", n, maxEncoderErrors)
		}
	})
}

func TestAPictureThatWasNotEncodedIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.engine.samples = 1
		no := errors.New("no")
		b.encodeErr = []error{no, no}
		defer b.run(t)()
		b.Attach(b.sink, encode.VP8)
		advance(time.Second)
		if recs := b.sink.records(); len(recs) == 0 || !recs[0].GetKey() || b.sink.failed != nil {
			t.Errorf("the viewer got %v, and was told %v", recs, b.sink.failed)
		}
	})
}

func TestSceneChangesAreToldAndDrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.run(t)()
		b.Attach(b.sink, encode.VP8)
		advance(time.Second)
		drawn := b.engine.count()
		m := scene.Model{Bounds: geom.Empty()}
		b.Exclusive(func() { b.editor.AddModel(&m) })
		b.Wake()
		advance(time.Second)
		if b.changes != 1 || b.engine.count() != drawn+5 {
			t.Errorf("told of %d changes, drew %d pictures", b.changes, b.engine.count()-drawn)
		}
	})
}

func TestPick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.run(t)()
		if h, err := b.Pick(t.Context(), 0.75, 0.5); err != nil || h.Entity != 0 {
			t.Errorf("before the first picture: %v, %v", h, err)
		}
		b.Attach(b.sink, encode.VP8)
		b.SetPose(pose(1, 0), time.Now())
		advance(time.Second)
		h, err := b.Pick(t.Context(), 0.75, 0.5)
		if err != nil || h.Entity != 42 {
			t.Fatalf("Pick = %v, %v", h, err)
		}
		// The camera is at z = 5 and looks along -z; the hit is 2 m away, half way to the right edge.
		want := geom.Vec3{float32(2 * math.Tan(0.4) * 1280 / 720 / 2), 0, 3}
		if d := h.Position.Sub(want).Len(); d > 0.01 {
			t.Errorf("position %v, want %v", h.Position, want)
		}
		if h, _ := b.Pick(t.Context(), 0.25, 0.5); h.Entity != 0 {
			t.Errorf("the left half shows nothing, picked %d", h.Entity)
		}
		for _, xy := range [][2]float32{{-0.1, 0}, {0, 1.1}, {float32(math.NaN()), 0}} {
			if _, err := b.Pick(t.Context(), xy[0], xy[1]); arr.CodeOf(err) != arr.CodeBadRequest {
				t.Errorf("Pick(%v) = %v", xy, err)
			}
		}
	})
}

func TestClamp(t *testing.T) {
	for in, want := range map[Size]Size{
		{1280, 720}:     {1280, 720},
		{1281, 721}:     {1280, 720},
		{1, 1}:          {64, 64},
		{-5, 0}:         {64, 64},
		{7680, 4320}:    {3840, 2160},
		{2160, 3840}:    {2160, 3840},
		{5000, 1000}:    {3840, 768},
		{1 << 30, 1}:    {3840, 64},
		{3000, 3000}:    {2160, 2160},
		{10000, 200000}: {192, 3840},
	} {
		if got := Clamp(in.W, in.H); got != want {
			t.Errorf("Clamp(%v) = %v, want %v", in, got, want)
		}
	}
}

func TestDefaultViewFramesTheBox(t *testing.T) {
	for _, box := range []geom.AABB{
		{Min: geom.Vec3{-1, -1, -1}, Max: geom.Vec3{1, 1, 1}},
		{Min: geom.Vec3{100, 0, 0}, Max: geom.Vec3{101, 30, 0.1}},
		{Min: geom.Vec3{-500, 0, -500}, Max: geom.Vec3{500, 1, 500}},
		geom.Empty(),
	} {
		for _, aspect := range []float32{16. / 9, 1, 0.5} {
			v := DefaultView(box, aspect)
			b := box
			if b.IsEmpty() {
				b = geom.AABB{Min: geom.Vec3{-0.5, -0.5, -0.5}, Max: geom.Vec3{0.5, 0.5, 0.5}}
			}
			toCamera, ok := geom.TRS(v.Position, v.Orientation, geom.Vec3{1, 1, 1}).Inverse()
			if !ok {
				t.Fatal("the view is singular")
			}
			tan := float32(math.Tan(float64(v.FovY) / 2))
			reach := float32(0)
			for i := range 8 {
				c := b.Min
				for k := range 3 {
					if i>>k&1 == 1 {
						c[k] = b.Max[k]
					}
				}
				p := toCamera.Point(c)
				if -p[2] < v.Near {
					t.Errorf("%v, aspect %v: corner %v is before the near plane", box, aspect, c)
				}
				reach = max(reach, abs(p[0]/p[2])/(tan*aspect), abs(p[1]/p[2])/tan)
			}
			if reach > 1 || reach < 0.75 {
				t.Errorf("%v, aspect %v: the box reaches to %v of the picture's edge", box, aspect, reach)
			}
			if v.Position[1] <= b.Max[1] && b.Size()[0] < 100 && b.Size()[1] < 10 {
				t.Errorf("%v: the camera is not above", box)
			}
		}
	}
}
