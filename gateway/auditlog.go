package gateway

import (
	"context"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

// auditOptions are the log's, as the configuration has them.
func (g *Gateway) auditOptions() audit.Options {
	a := g.cfg.Audit
	return audit.Options{
		Mode: a.Mode, Origin: a.Origin, Labels: g.labels,
		Keep: a.Keep, MaxBytes: a.MaxBytes,
		Rules:          currentRules{g},
		CheckpointFile: a.CheckpointFile, CheckpointURL: a.CheckpointURL,
		Report: func(err error) { g.log.Error("audit log", "error", err) },
	}
}

// maskRules are a generation's, if it has any.
func maskRules(gen Generation) audit.MaskRules {
	rules, _ := gen.(audit.MaskRules)
	return rules
}

// currentRules are the mask rules of the generation in force when a record is
// written.
type currentRules struct{ g *Gateway }

// QueryShown is for package audit.
func (c currentRules) QueryShown(policy, key, value string) bool {
	rules := maskRules(c.g.engine.Current())
	return rules != nil && rules.QueryShown(policy, key, value)
}

// Masks is for package audit.
func (c currentRules) Masks(ctx context.Context, event any) ([]schemas.MaskOp, error) {
	if rules := maskRules(c.g.engine.Current()); rules != nil {
		return rules.Masks(ctx, event)
	}
	return nil, nil
}
