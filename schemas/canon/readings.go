package canon

import (
	"slices"
	"strings"
)

// pathReadings returns what origins may take a path for: with "//" kept or
// merged, with ";parameters" kept or stripped, with "//name" at the beginning
// taken for an authority, and all together.
func pathReadings(kept string) []string {
	readings := addReadings(nil, kept)
	if strings.HasPrefix(kept, "//") {
		readings = addReadings(readings, dropAuthority(kept))
	}
	return readings
}

func addReadings(readings []string, base string) []string {
	for _, p := range []string{base, stripParameters(base)} {
		for _, reading := range []string{p, mergeSlashes(p)} {
			if !slices.Contains(readings, reading) {
				readings = append(readings, reading)
			}
		}
	}
	return readings
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
	if strings.IndexByte(p, ';') < 0 {
		return p
	}
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}
