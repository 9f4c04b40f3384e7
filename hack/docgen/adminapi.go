package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/openshell-policy/openshell/schemas/adminapi"
)

const adminIntro = `# The gateway's admin API

Generated from the table of routes in ` + "`schemas/adminapi`" + `, as ` + "`/openapi.json`" + ` is. [operations.md](operations.md) says where it listens and who may
use it. An ` + "`{id}`" + ` is ` + "`sb-a1b2c3`, `a1b2c3`" + ` or a unique prefix of either. Errors are ` + "`{\"error\", \"message\", \"detail\"}`" + ` with a 4xx or 5xx status.

| operation | what it does | parameters | takes | gives |
|---|---|---|---|---|
`

// adminAPI lists the operations of the admin API.
func adminAPI() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(generated + adminIntro)
	for _, r := range adminapi.Routes() {
		var params []string
		for _, p := range r.Query {
			params = append(params, fmt.Sprintf("`%s`: %s", p.Name, p.Doc))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", r.Pattern(), cell(r.Doc), cell(strings.Join(params, "; ")), body(r.In, r.Takes), body(r.Out, r.Gives))
	}
	return b.Bytes(), nil
}

func body(v any, kind string) string {
	switch {
	case kind != "":
		return kind
	case v == nil:
		return ""
	}
	return "`" + typeName(v) + "`"
}
