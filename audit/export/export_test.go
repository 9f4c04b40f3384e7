package export_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/audit/export"
	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/schemas"
)

func decision(in schemas.DecisionInput, code schemas.Code, mode schemas.Mode) *schemas.Record {
	in.Policy = "p"
	allow := code == schemas.CodeAllowed
	return &schemas.Record{
		DecisionID: "d-1", Timestamp: time.Date(2026, 11, 25, 10, 31, 2, 5e8, time.UTC), Input: &in,
		Result: &schemas.Decision{Allow: allow, Mode: mode, Code: code, Policy: "p", Rule: "outbound[0]", Message: "m", Source: &schemas.Source{File: "p.yaml", Line: 3}},
		Custom: schemas.Custom{Type: "decision", Sandbox: "sb-a1b2c3", Agent: "claude", Policy: "p", Rule: "outbound[0]", Code: code, Mode: mode, Seq: 1},
	}
}

func records() map[string]*schemas.Record {
	request := func(method string) schemas.DecisionInput {
		return schemas.DecisionInput{Kind: schemas.KindNetwork, Network: &schemas.NetworkInput{Scheme: "https", Host: "api.github.com", Port: 443, Method: method, Path: "/repos"}}
	}
	out := map[string]*schemas.Record{
		"get":     decision(request("GET"), schemas.CodeAllowed, schemas.ModeEnforce),
		"post":    decision(request("POST"), schemas.CodeMethodNotAllowed, schemas.ModeEnforce),
		"audited": decision(request("POST"), schemas.CodeMethodNotAllowed, schemas.ModeAudit),
		"connect": decision(request("CONNECT"), schemas.CodeHostNotInPolicy, schemas.ModeEnforce),
		"odd":     decision(request("REPORT"), schemas.CodeAllowed, schemas.ModeEnforce),
		"file":    decision(schemas.DecisionInput{Kind: schemas.KindFile, File: &schemas.FileInput{Op: schemas.OpRename, Path: "/a/b", Target: &schemas.FileTarget{Path: "/c"}}}, schemas.CodeBlockedPath, schemas.ModeEnforce),
		"exec": decision(schemas.DecisionInput{Kind: schemas.KindExec, Exec: &schemas.ExecInput{Parent: "/bin/sh", Commands: []schemas.Command{
			{Program: "git", Path: "/usr/bin/git", Args: []string{"push", "a b"}, Cwd: "/w"},
		}}}, schemas.CodeBlockedCommand, schemas.ModeEnforce),
	}
	out["outcome"] = &schemas.Record{DecisionID: "d-1", Timestamp: time.Unix(1, 0), Custom: schemas.Custom{
		Type: "outcome", Sandbox: "sb-a1b2c3", Outcome: &schemas.Outcome{Status: 502, Bytes: 3, DurationMS: 12, Error: "refused"},
	}}
	out["admin"] = &schemas.Record{DecisionID: "d-2", Timestamp: time.Unix(1, 0), Custom: schemas.Custom{Type: "admin", Admin: &schemas.AdminAction{Action: "x"}}}
	return out
}

// exported writes records in a format.
func exported(t *testing.T, format string, rs ...*schemas.Record) string {
	t.Helper()
	var log bytes.Buffer
	for _, r := range rs {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		log.Write(append(line, '\n'))
	}
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, log.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := export.New(format, &out)
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range query.Events([]string{path}, query.Filter{}) {
		if err == nil {
			err = w.Write(e)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(out.String(), path, "LOG")
}

func TestOCSF(t *testing.T) {
	tests := []struct {
		record                                   string
		class, activity, action, disposition, st float64
	}{
		{"get", 4002, 3, 1, 1, 1},
		{"post", 4002, 6, 2, 2, 2},
		{"audited", 4002, 6, 1, 17, 1},
		{"connect", 4001, 5, 2, 2, 2},
		{"odd", 4002, 99, 1, 1, 1},
		{"file", 1001, 5, 2, 2, 2},
		{"exec", 1007, 1, 2, 2, 2},
	}
	for _, test := range tests {
		t.Run(test.record, func(t *testing.T) {
			var got map[string]any
			if err := json.Unmarshal([]byte(exported(t, "ocsf", records()[test.record])), &got); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{
				"class_uid": test.class, "activity_id": test.activity, "type_uid": test.class*100 + test.activity,
				"category_uid": float64(int(test.class) / 1000), "action_id": test.action, "disposition_id": test.disposition, "status_id": test.st,
				"time": 1795602662500.0,
			}
			for name, w := range want {
				if got[name] != w {
					t.Errorf("%s: got %v, want %v", name, got[name], w)
				}
			}
			for _, name := range []string{"metadata", "severity_id", "policy", "firewall_rule"} {
				if got[name] == nil {
					t.Errorf("%s is missing", name)
				}
			}
			needs := map[float64][]string{4001: {"dst_endpoint"}, 4002: {"dst_endpoint", "http_request"}, 1001: {"file", "actor", "device"}, 1007: {"process", "actor", "device"}}
			for _, name := range needs[test.class] {
				if got[name] == nil {
					t.Errorf("%s is missing", name)
				}
			}
		})
	}
	if got := exported(t, "ocsf", records()["admin"]); got != "" {
		t.Errorf("an admin action became %s", got)
	}
	if got := exported(t, "ocsf", records()["outcome"]); !strings.Contains(got, `"code":502`) || !strings.Contains(got, `"type_uid":400200`) {
		t.Errorf("outcome: %s", got)
	}
}

func TestCSV(t *testing.T) {
	rs := records()
	hostile := decision(*rs["exec"].Input, schemas.CodeBlockedCommand, schemas.ModeEnforce)
	hostile.Custom.Sandbox, hostile.Custom.Rule = `=cmd|' /C calc'!A0`, "+1"
	hostile.Result.Message = "@SUM(1)\r\n=2\x1b[2J"
	hostile.Input.Exec.Commands[0].Program = "-2+3"
	text := exported(t, "csv", rs["get"], hostile, rs["outcome"])
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 4 {
		t.Fatalf("%d rows", len(rows))
	}
	cell := func(row int, column string) string { return rows[row][slices.Index(rows[0], column)] }
	want := map[string]string{"time": "2026-11-25T10:31:02.5Z", "decision": "allow", "host": "api.github.com", "path": "/repos", "source": "p.yaml:3", "log": "LOG", "seq": "1"}
	for column, w := range want {
		if got := cell(1, column); got != w {
			t.Errorf("%s: got %q, want %q", column, got, w)
		}
	}
	for column, w := range map[string]string{
		"sandbox": `'=cmd|' /C calc'!A0`, "rule": "'+1", "message": `'@SUM(1)\x0D\x0A=2\x1B[2J`, "command": `'-2+3 push 'a b'`,
	} {
		if got := cell(2, column); got != w {
			t.Errorf("%s: got %q, want %q", column, got, w)
		}
	}
	if cell(3, "status") != "502" || cell(3, "error") != "refused" {
		t.Errorf("outcome: %q", rows[3])
	}
}

func TestCell(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "a": "a", "=1": "'=1", " =1": "' =1", `"=1`: `'"=1`, "-": "'-", "\t=1": `\x09=1`, "1-2": "1-2", "＝1": "'＝1", "'=1": "''=1",
	} {
		if got := export.Cell(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}

func TestArraysAndLines(t *testing.T) {
	rs := records()
	var got []schemas.Record
	if err := json.Unmarshal([]byte(exported(t, "opa", rs["get"], rs["post"])), &got); err != nil || len(got) != 2 || got[1].Custom.Code != schemas.CodeMethodNotAllowed {
		t.Errorf("%v, %+v", err, got)
	}
	if got := exported(t, "opa"); got != "[]\n" {
		t.Errorf("nothing is %q", got)
	}
	line, _ := json.Marshal(rs["get"])
	if diff := cmp.Diff(string(line)+"\n", exported(t, "ndjson", rs["get"])); diff != "" {
		t.Error(diff)
	}
	if _, err := export.New("xml", nil); err == nil || !strings.Contains(err.Error(), "ndjson, csv, ocsf, opa") {
		t.Errorf("xml: %v", err)
	}
}
