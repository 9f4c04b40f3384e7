package audit

// Code is the code under which openshell-policy explain describes the finding.
func (f *Finding) Code() string {
	return map[string]string{
		Changed: "OSP7001", Removed: "OSP7002", Inserted: "OSP7003", Reordered: "OSP7004", Truncated: "OSP7005",
		RolledBack: "OSP7006", Rewritten: "OSP7007", BadTile: "OSP7008", BadFile: "OSP7009",
	}[f.What]
}
