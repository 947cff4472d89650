package frame

import (
	"context"
	"time"

	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/streampb"
)

// picture is one drawn picture on its way to the encoder.
type picture struct {
	viewer    *viewer
	size      Size
	y, u, v   []byte // dense planes
	key       bool
	start     time.Time // of drawing
	poseWait  time.Duration
	renderFor time.Duration
	rec       *streampb.FrameRecord
}

// resize gives p planes of that size; their content is undefined.
func (p *picture) resize(s Size) {
	p.size = s
	n := s.W * s.H
	if cap(p.y) < n {
		b := make([]byte, n+n/2)
		p.y, p.u, p.v = b[:n:n], b[n:n+n/4:n+n/4], b[n+n/4:]
	}
	p.y, p.u, p.v = p.y[:n], p.u[:n/4], p.v[:n/4]
}

const (
	maxFPS = 60
	// bitrateGrain is how far, as a fraction, the network's rate must move before the encoder is told.
	bitrateGrain = 0.03
	// maxEncoderErrors in a row end a viewer: its next encoder would fail as well.
	maxEncoderErrors = 3
)

// encoder turns pictures into frames of the viewer they were drawn for. It belongs to one goroutine.
type encoder struct {
	l       *Loop
	enc     encode.Encoder // nil: to be opened
	viewer  *viewer
	size    Size
	bitrate int
	ticks   int64 // of the last frame
	errors  int   // in a row
}

func (l *Loop) encode(ctx context.Context) error {
	e := &encoder{l: l}
	defer e.close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case pic := <-l.pictures:
			e.frame(pic)
			l.free <- pic
		}
	}
}

func (e *encoder) close() {
	if e.enc == nil {
		return
	}
	if err := e.enc.Close(); err != nil {
		e.l.cfg.Log.Warn("encoder did not close cleanly", "error", err)
	}
	e.enc = nil
}

// frame encodes one picture and hands it to its viewer.
func (e *encoder) frame(pic *picture) {
	l := e.l
	l.mu.Lock()
	left := l.st.viewer != pic.viewer
	l.mu.Unlock()
	if left {
		l.metrics.dropped(dropViewerLeft)
		return
	}
	if e.viewer != pic.viewer {
		e.close()
		e.viewer, e.errors = pic.viewer, 0
	}
	if e.errors >= maxEncoderErrors {
		return // the viewer was told
	}
	start := time.Now()
	au, err := e.encode(pic)
	if err != nil {
		e.close()
		l.metrics.dropped(dropEncoder)
		if e.errors++; e.errors == maxEncoderErrors {
			pic.viewer.sink.Fail(err)
		} else {
			l.update(func(st *state) { st.again = true })
		}
		return
	}
	e.errors = 0
	if au.Data == nil {
		l.metrics.dropped(dropSkipped)
		return
	}
	took := time.Since(start)
	rec := pic.rec
	e.viewer.frames++
	rec.FrameId, rec.Key, rec.Bytes = e.viewer.frames, au.Key, uint32(len(au.Data))
	rec.RtpTimestamp = e.rtpTimestamp(pic.start)
	rec.EncodeUs, rec.TargetBitrateKbps = uint32(took.Microseconds()), uint32(e.bitrate/1000)
	rec.QueueUs = uint32(max(0, (time.Since(pic.start) - pic.renderFor - took).Microseconds())) // all the rest
	l.metrics.observe("encode", took)
	l.metrics.observe("pose_wait", pic.poseWait)
	l.metrics.observe("total", pic.poseWait+time.Since(pic.start))
	if err := e.viewer.sink.SendFrame(au, rec); err != nil {
		l.metrics.dropped(dropTransport)
		return
	}
	l.metrics.frames.Inc()
	l.metrics.bytes.Add(float64(len(au.Data)))
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.stats
	s.Sent++
	s.Width, s.Height, s.Converged = pic.size.W, pic.size.H, rec.GetConverged()
	s.TrianglesDrawn, s.FrameBytes = int64(rec.GetTrianglesDrawn()), len(au.Data)
	s.RenderUS, s.EncodeUS = int64(rec.GetRenderUs()), took.Microseconds()
}

// encode opens the encoder that pic needs, if it is not open, and uses it. A fresh encoder begins with a key frame.
func (e *encoder) encode(pic *picture) (encode.AccessUnit, error) {
	rate := e.viewer.sink.TargetBitrate()
	if e.enc != nil && e.size != pic.size {
		e.close()
	}
	if e.enc == nil {
		enc, err := e.l.cfg.OpenEncoder(e.viewer.codec, encode.Config{
			Width: pic.size.W, Height: pic.size.H, BitsPerSecond: rate, MaxFPS: maxFPS,
		})
		if err != nil {
			return encode.AccessUnit{}, err
		}
		e.enc, e.size, e.bitrate = enc, pic.size, rate
	}
	if d := float64(rate - e.bitrate); max(d, -d) > bitrateGrain*float64(e.bitrate) {
		if err := e.enc.SetBitrate(rate); err != nil {
			return encode.AccessUnit{}, err
		}
		e.bitrate = rate
	}
	return e.enc.Encode(encode.Frame{
		Y: pic.y, U: pic.u, V: pic.v, StrideY: pic.size.W, StrideUV: pic.size.W / 2,
		TimestampMS: pic.start.Sub(e.l.epoch).Milliseconds(),
	}, pic.key)
}

// rtpTimestamp is the time of drawing on the 90 kHz clock of RFC 6184 section 8.2.1 and RFC 7741 section 4.1. It grows
// with every frame, so that it names the frame.
func (e *encoder) rtpTimestamp(t time.Time) uint32 {
	e.ticks = max(e.ticks+1, t.Sub(e.l.epoch).Microseconds()*9/100)
	return uint32(e.ticks)
}
