package diag

// auditCodes are given by `audit verify`; see package audit. No policy text
// triggers them.
var auditCodes = []CodeInfo{
	{Code: "OSP7001", Severity: Error, Part: PartAudit, Title: "record changed", Why: "A record is not the one whose hash the log's tree holds, and the tree is signed.", Fix: "Take the log from a backup; who changed it had write access to its folder and no key."},
	{Code: "OSP7002", Severity: Error, Part: PartAudit, Title: "records removed", Why: "Records that were signed are missing, and no record says that retention deleted them.", Fix: "Take the log from a backup. To delete old records use audit.keep or openshell-policy audit prune."},
	{Code: "OSP7003", Severity: Error, Part: PartAudit, Title: "record inserted", Why: "A record stands in the log that was not signed, and what was signed stands behind it.", Fix: "Take the log from a backup."},
	{Code: "OSP7004", Severity: Error, Part: PartAudit, Title: "records reordered", Why: "A record stands in the place of another one; segments may have been exchanged.", Fix: "Take the log from a backup, or give the files of segments/ their names back."},
	{Code: "OSP7005", Severity: Error, Part: PartAudit, Title: "log truncated", Why: "A checkpoint is of more records than the log holds: its end is missing.", Fix: "Take the log from a backup."},
	{Code: "OSP7006", Severity: Error, Part: PartAudit, Title: "log rolled back", Why: "A checkpoint that was kept is of more records, or of others: an older state, or another history that the log's key has signed, was put in the log's place.", Fix: "Find out who has write access to the folder and to the key; the checkpoint that was kept is the evidence."},
	{Code: "OSP7007", Severity: Error, Part: PartAudit, Title: "log rewritten", Why: "Records were replaced together with the tree over them, but not the checkpoints, which the key signs.", Fix: "Take the log from a backup."},
	{Code: "OSP7008", Severity: Error, Part: PartAudit, Title: "tile missing or damaged", Why: "A file of the tree does not hold what the records say. The records themselves are those that were signed, but fewer proofs can be made, and a change would not be named as exactly.", Fix: "Take tile/ from a backup."},
	{Code: "OSP7009", Severity: Error, Part: PartAudit, Title: "file of the log damaged", Why: "A segment, or a checkpoint, is missing, cannot be decoded, or is of another log or key.", Fix: "Compare the key and the origin; else take the file from a backup."},
}
