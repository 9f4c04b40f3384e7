package openshell_test

import data.openshell

index := {"p": {
	"file": "p.yaml", "line": 4, "mode": "enforce",
	"execution": true, "restricted": true, "none": false, "carriers": true,
	"rules": [
		{"id": "denied[0]", "file": "p.yaml", "line": 8, "effect": "deny", "mode": "enforce", "where": "denied[0], p.yaml:8"},
		{"id": "outbound[0]", "file": "p.yaml", "line": 10, "effect": "allow", "mode": "audit", "where": "outbound[0], p.yaml:10", "methods": "GET", "ports": "443"},
		{"id": "filesystem.blocked[0]", "file": "p.yaml", "line": 12, "effect": "deny", "mode": "enforce", "where": "filesystem.blocked[0], p.yaml:12"},
		{"id": "filesystem.writable[0]", "file": "p.yaml", "line": 13, "effect": "allow", "mode": "enforce", "where": "filesystem.writable[0], p.yaml:13"},
		{"id": "execution.blocked_commands[0]", "file": "p.yaml", "line": 15, "effect": "deny", "mode": "enforce", "where": "execution.blocked_commands[0], p.yaml:15"},
		{"id": "execution.allowed_commands[0]", "file": "p.yaml", "line": 16, "effect": "allow", "mode": "enforce", "where": "execution.allowed_commands[0], p.yaml:16", "program": "git"},
	],
}}

codes := {
	"allowed": "allowed by {where}",
	"denied_rule": "denied by {where}",
	"host_not_in_policy": "{host} is not in policy {policy}",
	"method_not_allowed": "{method} is not in [{methods}] of {where}",
	"bad_request": "{detail}",
	"no_policy": "policy {policy} is not loaded",
	"blocked_path": "{path} is blocked by {where}",
	"not_writable": "{path} is not writable under policy {policy}",
	"not_readable": "{path} is not readable under policy {policy}",
	"blocked_command": "{command} is blocked by {where}",
	"command_not_allowed": "{command} is not in allowed_commands of policy {policy}",
	"untrusted_program": "{program} is not a trusted {name}",
}

request := {"kind": "network", "policy": "p", "sandbox": {"id": "sb-1"}, "network": {
	"scheme": "https", "host": "a.example.com", "port": 443, "method": "GET", "path": "/x", "query": {},
	"websocket": false, "binary": "", "ancestors": [], "authority": "a.example.com", "parent": "example.com",
	"host_parent": "example.com", "dir": "/x/", "segments": ["x"],
	"folded": {"path": "/x", "dir": "/x/", "segments": ["x"]}, "split": {"path": "/x", "dir": "/x/", "segments": ["x"]},
}}

answer(asked, policies) := decided if {
	decided := openshell.decision with input as asked
		with data.openshell.index as index
		with data.openshell.codes as codes
		with data.openshell.hints as []
		with data.openshell.tables as {"carriers": ["bash"], "helpers": [], "loaders": []}
		with data.openshell.revision as "r1"
		with data.openshell.policies as policies
}

net(hit, near) := {"p": {"network": {"hit": hit, "near": near}}}

test_an_allow_rule_allows if {
	d := answer(request, net({1}, set()))
	d.allow
	d.rule == "outbound[0]"
	d.mode == "audit"
	d.source == {"file": "p.yaml", "line": 10}
	d.message == "allowed by outbound[0], p.yaml:10"
	d.revision == "r1"
}

test_a_deny_rule_comes_first if {
	d := answer(request, net({0, 1}, set()))
	not d.allow
	d.code == "denied_rule"
	d.rule == "denied[0]"
}

test_the_nearest_miss_is_the_one_that_passed_most if {
	d := answer(request, net(set(), {[-1, 0, "port_not_allowed"], [-4, 1, "method_not_allowed"]}))
	d.code == "method_not_allowed"
	d.message == "GET is not in [GET] of outbound[0], p.yaml:10"
	d.mode == "audit"
}

test_before_host_and_port_match_the_mode_is_the_policys if {
	d := answer(request, net(set(), {[-1, 1, "method_not_allowed"]}))
	d.mode == "enforce"
}

test_no_rule_names_the_host if {
	d := answer(request, net(set(), set()))
	d.code == "host_not_in_policy"
	d.rule == "default"
	not d.source
}

test_an_unknown_policy_denies if {
	d := answer(object.union(request, {"policy": "q"}), net({1}, set()))
	d.code == "no_policy"
	not d.allow
}

test_what_is_missing_is_named[note] if {
	some note, case in {
		"no kind": {"asked": object.remove(request, ["kind"]), "message": "the input's kind is not network, file or exec"},
		"no policy": {"asked": object.remove(request, ["policy"]), "message": "the input has no policy"},
		"no request": {"asked": object.remove(request, ["network"]), "message": "the input has no network"},
		"no derived field": {"asked": object.union(object.remove(request, ["network"]), {"network": object.remove(request.network, ["dir"])}), "message": "the input's network lacks dir"},
		"no command": {"asked": {"kind": "exec", "policy": "p", "exec": {"commands": [], "parent": "", "entry_point": false, "hook": true, "env_denied": [], "opaque": false}}, "message": "the input has no command"},
		"no target": {"asked": {"kind": "file", "policy": "p", "file": {"op": "rename", "path": "/a", "lexical": "/a", "known_blocked": false}}, "message": "rename needs a target"},
		"no such operation": {"asked": {"kind": "file", "policy": "p", "file": {"op": "peek", "path": "/a", "lexical": "/a", "known_blocked": false}}, "message": "peek is not a file operation"},
	}
	d := answer(case.asked, net({1}, set()))
	d.code == "bad_request"
	d.message == case.message
	not d.allow
}

test_nothing_at_all_denies if {
	d := answer({}, {})
	not d.allow
}
