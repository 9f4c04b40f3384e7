package audit_test

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

func TestNotes(t *testing.T) {
	tests := []struct {
		name   string
		custom schemas.Custom
		want   string
	}{
		{"admin", schemas.Custom{Type: "admin", Admin: &schemas.AdminAction{Action: "set-policy", Target: "sb-a1b2c3", Detail: "full-dev", Actor: "token"}}, "[10:31:02] ADMIN set-policy sb-a1b2c3 full-dev (token)"},
		{"refused", schemas.Custom{Type: "admin", Admin: &schemas.AdminAction{Action: "x\x1b[2J", Actor: "cn\n", Error: "no"}}, `[10:31:02] ADMIN x\x1B[2J (cn\x0A) refused: no`},
		{"recovered", schemas.Custom{Type: "recovered", Recovered: &schemas.Recovered{CutBytes: 3, Unsigned: 2, MayLack: 1}}, "[10:31:02] LOG not closed before: 3 bytes cut, 2 records that no checkpoint covered, at most 1 lost"},
		{"pruned", schemas.Custom{Type: "pruned", Pruned: &schemas.Pruned{Through: 7, Reason: "age"}}, "[10:31:02] LOG records up to 7 deleted (age)"},
		{"unknown", schemas.Custom{Type: "x\x9b"}, `[10:31:02] LOG x\x9B`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := record("2026-11-23T10:31:02Z", schemas.NetworkInput{}, schemas.CodeAllowed)
			r.Input, r.Result, r.Custom = nil, nil, test.custom
			if got := audit.Line(r, audit.LineOptions{UTC: true}); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestWideShowsFailures(t *testing.T) {
	const at = "2026-11-23T10:31:02Z"
	decision := record(at, schemas.NetworkInput{Method: "GET", Host: "x.test", Port: 443, Path: "/a"}, schemas.CodeAllowed)
	decision.DecisionID = "d1"
	outcome := func(id string, o schemas.Outcome) *schemas.Record {
		r := record(at, schemas.NetworkInput{}, schemas.CodeAllowed)
		r.Input, r.Result, r.DecisionID = nil, nil, id
		r.Custom = schemas.Custom{Type: schemas.RecordOutcome, Outcome: &o}
		return r
	}
	tests := []struct {
		name    string
		opts    audit.LineOptions
		outcome *schemas.Record
		want    []string
	}{
		{"error", audit.LineOptions{Wide: true, UTC: true}, outcome("d1", schemas.Outcome{Error: "refused\x1b]0;x", DurationMS: 3}), []string{`[10:31:02] GET x.test/a ⚠️ FAILED (refused\x1B]0;x) after 3 ms`}},
		{"status", audit.LineOptions{Wide: true, UTC: true, Plain: true}, outcome("d1", schemas.Outcome{Status: 502}), []string{`[10:31:02] GET x.test/a FAILED (upstream answered 502) after 0 ms`}},
		{"fine", audit.LineOptions{Wide: true, UTC: true}, outcome("d1", schemas.Outcome{Status: 404}), nil},
		{"another", audit.LineOptions{Wide: true, UTC: true}, outcome("d2", schemas.Outcome{Status: 500}), []string{`[10:31:02] request d2 ⚠️ FAILED (upstream answered 500) after 0 ms`}},
		{"narrow", audit.LineOptions{UTC: true}, outcome("d1", schemas.Outcome{Error: "refused"}), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := audit.Lines{Options: test.opts}
			l.Next(decision)
			if diff := cmp.Diff(test.want, l.Next(test.outcome)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLinesForgetsOldRequests(t *testing.T) {
	l := audit.Lines{Options: audit.LineOptions{Wide: true, UTC: true}}
	r := record("2026-11-23T10:31:02Z", schemas.NetworkInput{Method: "GET", Host: "x.test", Port: 443, Path: "/"}, schemas.CodeAllowed)
	for i := range 10_000 {
		r.DecisionID = strconv.Itoa(i)
		l.Next(r)
	}
	out := *r
	out.Custom = schemas.Custom{Type: schemas.RecordOutcome, Outcome: &schemas.Outcome{Status: 500}}
	out.DecisionID = "0"
	if got := l.Next(&out); len(got) != 1 || got[0] != "[10:31:02] request 0 ⚠️ FAILED (upstream answered 500) after 0 ms" {
		t.Errorf("got %q", got)
	}
}
