package main

import (
	"bytes"
	"fmt"

	"github.com/openshell-policy/openshell/schemas"
)

const codesIntro = `# Codes

Every answer of the toolchain carries a code: a word that keeps its meaning from release to release, for tests, scripts and
dashboards to rely on. Messages may be reworded; codes may not.

## Decision codes

A decision says whether a request, a file operation or a command is allowed, and why. Its code is in the log, in the
body of the gateway's answer and in the metrics.

The gateway answers a denied request with the HTTP status below. The words in the column *in the log* are what
` + "`openshell sandbox logs`" + ` prints in brackets. Mode ` + "`audit`" + ` lets a denied request pass only where the last
column says so.

| code | HTTP status | in the log | what it means | ` + "`audit`" + ` lets it pass |
|---|---|---|---|---|
`

// codes lists the decision codes.
func codes() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(generated + codesIntro)
	for _, c := range schemas.Codes() {
		lifts := "no"
		if c.AuditLifts {
			lifts = "yes"
		}
		if c.Code == schemas.CodeAllowed {
			lifts = ""
		}
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s | %s |\n", c.Code, c.Status, cell(c.Reason), cell(c.Doc), lifts)
	}
	b.WriteString("\nAn extension's own codes have the form `ext_NAME_CODE`; the extension says what they mean.\n")
	return b.Bytes(), nil
}
