package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

// rules are mask rules as a test wants them.
type rules struct {
	shown map[string]string // query key → its one value that a rule matches
	ops   []schemas.MaskOp
	err   error
}

func (r rules) QueryShown(policy, key, value string) bool {
	return policy == "p" && r.shown[key] == value && value != ""
}
func (r rules) Masks(context.Context, any) ([]schemas.MaskOp, error) { return r.ops, r.err }

func remove(pointers ...string) rules {
	var r rules
	for _, p := range pointers {
		r.ops = append(r.ops, schemas.MaskOp{Op: schemas.MaskRemove, Path: p})
	}
	return r
}

func TestRulesShowQueryValues(t *testing.T) {
	r := network(t, "https://x.test/p?service=git-upload-pack&service=other&token=git-upload-pack&page=2")
	if err := audit.MaskRecord(context.Background(), r, rules{shown: map[string]string{"service": "git-upload-pack"}}); err != nil {
		t.Fatal(err)
	}
	q := r.Input.Network.Query
	if got := q["service"]; !slices.Equal(got, []string{"git-upload-pack", audit.Masked}) {
		t.Errorf("service: %q", got)
	}
	if q["token"][0] != audit.Masked || q["page"][0] != audit.Masked {
		t.Errorf("query: %q", q)
	}
	// A rule that matches anything does not show a known token.
	secret := "ghp_" + strings.Repeat("a1", 18)
	r = network(t, "https://x.test/p?q="+secret)
	_ = audit.MaskRecord(context.Background(), r, rules{shown: map[string]string{"q": secret}})
	if got := r.Input.Network.Query["q"][0]; got != audit.Masked {
		t.Errorf("a token is shown: %q", got)
	}
}

const private = "plans-for-the-takeover" // nothing tells that it is a secret

// TestRulesTakeOut: what a rule names is gone from every field that holds it, and
// what it must not name is still there.
func TestRulesTakeOut(t *testing.T) {
	file := func() *schemas.Record {
		return &schemas.Record{
			Input: &schemas.DecisionInput{Kind: schemas.KindFile, Policy: "p", File: &schemas.FileInput{
				Op: schemas.OpRead, Path: "/w/" + private, Lexical: "/w/" + private,
				Target: &schemas.FileTarget{Path: "/t", Lexical: "/t"},
			}},
			Result: &schemas.Decision{Code: schemas.CodeNotReadable, Policy: "p", Message: "/w/" + private + " is not readable under policy p"},
		}
	}
	request := func() *schemas.Record { return network(t, "https://x.test/a/"+private+"/c?k="+private) }
	command := func() *schemas.Record {
		return commands(t, "tool -x "+private+" --opt="+private+" && sh -c 'echo "+private+"'")
	}
	tests := []struct {
		name   string
		record func() *schemas.Record
		rules  rules
	}{
		{"path", request, remove("/input/network/path")},
		{"one segment", request, remove("/input/network/segments/1")},
		{"a form", request, remove("/input/network/folded/path")},
		{"dir", request, remove("/input/network/dir")},
		{"path replaced", request, rules{ops: []schemas.MaskOp{{Op: schemas.MaskUpsert, Path: "/input/network/path", Value: "/hidden"}}}},
		{"path replaced by a number", request, rules{ops: []schemas.MaskOp{{Op: schemas.MaskUpsert, Path: "/input/network/path", Value: 7}}}},
		{"the network", request, remove("/input/network")},
		{"everything", request, remove("/input")},
		{"everything, error", request, rules{err: errors.New("it failed")}},
		{"unknown operation", request, rules{ops: []schemas.MaskOp{{Op: "drop", Path: "/input/network/binary"}}}},
		{"file", file, remove("/input/file/path")},
		{"file as asked for", file, remove("/input/file/lexical")},
		{"the file", file, remove("/input/file")},
		{"file, error", file, rules{err: errors.New("it failed")}},
		{"arguments", command, remove("/input/exec/commands/0/args")},
		{"one argument", command, remove("/input/exec/commands/0/args/1", "/input/exec/commands/0/args/2")},
		{"the line", command, remove("/input/exec/commands/0/line")},
		{"operands", command, remove("/input/exec/commands/0/operands")},
		{"commands", command, remove("/input/exec/commands")},
		{"commands, error", command, rules{err: errors.New("it failed")}},
		{"the sandbox too", command, remove("/input/sandbox", "/input/exec")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := test.record()
			before, _ := json.Marshal(r.Input)
			in := r.Input
			in.Sandbox.ID = "sb-a1b2c3"
			err := audit.MaskRecord(context.Background(), r, test.rules)
			broken := test.rules.err != nil || strings.Contains(test.name, "number") || strings.Contains(test.name, "unknown")
			if (err != nil) != broken {
				t.Errorf("error %v", err)
			}
			line, _ := json.Marshal(r)
			if strings.Contains(string(line), private) {
				t.Errorf("still there: %s", line)
			}
			if len(r.Erased)+len(r.Masked) == 0 {
				t.Error("neither erased nor masked says so")
			}
			after := r.Input
			if after.Sandbox.ID != "sb-a1b2c3" || after.Kind != in.Kind || after.Policy != "p" {
				t.Errorf("who and what is lost: %s", line)
			}
			if n := after.Network; in.Network != nil && (n.Host != "x.test" || n.Method != "GET" || n.Port != 443 || n.Authority != "x.test") {
				t.Errorf("the destination is lost: %s", line)
			}
			if in.File != nil && after.File.Op != schemas.OpRead {
				t.Errorf("op is lost: %s", line)
			}
			in.Sandbox.ID = ""
			if now, _ := json.Marshal(in); string(now) != string(before) {
				t.Error("the decided input was changed")
			}
		})
	}
}

func TestRulesKeepTheRest(t *testing.T) {
	r := commands(t, "tool one two three")
	if err := audit.MaskRecord(context.Background(), r, remove("/input/exec/commands/0/args/1")); err != nil {
		t.Fatal(err)
	}
	c := r.Input.Exec.Commands[0]
	if want := []string{"one", audit.Masked, "three"}; !slices.Equal(c.Args, want) {
		t.Errorf("args %q, want %q", c.Args, want)
	}
	if c.Line != "one\x00"+audit.Masked+"\x00three\x00" {
		t.Errorf("line %q", c.Line)
	}
	r = network(t, "https://x.test/a/b")
	if err := audit.MaskRecord(context.Background(), r, remove("/input/network/nothing", "/input/network/query/none", "/result/message", "/labels")); err != nil {
		t.Fatal(err)
	}
	if len(r.Erased)+len(r.Masked) > 0 || r.Input.Network.Path != "/a/b" || r.Result.Message == "" {
		t.Errorf("a rule for what is not there changed something: %+v", r)
	}
}

func TestCleanRecordsAreLeftAlone(t *testing.T) {
	r := network(t, "https://x.test/p?page=2")
	_ = audit.MaskRecord(context.Background(), r, rules{shown: map[string]string{"page": "2"}})
	audit.Mask(r)
	if got := r.Input.Network.Query["page"][0]; got != "2" {
		t.Errorf("masked twice: %q", got)
	}
}

func TestMessageIsBuiltFromTheMaskedInput(t *testing.T) {
	r := network(t, "https://x.test/a/"+private)
	r.Result.Rule, r.Result.Source = "outbound[0]", &schemas.Source{File: "p.yaml", Line: 7}
	if err := audit.MaskRecord(context.Background(), r, rules{ops: []schemas.MaskOp{{Op: schemas.MaskUpsert, Path: "/input/network/path", Value: "/hidden"}}}); err != nil {
		t.Fatal(err)
	}
	if got, want := r.Result.Message, "/hidden matches no path of outbound[0], p.yaml:7"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
