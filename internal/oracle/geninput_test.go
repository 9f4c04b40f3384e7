package oracle_test

import (
	"net/url"
	"strings"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// inputs draws a request and returns all readings of it, none if it is malformed.
func (s source) inputs(policy string) []*schemas.DecisionInput {
	in := schemas.DecisionInput{Policy: policy, Sandbox: schemas.Sandbox{ID: "sb-abc123", Home: pick(s, "", "/home/a", "/srv/a")}}
	switch s.IntN(10) {
	case 0, 1:
		in.Kind, in.File = schemas.KindFile, s.file()
	case 2, 3:
		in.Kind, in.Exec = schemas.KindExec, s.exec()
	default:
		return s.readings(in)
	}
	if in.File == nil && in.Exec == nil {
		return nil
	}
	return []*schemas.DecisionInput{&in}
}

func (s source) readings(in schemas.DecisionInput) []*schemas.DecisionInput {
	c, err := canon.Network(canon.Request{
		Method: s.method(), Scheme: pick(s, "https", "https", "http"), Host: s.host(), Port: pick(s, 0, 0, 0, 80, 443, 8443),
		RawPath: s.path(true), RawQuery: s.query(), WebSocket: s.chance(15), ContentLength: -1, Binary: s.binary(),
	})
	if err != nil {
		return nil
	}
	var out []*schemas.DecisionInput
	for i := range c.Readings {
		in.Kind, in.Network = schemas.KindNetwork, &c.Readings[i]
		one := in
		out = append(out, &one)
	}
	return out
}

func (s source) host() string {
	if s.chance(60) {
		return pick(s, "a.example.com", "b.example.com", "ab.example.com")
	}
	return pick(s, "a.example.com", "b.example.com", "ab.example.com", "aab.example.com", "example.com", "a.b.example.com",
		"b.b.example.com", "a.a.b.example.com", "A.Example.com", "192.0.2.1", "2001:db8::1", "a.other.com", "b", "xexample.com", "a..example.com")
}

func (s source) path(web bool) string {
	parts := make([]string, 1+s.IntN(4))
	for i := range parts {
		parts[i] = pick(s, "a", "a", "b", "b", "ab", "A", "aB", "abb", "aab", ".env")
		if web && s.chance(25) {
			parts[i] = pick(s, "", "a%2Fb", "a%2fB", "%61", "a%2A", "a%25", "a;b", "%C3%A9", "%E9", "a*", "%2Fa", "a%2F", "..")
		} else if s.chance(4) {
			parts[i] = pick(s, "é", "\xe9", `a\b`, "a*", "a b")
		}
	}
	return "/" + strings.Join(parts, "/") + pick(s, "", "", "", "/")
}

func (s source) query() string {
	var parts []string
	for range max(0, s.IntN(5)-2) {
		parts = append(parts, pick(s, "q", "r", "a.b", "Q")+"="+url.QueryEscape(s.value()))
	}
	return strings.Join(parts, "&")
}

func (s source) value() string {
	return pick(s, "a", "b", "ab", "", "a/b", "A", "*", "é", "a b", `\`, "\xe9", "bab")
}

func (s source) binary() string {
	return pick(s, "", "", "/usr/bin/git", "/usr/bin/python3.11", "/opt/a/b", "/workspace/git", "/usr/lib/git")
}

func (s source) filePath() string {
	if s.chance(30) {
		return s.path(false)
	}
	dir := pick(s, "/workspace", "/a", "/home/a", "/home/b", "/root", "/usr", "/usr/bin", "/etc", "/srv/a", "/tmp", "/lib64", "")
	return dir + "/" + pick(s, "a", "b", ".env", "a/b", "b/a", ".ssh/id_rsa", ".ssh", ".aws/credentials", "passwd", "shadow", "git", "", "a/b/b", ".netrc/a")
}

func (s source) file() *schemas.FileInput {
	in, err := canon.FileOperation(pick(s, schemas.OpRead, schemas.OpList, schemas.OpExec, schemas.OpStat, schemas.OpWrite, schemas.OpCreate,
		schemas.OpTruncate, schemas.OpDelete, schemas.OpChmod, schemas.OpMknod, schemas.OpRead, schemas.OpWrite), s.filePath(), "")
	if s.chance(15) {
		in, err = canon.ParseFile(pick(s, "rename ", "link ") + s.filePath() + " " + s.filePath())
	}
	if err != nil {
		return nil
	}
	if s.chance(10) {
		in.Lexical = canon.Escape(s.filePath())
	}
	in.KnownBlocked = s.chance(4)
	if in.Target != nil {
		in.Target.KnownBlocked = in.KnownBlocked && s.chance(50) || s.chance(3)
	}
	return in
}

func (s source) words() []string {
	words := []string{pick(s, "git", "python3", "python3.11", "python", "npm", "node", "rm", "sh", "bash", "curl", "wget", "tee", "ls", "make", "/usr/bin/git",
		"./git", "/workspace/a", "/lib64/ld-linux-x86-64.so.2", "sudo", "cat")}
	for range s.IntN(4) {
		words = append(words, pick(s, "push", "install", "i", "a", "ab", "-f", "-rf", "-fr", "--force", "--recursive", "--", "/", "/a", "/a/b", "../a", "-X",
			"POST", "-XPOST", "-c", "b", "-C", "é"))
	}
	switch {
	case s.chance(8):
		words = append([]string{pick(s, "env", "nice", "nohup", "time", "xargs", "sudo")}, words...)
	case s.chance(4):
		words = []string{pick(s, "sh", "bash"), "-c", "'" + strings.Join(words, " ") + "'"}
	}
	return words
}

func (s source) shell() canon.Shell {
	parent := ""
	if s.chance(25) {
		parent = pick(s, "/usr/bin/git", "/usr/bin/npm", "/usr/bin/pip3", "/workspace/git", "/usr/bin/node")
	}
	return canon.Shell{Cwd: pick(s, "", "/a", "/"), Hook: s.chance(70), EntryPoint: s.chance(8), Parent: parent}
}

func (s source) exec() *schemas.ExecInput {
	if s.chance(35) {
		return s.argv()
	}
	var text strings.Builder
	for i := range 1 + max(0, s.IntN(5)-2) {
		if i > 0 {
			text.WriteString(pick(s, " | ", " | ", " && ", "; "))
		}
		text.WriteString(strings.Join(s.words(), " "))
	}
	if s.chance(5) {
		text.WriteString(pick(s, " <(curl a)", " $(git push)", " | $X"))
	}
	if s.chance(2) {
		return must(canon.CommandText(pick(s, "LD_PRELOAD=/a ", "LD_PRELOAD=/a LD_AUDIT=/b ")+text.String(), s.shell()))
	}
	return must(canon.CommandText(text.String(), s.shell()))
}

func must(in *schemas.ExecInput, err error) *schemas.ExecInput {
	if err != nil {
		return nil
	}
	return in
}

// argv draws what the kernel hook sees: links, another argv[0], writable paths.
func (s source) argv() *schemas.ExecInput {
	words := s.words()
	for i := range words {
		words[i] = strings.Trim(words[i], "'")
	}
	c := schemas.Command{}
	if s.chance(60) {
		c.Program = words[0]
		c.Path = pick(s, "/usr/bin/git", "/usr/bin/python3.11", "/workspace/git", "/usr/lib/git-core/git-remote-https", "/usr/bin/node", "/usr/bin/dash",
			"/a/b", "/opt/a/npm", "/usr/bin/busybox", "/memfd:a (deleted)", "/usr/bin/git (deleted)")
		if s.chance(40) {
			c.Links = []string{pick(s, "/workspace/python", "/usr/bin/sh", "/usr/local/bin/git", "/a/git")}
		}
		c.PathWritable = s.chance(20)
		if s.chance(30) {
			words[0] = pick(s, "git", "-bash", "python", "x", "/usr/bin/npm", "sh")
		}
	}
	return must(canon.CommandArgv(words, c, s.shell()))
}
