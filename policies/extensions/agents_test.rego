package openshell.extension.agents_test

import data.openshell.extension.agents

denials(kind, sandbox) := count(found) if {
	found := agents.deny with input as {"kind": kind, "sandbox": sandbox}
}

test_agents[note] if {
	some note, case in {
		"listed": {"kind": "network", "sandbox": {"id": "sb-1", "agent": "claude"}, "denials": 0},
		"not listed": {"kind": "network", "sandbox": {"id": "sb-1", "agent": "other"}, "denials": 1},
		"no name": {"kind": "exec", "sandbox": {"id": "sb-1"}, "denials": 1},
		"a file": {"kind": "file", "sandbox": {"id": "sb-1", "agent": "other"}, "denials": 0},
	}
	denials(case.kind, case.sandbox) == case.denials
}
