package query_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/audit/query"
)

// written makes a log of the records, in small segments, and leaves it open.
func written(t testing.TB, dir string, from, to, step int) *audit.Log {
	t.Helper()
	l, err := audit.Open(dir, audit.Options{SegmentBytes: 8 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for n := from; n <= to; n += step {
		if err := l.Append(context.Background(), record(n)); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func closed(t testing.TB, dir string, from, to, step int) {
	t.Helper()
	if err := written(t, dir, from, to, step).Close(); err != nil {
		t.Fatal(err)
	}
	if segs, err := audit.Segments(dir); err != nil || len(segs) < 3 {
		t.Fatalf("%d segments, %v: the test wants several", len(segs), err)
	}
}

func TestFolderOfLogs(t *testing.T) {
	root := t.TempDir()
	closed(t, filepath.Join(root, "gw-0"), 1, 199, 2)
	closed(t, filepath.Join(root, "gw-1"), 2, 200, 2)
	logs, err := query.Logs([]string{root})
	if err != nil || len(logs) != 2 {
		t.Fatalf("%q, %v", logs, err)
	}
	if diff := cmp.Diff(wanted(1, 200, 1), ids(t, logs, query.Filter{})); diff != "" {
		t.Error(diff)
	}
	want := []string{}
	for n := 151; n <= 200; n++ {
		if n%3 == 0 && n%10 != 0 {
			want = append(want, wanted(n, n, 1)...)
		}
	}
	f := query.Filter{Since: start.Add(151 * time.Second), Decision: "deny", Kind: "network"}
	if diff := cmp.Diff(want, ids(t, logs, f)); diff != "" {
		t.Error(diff)
	}
}

// TestLogsWrittenByHand: spaces hide nothing from a filter.
func TestLogsWrittenByHand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.MkdirAll(filepath.Join(dir, "segments"), 0o700); err != nil {
		t.Fatal(err)
	}
	text := string(lines(t, 1, 12, 1))
	for _, spaced := range []string{strings.ReplaceAll(text, `":`, `": `), strings.ReplaceAll(text, `":`, `" :`), strings.ReplaceAll(text, `,"`, `, "`), text} {
		if err := os.WriteFile(filepath.Join(dir, "segments", "00000000000000000001.ndjson"), []byte(spaced), 0o600); err != nil {
			t.Fatal(err)
		}
		f := query.Filter{Decision: "deny", Kind: "network", Type: "decision", Sandbox: "aaaaa3", Host: "h3.example.com"}
		if diff := cmp.Diff([]string{"d-3"}, ids(t, []string{dir}, f)); diff != "" {
			t.Errorf("%.80s: %s", spaced, diff)
		}
	}
}

func TestLogsThatAreNone(t *testing.T) {
	empty := t.TempDir()
	for name, paths := range map[string][]string{"nothing": nil, "missing": {filepath.Join(empty, "x")}, "neither": {empty}} {
		if logs, err := query.Logs(paths); err == nil {
			t.Errorf("%s: %q", name, logs)
		}
	}
	if logs, err := query.Logs([]string{"-", file(t, "a", nil)}); err != nil || len(logs) != 2 {
		t.Errorf("%q, %v", logs, err)
	}
}

func TestFollow(t *testing.T) {
	root := t.TempDir()
	a := written(t, filepath.Join(root, "a"), 1, 49, 2)
	b := written(t, filepath.Join(root, "b"), 2, 50, 2)
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	a, b = written(t, filepath.Join(root, "a"), 1, 0, 1), written(t, filepath.Join(root, "b"), 1, 0, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var got []string
	err := query.Follow(ctx, []string{filepath.Join(root, "a"), filepath.Join(root, "b")}, query.Filter{Type: "decision"}, func(e *query.Event) error {
		got = append(got, string(e.Fields.DecisionID))
		switch len(got) {
		case 50: // all that was there
			for n := 51; n <= 60; n++ {
				l := a
				if n%2 == 0 {
					l = b
				}
				if err := l.Append(ctx, record(n)); err != nil {
					return err
				}
			}
		case 60:
			return io.EOF
		}
		return nil
	})
	if err != io.EOF {
		t.Fatalf("%v after %d records", err, len(got))
	}
	if diff := cmp.Diff(wanted(1, 50, 1), got[:50]); diff != "" {
		t.Error(diff)
	}
	slices.Sort(got[50:])
	if diff := cmp.Diff(wanted(51, 60, 1), got[50:]); diff != "" {
		t.Error(diff)
	}
	if err := query.Follow(ctx, []string{file(t, "f", nil)}, query.Filter{}, nil); err == nil || !strings.Contains(err.Error(), "can be followed") {
		t.Errorf("a file: %v", err)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	written(t, dir, 1, 3, 1)
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	err := query.Follow(ctx, []string{dir}, query.Filter{}, func(*query.Event) error {
		if n++; n == 3 {
			cancel()
		}
		return nil
	})
	if err != nil || n != 3 {
		t.Errorf("%v after %d records", err, n)
	}
}

// TestCount: rollups, open segments and files count the same.
func TestCount(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	written(t, dir, 1, 400, 1) // the last segment is open
	plain := file(t, "plain", lines(t, 1, 400, 1))
	for name, f := range map[string]query.Filter{
		"all": {}, "since": {Since: start.Add(100 * time.Second)}, "until": {Until: start.Add(2 * time.Minute)}, "sandbox": {Sandbox: "aaaaa1"},
		"deny": {Decision: "deny"}, "host": {Host: "h[12].*"}, "code": {Code: "blocked_path"}, "method": {Method: "get"}, "rule": {Rule: "default"}, "policy": {Policy: "none"},
	} {
		t.Run(name, func(t *testing.T) {
			opts := query.CountOptions{Top: 5, Buckets: 10}
			a, err := query.Count([]string{dir}, f, opts)
			if err != nil {
				t.Fatal(err)
			}
			f.Since = f.Since.Truncate(time.Minute)
			b, err := query.Count([]string{plain}, f, opts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(b, a); diff != "" {
				t.Error(diff)
			}
			both, err := query.Count([]string{plain, dir}, f, opts)
			if err != nil || both.Decisions != 2*a.Decisions || (a.Decisions == 0) != (name == "policy") {
				t.Errorf("%v: both %d, one %d", err, both.Decisions, a.Decisions)
			}
		})
	}
	if _, err := query.Count([]string{dir}, query.Filter{Text: "x"}, query.CountOptions{}); err == nil {
		t.Error("text was counted")
	}
}

func stats(t *testing.T) *query.Stats {
	t.Helper()
	s, err := query.Count([]string{file(t, "log", lines(t, 1, 1200, 1))}, query.Filter{}, query.CountOptions{Top: 2, Buckets: 60})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStatsText(t *testing.T) {
	var b bytes.Buffer
	if err := stats(t).Text(&b, time.UTC); err != nil {
		t.Fatal(err)
	}
	want := `2026-11-25 10:00 to 2026-11-25 10:21: 1200 decisions, 720 allowed, 480 denied, 0 denied but let pass (mode audit)

allowed  ████████████████████   at most 36 in 1m
denied   ████████████████████▁  at most 24 in 1m
         10:00           10:20

DENIED  METHOD  HOST            CODE                RULE
80      read    -               blocked_path        outbound[0]
80      GET     h1.example.com  host_not_in_policy  default

SANDBOX    ALLOWED  DENIED  AUDITED
sb-aaaaa0  160      140     0
sb-aaaaa2  160      140     0
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	b.Reset()
	if err := new(query.Stats).Text(&b, time.UTC); err != nil || b.String() != "no decision\n" {
		t.Errorf("%v, %q", err, b.String())
	}
}

func TestSVGIsXML(t *testing.T) {
	for name, s := range map[string]*query.Stats{"full": stats(t), "empty": {}} {
		var b bytes.Buffer
		if err := s.SVG(&b, time.UTC); err != nil {
			t.Fatal(err)
		}
		dec, rects := xml.NewDecoder(bytes.NewReader(b.Bytes())), 0
		for {
			tok, err := dec.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "rect" {
				rects++
			}
		}
		if want := map[string]int{"full": 4 + 41, "empty": 4}[name]; rects != want {
			t.Errorf("%s: %d rectangles, want %d", name, rects, want)
		}
	}
}

func TestPrinter(t *testing.T) {
	hostile := record(3)
	hostile.Custom.Sandbox, hostile.Input.Network.Path, hostile.Custom.Rule = "sb-\x1b[2J", "/a\u202e\nb", "r\u009b"
	log := file(t, "log", append(append(encode(t, hostile), '\n'), lines(t, 4, 5, 1)...))
	formats := map[string]string{}
	for _, format := range []string{"table", "json", "ndjson"} {
		var b bytes.Buffer
		p := query.NewPrinter(&b, format)
		p.Zone, p.Logs = time.UTC, []string{log, "/elsewhere/b"}
		for e, err := range query.Events([]string{log}, query.Filter{}) {
			if err == nil {
				err = p.Print(e)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		formats[format] = b.String()
		if strings.ContainsAny(b.String(), "\x1b\u009b\u202e") && format == "table" {
			t.Errorf("%s is dangerous on a terminal: %q", format, b.String())
		}
	}
	for _, want := range []string{`sb-\x1B[2J`, `GET h3.example.com/a\u202E\x0Ab`, "2026-11-25T10:00:04.000Z"} {
		if !strings.Contains(formats["table"], want) {
			t.Errorf("the table lacks %q:\n%s", want, formats["table"])
		}
	}
	if !strings.HasPrefix(formats["table"], "LOG ") {
		t.Errorf("no column names the log:\n%s", formats["table"])
	}
	var list []map[string]any
	if err := json.Unmarshal([]byte(formats["json"]), &list); err != nil || len(list) != 3 {
		t.Errorf("%v, %d records", err, len(list))
	}
	if n := strings.Count(formats["ndjson"], "\n"); n != 3 {
		t.Errorf("%d lines", n)
	}
}

func TestTableNamesLogs(t *testing.T) {
	for _, test := range []struct{ logs, want []string }{
		{[]string{"/s/gw-0/audit", "/s/gw-1/audit"}, []string{"gw-0", "gw-1"}},
		{[]string{"s/audit", "s/local/sb-1/audit"}, []string{"audit", "local/sb-1/audit"}},
		{[]string{"a.ndjson", "x/b.json"}, []string{"a.ndjson", "x/b.json"}},
		{[]string{"/a/audit", "/a/audit"}, []string{"audit", "audit"}},
	} {
		var b bytes.Buffer
		p := query.NewPrinter(&b, "table")
		p.Logs = test.logs
		for i, log := range test.logs {
			e := &query.Event{Log: log, Line: encode(t, record(i+1))}
			e.Fields, _ = audit.ParseFields(e.Line)
			if err := p.Print(e); err != nil {
				t.Fatal(err)
			}
		}
		_ = p.Close()
		var got []string
		for _, line := range strings.Split(strings.TrimSpace(b.String()), "\n")[1:] {
			got = append(got, strings.Fields(line)[0])
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q: %s", test.logs, diff)
		}
	}
}
