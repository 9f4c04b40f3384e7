package oracle_test

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// token matches one character, or any number of them (star).
type token struct {
	star, any, negated bool
	ranges             [][2]rune // of a class, or one literal
}

func (t token) matches(r rune) bool {
	if t.any || r == unknown {
		return r != unknown
	}
	in := false
	for _, lohi := range t.ranges {
		in = in || lohi[0] <= r && r <= lohi[1]
	}
	return in != t.negated
}

// folded tells whether the token matches the character in either case.
func (t token) folded(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z':
		return t.matches(r) || t.matches(r-'a'+'A')
	case 'A' <= r && r <= 'Z':
		return t.matches(r) || t.matches(r-'A'+'a')
	}
	return t.matches(r)
}

func literal(s string) (out []token) {
	for _, r := range s {
		out = append(out, token{ranges: [][2]rune{{r, r}}})
	}
	return out
}

// tokens reads a glob without segments; web globs are percent-decoded, except
// for what stays encoded in the compared form.
func tokens(glob string, web bool) (out []token) {
	for i := 0; i < len(glob); {
		r, n := utf8.DecodeRuneInString(glob[i:])
		switch {
		case r == '*':
			out = append(out, token{star: true})
		case r == '?':
			out = append(out, token{any: true})
		case r == '[':
			n = strings.IndexByte(glob[i:], ']') + 1
			out = append(out, class(glob[i+1:i+n-1]))
		case r == '\\':
			r, size := utf8.DecodeRuneInString(glob[i+1:])
			n = 1 + size
			out = append(out, token{ranges: [][2]rune{{r, r}}})
		case r == '%' && web:
			r, n = percent(glob[i:])
			out = append(out, literal(string(r))...)
		default:
			out = append(out, literal(string(r))...)
		}
		i += n
	}
	return out
}

// slash stands for %2F, which is one character that separates nothing.
const slash = '\uE000'

// unknown stands for the part of an argument that is not known before it runs:
// only a star matches it.
const unknown = '\uE001'

// percent returns the character that s begins with a percent escape of.
func percent(s string) (rune, int) {
	const digits = "0123456789ABCDEF"
	if len(s) < 3 {
		return '%', 1
	}
	hi, lo := strings.IndexByte(digits, upper(s[1])), strings.IndexByte(digits, upper(s[2]))
	if hi < 0 || lo < 0 {
		return '%', 1
	}
	if b := rune(hi<<4 | lo); b != '/' {
		return b, 3 // generated globs have ASCII escapes only
	}
	return slash, 3
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

func class(body string) token {
	t := token{}
	if body[0] == '!' {
		t.negated, body = true, body[1:]
	}
	for rs := []rune(body); len(rs) > 0; {
		if len(rs) > 2 && rs[1] == '-' {
			t.ranges, rs = append(t.ranges, [2]rune{rs[0], rs[2]}), rs[3:]
			continue
		}
		t.ranges, rs = append(t.ranges, [2]rune{rs[0], rs[0]}), rs[1:]
	}
	return t
}

func match(ts []token, s []rune, fold bool) bool {
	if len(ts) == 0 {
		return len(s) == 0
	}
	t := ts[0]
	if t.star {
		return match(ts[1:], s, fold) || len(s) > 0 && match(ts, s[1:], fold)
	}
	if len(s) == 0 || !(t.matches(s[0]) || fold && t.folded(s[0])) {
		return false
	}
	return match(ts[1:], s[1:], fold)
}

// decode undoes the doubling of backslashes of inputs, and makes one character
// of each byte that is not UTF-8, and of what stays encoded in paths of requests.
func decode(s string, web bool) (out []rune) {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case strings.HasPrefix(s[i:], `\\`):
			n = 2
		case strings.HasPrefix(s[i:], `\?`):
			r, n = unknown, 2
		case r == '\\':
			r, n = utf8.RuneError, 4
		case r == '%' && web:
			r, n = percent(s[i:])
		}
		out, i = append(out, r), i+n
	}
	return out
}

// matchText compares a query value or an argument: there are no segments.
func matchText(glob, s string) bool { return match(tokens(glob, false), decode(s, false), false) }

// cut splits a path, or a glob for paths, into segments.
func cut(s string) []string { return strings.Split(strings.TrimPrefix(s, "/"), "/") }

func matchSegments(glob, segments []string, web, fold bool) bool {
	switch {
	case len(glob) == 0:
		return len(segments) == 0
	case glob[0] == "**":
		return matchSegments(glob[1:], segments, web, fold) ||
			len(segments) > 0 && matchSegments(glob, segments[1:], web, fold)
	case len(segments) == 0:
		return false
	case glob[0] == "*":
		return segments[0] != "" && matchSegments(glob[1:], segments[1:], web, fold)
	case !fold && !strings.ContainsAny(glob[0], `*?[\%`): // for speed
		return glob[0] == segments[0] && matchSegments(glob[1:], segments[1:], web, fold)
	}
	return match(tokens(glob[0], web), decode(segments[0], web), fold) && matchSegments(glob[1:], segments[1:], web, fold)
}

// matchFile compares the path of a file.
func matchFile(glob, path string) bool { return matchSegments(cut(glob), cut(path), false, false) }

// matchPath compares the path of a request.
func matchPath(glob, path string) bool { return matchSegments(cut(glob), cut(path), true, false) }

// deniesPath also tries the path in the forms that deny rules are tried with:
// in lower case, without a trailing slash, and with %2F as a slash.
func deniesPath(glob, path string) bool {
	if matchPath(glob, path) {
		return true
	}
	split := strings.ReplaceAll(path, "%2F", "/")
	forms := []string{path, strings.TrimSuffix(path, "/"), split, strings.TrimSuffix(split, "/")}
	if split != path {
		// canon takes away two slashes here. That denies more, and nothing that
		// the reading with slashes merged does not deny too.
		forms = append(forms, strings.TrimSuffix(strings.TrimSuffix(split, "/"), "/"))
	}
	return slices.ContainsFunc(forms, func(f string) bool { return f != "" && matchSegments(cut(glob), cut(f), true, true) })
}

// matchHost compares a host: "**" is one or more labels.
func matchHost(glob, host string) bool {
	glob = strings.TrimSuffix(strings.ToLower(glob), ".")
	rest, deep := strings.CutPrefix(glob, "**.")
	g, h := strings.Split(rest, "."), strings.Split(host, ".")
	if deep && len(h) <= len(g) || !deep && len(h) != len(g) {
		return false
	}
	h = h[len(h)-len(g):]
	for i := range g {
		if !matchSegments([]string{g[i]}, []string{h[i]}, false, false) {
			return false
		}
	}
	return true
}
