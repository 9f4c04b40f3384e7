package canon

import (
	"slices"
	"strings"
)

// pathReadings returns what origins may take a path for: with "//" kept or
// merged, with ";parameters" kept or stripped, with "//name" at the beginning
// taken for an authority, and all together.
func pathReadings(kept string) ([]string, *Error) {
	var readings []string
	bases := []string{kept}
	if strings.HasPrefix(kept, "//") {
		bases = append(bases, dropAuthority(kept))
	}
	for _, base := range bases {
		var err *Error
		if readings, err = addReadings(readings, base); err != nil {
			return nil, err
		}
	}
	return readings, nil
}

func addReadings(readings []string, base string) ([]string, *Error) {
	add := func(p string) {
		if !slices.Contains(readings, p) {
			readings = append(readings, p)
		}
	}
	add(base)
	add(mergeSlashes(base))
	if strings.IndexByte(base, ';') < 0 {
		return readings, nil
	}
	stripped := stripParameters(base)
	for _, p := range []string{stripped, mergeSlashes(stripped)} {
		resolved, err := resolveDots(p)
		if err != nil {
			return nil, err
		}
		add(resolved)
		add(mergeSlashes(resolved))
	}
	return readings, nil
}

// dropAuthority reads a path as a URL reference, which is what
// new URL(request.url, base) does in JavaScript: "//name/path" is "/path".
func dropAuthority(p string) string {
	p = strings.TrimLeft(p, "/")
	if i := strings.IndexByte(p, '/'); i >= 0 {
		return p[i:]
	}
	return "/"
}

func mergeSlashes(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	return p
}

func stripParameters(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

func resolveDots(p string) (string, *Error) {
	segments := strings.Split(p[1:], "/")
	out := segments[:0]
	for i, s := range segments {
		last := i == len(segments)-1
		if s == ".." {
			if len(out) == 0 {
				return "", refuse("the path leads above the root if its parameters are dropped")
			}
			out = out[:len(out)-1]
		}
		switch {
		case s != "." && s != "..":
			out = append(out, s)
		case last:
			out = append(out, "")
		}
	}
	return "/" + strings.Join(out, "/"), nil
}
