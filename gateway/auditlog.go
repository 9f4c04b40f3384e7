package gateway

import "github.com/openshell-policy/openshell/audit"

// auditOptions are the log's, as the configuration has them.
func (g *Gateway) auditOptions() audit.Options {
	a := g.cfg.Audit
	return audit.Options{
		Mode: a.Mode, Origin: a.Origin, Labels: g.labels,
		Keep: a.Keep, MaxBytes: a.MaxBytes,
		CheckpointFile: a.CheckpointFile, CheckpointURL: a.CheckpointURL,
		Report: func(err error) { g.log.Error("audit log", "error", err) },
	}
}
