package diag

import (
	"embed"
	"fmt"
	"strings"
)

// lintFiles holds one file for each code of lint:
//
//	title: what is wrong, in a few words
//	severity: warning
//	why: what it leads to
//	fix: what to do
//	-- bad --
//	a policy that triggers it
//	-- good --
//	a near miss
//
// An example that begins with spec: gets the lines above it. One of several files
// names each, as in -- bad p_test.yaml --.
//
//go:embed lint/*.txt
var lintFiles embed.FS

func lintCodes() []CodeInfo {
	entries, err := lintFiles.ReadDir("lint")
	if err != nil {
		panic("codes of lint: " + err.Error())
	}
	var out []CodeInfo
	for _, e := range entries {
		text, err := lintFiles.ReadFile("lint/" + e.Name())
		if err != nil {
			panic("codes of lint: " + err.Error())
		}
		out = append(out, parseCode(strings.TrimSuffix(e.Name(), ".txt"), string(text)))
	}
	return out
}

func parseCode(code, text string) CodeInfo {
	c := CodeInfo{Code: code, Part: PartLint}
	examples := map[string]*strings.Builder{"bad": {}, "good": {}}
	var into *strings.Builder
	first := false // line of an example
	for line := range strings.Lines(text) {
		kind, name, marked := exampleMark(line)
		switch {
		case marked:
			into, first = examples[kind], true
			if name != "" {
				fmt.Fprintf(into, "-- %s --\n", name)
			}
		case into != nil:
			if first && strings.HasPrefix(line, "spec:") {
				into.WriteString(head)
			}
			first = false
			into.WriteString(line)
		default:
			c.set(line)
		}
	}
	c.Bad, c.Good = examples["bad"].String(), examples["good"].String()
	return c
}

func exampleMark(line string) (kind, name string, ok bool) {
	inner, ok := strings.CutPrefix(strings.TrimSpace(line), "-- ")
	inner, closed := strings.CutSuffix(inner, " --")
	kind, name, _ = strings.Cut(inner, " ")
	return kind, name, ok && closed && (kind == "bad" || kind == "good")
}

func (c *CodeInfo) set(line string) {
	key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
	switch key {
	case "title":
		c.Title = value
	case "severity":
		c.Severity = Severity(value)
	case "why":
		c.Why = value
	case "fix":
		c.Fix = value
	}
}
