package rego

import (
	"bytes"
	"encoding/json"
	"regexp"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/openshell-policy/openshell/schemas"
)

// indexed is a policy's source map, ready to explain by.
type indexed struct {
	digest digest
	index
	value ast.Value
	// ordinals finds rules by id.
	ordinals map[string]int
	// passthrough holds the host patterns of passthrough rules by ordinal.
	passthrough map[int]*regexp.Regexp
	// shown holds the patterns of query keys that rules name.
	shown map[string][]*regexp.Regexp
}

// index reads a policy's source map, or returns the one before if neither it nor
// what it is explained with changed.
func (c *content) index(s *shared, name string, old *policy) (*indexed, error) {
	text := c.data.Index[name]
	d := sum(s.digest[:], text)
	if old != nil && old.indexed.digest == d {
		return old.indexed, nil
	}
	x := &indexed{digest: d, ordinals: map[string]int{}}
	if err := json.Unmarshal(text, &x.index); err != nil {
		return nil, unfit("the index of policy %q cannot be read: %v", name, err)
	}
	var err error
	if x.value, err = ast.ValueFromReader(bytes.NewReader(text)); err != nil {
		return nil, unfit("the index of policy %q cannot be read: %v", name, err)
	}
	if x.passthrough, err = passthroughHosts(x.Rules); err != nil {
		return nil, unfit("the index of policy %q: %v", name, err)
	}
	if x.shown, err = shownOf(x.Rules); err != nil {
		return nil, unfit("the index of policy %q: %v", name, err)
	}
	for i := range x.Rules {
		r := &x.Rules[i]
		if _, ok := x.ordinals[r.ID]; !ok {
			x.ordinals[r.ID] = i
		}
		if r.Line > 0 {
			r.source = &schemas.Source{File: r.File, Line: r.Line}
		}
		r.verdict = s.message(r.decides(), r.Where, name, func(string) (string, bool) { return "", false })
	}
	return x, nil
}
