package mutate

import (
	"net/netip"
	"slices"
	"strings"
)

// widerHost lets the first label vary, or be several. The apex of a domain has
// no wider form that a policy may hold.
func widerHost(host string) (string, bool) {
	if _, err := netip.ParseAddr(host); err == nil {
		return "", false
	}
	first, rest, ok := strings.Cut(host, ".")
	switch {
	case !ok || !strings.Contains(rest, ".") || first == "**":
		return "", false
	case first == "*":
		return "**." + rest, true
	}
	return "*." + rest, true
}

func narrowerHost(host string) (string, bool) {
	rest, ok := strings.CutPrefix(host, "**.")
	return "*." + rest, ok
}

// widerPath goes up one folder, or lets the last segment vary.
//
//	/repos/**  ->  /**       /v1/messages  ->  /v1/*
//	/a/*       ->  /a/**     **/.env       ->  **/.env*
func widerPath(p string) (string, bool) {
	segs := strings.Split(p, "/")
	last := len(segs) - 1
	switch {
	case p == "**" || p == "/**":
		return "", false
	case segs[last] == "**" && last == 1:
		return "", false
	case segs[last] == "**":
		segs = slices.Delete(segs, last-1, last)
		if len(segs) == 2 && segs[0] == "**" {
			return "/**", true
		}
	case segs[last] == "*":
		segs[last] = "**"
	case segs[0] == "**" && !strings.HasSuffix(segs[last], "*"):
		segs[last] += "*"
	case segs[0] == "**" && !strings.HasPrefix(segs[last], "*"):
		segs[last] = "*" + segs[last]
	default:
		segs[last] = "*"
	}
	return strings.Join(segs, "/"), true
}

// narrowerPath takes one level for all of them, or the root for any depth.
//
//	/repos/**  ->  /repos/*    **/.env  ->  /.env
func narrowerPath(p string) (string, bool) {
	switch head, deep := strings.CutSuffix(p, "/**"); {
	case p == "**":
		return "/*", true
	case deep:
		return head + "/*", true
	}
	if rest, ok := strings.CutPrefix(p, "**/"); ok {
		return "/" + rest, true
	}
	return "", false
}

// narrowerBlocked is narrowerPath for patterns that also match everything below.
func narrowerBlocked(p string) (string, bool) {
	if head, ok := strings.CutSuffix(p, "/**"); ok {
		return head + "/*/*", true
	}
	return narrowerPath(p)
}

// plainWords splits a command pattern that holds nothing quoted.
func plainWords(pattern string) ([]string, bool) {
	if strings.ContainsAny(pattern, `"'\`) {
		return nil, false
	}
	return strings.Fields(pattern), true
}

// widerAllowed takes any further arguments, or leaves out the word before them.
//
//	git status  ->  git status *    git push *  ->  git *
func widerAllowed(pattern string) (string, bool) {
	words, ok := plainWords(pattern)
	last := len(words) - 1
	switch {
	case !ok || last < 0 || strings.HasPrefix(words[0], "@"):
		return "", false
	case words[last] != "*":
		return strings.Join(append(words, "*"), " "), true
	case last < 2:
		return "", false
	}
	return strings.Join(slices.Delete(words, last-1, last), " "), true
}

// narrowerAllowed takes no further arguments: git * -> git.
func narrowerAllowed(pattern string) (string, bool) {
	words, ok := plainWords(pattern)
	last := len(words) - 1
	if !ok || last < 1 || words[last] != "*" {
		return "", false
	}
	return strings.Join(words[:last], " "), true
}

// widerBlocked asks for less: one stage of a pipeline, or one word fewer.
func widerBlocked(pattern string) []string {
	words, ok := plainWords(pattern)
	if !ok || strings.HasPrefix(pattern, "@") {
		return nil
	}
	if stages := strings.Split(strings.Join(words, " "), " | "); len(stages) > 1 {
		return []string{strings.Join(stages[1:], " | "), strings.Join(stages[:len(stages)-1], " | ")}
	}
	for i := len(words) - 1; i > 0; i-- {
		if words[i] != "*" {
			return []string{strings.Join(slices.Delete(words, i, i+1), " ")}
		}
	}
	return nil
}
