// Package adminapi holds the types of the gateway's admin API, its table of
// routes (Routes), the OpenAPI document made from them and a client.
package adminapi

import _ "embed"

//go:embed openapi.json
var openAPI []byte

// OpenAPI returns the OpenAPI 3.1 document of the API, which the gateway serves
// as /openapi.json.
func OpenAPI() []byte { return openAPI }
