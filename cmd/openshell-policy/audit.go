package main

import (
	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
)

func newAudit() *cobra.Command {
	cmd := cli.Group("audit", "Search, count, export and check decision logs",
		newAuditQuery(),
		newAuditStats(),
		newAuditExport(),
		newAuditVerify(),
		newAuditProve(),
		newAuditVerifyProof(),
		newAuditPrune(),
	)
	cmd.Long = `Search, count, export and check decision logs.

` + auditLogs
	return cmd
}
