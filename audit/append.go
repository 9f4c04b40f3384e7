package audit

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// line builds one record in JSON as encoding/json would, which a test holds. It
// is on the way of every request, and reflection costs four times as much.
type line struct{ b []byte }

// record appends the record; custom is its last member and seq the last of
// custom.
func (l *line) record(r *schemas.Record) error {
	l.b = append(l.b, '{')
	l.name("labels")
	stringMap(l, r.Labels, (*line).text)
	l.member("decision_id", r.DecisionID)
	if len(r.Bundles) > 0 {
		l.name("bundles")
		stringMap(l, r.Bundles, func(l *line, b schemas.BundleInfo) {
			l.b = append(l.b, '{')
			l.member("revision", b.Revision)
			l.b = append(l.b, '}')
		})
	}
	l.member("path", r.Path)
	if err := l.input(r.Input); err != nil {
		return err
	}
	l.result(r.Result)
	l.optionalList("erased", r.Erased)
	l.optionalList("masked", r.Masked)
	if len(r.Metrics) > 0 {
		l.name("metrics")
		stringMap(l, r.Metrics, func(l *line, n int64) { l.b = strconv.AppendInt(l.b, n, 10) })
	}
	l.name("timestamp")
	l.b = r.Timestamp.AppendFormat(append(l.b, '"'), time.RFC3339Nano)
	l.b = append(l.b, '"')
	l.name("custom")
	l.custom(&r.Custom)
	l.b = append(l.b, '}')
	return nil
}

func (l *line) custom(c *schemas.Custom) {
	l.b = append(l.b, '{')
	l.member("type", c.Type)
	l.member("sandbox", c.Sandbox)
	l.optional("agent", c.Agent)
	l.member("policy", c.Policy)
	l.optional("rule", c.Rule)
	l.optional("code", string(c.Code))
	l.optional("mode", string(c.Mode))
	l.optional("reason", c.Reason)
	if o := c.Outcome; o != nil {
		l.name("outcome")
		l.b = append(l.b, '{')
		l.number("status", int64(o.Status))
		l.number("bytes", o.Bytes)
		l.number("duration_ms", o.DurationMS)
		l.optional("error", o.Error)
		l.b = append(l.b, '}')
	}
	if c.Admin != nil || c.Recovered != nil || c.Pruned != nil { // rare
		l.rare("admin", c.Admin, c.Admin != nil)
		l.rare("recovered", c.Recovered, c.Recovered != nil)
		l.rare("pruned", c.Pruned, c.Pruned != nil)
	}
	l.b = append(l.b, `,"seq":`+unnumbered[:2]...)
}

func (l *line) result(d *schemas.Decision) {
	if d == nil {
		return
	}
	l.name("result")
	l.b = append(l.b, '{')
	l.boolean("allow", d.Allow)
	l.member("mode", string(d.Mode))
	l.member("code", string(d.Code))
	l.member("message", d.Message)
	l.member("rule", d.Rule)
	if d.Source != nil {
		l.name("source")
		l.b = append(l.b, '{')
		l.member("file", d.Source.File)
		l.number("line", int64(d.Source.Line))
		l.b = append(l.b, '}')
	}
	l.member("policy", d.Policy)
	l.member("revision", d.Revision)
	l.optional("hint", d.Hint)
	l.b = append(l.b, '}')
}

// input appends a network input by hand; files and commands, which are rarer,
// go through encoding/json.
func (l *line) input(in *schemas.DecisionInput) error {
	if in == nil {
		return nil
	}
	l.name("input")
	if in.Network == nil || in.File != nil || in.Exec != nil {
		return l.any(in)
	}
	l.b = append(l.b, '{')
	l.member("kind", string(in.Kind))
	l.member("policy", in.Policy)
	l.name("sandbox")
	l.b = append(l.b, '{')
	l.member("id", in.Sandbox.ID)
	l.optional("agent", in.Sandbox.Agent)
	l.optional("home", in.Sandbox.Home)
	l.b = append(l.b, '}')
	l.name("network")
	l.network(in.Network)
	l.b = append(l.b, '}')
	return nil
}

func (l *line) network(n *schemas.NetworkInput) {
	l.b = append(l.b, '{')
	l.member("scheme", n.Scheme)
	l.member("host", n.Host)
	l.number("port", int64(n.Port))
	l.member("method", n.Method)
	path := len(l.b)
	l.member("path", n.Path)
	path += len(`,"path":`)
	pathEnd := len(l.b)
	l.name("query")
	stringMap(l, n.Query, (*line).list)
	l.boolean("websocket", n.WebSocket)
	l.number("content_length", n.ContentLength)
	l.member("binary", n.Binary)
	l.memberList("ancestors", n.Ancestors)
	l.member("authority", n.Authority)
	l.member("parent", n.Parent)
	l.member("host_parent", n.HostParent)
	l.name("dir")
	dir := len(l.b)
	l.text(n.Dir)
	l.memberList("segments", n.Segments)
	rest := len(l.b)
	// The other forms are nearly always the same again.
	plain := schemas.PathForm{Path: n.Path, Dir: n.Dir, Segments: n.Segments}
	for _, f := range [...]struct {
		name string
		form *schemas.PathForm
	}{{"folded", &n.Folded}, {"split", &n.Split}} {
		l.name(f.name)
		if !equalForm(f.form, &plain) {
			l.form(f.form)
			continue
		}
		l.b = append(l.b, `{"path":`...)
		l.b = append(l.b, l.b[path:pathEnd]...)
		l.b = append(l.b, `,"dir":`...)
		l.b = append(append(l.b, l.b[dir:rest]...), '}')
	}
	l.b = append(l.b, '}')
}

func equalForm(a, b *schemas.PathForm) bool {
	return a.Path == b.Path && a.Dir == b.Dir && (a.Segments == nil) == (b.Segments == nil) && slices.Equal(a.Segments, b.Segments)
}

func (l *line) form(f *schemas.PathForm) {
	l.b = append(l.b, '{')
	l.member("path", f.Path)
	l.member("dir", f.Dir)
	l.memberList("segments", f.Segments)
	l.b = append(l.b, '}')
}

// name begins a member, with a comma unless it is the first.
func (l *line) name(name string) {
	if l.b[len(l.b)-1] != '{' {
		l.b = append(l.b, ',')
	}
	l.b = append(append(append(l.b, '"'), name...), '"', ':')
}

func (l *line) member(name, value string) {
	l.name(name)
	l.text(value)
}

func (l *line) optional(name, value string) {
	if value != "" {
		l.member(name, value)
	}
}

func (l *line) number(name string, n int64) {
	l.name(name)
	l.b = strconv.AppendInt(l.b, n, 10)
}

func (l *line) boolean(name string, v bool) {
	l.name(name)
	l.b = strconv.AppendBool(l.b, v)
}

func (l *line) memberList(name string, values []string) {
	l.name(name)
	l.list(values)
}

func (l *line) optionalList(name string, values []string) {
	if len(values) > 0 {
		l.memberList(name, values)
	}
}

func (l *line) list(values []string) {
	if values == nil {
		l.b = append(l.b, "null"...)
		return
	}
	l.b = append(l.b, '[')
	for i, v := range values {
		if i > 0 {
			l.b = append(l.b, ',')
		}
		l.text(v)
	}
	l.b = append(l.b, ']')
}

// stringMap appends a map sorted by key, as encoding/json does.
func stringMap[V any](l *line, m map[string]V, value func(*line, V)) {
	if m == nil {
		l.b = append(l.b, "null"...)
		return
	}
	l.b = append(l.b, '{')
	var few [8]string // most maps are small: their keys stay on the stack
	keys := few[:0]
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if l.b[len(l.b)-1] != '{' {
			l.b = append(l.b, ',')
		}
		l.text(key)
		l.b = append(l.b, ':')
		value(l, m[key])
	}
	l.b = append(l.b, '}')
}

// text appends a string; one that needs escapes goes through encoding/json.
func (l *line) text(s string) {
	if !plainJSON(s) {
		_ = l.any(s) // a string can be encoded
		return
	}
	l.b = append(append(append(l.b, '"'), s...), '"')
}

// plainJSON tells whether a string stands in JSON as it is. It looks at eight
// bytes at a time: a byte is below a bound if subtracting that borrows its top
// bit, and equal to one if the difference is below 1.
func plainJSON(s string) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] {
		w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		quote, slash, del := w^ones*'"', w^ones*'\\', w^ones*0x7f
		if ((w-ones*' ')|(quote-ones)|(slash-ones)|(del-ones)|w)&tops != 0 {
			return plainBytes(s)
		}
	}
	return plainBytes(s)
}

func plainBytes(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			return false
		}
	}
	return true
}

// rare appends a member through encoding/json.
func (l *line) rare(name string, v any, there bool) {
	if there {
		l.name(name)
		_ = l.any(v) // plain structs can be encoded
	}
}

func (l *line) any(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	l.b = append(l.b, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
	return nil
}
