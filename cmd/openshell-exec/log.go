package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

// decisionLog takes the shim's records; the zero value drops them.
type decisionLog struct {
	log    *audit.Log
	failed atomic.Bool
}

func openLog(o *options) (*decisionLog, error) {
	if o.auditDir == "" {
		return &decisionLog{}, nil
	}
	log, err := audit.Open(o.auditDir, audit.Options{Mode: audit.Bounded})
	if err != nil {
		return nil, err
	}
	return &decisionLog{log: log}, nil
}

func (l *decisionLog) record(r *schemas.Record) {
	if l.log == nil {
		return
	}
	if err := l.log.Append(context.Background(), r); err != nil && !l.failed.Swap(true) {
		fmt.Fprintln(os.Stderr, "audit log:", err)
	}
}

func (l *decisionLog) close() {
	if l.log == nil {
		return
	}
	if err := l.log.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "audit log:", err)
	}
}

// newID makes up a sandbox's id.
func newID() string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, 6)
	_, _ = rand.Read(b) // it never fails
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return "sb-" + string(b)
}
