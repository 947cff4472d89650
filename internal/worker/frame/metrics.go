package frame

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Why a frame, or a pose, was not used.
const (
	dropInvalidPose = "invalid_pose"  // not finite, or not a camera
	dropSkipped     = "rate_control"  // the encoder made nothing of it
	dropTransport   = "transport"     // the connection did not take it
	dropViewerLeft  = "viewer_left"   // drawn for a viewer that was gone when it was to be encoded
	dropEncoder     = "encoder_error" // the encoder failed
)

var dropReasons = [...]string{dropInvalidPose, dropSkipped, dropTransport, dropViewerLeft, dropEncoder}

type metrics struct {
	stage  *prometheus.HistogramVec
	frames prometheus.Counter
	bytes  prometheus.Counter
	drops  *prometheus.CounterVec

	mu      sync.Mutex
	pending map[string]int // drops since they were last logged
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		stage: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "heliograph_frame_stage_seconds", Help: "Time that frames spend in each stage.",
			Buckets: []float64{.0005, .001, .002, .004, .006, .008, .012, .016, .024, .033, .05, .075, .1, .2, .5},
		}, []string{"stage"}),
		frames: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "heliograph_frames_sent_total", Help: "Frames handed to the transport.",
		}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "heliograph_frame_bytes_total", Help: "Encoded bytes handed to the transport.",
		}),
		drops: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "heliograph_frame_drops_total", Help: "Frames and poses that were not used, by reason.",
		}, []string{"reason"}),
		pending: map[string]int{},
	}
	for _, reason := range dropReasons {
		m.drops.WithLabelValues(reason)
	}
	for _, c := range []prometheus.Collector{m.stage, m.frames, m.bytes, m.drops} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) observe(stage string, d time.Duration) {
	m.stage.WithLabelValues(stage).Observe(d.Seconds())
}

func (m *metrics) dropped(reason string) {
	m.drops.WithLabelValues(reason).Inc()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending[reason]++
}

// dropLogEvery keeps a bad network from filling the log.
const dropLogEvery = 10 * time.Second

func (m *metrics) logDrops(ctx context.Context, log *slog.Logger) error {
	t := time.NewTicker(dropLogEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		m.mu.Lock()
		pending := m.pending
		m.pending = map[string]int{}
		m.mu.Unlock()
		if len(pending) == 0 {
			continue
		}
		attrs := []any{"over", dropLogEvery}
		for _, reason := range dropReasons {
			if n := pending[reason]; n > 0 {
				attrs = append(attrs, reason, n)
			}
		}
		log.Warn("frames were dropped", attrs...)
	}
}
