package tables

import (
	"embed"
	"encoding/json"
	"fmt"
	"sync"
)

//go:embed *.json
var files embed.FS

// entries returns a function that decodes a table at its first call. That a
// file is well-formed is for a test to say, so an error panics.
func entries[T any](file string) func() []T {
	return sync.OnceValue(func() []T {
		var table struct {
			Comment string `json:"comment"`
			Entries []T    `json:"entries"`
		}
		data, err := files.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(data, &table)
		}
		if err != nil {
			panic(fmt.Sprintf("table %s: %v", file, err))
		}
		return table.Entries
	})
}
