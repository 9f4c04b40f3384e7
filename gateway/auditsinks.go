package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/audit/receive"
	"github.com/openshell-policy/openshell/audit/sink"
)

// receivedDir is the folder of what others decided, in the state folder.
const receivedDir = "received"

// openReceived makes what POST /logs keeps: a log for each sender, below received
// in the state folder.
func (g *Gateway) openReceived() (err error) {
	opts := g.auditOptions()
	opts.Origin, opts.CheckpointFile, opts.CheckpointURL = "", "", ""
	g.received, err = receive.New(filepath.Join(g.cfg.StateDir, receivedDir), receive.Options{
		MaxBody: maxAdminBody, Log: opts, Sender: certifiedSender, Rules: func() audit.MaskRules { return currentRules{g} },
	})
	return err
}

// certifiedSender is who a client's certificate says that it is.
func certifiedSender(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return ""
	}
	return r.TLS.VerifiedChains[0][0].Subject.CommonName
}

// startSinks sends the log to where the configuration says, until closeAudit.
func (g *Gateway) startSinks() error {
	if g.auditLog == nil || len(g.cfg.Audit.Sinks) == 0 {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	set, err := sink.Start(ctx, g.cfg.AuditPath(), filepath.Join(g.cfg.StateDir, "sinks"), g.cfg.Audit.Sinks, os.Stdout, func(err error) {
		g.log.Warn("audit sink", "error", err)
	})
	if err != nil {
		stop()
		return fmt.Errorf("configuration: %w", err)
	}
	g.stopSinks = func() {
		g.awaitSinks(set)
		stop()
		set.Wait()
	}
	g.metrics.sinks(set)
	return nil
}

// sinksHave is how long sinks have at the end to send what the log still got.
const sinksHave = 5 * time.Second

// awaitSinks waits until every sink has sent the whole log, which is closed by
// now, or failed in trying.
func (g *Gateway) awaitSinks(set *sink.Set) {
	begun := set.Status()
	last := uint64(0)
	from := slices.MinFunc(begun, func(a, b sink.Status) int { return cmp.Compare(a.Next, b.Next) }).Next
	for e, err := range audit.Entries(g.cfg.AuditPath(), audit.Position{Seq: from}) {
		if err != nil {
			return
		}
		last = e.Seq + 1
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(sinksHave); time.Now().Before(end); <-tick.C {
		behind := slices.ContainsFunc(set.Status(), func(s sink.Status) bool {
			i := slices.IndexFunc(begun, func(b sink.Status) bool { return b.Name == s.Name })
			return s.Next < last && s.Failures == begun[i].Failures
		})
		if !behind {
			return
		}
	}
}

// closeAudit closes the logs and then ends the sinks; what they had no time for
// they send after the next start.
func (g *Gateway) closeAudit() error {
	var errs []error
	if g.auditLog != nil {
		errs = append(errs, g.auditLog.Close())
	}
	if g.stopSinks != nil {
		g.stopSinks()
	}
	if g.received != nil {
		errs = append(errs, g.received.Close())
	}
	return errors.Join(errs...)
}

// sinks registers how far each sink is.
func (m *metrics) sinks(set *sink.Set) {
	for i, s := range set.Status() {
		for name, x := range map[string]struct {
			help  string
			value func(sink.Status) uint64
		}{
			"openshell_audit_sink_sent_total":     {"Records that a sink delivered.", func(s sink.Status) uint64 { return s.Sent }},
			"openshell_audit_sink_rejected_total": {"Records that a receiver does not take.", func(s sink.Status) uint64 { return s.Rejected }},
			"openshell_audit_sink_missed_total":   {"Records that were deleted from the log before a sink sent them.", func(s sink.Status) uint64 { return s.Missed }},
			"openshell_audit_sink_failures_total": {"Attempts of a sink that failed.", func(s sink.Status) uint64 { return s.Failures }},
		} {
			m.registry.MustRegister(prometheus.NewCounterFunc(
				prometheus.CounterOpts{Name: name, Help: x.help, ConstLabels: prometheus.Labels{"sink": s.Name}},
				func() float64 { return float64(x.value(set.Status()[i])) },
			))
		}
	}
}
