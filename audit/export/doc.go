// Package export writes decision logs for other programs: newline-delimited
// JSON, CSV that no spreadsheet runs, OCSF events, and the arrays of OPA's
// decision-log service.
package export
