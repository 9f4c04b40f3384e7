// Package audit writes, checks and reads decision logs.
//
// # The log
//
// A log is a directory with one writer (Open takes a lock). docs/audit-format.md
// specifies every file in it:
//
//	DIR/lock                       held by the writer
//	DIR/key, DIR/key.pub           the log's identity: a note signer and verifier
//	DIR/checkpoint                 the newest signed checkpoint
//	DIR/segments/SEQ.ndjson        records from number SEQ on, one a line
//	DIR/segments/SEQ.ndjson.zst    the same, closed and compressed
//	DIR/segments/SEQ.checkpoint    the checkpoint signed when the segment closed
//	DIR/segments/SEQ.rollup        what a closed segment holds, counted
//	DIR/tile/...                   the Merkle tree over all records
//
// Records are schemas.Record in the shape of OPA's decision-log event. Their
// numbers (Custom.Seq) begin at 1 and have no gaps.
//
// # Writing
//
//	l, err := audit.Open(dir, audit.Options{Mode: audit.Strict})
//	err = l.Append(ctx, record)  // Strict: on disk; Bounded: queued
//	err = l.Enqueue(ctx, record) // queued, whatever the mode
//	err = l.Close()
//
// A record, and all that it points to, belongs to the log once it was handed
// over: the log masks, numbers and encodes it later, perhaps after Append has
// returned.
//
// # Reading
//
// Everything that reads takes a directory, or one plain file of records.
//
//	for r, err := range audit.Records(path, audit.Position{Seq: 1})     // decoded
//	for e, err := range audit.Entries(path, audit.Position{Since: t})   // the raw lines
//	segs, err := audit.Segments(path)                                   // to read several at once:
//	for e, err := range segs[i].Entries(audit.Position{})
//	err = audit.Follow(ctx, path, filter, fn)                           // and what comes
//	f, err := audit.ParseFields(e.Line)                                 // what filters look at, 20 x faster than decoding
//	rollups, err := audit.Rollups(path)                                 // counts of the closed segments
//
// Secrets are masked before a record is written (MaskRecord), and what people
// read is printed with every control character neutralised (Line).
package audit
