package tables

import (
	"maps"
	"slices"
)

// Agent is a coding agent that the toolchain knows.
type Agent struct {
	Name   string            `json:"name"`  // of its command
	Title  string            `json:"title"` // for people
	Policy string            `json:"policy"`
	Env    []string          `json:"env"` // variables that it takes from the user's environment
	Set    map[string]string `json:"set"` // and that it is given
}

var agents = entries[Agent]("agents.json")

// Agents lists the agents by name.
func Agents() []Agent {
	list := slices.Clone(agents())
	for i := range list {
		list[i].Env, list[i].Set = slices.Clone(list[i].Env), maps.Clone(list[i].Set)
	}
	return list
}

// AgentOf returns the agent whose command has this name.
func AgentOf(command string) (Agent, bool) {
	for _, a := range Agents() {
		if a.Name == command {
			return a, true
		}
	}
	return Agent{}, false
}
