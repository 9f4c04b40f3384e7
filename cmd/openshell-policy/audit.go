package main

import (
	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
)

func newAudit() *cobra.Command {
	cmd := cli.Group("audit", "Search, count and export decision logs", newAuditQuery(), newAuditStats(), newAuditExport())
	cmd.Long = `Search, count and export decision logs.

` + auditLogs
	return cmd
}
