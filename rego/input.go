package rego

import (
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
	term func(*schemas.NetworkInput) *ast.Term
}{
	{fieldAncestors, "ancestors", ast.StringTerm("ancestors"), func(n *schemas.NetworkInput) *ast.Term { return stringsTerm(n.Ancestors) }},
	{fieldAuthority, "authority", ast.StringTerm("authority"), func(n *schemas.NetworkInput) *ast.Term { return ast.StringTerm(n.Authority) }},
	{fieldBinary, "binary", ast.StringTerm("binary"), func(n *schemas.NetworkInput) *ast.Term { return ast.StringTerm(n.Binary) }},
	{fieldDir, "dir", ast.StringTerm("dir"), func(n *schemas.NetworkInput) *ast.Term { return ast.StringTerm(n.Dir) }},
	{fieldFolded, "folded", ast.StringTerm("folded"), func(n *schemas.NetworkInput) *ast.Term { return formTerm(&n.Folded) }},
	{fieldHost, "host", ast.StringTerm("host"), func(n *schemas.NetworkInput) *ast.Term { return ast.StringTerm(n.Host) }},
	{fieldHostParent, "host_parent", ast.StringTerm("host_parent"), func(n *schemas.NetworkInput) *ast.Term { return ast.StringTerm(n.HostParent) }},
	{fieldMethod, "method", ast.StringTerm("method"), func(n *schemas.NetworkInput) *ast.Term { return methodTerm(n.Method) }},
	{fieldParent, "parent", ast.StringTerm("parent"), func(n *schemas.NetworkInput) *ast.Term { return ast.StringTerm(n.Parent) }},
	{fieldPath, "path", ast.StringTerm("path"), func(n *schemas.NetworkInput) *ast.Term { return ast.StringTerm(n.Path) }},
	{fieldPort, "port", ast.StringTerm("port"), func(n *schemas.NetworkInput) *ast.Term { return ast.InternedTerm(n.Port) }},
	{fieldQuery, "query", ast.StringTerm("query"), func(n *schemas.NetworkInput) *ast.Term { return queryTerm(n.Query) }},
	{fieldScheme, "scheme", ast.StringTerm("scheme"), func(n *schemas.NetworkInput) *ast.Term { return schemeTerm(n.Scheme) }},
	{fieldSegments, "segments", ast.StringTerm("segments"), func(n *schemas.NetworkInput) *ast.Term { return stringsTerm(n.Segments) }},
	{fieldSplit, "split", ast.StringTerm("split"), func(n *schemas.NetworkInput) *ast.Term { return formTerm(&n.Split) }},
	{fieldWebSocket, "websocket", ast.StringTerm("websocket"), func(n *schemas.NetworkInput) *ast.Term { return ast.InternedTerm(n.WebSocket) }},
}

// fieldsOf finds the fields that a module reads. A reference to input.network
// that is not to one known field asks for all of them.
func fieldsOf(m *ast.Module) fieldSet {
	byName := map[string]fieldSet{}
	var all, used fieldSet
	for _, f := range fields {
		byName[f.name] = f.bit
		all |= f.bit
	}
	ast.WalkRefs(m, func(ref ast.Ref) bool {
		if !ref.HasPrefix(ast.InputRootRef) {
			return false
		}
		bit := all
		if len(ref) > 2 && ref[1].Equal(networkKey) {
			if name, ok := ref[2].Value.(ast.String); ok && byName[string(name)] != 0 {
				bit = byName[string(name)]
			}
		}
		used |= bit
		return false
	})
	return used
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

// networkTerm builds the input of the fast path.
func networkTerm(n *schemas.NetworkInput, used fieldSet) *ast.Term {
	var pairs [16][2]*ast.Term
	k := 0
	for i := range fields {
		if f := &fields[i]; used&f.bit != 0 {
			pairs[k] = [2]*ast.Term{f.key, f.term(n)}
			k++
		}
	}
	inner := ast.NewTerm(ast.NewObject(pairs[:k]...))
	return ast.NewTerm(ast.NewObject([2]*ast.Term{networkKey, inner}))
}

func schemeTerm(s string) *ast.Term {
	if s == "https" {
		return httpsTerm
	}
	return httpTerm
}

func methodTerm(s string) *ast.Term {
	if t, ok := methodTerms[s]; ok {
		return t
	}
	return ast.StringTerm(s)
}

func stringsTerm(items []string) *ast.Term {
	terms := make([]*ast.Term, len(items))
	for i, s := range items {
		terms[i] = ast.StringTerm(s)
	}
	return ast.ArrayTerm(terms...)
}

func formTerm(f *schemas.PathForm) *ast.Term {
	return ast.ObjectTerm(
		[2]*ast.Term{dirKey, ast.StringTerm(f.Dir)},
		[2]*ast.Term{pathKey, ast.StringTerm(f.Path)},
		[2]*ast.Term{segmentsKey, stringsTerm(f.Segments)},
	)
}

func queryTerm(q map[string][]string) *ast.Term {
	pairs := make([][2]*ast.Term, 0, len(q))
	for k, v := range q {
		pairs = append(pairs, [2]*ast.Term{ast.StringTerm(k), stringsTerm(v)})
	}
	return ast.ObjectTerm(pairs...)
}
