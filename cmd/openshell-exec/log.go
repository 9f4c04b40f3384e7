package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/sandboxctl/shim/remote"
	"github.com/openshell-policy/openshell/schemas"
)

// decisionLog takes the shim's records, for a log here, for the gateway, or for
// both; the zero value drops them.
type decisionLog struct {
	log    *audit.Log
	remote *remote.Reporter
	failed atomic.Bool
}

func openLog(o *options, gateway *remote.Client) (*decisionLog, error) {
	l := &decisionLog{}
	if o.auditDir != "" {
		log, err := audit.Open(o.auditDir, audit.Options{Mode: audit.Bounded})
		if err != nil {
			return nil, err
		}
		l.log = log
	}
	if gateway != nil {
		l.remote = remote.NewReporter(gateway, func(err error) { say("records", err) })
	}
	return l, nil
}

// record fails where the record cannot be kept; what it decides is denied then.
func (l *decisionLog) record(r *schemas.Record) error {
	var err error
	if l.remote != nil {
		err = l.remote.Append(r)
	}
	if l.log != nil {
		err = errors.Join(err, l.log.Append(context.Background(), r))
	}
	if err != nil && !l.failed.Swap(true) {
		fmt.Fprintln(os.Stderr, "audit log: what cannot be recorded is denied:", err)
	}
	return err
}

// close writes and sends what waits.
func (l *decisionLog) close(patience time.Duration) {
	if l.remote != nil {
		if lost := l.remote.Close(patience); lost > 0 {
			fmt.Fprintf(os.Stderr, "audit log: the gateway did not take %d records\n", lost)
		}
	}
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
