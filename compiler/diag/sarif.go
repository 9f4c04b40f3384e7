package diag

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxSARIF is how many results GitHub takes of one run.
const maxSARIF = 25000

// The parts of a SARIF 2.1.0 log that are written (OASIS, SARIF 2.1.0 errata 01).
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		ColumnKind  string            `json:"columnKind"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string          `json:"id"`
		Name             string          `json:"name"`
		ShortDescription sarifText       `json:"shortDescription"`
		FullDescription  sarifText       `json:"fullDescription"`
		Help             sarifText       `json:"help"`
		Default          sarifDefault    `json:"defaultConfiguration"`
		Properties       sarifProperties `json:"properties"`
	}
	sarifDefault struct {
		Level string `json:"level"`
	}
	sarifProperties struct {
		Tags             []string `json:"tags"`
		Precision        string   `json:"precision"`
		Problem          string   `json:"problem.severity"`
		SecuritySeverity string   `json:"security-severity,omitempty"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Related      []sarifLocation   `json:"relatedLocations,omitempty"`
		Fingerprints map[string]string `json:"partialFingerprints"`
		Fixes        []sarifFix        `json:"fixes,omitempty"`
	}
	sarifLocation struct {
		ID       int           `json:"id,omitempty"`
		Physical sarifPhysical `json:"physicalLocation"`
		Message  *sarifText    `json:"message,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI    string `json:"uri"`
		BaseID string `json:"uriBaseId,omitempty"`
	}
	sarifRegion struct {
		StartLine   int        `json:"startLine"`
		StartColumn int        `json:"startColumn,omitempty"`
		EndLine     int        `json:"endLine,omitempty"`
		EndColumn   int        `json:"endColumn,omitempty"`
		Snippet     *sarifText `json:"snippet,omitempty"`
	}
	sarifFix struct {
		Description sarifText     `json:"description"`
		Changes     []sarifChange `json:"artifactChanges"`
	}
	sarifChange struct {
		Artifact     sarifArtifact      `json:"artifactLocation"`
		Replacements []sarifReplacement `json:"replacements"`
	}
	sarifReplacement struct {
		Deleted  sarifRegion `json:"deletedRegion"`
		Inserted *sarifText  `json:"insertedContent,omitempty"`
	}
)

// writeSARIF writes a log that GitHub code scanning takes: relative addresses,
// rules with help, fingerprints that outlive a moved line, and no more results
// than it reads, the most severe first.
func writeSARIF(w io.Writer, r *Report) error {
	b := &sarifBuilder{report: r, index: map[string]int{}, seen: map[string]int{}, lines: map[string][]string{}}
	ds := r.Diagnostics
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}, Invocations: []sarifInvocation{{Successful: true}}}
	if len(ds) > maxSARIF {
		ds = worst(ds, maxSARIF)
		run.Invocations[0].Notifications = []sarifNotification{{"warning", sarifText{Text: fmt.Sprintf("%d findings; the %d most severe are listed", len(r.Diagnostics), maxSARIF)}}}
	}
	for i := range ds {
		run.Results = append(run.Results, b.result(&ds[i]))
	}
	run.Tool.Driver = sarifDriver{Name: "openshell-policy", Version: r.Version, Rules: b.rules}
	if run.Tool.Driver.Rules == nil {
		run.Tool.Driver.Rules = []sarifRule{}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

// worst keeps the n most severe findings, in their order.
func worst(ds []Diagnostic, n int) []Diagnostic {
	var out []Diagnostic
	for _, s := range []Severity{Error, Warning, Info} {
		for _, d := range ds {
			if d.Severity == s && len(out) < n {
				out = append(out, d)
			}
		}
	}
	Sort(out)
	return out
}

type sarifBuilder struct {
	report *Report
	rules  []sarifRule
	index  map[string]int // of a rule, by code
	seen   map[string]int // fingerprints, by file and hash
	lines  map[string][]string
}

func (b *sarifBuilder) result(d *Diagnostic) sarifResult {
	out := sarifResult{
		RuleID: d.Code, RuleIndex: b.rule(d.Code), Level: level(d.Severity), Message: sarifText{Text: d.full()},
		Locations:    []sarifLocation{{Physical: b.physical(d.fileOf(), d.Pos, d.Width)}},
		Fingerprints: map[string]string{"primaryLocationLineHash": b.fingerprint(d)},
	}
	for i, rel := range d.Related {
		out.Related = append(out.Related, sarifLocation{ID: i + 1, Physical: b.physical(rel.Pos.File, rel.Pos, 0), Message: &sarifText{Text: printable(rel.Message)}})
	}
	for _, f := range d.Fixes {
		out.Fixes = append(out.Fixes, b.fix(&f))
	}
	return out
}

func level(s Severity) string {
	if s == Info {
		return "note"
	}
	return string(s)
}

func (b *sarifBuilder) rule(code string) int {
	if i, ok := b.index[code]; ok {
		return i
	}
	info, _ := Lookup(code)
	rule := sarifRule{
		ID: code, Name: code, ShortDescription: sarifText{Text: orCode(info.Title, code)}, FullDescription: sarifText{Text: orCode(info.Why, code)},
		Help:       sarifText{Text: orCode(info.Why+" "+info.Fix, code), Markdown: help(info)},
		Default:    sarifDefault{level(orError(info.Severity))},
		Properties: sarifProperties{Tags: []string{"policy"}, Precision: "high", Problem: problem(info.Severity)},
	}
	if strings.HasPrefix(code, "OSP3") {
		rule.Properties.Tags = append(rule.Properties.Tags, "security")
		rule.Properties.SecuritySeverity = map[Severity]string{Error: "8.0", Warning: "6.0", Info: "3.0"}[info.Severity]
	}
	b.index[code] = len(b.rules)
	b.rules = append(b.rules, rule)
	return b.index[code]
}

func orCode(text, code string) string {
	if strings.TrimSpace(text) == "" {
		return code
	}
	return text
}

func orError(s Severity) Severity {
	if s == "" {
		return Error
	}
	return s
}

// problem is the severity in the words of code scanning.
func problem(s Severity) string {
	if s == Info {
		return "recommendation"
	}
	return string(orError(s))
}

func help(c CodeInfo) string {
	text := fmt.Sprintf("%s\n\n**To mend it:** %s\n", c.Why, c.Fix)
	plain := func(s string) bool {
		return s != "" && len(s) < 2000 && printable(strings.ReplaceAll(s, "\n", "")) == strings.ReplaceAll(s, "\n", "")
	}
	if plain(c.Bad) {
		text += "\nThis gives " + c.Code + ":\n\n```yaml\n" + strings.TrimSpace(c.Bad) + "\n```\n"
	}
	if plain(c.Good) {
		text += "\nThis does not:\n\n```yaml\n" + strings.TrimSpace(c.Good) + "\n```\n"
	}
	return text
}

func (b *sarifBuilder) physical(file string, p Position, width int) sarifPhysical {
	region := sarifRegion{StartLine: max(p.Line, 1)}
	if p.Line > 0 && p.Col > 0 {
		region.StartColumn = p.Col
		region.EndLine, region.EndColumn = p.Line, p.Col+max(width, 1)
	}
	if line := b.line(file, p.Line); line != "" {
		region.Snippet = &sarifText{Text: line}
	}
	return sarifPhysical{artifact(file), region}
}

func (b *sarifBuilder) line(file string, n int) string {
	lines, ok := b.lines[file]
	if !ok {
		lines = strings.Split(string(b.report.Sources[file]), "\n")
		b.lines[file] = lines
	}
	if n < 1 || n > len(lines) {
		return ""
	}
	text := strings.TrimSuffix(lines[n-1], "\r")
	if len(text) > 1000 || !utf8.ValidString(text) {
		return ""
	}
	return printable(strings.ReplaceAll(text, "\t", "    "))
}

// artifact is the address of a file: relative to the top of the repository, with
// what an address may not hold escaped.
func artifact(file string) sarifArtifact {
	u := url.URL{Path: file}
	if strings.HasPrefix(file, "/") {
		u.Scheme = "file"
		return sarifArtifact{URI: u.String()}
	}
	return sarifArtifact{URI: u.String(), BaseID: "%SRCROOT%"}
}

// fingerprint is the same for the same finding in another revision of the file: it
// is made of the code and the text of the line, and numbers equal ones.
func (b *sarifBuilder) fingerprint(d *Diagnostic) string {
	file := d.fileOf()
	text := strings.Join(strings.Fields(b.line(file, d.Pos.Line)), " ")
	sum := sha256.Sum256([]byte(d.Code + "\x00" + text))
	hash := hex.EncodeToString(sum[:8])
	b.seen[file+"\x00"+hash]++
	return fmt.Sprintf("%s:%d", hash, b.seen[file+"\x00"+hash])
}

func (b *sarifBuilder) fix(f *Fix) sarifFix {
	out := sarifFix{Description: sarifText{Text: printable(f.Title)}}
	var files []string
	for _, e := range f.Edits {
		if !slices.Contains(files, e.File) {
			files = append(files, e.File)
		}
	}
	for _, file := range files {
		change := sarifChange{Artifact: artifact(file)}
		for _, e := range f.Edits {
			if e.File != file {
				continue
			}
			startLine, startColumn := b.place(file, e.Start)
			endLine, endColumn := b.place(file, e.End)
			r := sarifReplacement{Deleted: sarifRegion{StartLine: startLine, StartColumn: startColumn, EndLine: endLine, EndColumn: endColumn}}
			if e.New != "" {
				r.Inserted = &sarifText{Text: e.New}
			}
			change.Replacements = append(change.Replacements, r)
		}
		out.Changes = append(out.Changes, change)
	}
	return out
}

// place is the line and column of a byte offset.
func (b *sarifBuilder) place(file string, offset int) (line, column int) {
	before := b.report.Sources[file]
	before = before[:min(max(offset, 0), len(before))]
	text := string(before)
	line = strings.Count(text, "\n") + 1
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	} else {
		text = strings.TrimPrefix(text, "\ufeff")
	}
	return line, utf8.RuneCountInString(text) + 1
}
