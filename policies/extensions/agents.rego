# METADATA
# title: Which agents may run
# description: >-
#   Denies every request and command of agents that are not listed, and of those that
#   say no name, whatever the policies allow.
package openshell.extension.agents

allowed := {"claude", "codex"}

deny contains {"code": "not_listed", "message": message} if {
	input.kind in {"network", "exec"}
	not name in allowed
	message := sprintf("agent %q is not one of %s", [name, concat(", ", sort(allowed))])
}

# An agent that is not there must not leave the rule undefined.
name := object.get(input.sandbox, "agent", "")
