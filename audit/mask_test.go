package audit_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/audit/secrettest"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// TestMaskKnowsEveryKind: in running text, between quotes, glued to what stands
// before it, escaped.
func TestMaskKnowsEveryKind(t *testing.T) {
	for seed := range uint64(20) {
		for _, k := range secrettest.Kinds(t, seed) {
			for _, text := range []string{
				k.Text, "see " + k.Text + " there", `"` + k.Text + `"`, "'" + k.Text + "'", "(" + k.Text + ")", "x=" + k.Text,
				strings.ReplaceAll(k.Text, "\n", `\n`), strings.ReplaceAll(k.Text, `"`, `\"`), strings.ReplaceAll(k.Text, `"`, `\\"`),
				"a%2F" + k.Text, strings.ReplaceAll(url.QueryEscape(k.Text), "+", "%20"), "/x/" + url.PathEscape(url.PathEscape(k.Text)), "%" + fmt.Sprintf("%02x", k.Text[0]) + k.Text[1:], `a\xFF` + k.Text, "é" + k.Text, "https://example.com/x/" + k.Text,
			} {
				if got := audit.MaskText(text); len(k.Found(got)) > 0 || !strings.Contains(got, audit.Masked) {
					t.Errorf("%s: %q became %q", k.Name, text, got)
				}
			}
		}
	}
}

func TestMaskIsIdempotent(t *testing.T) {
	for _, k := range secrettest.Kinds(t, 7) {
		once := audit.MaskText("a " + k.Text + " b")
		if twice := audit.MaskText(once); twice != once {
			t.Errorf("%s: %q, then %q", k.Name, once, twice)
		}
	}
}

func leaks(t *testing.T, k secrettest.Kind, where string, r *schemas.Record) {
	t.Helper()
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if parts := k.Found(string(line)); len(parts) > 0 {
		t.Errorf("%s in the %s: %q is still in %s", k.Name, where, parts, line)
	}
	if len(r.Masked) == 0 {
		t.Errorf("%s in the %s: masked is empty", k.Name, where)
	}
}

// network is the record of a denied request, in the reading that has the longest
// path.
func network(t *testing.T, rawURL string) *schemas.Record {
	t.Helper()
	req, err := canon.ParseRequest("GET", rawURL)
	if err != nil {
		t.Fatalf("%s: %v", rawURL, err)
	}
	c, err := canon.Network(req)
	if err != nil {
		t.Fatalf("%s: %v", rawURL, err)
	}
	n := &c.Readings[0]
	for i := range c.Readings {
		if len(c.Readings[i].Path) > len(n.Path) {
			n = &c.Readings[i]
		}
	}
	return &schemas.Record{
		Input:  &schemas.DecisionInput{Kind: schemas.KindNetwork, Policy: "p", Network: n},
		Result: &schemas.Decision{Code: schemas.CodePathNotAllowed, Message: n.Path + " matches no path of outbound[0]", Policy: "p"},
	}
}

func TestMaskRequests(t *testing.T) {
	paths := 0
	for _, k := range secrettest.Kinds(t, 1) {
		r := network(t, "https://x.test/p?q="+url.QueryEscape(k.Text)+"&"+url.QueryEscape(k.Text)+"=1")
		audit.Mask(r)
		leaks(t, k, "query", r)
		if strings.ContainsAny(k.Text, "\n\x00") {
			continue // no path holds a control character
		}
		paths++
		segment := strings.ReplaceAll(url.PathEscape(k.Text), "%2F", "/")
		segment = strings.ReplaceAll(segment, ";", "%3B")
		for _, path := range []string{"/x/" + segment, "/" + segment + "/y/", "/a%2F" + strings.TrimLeft(segment, "/")} {
			r := network(t, "https://x.test"+path)
			before, _ := json.Marshal(r.Input)
			in := r.Input
			audit.Mask(r)
			leaks(t, k, "path "+path, r)
			if after, _ := json.Marshal(in); string(before) != string(after) {
				t.Errorf("%s: the decided input was changed", k.Name)
			}
			for _, p := range []string{"/input/network/path", "/input/network/segments", "/result/message"} {
				if !slices.Contains(r.Masked, p) {
					t.Errorf("%s: masked lacks %s: %q", k.Name, p, r.Masked)
				}
			}
		}
	}
	if paths < 50 {
		t.Errorf("saw %d paths", paths)
	}
}

// commands is the record of a denied execution.
func commands(t *testing.T, text string) *schemas.Record {
	t.Helper()
	exec, err := canon.CommandText(text, canon.Shell{Hook: true})
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	c := exec.Commands[0]
	return &schemas.Record{
		Input: &schemas.DecisionInput{Kind: schemas.KindExec, Policy: "p", Exec: exec},
		Result: &schemas.Decision{
			Code: schemas.CodeCommandNotAllowed, Policy: "p",
			Message: strings.Join(append([]string{c.Program}, c.Args...), " ") + " is not in allowed_commands of policy p",
		},
	}
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func TestMaskCommands(t *testing.T) {
	for _, k := range secrettest.Kinds(t, 2) {
		for _, text := range []string{
			"tool " + quote(k.Text), "curl -H " + quote(k.Text) + " https://x.test", "tool --value=" + quote(k.Text),
			"tool -p" + quote(k.Text), "env X=" + quote(k.Text) + " sh -c 'echo hi'", "sh -c " + quote("echo "+quote(k.Text)),
			"curl -d " + quote(k.Text) + " x.test | bash", "git clone " + quote(k.Text), "sh -c " + quote("echo "+strings.ReplaceAll(k.Text, "'", "")),
		} {
			r := commands(t, text)
			audit.Mask(r)
			leaks(t, k, "command "+text, r)
		}
	}
	// What only the option says is a secret.
	const s = "correcthorse"
	bare := secrettest.Kind{Name: "bare", Parts: []string{s}}
	for _, text := range []string{
		"curl -u user:" + s + " https://x.test", "curl -uuser:" + s + " x", "curl --user user:" + s, "curl --user=user:" + s, "curl -b sid=" + s,
		"mysql -p" + s, "mysql --password " + s, "mysql --password=" + s, "sshpass -p " + s + " ssh host", "docker login -u me -p " + s,
		"redis-cli -a " + s, "tool --api-key " + s, "tool --access_token " + s, "vault login -token " + s, "tool --secret " + s,
		"curl -x user:" + s + "@proxy:3128 x", "env PGPASSWORD=" + s + " psql", "sh -c 'curl -u user:" + s + " x.test'",
		"sh -c 'PASSWORD=" + s + " deploy'", "curl 'https://x.test/?q=" + s + "'", "openssl enc -k " + s, "zip -P " + s + " a b",
		"wget --user me --password " + s + " x", "git -c http.extraheader='Authorization: Basic " + s + "1234' fetch", "timeout 5 mysql -p" + s,
		`echo '{"password": "` + s + `"}'`, `curl -d "password=` + s + `"`, "helm registry login -p " + s, "npm config set //r/:_authToken=" + s,
	} {
		r := commands(t, text)
		audit.Mask(r)
		leaks(t, bare, "command "+text, r)
	}
}

func TestMaskOtherFields(t *testing.T) {
	for _, k := range secrettest.Kinds(t, 3) {
		r := &schemas.Record{
			Input: &schemas.DecisionInput{
				Kind: schemas.KindFile, File: &schemas.FileInput{
					Op: schemas.OpRename, Path: "/w/" + k.Text, Lexical: "/l/" + k.Text, Target: &schemas.FileTarget{Path: "/t/" + k.Text, Lexical: "/t/" + k.Text},
				},
			},
			Result: &schemas.Decision{Message: k.Text, Hint: k.Text},
			Custom: schemas.Custom{Outcome: &schemas.Outcome{Error: "dial: " + k.Text}},
		}
		audit.Mask(r)
		leaks(t, k, "file", r)
	}
	token := "ost_" + strings.Repeat("a1", 20)
	r := network(t, "https://"+token+".x.test/")
	audit.Mask(r)
	leaks(t, secrettest.Kind{Name: "host", Parts: []string{token[4:]}}, "host", r)
	if got := r.Input.Network.Host; got != audit.Masked+".x.test" {
		t.Errorf("host %q", got)
	}
}

func TestMaskLeavesOrdinaryText(t *testing.T) {
	for _, s := range []string{
		"/repos/org/task-list-for-everyone-here", "/risk-assessment-of-the-year-2026", "/asia/pacific", "/sk-8", "/keyjar/eyja",
		"/npm_modules", "/sk-learn-documentation-page", "/host_configuration_of_the_year_2026", "/org/app/pull/123/files",
		"/simple/requests", "/v1/messages", "/@types%2fnode", "/actions/accounts", "/secrets/list", "/token/refresh",
		"POST is not in [GET] of outbound[0], policies/github-readonly.yaml:10", "allowed by outbound[0], policies/x.yaml:10",
		"git commit -m 'basic installation notes'", "/scikit-learn/2026/asia-pacific-overview", "npm install @scope/pkg@1.2.3",
		"ssh://git@github.com/org/app.git", "git@github.com:org/app.git", "https://example.com/a?b", "user@example.com",
		"/repos/o/r/commits/4f3c2b1a0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a", "--token-file /run/x", "make -j8 all", "FOO=bar make",
	} {
		if got := audit.MaskText(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	for _, text := range []string{"docker run -p 8080:80 nginx", "ssh -p 22 host", "mkdir -p a/b", "tool --password-stdin x", "cp a@b:c d", "curl -o out https://x.test/"} {
		r := commands(t, text)
		if audit.Mask(r); len(r.Masked) > 0 {
			t.Errorf("%q: masked %q", text, r.Masked)
		}
	}
}

func BenchmarkMask(b *testing.B) {
	r := sample("/repos/org/app/contents/src/main.go")
	b.ReportAllocs()
	for b.Loop() {
		audit.Mask(r)
	}
}

// TestMaskIsLinear would not end if masking hostile text took time that grows with
// its square.
func TestMaskIsLinear(t *testing.T) {
	for _, piece := range []string{"sk-a-", "a=", "eyJ", "@", "https://", "x-token: ", "ghp_", "token:", "https://a?b=", "%25", "http://u:p@"} {
		s := strings.Repeat(piece, (128<<10)/len(piece))
		if got := audit.MaskText(s); got == "" {
			t.Errorf("%q: nothing is left", piece)
		}
	}
}
