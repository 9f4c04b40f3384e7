package export

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/openshell-policy/openshell/audit/query"
)

// Writer writes events in one format. Close ends the output; it does not close
// what is written to.
type Writer interface {
	Write(e *query.Event) error
	Close() error
}

// Formats are the formats that New knows.
var Formats = []string{"ndjson", "csv", "ocsf", "opa"}

// New returns a writer of a format:
//
//   - ndjson: the records as they are, one a line;
//   - csv: one decision a row, with a header;
//   - ocsf: one OCSF event a line, of the classes 4002 HTTP Activity, 4001
//     Network Activity (tunnels), 1001 File System Activity, 1007 Process Activity;
//   - opa: one array of the records, as OPA uploads them.
func New(format string, w io.Writer) (Writer, error) {
	bw := bufio.NewWriterSize(w, 64<<10)
	switch format {
	case "ndjson":
		return &ndjson{bw}, nil
	case "opa":
		return &array{w: bw}, nil
	case "csv":
		return newTable(bw)
	case "ocsf":
		return &ocsf{bw}, nil
	}
	return nil, fmt.Errorf("format %q is not one of %s", format, strings.Join(Formats, ", "))
}

// ndjson writes the bytes of the log.
type ndjson struct{ w *bufio.Writer }

func (n *ndjson) Write(e *query.Event) error {
	line := e.Line
	if e.Raw != nil {
		line = e.Raw
	}
	_, _ = n.w.Write(line)
	return n.w.WriteByte('\n') // which reports an error before, too
}

func (n *ndjson) Close() error { return n.w.Flush() }

// array writes one JSON array.
type array struct {
	w     *bufio.Writer
	begun bool
}

func (a *array) Write(e *query.Event) error {
	sep := ",\n"
	if !a.begun {
		sep, a.begun = "[", true
	}
	_, _ = a.w.WriteString(sep)
	line := e.Line
	if e.Raw != nil {
		line = e.Raw
	}
	_, err := a.w.Write(line)
	return err
}

func (a *array) Close() error {
	end := "]\n"
	if !a.begun {
		end = "[]\n"
	}
	_, _ = a.w.WriteString(end)
	return a.w.Flush()
}

// table writes CSV (RFC 4180).
type table struct {
	w     *csv.Writer
	flush func() error
}

func newTable(bw *bufio.Writer) (*table, error) {
	t := &table{csv.NewWriter(bw), bw.Flush}
	return t, t.w.Write(columns)
}

func (t *table) Close() error {
	t.w.Flush()
	if err := t.w.Error(); err != nil {
		return err
	}
	return t.flush()
}
