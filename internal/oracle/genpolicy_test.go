package oracle_test

import (
	"math/rand/v2"
	"strings"

	"github.com/openshell-policy/openshell/schemas"
)

// source draws small things so that rules overlap a lot.
type source struct{ *rand.Rand }

func newSource(seed uint64) source { return source{rand.New(rand.NewPCG(seed, 0x05e11))} }

func (s source) chance(percent int) bool { return s.IntN(100) < percent }

func pick[T any](s source, from ...T) T { return from[s.IntN(len(from))] }

// some draws lo to hi elements, each once.
func some[T comparable](s source, lo, hi int, draw func() T) []T {
	out, seen := []T{}, map[T]bool{}
	for n := lo + s.IntN(hi-lo+1); n > 0; n-- {
		if v := draw(); !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

func (s source) hostGlob() string {
	if s.chance(40) {
		return pick(s, "a.example.com", "a.example.com", "*.example.com", "**.example.com", "a*.example.com")
	}
	if s.chance(50) {
		return pick(s, "a.example.com", "b.example.com", "example.com", "a.b.example.com", "192.0.2.1", "2001:db8::1", "B.example.com", "*.example.com")
	}
	return pick(s, "*.example.com", "**.example.com", "a*.example.com", "*b.example.com", "a*b.example.com", "*a*.example.com",
		"a.*.example.com", "*.b.example.com", "**.b.example.com", "a?.example.com", "[!a].example.com")
}

func (s source) segmentGlob() string {
	return pick(s, "a", "b", "ab", "A", "aB", "*", "?", "a*", "*b", "a*b", "a?", "[ab]", "[!a]", "[a-b]b", "[!A-Z]", "**", "**",
		"a%2Fb", "a%2fb", "%61", "%41b", "a%2A", `a\*`, "a%", "a;b", "é", "*a*b*", "%2F*", "??b")
}

func (s source) pathGlob(web bool) string {
	n := 1 + s.IntN(4)
	parts := make([]string, n)
	for i := range parts {
		parts[i] = s.segmentGlob()
		if !web && strings.Contains(parts[i], "%") {
			parts[i] = pick(s, "a", "b", "*")
		}
	}
	glob := "/" + strings.Join(parts, "/") + pick(s, "", "", "", "/**", "/**", "/", "/*")
	if !web {
		glob = strings.TrimSuffix(glob, "/")
	}
	if s.chance(8) {
		glob = "**" + glob
	}
	if web && s.chance(6) {
		glob = pick(s, "/", "/**", "/*")
	}
	return strings.ReplaceAll(glob, "**/**", "**")
}

func (s source) method() string { return pick(s, "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS") }

func (s source) binaryGlob() string {
	return pick(s, "/usr/bin/git", "/usr/bin/*", "/usr/**", "**/git", "/usr/bin/python3*", "/opt/a/[ab]", "/workspace/**")
}

func (s source) textGlob() string {
	return pick(s, "a", "b", "*", "a*", "*b", "?", "[!a]", "a/*", "*a*b", "", "A", `\*`, "[a-b]?")
}

func (s source) queryGlobs() map[string]schemas.QueryMatch {
	out := map[string]schemas.QueryMatch{}
	for _, key := range some(s, 1, 2, func() string { return pick(s, "q", "r", "a.b") }) {
		out[key] = schemas.QueryMatch{Match: some(s, 1, 2, s.textGlob), Absent: pick(s, "", "", "ok")}
	}
	return out
}

// rule draws a network rule; what allow rules alone may have is added by outbound.
func (s source) rule() schemas.NetworkRule {
	r := schemas.NetworkRule{Host: s.hostGlob()}
	if s.chance(20) {
		r.Scheme = pick(s, schemas.SchemeHTTPS, schemas.SchemeHTTP, schemas.SchemeAny)
	}
	if s.chance(20) {
		r.Ports = some(s, 1, 2, func() int { return pick(s, 80, 443, 8443) })
	}
	if s.chance(40) {
		r.Methods = some(s, 1, 3, s.method)
	}
	if s.chance(55) {
		r.Paths = some(s, 1, 3, func() string { return s.pathGlob(true) })
	}
	if s.chance(20) {
		r.Query = s.queryGlobs()
	}
	if s.chance(25) {
		r.WebSocket = pick(s, new(bool), &[]bool{true}[0])
	}
	if s.chance(15) {
		r.Binaries = some(s, 1, 2, s.binaryGlob)
	}
	if s.chance(10) {
		r.Mode = pick(s, schemas.ModeAudit, schemas.ModeEnforce)
	}
	return r
}

func (s source) outbound() schemas.NetworkRule {
	r := s.rule()
	if s.chance(25) {
		r.EncodedSlash = "allow"
	}
	return r
}

func (s source) network() *schemas.Network {
	n := &schemas.Network{}
	for range s.IntN(12) {
		n.Outbound = append(n.Outbound, s.outbound())
	}
	for range max(0, s.IntN(7)-2) {
		n.Denied = append(n.Denied, s.rule())
	}
	for i := range n.Outbound {
		if s.chance(15) {
			n.Outbound[i].Name = "allow " + string(rune('a'+i))
		}
	}
	for i := range n.Denied {
		if s.chance(15) {
			n.Denied[i].Name = "deny " + string(rune('a'+i))
		}
	}
	return n
}

func (s source) fileGlob() string {
	if s.chance(40) {
		return s.pathGlob(false)
	}
	return pick(s, "/a/**", "/workspace/**", "**/.env", "/workspace/*", "/home/a/**", "/usr/**", "/**", "/workspace/a", "**/a/**", "/usr/bin/git",
		"/workspace/**/b", "/etc/*", "/a", "/root/.ssh/a", "**/b*")
}

func (s source) filesystem() *schemas.Filesystem {
	return &schemas.Filesystem{
		Writable: some(s, 0, 3, s.fileGlob), Readonly: some(s, 0, 2, s.fileGlob), Blocked: some(s, 0, 2, s.fileGlob),
		Baseline: pick(s, "", "runtime", "none", "none", "none"), Sensitive: pick(s, "", "block", "everywhere", "allow", "allow", "allow", "allow", "allow"),
	}
}

func (s source) allowedPattern() string {
	if s.chance(7) {
		return pick(s, "@coreutils", "@posix", "@build")
	}
	words := []string{pick(s, "git", "python", "python3", "npm", "node", "rm", "sh", "bash", "env", "curl", "/usr/bin/git", "/usr/bin/*", "**/git", "/workspace/**")}
	for range s.IntN(4) {
		words = append(words, pick(s, "*", "*", "push", "a", "-f", "--force", "/a/*", "-*", "a?", "[!a]*", "-c"))
	}
	return strings.Join(words, " ")
}

func (s source) blockedStage() string {
	words := []string{pick(s, "git", "python3", "npm", "rm", "sh", "zsh", "env", "curl", "wget", "/usr/bin/git", "/usr/bin/*", "**/git", "tee")}
	for range s.IntN(4) {
		words = append(words, pick(s, "*", "push", "install", "a", "-f", "-rf", "--force", "--recursive", "/", "/a/*", "/a/", "-*", "a?", "-c", "-X", "POST"))
	}
	return strings.Join(words, " ")
}

func (s source) blockedPattern() string {
	stages := []string{s.blockedStage()}
	if s.chance(35) {
		stages = append(stages, s.blockedStage())
	}
	if s.chance(8) {
		stages = append(stages, s.blockedStage())
	}
	if len(stages) > 1 && s.chance(60) {
		stages[len(stages)-1] = pick(s, "bash", "sh", "python3", "tee")
	}
	return strings.Join(stages, " | ")
}

func (s source) execution() *schemas.Execution {
	e := &schemas.Execution{BlockedCommands: some(s, 0, 2, s.blockedPattern), Carriers: pick(s, "", "allow", "deny")}
	if s.chance(80) {
		list := some(s, 1, 5, s.allowedPattern)
		if s.chance(10) {
			list = []string{}
		}
		e.AllowedCommands = &list
	}
	return e
}

func (s source) policy(name string) *schemas.SandboxPolicy {
	p := &schemas.SandboxPolicy{APIVersion: "openshell.nvidia.com/v1alpha1", Kind: "SandboxPolicy", Metadata: schemas.Metadata{Name: name}}
	if s.chance(95) {
		p.Spec.Network = s.network()
	}
	if s.chance(95) {
		p.Spec.Filesystem = s.filesystem()
	}
	if s.chance(90) {
		p.Spec.Execution = s.execution()
	}
	if s.chance(10) {
		p.Spec.Mode = schemas.ModeAudit
	}
	return p
}
