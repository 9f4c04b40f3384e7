package rego

import (
	"bytes"
	"context"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// store holds the bundle's data, immutable, under one read transaction that is
// never closed: a decision opens none of its own. The values of policies that did
// not change are those of the generation before.
func (c *content) store(g *Generation) error {
	index := ast.NewObject()
	for name, p := range g.policies {
		index.Insert(ast.StringTerm(name), ast.NewTerm(p.indexed.value))
	}
	extensions, err := ast.InterfaceToValue(c.data.Extensions)
	if err != nil {
		return unfit("its extensions cannot be read: %v", err)
	}
	root := ast.NewObject(
		[2]*ast.Term{ast.StringTerm("extensions_index"), ast.NewTerm(extensions)},
		[2]*ast.Term{ast.StringTerm("revision"), ast.StringTerm(c.data.Revision)},
		[2]*ast.Term{ast.StringTerm("index"), ast.NewTerm(index)},
	)
	for key, text := range map[string][]byte{"codes": c.data.Codes, "hints": c.data.Hints, "tables": c.data.Tables} {
		value, err := ast.ValueFromReader(bytes.NewReader(text))
		if err != nil {
			return unfit("its %s cannot be read: %v", key, err)
		}
		root.Insert(ast.StringTerm(key), ast.NewTerm(value))
	}
	s := inmem.NewFromASTObject(ast.NewObject([2]*ast.Term{ast.StringTerm("openshell"), ast.NewTerm(root)}))
	txn, err := s.NewTransaction(context.Background())
	if err != nil {
		return fmt.Errorf("open the bundle's data: %w", err)
	}
	g.data = base{s, txn}
	return nil
}

// base is the data that rules read.
type base struct {
	store storage.Store
	txn   storage.Transaction
}
