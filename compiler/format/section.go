package format

import (
	"bytes"
	"strings"
)

// section is the lines of one document of a file, without its markers.
type section struct {
	first, last int    // lines, from 1; last < first where it has none
	note        string // the comment of the marker above it
}

func (s *section) holds(line int) bool { return s.first <= line && line <= s.last }

// sectionsOf cuts a file at the lines that begin with --- or ..., which no scalar
// can hold.
func sectionsOf(file string, data []byte) ([]section, error) {
	var out []section
	now := section{first: 1}
	lines := strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n")
	if len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	ended := false
	for i, line := range lines {
		rest, marks := marker(strings.TrimSuffix(line, "\r"))
		if !marks {
			continue
		}
		if rest != "" && !strings.HasPrefix(rest, "#") {
			return nil, &RefusedError{file, i + 1, "a document begins on the line of its marker: write it on the next one"}
		}
		now.last = i
		if !ended || !blankLines(lines[now.first-1:now.last]) {
			out = append(out, now)
		}
		ended = strings.HasPrefix(line, "...")
		now = section{first: i + 2, note: rest}
	}
	now.last = len(lines)
	if !ended || !blankLines(lines[min(now.first-1, len(lines)):]) {
		out = append(out, now)
	}
	if len(out) > 1 && out[0].note == "" && blankLines(lines[:out[0].last]) {
		out = out[1:] // a marker above the first document
	}
	return out, nil
}

func blankLines(lines []string) bool { return strings.TrimSpace(strings.Join(lines, "")) == "" }

func marker(line string) (rest string, ok bool) {
	for _, m := range []string{"---", "..."} {
		if after, found := strings.CutPrefix(line, m); found && (after == "" || after[0] == ' ' || after[0] == '\t') {
			return strings.TrimSpace(after), true
		}
	}
	return "", false
}

// loose are the comments of a section that holds no document.
func (s *section) loose(data []byte) []string {
	var out []string
	if s.note != "" {
		out = append(out, s.note)
	}
	lines := bytes.Split(data, []byte("\n"))
	for _, line := range lines[min(s.first-1, len(lines)):min(s.last, len(lines))] {
		if text := strings.TrimSpace(string(line)); strings.HasPrefix(text, "#") {
			out = append(out, text)
		}
	}
	return out
}
