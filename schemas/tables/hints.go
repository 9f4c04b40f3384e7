package tables

import (
	"slices"
	"strings"
	"sync"
)

// Hint is what to tell somebody whose request was denied with Code. An empty
// field matches anything. The Rego library matches by the same rules, so
// they stay as simple as they are: equality, prefix and suffix.
type Hint struct {
	Code       string   `json:"code"`
	Hosts      []string `json:"hosts"`
	Method     string   `json:"method"`
	PathPrefix string   `json:"path_prefix"`
	PathSuffix string   `json:"path_suffix"`
	Commands   []string `json:"commands"` // families of programs
	Text       string   `json:"text"`
}

var hints = sync.OnceValue(func() []Hint {
	list := slices.Clone(entries[Hint]("hints.json")())
	for i := range list {
		list[i].Commands = expandGroups(list[i].Commands)
	}
	return list
})

func expandGroups(commands []string) []string {
	expanded := []string{}
	for _, c := range commands {
		if strings.HasPrefix(c, "@") {
			expanded = append(expanded, groupPrograms(c)...)
			continue
		}
		expanded = append(expanded, c)
	}
	return expanded
}

// Hints lists the hints; the first that matches is the one to give. Lists are
// empty, never nil.
func Hints() []Hint {
	list := slices.Clone(hints())
	for i := range list {
		list[i].Hosts = slices.Clone(list[i].Hosts)
		list[i].Commands = slices.Clone(list[i].Commands)
	}
	return list
}

// Matches tells whether the hint is for a denial with this code. Host and
// method are empty where the denial is not about a request, path where it is
// about a command, program (a family) where it is not.
func (h Hint) Matches(code, host, method, path, program string) bool {
	return h.Code == code &&
		(len(h.Hosts) == 0 || slices.Contains(h.Hosts, host)) &&
		(h.Method == "" || h.Method == method) &&
		strings.HasPrefix(path, h.PathPrefix) &&
		strings.HasSuffix(path, h.PathSuffix) &&
		(len(h.Commands) == 0 || slices.Contains(h.Commands, program))
}
