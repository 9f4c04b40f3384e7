package audit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// rollupRows bounds the rows of one rollup. A sandbox chooses the hosts that it
// asks for; what does not fit is counted with RollupOther as its host.
const rollupRows = 1 << 16

// RollupOther stands for the hosts of what did not fit in a rollup.
const RollupOther = "*"

// RollupKey is what is counted apart. Only decision records are counted.
type RollupKey struct {
	Minute                                    int64 // since 1970, of the record's timestamp
	Sandbox, Policy, Host, Method, Rule, Code string
	Verdict                                   string // as of Fields.Verdict
}

// RollupRow is one count.
type RollupRow struct {
	RollupKey
	Count uint64
}

// Rollup counts the decisions of a segment. The file is text: a line of JSON
//
//	{"version":1,"first":SEQ,"records":N,"from":NS,"to":NS,"texts":["",…]}
//
// and for each row a line of nine numbers, separated by spaces: the minute; the
// places in texts of sandbox, policy, host, method, verdict, rule and code; the
// count. Rows are in the order of these numbers, texts in that of their bytes.
type Rollup struct {
	First   uint64 // number of the segment's first record
	Records uint64 // of any type
	From    time.Time
	To      time.Time // earliest and latest timestamp
	Rows    []RollupRow
}

// Rollups reads what was counted of the log's closed segments, oldest first. A
// closed segment without a rollup is counted from its records, so the rollups
// cover every record before the live segment, which begins at next.
func Rollups(dir string) (rollups []Rollup, next uint64, err error) {
	segs, err := Segments(dir)
	if err != nil {
		return nil, 0, err
	}
	for next = 1; len(segs) > 0; segs = segs[1:] {
		s := segs[0]
		if next = s.First; s.Live() {
			break
		}
		r, err := readRollup(filepath.Dir(s.Path), s)
		if errors.Is(err, fs.ErrNotExist) {
			r, err = countSegment(s)
		}
		if err != nil {
			return nil, 0, err
		}
		rollups = append(rollups, r)
	}
	return rollups, next, nil
}

func readRollup(dir string, s Segment) (Rollup, error) {
	path := filepath.Join(dir, fmt.Sprintf("%0*d%s", seqDigits, s.First, rollupSuffix))
	data, err := os.ReadFile(path)
	if err != nil {
		return Rollup{}, err
	}
	r, err := ParseRollup(data)
	if err == nil && (r.First != s.First || r.Records != s.Next-s.First) {
		err = errors.New("counts other records than its segment holds")
	}
	if err != nil {
		return Rollup{}, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func countSegment(s Segment) (Rollup, error) {
	c := newCounter(s.First)
	for e, err := range s.Entries(Position{}) {
		if err != nil {
			return Rollup{}, err
		}
		if _, err := c.add(e.Line); err != nil {
			return Rollup{}, fmt.Errorf("%s: record %d: %w", s.Path, e.Seq, err)
		}
	}
	return c.rollup(), nil
}

// counter counts the records of one segment.
type counter struct {
	r        Rollup
	rows     map[RollupKey]uint64
	texts    map[string]string // one copy of each text
	from, to int64
}

func newCounter(first uint64) *counter {
	return &counter{r: Rollup{First: first}, rows: map[RollupKey]uint64{}, texts: map[string]string{}}
}

func (c *counter) text(raw []byte) string {
	if s, ok := c.texts[string(raw)]; ok {
		return s
	}
	s := Text(raw)
	c.texts[string(raw)] = s
	return s
}

// add counts one record and takes note of its time.
func (c *counter) add(line []byte) (at int64, err error) {
	f, err := ParseFields(line)
	if err != nil {
		return 0, err
	}
	at = parseTime(f.Timestamp)
	if c.r.Records == 0 || at < c.from {
		c.from = at
	}
	if c.r.Records == 0 || at > c.to {
		c.to = at
	}
	c.r.Records++
	if string(f.Type) != schemas.RecordDecision {
		return at, nil
	}
	key := RollupKey{
		Minute: floorDiv(at, int64(time.Minute)), Sandbox: c.text(f.Sandbox), Policy: c.text(f.Policy), Host: c.text(f.Host),
		Method: c.text(f.Method), Rule: c.text(f.Rule), Code: c.text(f.Code), Verdict: f.Verdict(),
	}
	if _, ok := c.rows[key]; !ok && len(c.rows) >= rollupRows {
		key.Host = RollupOther
	}
	c.rows[key]++
	return at, nil
}

func floorDiv(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}

func (c *counter) rollup() Rollup {
	r := c.r
	r.From, r.To = time.Unix(0, c.from).UTC(), time.Unix(0, c.to).UTC()
	r.Rows = make([]RollupRow, 0, len(c.rows))
	for key, n := range c.rows {
		r.Rows = append(r.Rows, RollupRow{key, n})
	}
	slices.SortFunc(r.Rows, compareRows)
	return r
}

func compareRows(a, b RollupRow) int {
	return cmp.Or(
		cmp.Compare(a.Minute, b.Minute), cmp.Compare(a.Sandbox, b.Sandbox), cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.Host, b.Host),
		cmp.Compare(a.Method, b.Method), cmp.Compare(a.Verdict, b.Verdict), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Code, b.Code),
	)
}

type rollupHead struct {
	Version int      `json:"version"`
	First   uint64   `json:"first"`
	Records uint64   `json:"records"`
	From    int64    `json:"from"`
	To      int64    `json:"to"`
	Texts   []string `json:"texts"`
}

func (k *RollupKey) texts() []string {
	return []string{k.Sandbox, k.Policy, k.Host, k.Method, k.Verdict, k.Rule, k.Code}
}

// format renders the rollup as the file holds it.
func (r *Rollup) format() ([]byte, error) {
	places := map[string]int{}
	for i := range r.Rows {
		for _, t := range r.Rows[i].texts() {
			places[t] = 0
		}
	}
	head := rollupHead{Version: 1, First: r.First, Records: r.Records, From: r.From.UnixNano(), To: r.To.UnixNano()}
	for t := range places {
		head.Texts = append(head.Texts, t)
	}
	slices.Sort(head.Texts)
	for i, t := range head.Texts {
		places[t] = i
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(head); err != nil {
		return nil, err
	}
	line := []byte(nil)
	for i := range r.Rows {
		line = strconv.AppendInt(line[:0], r.Rows[i].Minute, 10)
		for _, t := range r.Rows[i].texts() {
			line = strconv.AppendInt(append(line, ' '), int64(places[t]), 10)
		}
		line = append(strconv.AppendUint(append(line, ' '), r.Rows[i].Count, 10), '\n')
		b.Write(line)
	}
	return b.Bytes(), nil
}

// ParseRollup reads a rollup's file.
func ParseRollup(data []byte) (Rollup, error) {
	first, rows, ok := bytes.Cut(data, []byte("\n"))
	var head rollupHead
	if err := json.Unmarshal(first, &head); err != nil || !ok || head.Version != 1 {
		return Rollup{}, errors.New("not a rollup of version 1")
	}
	r := Rollup{First: head.First, Records: head.Records, From: time.Unix(0, head.From).UTC(), To: time.Unix(0, head.To).UTC()}
	r.Rows = make([]RollupRow, 0, bytes.Count(rows, []byte("\n")))
	for n := 2; len(rows) > 0; n++ {
		var line []byte
		if line, rows, ok = bytes.Cut(rows, []byte("\n")); !ok {
			return Rollup{}, fmt.Errorf("line %d is cut short", n)
		}
		row, err := parseRow(line, head.Texts)
		if err != nil {
			return Rollup{}, fmt.Errorf("line %d: %w", n, err)
		}
		r.Rows = append(r.Rows, row)
	}
	return r, nil
}

func parseRow(line []byte, texts []string) (row RollupRow, err error) {
	var nums [9]int64
	for i := range nums {
		field, rest, more := bytes.Cut(line, []byte(" "))
		if more != (i < len(nums)-1) {
			return row, errors.New("not nine numbers")
		}
		if nums[i], err = strconv.ParseInt(string(field), 10, 64); err != nil {
			return row, fmt.Errorf("%q is not a number", field)
		}
		line = rest
	}
	at := func(i int) (s string) {
		if n := nums[i]; n >= 0 && n < int64(len(texts)) {
			return texts[n]
		}
		err = fmt.Errorf("no text %d", nums[i])
		return ""
	}
	row.Minute, row.Count = nums[0], uint64(max(nums[8], 0))
	row.Sandbox, row.Policy, row.Host, row.Method, row.Verdict, row.Rule, row.Code = at(1), at(2), at(3), at(4), at(5), at(6), at(7)
	return row, err
}

// parseTime reads a timestamp of a record as nanoseconds since 1970. What is none
// counts as 1970: a wrong time must not keep a segment from being closed.
func parseTime(raw []byte) int64 {
	t, err := time.Parse(time.RFC3339Nano, string(raw))
	if err != nil {
		return 0
	}
	return t.UnixNano()
}
