package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/conversion"
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

// conversionMetrics counts conversions for Prometheus.
type conversionMetrics struct {
	live  *prometheus.GaugeVec
	ended *prometheus.CounterVec
	took  prometheus.Histogram
	moved *prometheus.CounterVec
}

var _ conversion.Metrics = (*conversionMetrics)(nil)

func newConversionMetrics(reg prometheus.Registerer) *conversionMetrics {
	m := &conversionMetrics{
		live: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "heliograph_conversions", Help: "Conversions that wait and that run.",
		}, []string{"state"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "heliograph_conversions_ended_total", Help: "Ends of conversions; code says why status is Failed.",
		}, []string{"status", "code"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "heliograph_conversion_seconds", Help: "Time from Running to the end of a conversion that has run.",
			Buckets: prometheus.ExponentialBuckets(0.25, 4, 10), // 250 ms to 18 h
		}),
		moved: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "heliograph_conversion_bytes_total", Help: "Bytes fetched from and stored to containers.",
		}, []string{"direction"}),
	}
	reg.MustRegister(m.live, m.ended, m.took, m.moved)
	return m
}

func (m *conversionMetrics) Live(waiting, running int) {
	m.live.WithLabelValues("waiting").Set(float64(waiting))
	m.live.WithLabelValues("running").Set(float64(running))
}

func (m *conversionMetrics) Ended(status arr.ConversionStatus, code arr.Code, took time.Duration) {
	m.ended.WithLabelValues(string(status), string(code)).Inc()
	if took > 0 {
		m.took.Observe(took.Seconds())
	}
}

func (m *conversionMetrics) Moved(fetched, stored int64) {
	m.moved.WithLabelValues("fetched").Add(float64(fetched))
	m.moved.WithLabelValues("stored").Add(float64(stored))
}
