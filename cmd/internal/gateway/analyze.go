package gateway

import (
	"context"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/observe/analytics"
)

// analyze finds patterns in what calls do, until ctx ends: the dashboard and the control plane show them, and the audit log has
// them if there is one.
func (g *Gateway) analyze(ctx context.Context) {
	var sinks []analytics.Sink
	if to := g.Registry.Recorder; to != nil {
		sinks = append(sinks, control.AuditFindings(to))
	}
	g.Registry.Analyze(ctx, sinks...)
}
