package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/session"
)

// sessionMetrics counts sessions for Prometheus.
type sessionMetrics struct {
	live    *prometheus.GaugeVec
	started *prometheus.HistogramVec
	ended   *prometheus.CounterVec
}

var _ session.Metrics = (*sessionMetrics)(nil)

func newSessionMetrics(reg prometheus.Registerer) *sessionMetrics {
	m := &sessionMetrics{
		live: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "heliograph_sessions", Help: "Sessions that are Starting or Ready.",
		}, []string{"size", "status"}),
		started: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "heliograph_session_start_seconds", Help: "Time from the acceptance of a session to Ready.",
			Buckets: []float64{.05, .1, .2, .3, .5, 1, 2, 5, 10, 30, 60},
		}, []string{"size"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "heliograph_sessions_ended_total", Help: "Ends of sessions; code says why status is Error.",
		}, []string{"size", "status", "code"}),
	}
	reg.MustRegister(m.live, m.started, m.ended)
	return m
}

func (m *sessionMetrics) Live(size arr.Size, status arr.SessionStatus, delta int) {
	m.live.WithLabelValues(string(size), string(status)).Add(float64(delta))
}

func (m *sessionMetrics) Started(size arr.Size, d time.Duration) {
	m.started.WithLabelValues(string(size)).Observe(d.Seconds())
}

func (m *sessionMetrics) Ended(size arr.Size, status arr.SessionStatus, code arr.Code) {
	m.ended.WithLabelValues(string(size), string(status), string(code)).Inc()
}
