package web

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the figures of operation. Labels are the patterns of routes: never a path, and nothing about anybody.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	panics   prometheus.Counter
	signIns  *prometheus.CounterVec
	jobs     *prometheus.GaugeVec
	failed   *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "caseforms_http_requests_total", Help: "Requests answered."}, []string{"route", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "caseforms_http_request_seconds", Help: "How long requests took.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}}, []string{"route"}),
		panics:  prometheus.NewCounter(prometheus.CounterOpts{Name: "caseforms_http_panics_total", Help: "Requests that ended in a panic."}),
		signIns: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "caseforms_sign_ins_total", Help: "Attempts to sign in."}, []string{"means", "result"}),
		jobs:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "caseforms_background_last_success_seconds", Help: "When work in the background last succeeded, as Unix time."}, []string{"job"}),
		failed:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "caseforms_background_failures_total", Help: "How often work in the background failed."}, []string{"job"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.panics, m.signIns, m.jobs, m.failed, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) answered(route, method string, code int, took time.Duration) {
	m.requests.WithLabelValues(route, method, strconv.Itoa(code)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// Worked notes how a piece of work in the background ended.
func (s *Service) Worked(job string, err error) {
	if err != nil {
		s.metrics.failed.WithLabelValues(job).Inc()
		return
	}
	s.metrics.jobs.WithLabelValues(job).SetToCurrentTime()
}

// Metrics answers with the figures, for an address of their own.
func (s *Service) Metrics() http.Handler {
	return promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{})
}

// probe answers those who watch over the service, before anything that depends on host, session or store. The figures are for this machine only.
func (s *Service) probe(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != "/healthz" && r.URL.Path != "/readyz" && r.URL.Path != "/metrics" {
		return false
	}
	stateOf(r).route = r.URL.Path
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return true
	}
	switch {
	case r.URL.Path == "/metrics":
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		ip, err := netip.ParseAddr(host)
		if err != nil || !ip.IsLoopback() || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
			http.Error(w, "the figures are for this machine only", http.StatusForbidden)
			return true
		}
		s.Metrics().ServeHTTP(w, r)
	case r.URL.Path == "/readyz" && s.closing.Load():
		http.Error(w, "closing", http.StatusServiceUnavailable)
	case r.URL.Path == "/readyz" && s.desk.Ready(r.Context()) != nil:
		http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
	default:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n"))
	}
	return true
}
