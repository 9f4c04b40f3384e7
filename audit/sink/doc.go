// Package sink sends decision logs elsewhere: to OPA's decision-log service, as
// OpenTelemetry logs, to the standard output.
//
// A sink reads the log, from a position that it keeps on disk, and is in nobody's
// way: a decision waits for the log alone. The log is the spool, so nothing is
// lost while a receiver is away or the process restarts, for as long as the log
// keeps its records; what was deleted before it could be sent is reported. A
// record may arrive twice (after a crash, or when an answer was lost); its
// decision_id and seq tell.
package sink
