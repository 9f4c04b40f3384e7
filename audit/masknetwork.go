package audit

import (
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/schemas"
)

const networkAt = "/input/network"

func (m *masker) network(in *schemas.NetworkInput) *schemas.NetworkInput {
	if in == nil {
		return nil
	}
	n, changed := *in, false
	if len(in.Query) > 0 {
		if query, masked := m.query(networkAt+"/query", in.Query); masked {
			n.Query, changed = query, true
		}
	}
	before := len(m.seen)
	n.Path = MaskText(in.Path)
	if n.Path != in.Path {
		m.path(&n)
	}
	if n.Host = m.text(networkAt+"/host", in.Host); n.Host != in.Host {
		m.host(&n, in.Host)
	}
	n.Method = m.text(networkAt+"/method", in.Method)
	n.Binary = m.text(networkAt+"/binary", in.Binary)
	n.Ancestors = m.list(networkAt+"/ancestors", in.Ancestors, m.text)
	if !changed && len(m.seen) == before {
		return in
	}
	return &n
}

// path makes the forms of a path again from its masked form, so that none keeps
// what the path lost.
func (m *masker) path(n *schemas.NetworkInput) {
	for _, name := range pathFields {
		m.note(networkAt + "/" + name)
	}
	setPath(n)
}

// pathFields all hold the path.
var pathFields = []string{"path", "dir", "segments", "folded", "split"}

func setPath(n *schemas.NetworkInput) {
	folded := trimSlash(strings.ToLower(n.Path))
	whole := pathForm(n.Path)
	n.Dir, n.Segments = whole.Dir, whole.Segments
	n.Folded = pathForm(folded)
	n.Split = pathForm(trimSlash(strings.ReplaceAll(folded, "%2f", "/")))
}

func pathForm(path string) schemas.PathForm {
	f := schemas.PathForm{Path: path, Dir: path, Segments: strings.Split(strings.TrimPrefix(path, "/"), "/")}
	if !strings.HasSuffix(path, "/") {
		f.Dir = path + "/"
	}
	return f
}

func trimSlash(path string) string {
	if len(path) > 1 {
		return strings.TrimSuffix(path, "/")
	}
	return path
}

// host makes what is derived from a host again: a label may be a token.
func (m *masker) host(n *schemas.NetworkInput, was string) {
	n.Authority = strings.Replace(n.Authority, was, n.Host, 1)
	n.Parent, n.HostParent = MaskText(n.Parent), MaskText(n.HostParent)
	for _, name := range []string{"authority", "parent", "host_parent"} {
		m.note(networkAt + "/" + name)
	}
}

// query masks every value that no rule names.
func (m *masker) query(at string, in map[string][]string) (out map[string][]string, changed bool) {
	out = make(map[string][]string, len(in))
	var pointers []string
	for key, values := range in {
		name := MaskText(key)
		kept := out[name]
		masked := name != key
		for _, v := range values {
			shown := m.value(key, v)
			masked = masked || shown != v
			kept = append(kept, shown)
		}
		out[name] = kept
		if masked {
			changed = true
			pointers = append(pointers, at+"/"+pointerToken(name))
		}
	}
	slices.Sort(pointers)
	m.seen = append(slices.Clip(m.seen), slices.Compact(pointers)...)
	return out, changed
}

func (m *masker) value(key, v string) string {
	if v == "" || v == Masked {
		return v
	}
	if m.rules != nil && m.rules.QueryShown(m.policy, key, v) {
		return MaskText(v)
	}
	m.drop(v)
	return Masked
}
