package main

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"

	"github.com/openshell-policy/openshell/compiler/diag"
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

const diagnosticsIntro = `
## Diagnostics

What is wrong with a policy file. ` + "`openshell-policy explain CODE`" + ` prints one.
`

// example quotes a policy that shows a code, unless it is empty, too long
// to read or not text.
func example(b *bytes.Buffer, word, text string) {
	text = strings.TrimSpace(text)
	unprintable := func(r rune) bool { return unicode.IsControl(r) && r != '\n' }
	if text == "" || len(text) > 600 || strings.ContainsFunc(text, unprintable) {
		return
	}
	fmt.Fprintf(b, "\n%s:\n\n```yaml\n%s\n```\n", word, text)
}

// codes lists the decision codes and the diagnostics.
func codes() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(generated + codesIntro)
	for _, c := range schemas.Codes() {
		lifts := "no"
		if c.AuditLifts {
			lifts = "yes"
		}
		switch c.Code {
		case schemas.CodeAllowed:
			lifts = ""
		case schemas.CodeBlockedPath:
			lifts = "yes, but for well-known secrets"
		}
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s | %s |\n", c.Code, c.Status, cell(c.Reason), cell(c.Doc), lifts)
	}
	b.WriteString("\nAn extension's own codes have the form `ext_NAME_CODE`; the extension says what they mean.\n")
	b.WriteString(diagnosticsIntro)
	for _, c := range diag.Codes() {
		fmt.Fprintf(&b, "\n### %s: %s (%s)\n\n%s %s\n", c.Code, c.Title, c.Severity, c.Why, c.Fix)
		bad, good := "refused", "taken"
		if c.Part == diag.PartLint {
			bad, good = "found", "not found"
		}
		example(&b, bad, c.Bad)
		example(&b, good, c.Good)
	}
	return b.Bytes(), nil
}
