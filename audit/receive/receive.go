package receive

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/schemas"
)

// The bounds of one upload.
const (
	DefaultMaxBody  = 16 << 20  // as it is sent
	DefaultMaxPlain = 128 << 20 // unpacked
	maxEvent        = 4 << 20
	maxEvents       = 100_000
	// DefaultMaxSenders bounds how many logs there are; a sender chooses its name.
	DefaultMaxSenders = 1000
)

// Options tune a Handler. The zero value is ready for use.
type Options struct {
	MaxBody  int64 // bytes of a request; 0 is DefaultMaxBody
	MaxPlain int64 // bytes unpacked; 0 is DefaultMaxPlain
	// MaxSenders bounds the logs that are open; 0 is DefaultMaxSenders.
	MaxSenders int
	// Sender names who sends, from what the request proves: a certificate, a
	// token. "" is not known: the events' own label id names them, below
	// "unproven". Nil knows nobody.
	Sender func(*http.Request) string
	// Log are the options of each sender's log.
	Log audit.Options
	// Rules mask what is received; nil masks by the default rules.
	Rules func() audit.MaskRules
}

// Handler serves POST /logs and POST /logs/PARTITION.
type Handler struct {
	dir  string
	opts Options

	mu   sync.Mutex
	logs map[string]*audit.Log
}

// New returns a handler that keeps its logs in folders below dir.
func New(dir string, opts Options) (*Handler, error) {
	if opts.MaxBody == 0 {
		opts.MaxBody = DefaultMaxBody
	}
	if opts.MaxPlain == 0 {
		opts.MaxPlain = DefaultMaxPlain
	}
	if opts.MaxSenders == 0 {
		opts.MaxSenders = DefaultMaxSenders
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("received logs: %w", err)
	}
	return &Handler{dir: dir, opts: opts, logs: map[string]*audit.Log{}}, nil
}

// Close closes every log.
func (h *Handler) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	for name, l := range h.logs {
		errs = append(errs, l.Close())
		delete(h.logs, name)
	}
	return errors.Join(errs...)
}

// refusal is an answer other than 204.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// ServeHTTP takes an array of events, plain or gzip. It answers 200 when all are
// written, and when it answers otherwise the sender may send them again: a record
// may then be there twice.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := h.take(w, r)
	var no *refusal
	switch {
	case err == nil:
		w.WriteHeader(http.StatusOK)
		return
	case !errors.As(err, &no):
		no = &refusal{http.StatusServiceUnavailable, "the records could not be written"}
		w.Header().Set("Retry-After", "5")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(no.status)
	_ = json.NewEncoder(w).Encode(map[string]string{"code": "logs_refused", "message": no.text}) // the client is gone
}

func (h *Handler) take(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		return refuse(http.StatusMethodNotAllowed, "decision logs are sent by POST")
	}
	body, err := h.body(w, r)
	if err != nil {
		return err
	}
	sender := ""
	if h.opts.Sender != nil {
		sender = h.opts.Sender(r)
	}
	records, err := h.parse(body)
	if err != nil {
		return err
	}
	return h.keep(r.Context(), sender, records)
}

// body is the request's body, unpacked and bounded.
func (h *Handler) body(w http.ResponseWriter, r *http.Request) (io.Reader, error) {
	raw := http.MaxBytesReader(w, r.Body, h.opts.MaxBody)
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
		return &bounded{raw, h.opts.MaxPlain}, nil
	case "gzip":
		zr, err := gzip.NewReader(raw)
		if err != nil {
			return nil, bodyError(err)
		}
		return &bounded{zr, h.opts.MaxPlain}, nil
	default:
		return nil, refuse(http.StatusUnsupportedMediaType, "content encoding %q is neither gzip nor identity", encoding)
	}
}

// bounded fails past a number of bytes, so that no small body unpacks to a large
// one.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, refuse(http.StatusRequestEntityTooLarge, "the events are too large once they are unpacked")
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

func bodyError(err error) error {
	var no *refusal
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &no):
		return no
	case errors.As(err, &large):
		return refuse(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", large.Limit)
	}
	return refuse(http.StatusBadRequest, "the body is no array of decision-log events: %v", err)
}

// parse reads the events one by one.
func (h *Handler) parse(body io.Reader) ([]*schemas.Record, error) {
	dec := json.NewDecoder(body)
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		if err == nil {
			err = fmt.Errorf("it begins with %v", t)
		}
		return nil, bodyError(err)
	}
	var records []*schemas.Record
	for dec.More() {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, bodyError(err)
		}
		if len(raw) > maxEvent || len(records) >= maxEvents {
			return nil, refuse(http.StatusRequestEntityTooLarge, "event %d is larger than %d bytes, or there are more than %d", len(records)+1, maxEvent, maxEvents)
		}
		rec, err := event(raw)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "event %d: %v", len(records)+1, err)
		}
		records = append(records, rec)
	}
	if _, err := dec.Token(); err != nil {
		return nil, bodyError(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, refuse(http.StatusBadRequest, "something follows the array")
	}
	return records, nil
}

func event(raw []byte) (*schemas.Record, error) {
	line, ok, err := query.Convert(raw, 0)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errors.New("it has no decision_id")
	}
	rec := new(schemas.Record)
	if err := json.Unmarshal(line, rec); err != nil {
		return nil, err
	}
	if rec.Timestamp.IsZero() {
		return nil, errors.New("it has no timestamp")
	}
	rec.Custom.Admin, rec.Custom.Recovered, rec.Custom.Pruned = nil, nil, nil
	switch rec.Custom.Type {
	case schemas.RecordDecision, schemas.RecordOutcome:
	default: // what a log says of itself, or who administers a gateway, is not theirs to say
		return nil, fmt.Errorf("its type %q is neither decision nor outcome", rec.Custom.Type)
	}
	return rec, nil
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$`)

// keep writes the records to their sender's log, and waits once for all of one
// log: what is appended last is written last.
func (h *Handler) keep(ctx context.Context, sender string, records []*schemas.Record) error {
	return h.write(ctx, records, func(r *schemas.Record) (string, error) { return folderOf(sender, r) })
}

func (h *Handler) write(ctx context.Context, records []*schemas.Record, folderOf func(*schemas.Record) (string, error)) error {
	var rules audit.MaskRules
	if h.opts.Rules != nil {
		rules = h.opts.Rules()
	}
	folders := make([]string, len(records))
	last := map[string]int{}
	for i, r := range records {
		folder, err := folderOf(r)
		if err != nil {
			return err
		}
		folders[i], last[folder] = folder, i
	}
	for i, r := range records {
		l, err := h.log(folders[i])
		if err != nil {
			return err
		}
		_ = audit.MaskRecord(ctx, r, rules) // where rules fail, more is masked
		if last[folders[i]] == i {
			err = l.Append(ctx, r)
		} else {
			err = l.Enqueue(ctx, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Reported keeps records that the shims of this gateway's sandboxes made, in a log
// for all of them. The caller knows whose each record is; it returns when all are
// written.
func (h *Handler) Reported(ctx context.Context, records []*schemas.Record) error {
	return h.write(ctx, records, func(*schemas.Record) (string, error) { return ReportedDir, nil })
}

// ReportedDir is the folder of what shims reported, below the handler's.
const ReportedDir = "shims"

// folderOf is the log of a sender, below the folder that says whether its name is
// proven.
func folderOf(sender string, r *schemas.Record) (string, error) {
	if sender != "" {
		if !isName(sender) {
			return "", refuse(http.StatusForbidden, "sender %.100q is no name", sender)
		}
		return filepath.Join("proven", sender), nil
	}
	id := r.Labels["id"]
	if id == "" {
		id = "unnamed"
	}
	if !isName(id) {
		return "", refuse(http.StatusBadRequest, "label id %.100q is no name", id)
	}
	return filepath.Join("unproven", id), nil
}

func isName(s string) bool { return plainName.MatchString(s) && !strings.Contains(s, "..") }

// log opens a sender's log when its first record comes.
func (h *Handler) log(folder string) (*audit.Log, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.logs[folder]; l != nil {
		return l, nil
	}
	if len(h.logs) >= h.opts.MaxSenders {
		return nil, refuse(http.StatusTooManyRequests, "logs of %d senders are kept already", h.opts.MaxSenders)
	}
	dir := filepath.Join(h.dir, folder)
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, err
	}
	l, err := audit.Open(dir, h.opts.Log)
	if err != nil {
		return nil, err
	}
	h.logs[folder] = l
	return l, nil
}
