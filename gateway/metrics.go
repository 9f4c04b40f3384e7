package gateway

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// metrics are what /metrics shows, in a registry of its own. Every label has a
// bounded set of values.
type metrics struct {
	registry *prometheus.Registry

	violations *prometheus.CounterVec
	actions    *prometheus.CounterVec
	requests   *prometheus.CounterVec
	decision   prometheus.Histogram
	added      prometheus.Histogram
	reloads    *prometheus.CounterVec

	handshakeErrors prometheus.Counter
	refusedConns    prometheus.Counter
	panics          prometheus.Counter
	apiRefused      prometheus.Counter
	dropped         prometheus.Counter
	cpu, memory     *prometheus.GaugeVec // by sandbox

	agents map[string]bool
}

func newMetrics() *metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	}
	m := &metrics{
		registry:        prometheus.NewRegistry(),
		agents:          map[string]bool{},
		violations:      counters("openshell_policy_violations_total", "Requests that a policy denies, in mode audit also those that passed.", "policy", "kind", "code", "mode"),
		actions:         counters("openshell_agent_actions_total", "Decisions by kind of action.", "kind", "decision", "agent"),
		requests:        counters("openshell_proxy_requests_total", "Requests through the proxy. host is a host of a rule, else other.", "host", "method", "decision"),
		decision:        histogram("openshell_decision_duration_seconds", "Time the policy takes to decide.", prometheus.ExponentialBuckets(1e-6, 4, 10)),
		added:           histogram("openshell_proxy_added_latency_seconds", "Time a request spends in the gateway before it goes upstream.", prometheus.ExponentialBuckets(20e-6, 3, 11)),
		reloads:         counters("openshell_policy_reloads_total", "Policies read again, by result.", "result"),
		handshakeErrors: counter("openshell_proxy_handshake_errors_total", "TLS handshakes with sandboxes that failed."),
		refusedConns:    counter("openshell_proxy_refused_connections_total", "Connections closed because there were too many."),
		apiRefused:      counter("openshell_sandbox_api_refused_total", "Requests of shims that came faster than they may."),
		dropped:         counter("openshell_proxy_dropped_addresses_total", "Addresses that the dial guard left out of a name that has others."),
		panics:          counter("openshell_panics_total", "Requests that failed inside the gateway."),
	}
	// A counter that begins at its first event has no increase that a rule could
	// see.
	for _, result := range []string{"loaded", "refused", "not_kept"} {
		m.reloads.WithLabelValues(result)
	}
	for _, a := range tables.Agents() {
		m.agents[a.Name] = true
	}
	m.expectActions()
	m.cpu = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "openshell_sandbox_cpu_usage_cores", Help: "CPU that a sandbox uses, in cores."}, []string{"sandbox"})
	m.memory = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "openshell_sandbox_memory_usage_bytes", Help: "Memory that a sandbox uses."}, []string{"sandbox"})
	m.registry.MustRegister(m.cpu, m.memory, m.violations, m.actions, m.requests, m.decision, m.added, m.reloads,
		m.handshakeErrors, m.refusedConns, m.panics, m.apiRefused, m.dropped,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// gauges registers what is read when somebody looks.
func (m *metrics) gauges(g *Gateway) {
	gauge := func(name, help string, value func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("openshell_sandboxes_active", "Sandboxes that run.", func() float64 { return float64(len(g.people.list(false))) })
	gauge("openshell_proxy_connections", "Connections of sandboxes, tunnels included.", func() float64 { return float64(g.conns.count()) })
	gauge("openshell_policy_generation", "Number of the generation in force.", func() float64 { return float64(g.engine.Current().Number()) })
	gauge("openshell_policy_generation_age_seconds", "Age of the generation in force.", g.health.age)
	gauge("openshell_audit_queue_depth", "Records that wait to be written.", func() float64 {
		if q, ok := g.audit.(interface{ Depth() int }); ok {
			return float64(q.Depth())
		}
		return 0
	})
}

// decided counts one decision.
func (m *metrics) decided(ex *exchange) {
	d := &ex.decision
	verdict := "denied"
	switch {
	case d.Allow:
		verdict = "allowed"
	case d.Code == schemas.CodeIdentityRequired:
		verdict = "challenged" // clients ask without credentials first
	default:
		m.violations.WithLabelValues(knownPolicy(ex), string(schemas.KindNetwork), string(d.Code), string(d.Mode)).Inc()
		if d.Passes() {
			verdict = "audited"
		}
	}
	m.actions.WithLabelValues(string(schemas.KindNetwork), verdict, m.knownAgent(ex.box.Agent)).Inc()
	m.requests.WithLabelValues(knownHost(ex), knownMethod(ex.input.Method), verdict).Inc()
	if ex.took > 0 {
		m.decision.Observe(ex.took.Seconds())
	}
}

// knownPolicy bounds the label to policies that are loaded.
func knownPolicy(ex *exchange) string {
	if ex.gen.Has(ex.box.Effective()) {
		return ex.box.Policy
	}
	return "none"
}

// knownHost is the host of the rule that decided, a pattern for a wildcard.
func knownHost(ex *exchange) string {
	if ex.rule.Host != "" {
		return ex.rule.Host
	}
	return "other"
}

func knownMethod(m string) string {
	if slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}, m) {
		return m
	}
	return "other"
}

// knownAgent bounds the label to the agents of the table.
func (m *metrics) knownAgent(a string) string {
	if m.agents[a] {
		return a
	}
	return "other"
}
