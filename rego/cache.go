package rego

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/openshell-policy/openshell/schemas"
)

// cache keeps the decisions of one generation by everything a decision depends
// on. A nil cache keeps nothing.
type cache struct {
	lru *lru.Cache[string, schemas.Decision]
}

func newCache(size int) *cache {
	if size < 0 {
		return nil
	}
	l, err := lru.New[string, schemas.Decision](size)
	if err != nil {
		return nil
	}
	return &cache{l}
}

func (c *cache) get(key []byte) (schemas.Decision, bool) {
	if c == nil || len(key) > maxKey {
		return schemas.Decision{}, false
	}
	return c.lru.Get(string(key))
}

func (c *cache) add(key []byte, d schemas.Decision) {
	if c != nil && len(key) <= maxKey {
		c.lru.Add(string(key), d)
	}
}

// maxKey bounds a cached input, in bytes: larger ones are decided each time.
const maxKey = 8 << 10

// cacheKey is the canonical encoding of an input: each field behind its length,
// so that no two inputs share one. Derived fields add nothing.
type cacheKey struct{ buf []byte }

var keyPool = sync.Pool{New: func() any { return &cacheKey{make([]byte, 0, 512)} }}

// acquireKey encodes what a decision depends on; with extensions that is all of the
// input.
func acquireKey(in *schemas.DecisionInput, extended bool) *cacheKey {
	k := keyPool.Get().(*cacheKey)
	k.buf = k.buf[:0]
	k.text(string(in.Kind), in.Policy)
	if extended {
		k.text(in.Sandbox.ID, in.Sandbox.Agent, in.Sandbox.Home)
		if in.Network != nil {
			k.number(int(in.Network.ContentLength))
		}
	}
	if n := in.Network; n != nil {
		k.network(n)
		return k
	}
	k.text(in.Sandbox.Home)
	if f := in.File; f != nil {
		k.file(f)
	}
	if x := in.Exec; x != nil {
		k.exec(x)
	}
	return k
}

func releaseKey(k *cacheKey) { keyPool.Put(k) }

func (k *cacheKey) text(fields ...string) {
	for _, s := range fields {
		k.buf = binary.AppendUvarint(k.buf, uint64(len(s)))
		k.buf = append(k.buf, s...)
	}
}

func (k *cacheKey) number(n int) { k.buf = binary.AppendVarint(k.buf, int64(n)) }

func (k *cacheKey) list(items []string) {
	k.number(len(items))
	for _, s := range items {
		k.text(s)
	}
}

func (k *cacheKey) flag(b bool) {
	if b {
		k.buf = append(k.buf, 1)
	} else {
		k.buf = append(k.buf, 0)
	}
}

func (k *cacheKey) network(n *schemas.NetworkInput) {
	k.text(n.Scheme, n.Host, n.Method, n.Path, n.Binary)
	k.number(n.Port)
	k.flag(n.WebSocket)
	k.list(n.Ancestors)
	k.number(len(n.Query))
	if len(n.Query) == 0 {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(n.Query)) {
		k.text(key)
		k.list(n.Query[key])
	}
}

func (k *cacheKey) file(f *schemas.FileInput) {
	k.text(string(f.Op), f.Path, f.Lexical)
	k.flag(f.KnownBlocked)
	k.flag(f.Target != nil)
	if t := f.Target; t != nil {
		k.text(t.Path, t.Lexical)
		k.flag(t.KnownBlocked)
	}
}

func (k *cacheKey) exec(x *schemas.ExecInput) {
	k.text(x.Parent)
	k.flag(x.EntryPoint)
	k.flag(x.Hook)
	k.flag(x.Opaque)
	k.list(x.EnvDenied)
	k.number(len(x.Commands))
	for i := range x.Commands {
		k.command(&x.Commands[i])
	}
}

// command also encodes operands: shell text adds some that the arguments do not
// show.
func (k *cacheKey) command(c *schemas.Command) {
	k.text(c.Program, c.Argv0, c.Path, c.Cwd, c.Origin)
	k.list(c.Links)
	k.list(c.Args)
	k.list(c.Operand)
	k.flag(c.PathWritable)
	k.number(len(c.Upstream))
	for _, i := range c.Upstream {
		k.number(i)
	}
}
