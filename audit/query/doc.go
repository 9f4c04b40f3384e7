// Package query reads decision logs, one or many as one, and picks, counts and
// prints what people ask for.
//
// A log is a directory that package audit wrote, a folder of such directories
// (gateway replicas, shims), or a file: records as NDJSON, or what OPA writes
// elsewhere (arrays as it uploads them, one event a line, its console output),
// plain, gzip or zstd. Several are merged by time.
//
//	f := query.Filter{Decision: "deny", Since: time.Now().Add(-time.Hour)}
//	for e, err := range query.Events([]string{"gw-0", "gw-1"}, f) { … }
package query
