package diag

// Fix is a change that would mend a finding. All of its edits belong together.
type Fix struct {
	Title string `json:"title"` // what it does: "write api.example.com"
	// Safe tells that the policy then decides as it did, or as it evidently was
	// meant to where it did not compile; such a fix is applied unasked by --fix.
	Safe  bool   `json:"safe"`
	Edits []Edit `json:"edits"`
}

// Edit replaces the bytes from Start up to End of a file with New.
type Edit struct {
	File  string `json:"file"`
	Start int    `json:"start"` // bytes from the beginning of the file
	End   int    `json:"end"`
	New   string `json:"new"`
}
