package prove

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/openshell-policy/openshell/compiler/check"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// pattern is one entry of an invariant. One of request, glob and blocked is set.
type pattern struct {
	text    string
	pos     diag.Position
	request *plan.NetworkRule
	op      schemas.FileOp // of glob: read or write
	glob    *glob.Pattern
	blocked *plan.PipelineRule // a command, as blocked_commands reads it
	allowed *plan.CommandRule  // and as allowed_commands does; nil for a pipeline
}

// parsePattern reads "METHODS URL", "read GLOB", "write GLOB" or "run COMMAND".
func parsePattern(claim, text string, pos diag.Position) (*pattern, error) {
	p := &pattern{text: text, pos: pos}
	word, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	rest = strings.TrimSpace(rest)
	switch {
	case word == "read" || word == "write":
		g, err := glob.FilePath(rest)
		if err != nil {
			return nil, err
		}
		p.op, p.glob = schemas.FileOp(word), &g
		return p, nil
	case word == "run":
		return p, p.command(rest)
	case strings.Contains(rest, "://"):
		return p, p.parseRequest(claim, word, rest)
	}
	return nil, errors.New(`a pattern is "METHODS URL", "read GLOB", "write GLOB" or "run COMMAND"`)
}

// command reads a command pattern by the code that reads those of policies.
func (p *pattern) command(text string) error {
	policy, err := planned(map[string]any{"blocked_commands": []string{text}})
	if err != nil {
		return err
	}
	if len(policy.Exec.Blocked) != 1 {
		return errors.New("a command is needed behind run")
	}
	p.blocked = &policy.Exec.Blocked[0]
	if len(p.blocked.Stages) > 1 {
		return nil
	}
	if policy, err = planned(map[string]any{"allowed_commands": []string{text}}); err != nil {
		return err
	}
	if len(policy.Exec.Allowed) != 1 {
		return errors.New("name one command; groups are not taken here")
	}
	p.allowed = &policy.Exec.Allowed[0]
	return nil
}

func planned(execution map[string]any) (*plan.Policy, error) {
	text, err := json.Marshal(map[string]any{
		"apiVersion": schemas.APIVersion, "kind": schemas.KindSandboxPolicy,
		"metadata": map[string]any{"name": "pattern"}, "spec": map[string]any{"execution": execution},
	})
	if err != nil {
		return nil, err
	}
	docs, ds := parse.File("pattern", text)
	policies, found := check.Policies(docs, nil)
	for _, d := range append(ds, found...) {
		if d.Severity == diag.Error {
			return nil, errors.New(d.Message)
		}
	}
	if len(policies) != 1 {
		return nil, errors.New("the command is not understood")
	}
	return policies[0], nil
}

// parseRequest reads METHODS SCHEME://HOST[:PORT]/PATH [websocket] [by PROGRAM].
func (p *pattern) parseRequest(claim, methods, rest string) error {
	r := &plan.NetworkRule{Origin: plan.Origin{ID: p.text, Pos: p.pos, Text: p.text}, Mode: schemas.ModeEnforce}
	p.request = r
	if err := parseMethods(r, methods); err != nil {
		return err
	}
	words := strings.Fields(rest)
	for i := 1; i < len(words); i++ {
		switch {
		case words[i] == "websocket":
			r.WebSocket = plan.True
		case words[i] == "by" && i+1 < len(words):
			g, err := glob.FilePath(words[i+1])
			if err != nil {
				return err
			}
			r.Binaries, i = append(r.Binaries, g), i+1
		default:
			return fmt.Errorf(`%q is not understood behind the URL, where "websocket" and "by PATH" may stand`, words[i])
		}
	}
	return parseURL(r, claim, words[0])
}

func parseMethods(r *plan.NetworkRule, text string) error {
	if text == "*" {
		return nil
	}
	for m := range strings.SplitSeq(text, ",") {
		if m == "" || strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
			return fmt.Errorf("%q is not a method in upper case, nor *", m)
		}
		r.Methods = append(r.Methods, m)
		if m == "GET" {
			r.Methods = append(r.Methods, "HEAD")
		}
	}
	return nil
}

func parseURL(r *plan.NetworkRule, claim, url string) error {
	scheme, rest, _ := strings.Cut(url, "://")
	schemes := []string{scheme}
	switch scheme {
	case "*":
		schemes = []string{"https", "http"}
	case "https", "http":
	default:
		return fmt.Errorf("the scheme %q is not https, http or *", scheme)
	}
	authority, path := rest, "/**"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	host, port := authority, ""
	if end := strings.LastIndexByte(authority, ':'); end >= 0 && end > strings.LastIndexByte(authority, ']') {
		host, port = authority[:end], authority[end+1:]
	}
	if err := endpoints(r, claim, schemes, port); err != nil {
		return err
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") && strings.Contains(host, ":") {
		host = host[1 : len(host)-1] // IPv6
	}
	if err := hostPattern(r, host); err != nil {
		return err
	}
	g, err := glob.URLPath(path)
	if err != nil {
		return err
	}
	if path != "/**" {
		r.Paths = []glob.Pattern{g}
	}
	r.EncodedSlash = claim == Only
	return nil
}

// endpoints reads the port: any for never, the scheme's own otherwise, unless it
// is given.
func endpoints(r *plan.NetworkRule, claim string, schemes []string, port string) error {
	usual := map[string]int{"https": 443, "http": 80}
	r.AnyPort = port == "*" || port == "" && claim == Never
	n := 0
	if port != "" && port != "*" {
		var err error
		if n, err = strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("%q is not a port, nor *", port)
		}
	}
	for _, s := range schemes {
		at := n
		if n == 0 && !r.AnyPort {
			at = usual[s]
		}
		r.Endpoints = append(r.Endpoints, plan.Endpoint{Scheme: s, Port: at})
	}
	return nil
}

// hostPattern reads a host or a pattern for hosts; ** alone is any name.
func hostPattern(r *plan.NetworkRule, host string) error {
	canonical := strings.ToLower(host)
	if !strings.ContainsAny(host, `*?[\`) {
		var err error
		if canonical, err = canon.Host(host); err != nil {
			return err
		}
	}
	g, err := glob.Host(canonical)
	if err != nil {
		return err
	}
	for i, s := range g.Segments {
		if s.Deep && i > 0 {
			return fmt.Errorf("in %q ** may stand first only", host)
		}
	}
	r.Host = g
	return nil
}
