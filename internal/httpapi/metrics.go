package httpapi

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics() metrics {
	return metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "heliograph_http_requests_total", Help: "Answered requests.",
		}, []string{"route", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "heliograph_http_request_seconds", Help: "Time from the head of a request to the end of its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16), // 0.5 ms to 16 s
		}, []string{"route", "method"}),
	}
}

func (m metrics) register(r prometheus.Registerer) error {
	if err := r.Register(m.requests); err != nil {
		return err
	}
	return r.Register(m.seconds)
}

// observe labels with the pattern, never with the path: a client must not be able to make up series.
func (m metrics) observe(r *http.Request, status int, took time.Duration) {
	_, route, ok := strings.Cut(r.Pattern, " ")
	if !ok {
		route = r.Pattern // a pattern for every method
	}
	if route == "" {
		route = "other"
	}
	method := r.Method
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		method = "other"
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route, method).Observe(took.Seconds())
}
