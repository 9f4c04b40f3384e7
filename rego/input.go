package rego

import (
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/openshell-policy/openshell/schemas"
)

// fieldSet says which fields of input.network a policy's generated rules read;
// the others are left out of the input of the fast path.
type fieldSet uint32

const (
	fieldAncestors fieldSet = 1 << iota
	fieldAuthority
	fieldBinary
	fieldDir
	fieldFolded
	fieldHost
	fieldHostParent
	fieldMethod
	fieldParent
	fieldPath
	fieldPort
	fieldQuery
	fieldScheme
	fieldSegments
	fieldSplit
	fieldWebSocket
)

// fields is sorted by key, as ast objects want them.
var fields = []struct {
	bit  fieldSet
	name string
	key  *ast.Term
	term func(*terms, *schemas.NetworkInput) *ast.Term
}{
	{fieldAncestors, "ancestors", ast.StringTerm("ancestors"), func(t *terms, n *schemas.NetworkInput) *ast.Term { return t.strings(n.Ancestors) }},
	{fieldAuthority, "authority", ast.StringTerm("authority"), func(t *terms, n *schemas.NetworkInput) *ast.Term { return t.string(n.Authority) }},
	{fieldBinary, "binary", ast.StringTerm("binary"), func(t *terms, n *schemas.NetworkInput) *ast.Term { return t.string(n.Binary) }},
	{fieldDir, "dir", ast.StringTerm("dir"), func(t *terms, n *schemas.NetworkInput) *ast.Term { return t.string(n.Dir) }},
	{fieldFolded, "folded", ast.StringTerm("folded"), func(t *terms, n *schemas.NetworkInput) *ast.Term { return t.form(&n.Folded) }},
	{fieldHost, "host", ast.StringTerm("host"), func(t *terms, n *schemas.NetworkInput) *ast.Term { return t.string(n.Host) }},
	{fieldHostParent, "host_parent", ast.StringTerm("host_parent"), func(t *terms, n *schemas.NetworkInput) *ast.Term { return t.string(n.HostParent) }},
	{fieldMethod, "method", ast.StringTerm("method"), func(t *terms, n *schemas.NetworkInput) *ast.Term { return t.method(n.Method) }},
	{fieldParent, "parent", ast.StringTerm("parent"), func(t *terms, n *schemas.NetworkInput) *ast.Term { return t.string(n.Parent) }},
	{fieldPath, "path", ast.StringTerm("path"), func(t *terms, n *schemas.NetworkInput) *ast.Term { return t.string(n.Path) }},
	{fieldPort, "port", ast.StringTerm("port"), func(_ *terms, n *schemas.NetworkInput) *ast.Term { return ast.InternedTerm(n.Port) }},
	{fieldQuery, "query", ast.StringTerm("query"), func(t *terms, n *schemas.NetworkInput) *ast.Term { return t.query(n.Query) }},
	{fieldScheme, "scheme", ast.StringTerm("scheme"), func(_ *terms, n *schemas.NetworkInput) *ast.Term { return schemeTerm(n.Scheme) }},
	{fieldSegments, "segments", ast.StringTerm("segments"), func(t *terms, n *schemas.NetworkInput) *ast.Term { return t.strings(n.Segments) }},
	{fieldSplit, "split", ast.StringTerm("split"), func(t *terms, n *schemas.NetworkInput) *ast.Term { return t.form(&n.Split) }},
	{fieldWebSocket, "websocket", ast.StringTerm("websocket"), func(_ *terms, n *schemas.NetworkInput) *ast.Term { return ast.InternedTerm(n.WebSocket) }},
}

// fieldsOf finds the fields that a module's rules read: hit all but those that
// only the near-miss set needs. A reference to input.network that is
// not to one known field asks for all of them.
func fieldsOf(m *ast.Module) (hit, near fieldSet) {
	byName := map[string]fieldSet{}
	var all fieldSet
	for _, f := range fields {
		byName[f.name] = f.bit
		all |= f.bit
	}
	for _, r := range m.Rules {
		used := fieldSet(0)
		ast.WalkRefs(r, func(ref ast.Ref) bool {
			if ref.HasPrefix(ast.InputRootRef) {
				used |= fieldOf(ref, byName, all)
			}
			return false
		})
		near |= used
		switch r.Head.Name {
		case "near", "late", "elsewhere":
		default:
			hit |= used
		}
	}
	return hit, near
}

func fieldOf(ref ast.Ref, byName map[string]fieldSet, all fieldSet) fieldSet {
	if len(ref) > 2 && ref[1].Equal(networkKey) {
		if name, ok := ref[2].Value.(ast.String); ok && byName[string(name)] != 0 {
			return byName[string(name)]
		}
	}
	return all
}

var (
	networkKey  = ast.StringTerm("network")
	pathKey     = ast.StringTerm("path")
	dirKey      = ast.StringTerm("dir")
	segmentsKey = ast.StringTerm("segments")
	httpsTerm   = ast.StringTerm("https")
	httpTerm    = ast.StringTerm("http")
	methodTerms = func() map[string]*ast.Term {
		m := map[string]*ast.Term{}
		for _, name := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			m[name] = ast.StringTerm(name)
		}
		return m
	}()
)

// terms lends the terms of one input. An evaluation keeps none of them: its
// results are ordinals and codes of the policy.
type terms struct {
	lent int
	pool [64]ast.Term
}

var termPool = sync.Pool{New: func() any { return new(terms) }}

func borrowTerms() *terms { return termPool.Get().(*terms) }

func (t *terms) release() {
	clear(t.pool[:t.lent])
	t.lent = 0
	termPool.Put(t)
}

func (t *terms) of(v ast.Value) *ast.Term {
	if t.lent == len(t.pool) {
		return ast.NewTerm(v)
	}
	term := &t.pool[t.lent]
	t.lent++
	term.Value = v
	return term
}

// network builds the input of the fast path.
func (t *terms) network(n *schemas.NetworkInput, used fieldSet) *ast.Term {
	var pairs [16][2]*ast.Term
	k := 0
	for i := range fields {
		if f := &fields[i]; used&f.bit != 0 {
			pairs[k] = [2]*ast.Term{f.key, f.term(t, n)}
			k++
		}
	}
	inner := t.of(ast.NewObject(pairs[:k]...))
	return t.of(ast.NewObject([2]*ast.Term{networkKey, inner}))
}

func (t *terms) string(s string) *ast.Term { return t.of(ast.String(s)) }

func schemeTerm(s string) *ast.Term {
	if s == "https" {
		return httpsTerm
	}
	return httpTerm
}

func (t *terms) method(s string) *ast.Term {
	if m, ok := methodTerms[s]; ok {
		return m
	}
	return t.string(s)
}

func (t *terms) strings(items []string) *ast.Term {
	list := make([]*ast.Term, len(items))
	for i, s := range items {
		list[i] = t.string(s)
	}
	return t.of(ast.NewArray(list...))
}

func (t *terms) form(f *schemas.PathForm) *ast.Term {
	return t.of(ast.NewObject(
		[2]*ast.Term{dirKey, t.string(f.Dir)},
		[2]*ast.Term{pathKey, t.string(f.Path)},
		[2]*ast.Term{segmentsKey, t.strings(f.Segments)},
	))
}

func (t *terms) query(q map[string][]string) *ast.Term {
	pairs := make([][2]*ast.Term, 0, len(q))
	for k, v := range q {
		pairs = append(pairs, [2]*ast.Term{t.string(k), t.strings(v)})
	}
	return t.of(ast.NewObject(pairs...))
}
