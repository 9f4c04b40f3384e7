# METADATA
# title: Explanations
# description: >-
#   Builds decision objects: the message from the code's template, the rule's
#   position, a hint. Package rego fills the same templates in Go; a test holds
#   both to the same words.
package openshell.explain

import data.openshell.exec

index := data.openshell.index[input.policy]

# by is a decision that a rule, given by its ordinal, brought about.
by(ordinal, code, values) := object.union(decide(rule.id, rule.mode, code, object.union({"where": rule.where}, values)), source(rule)) if {
	rule := index.rules[ordinal]
}

# default is a decision that no rule of the policy brought about.
by_default(id, code, values) := decide(id, index.mode, code, object.union({"where": where}, values)) if {
	where := sprintf("policy %s", [input.policy])
}

bad_request(detail) := object.union(
	decide("default", "enforce", "bad_request", {"detail": detail}),
	{"policy": object.get(input, ["policy"], "")},
)

no_policy := decide("default", "enforce", "no_policy", {})

decide(id, mode, code, values) := object.union(
	{
		"allow": code == "allowed",
		"mode": mode,
		"code": code,
		"message": message(code, values),
		"rule": id,
		"policy": object.get(input, ["policy"], ""),
		"revision": data.openshell.revision,
	},
	hint(code),
)

source(rule) := {"source": {"file": rule.file, "line": rule.line}} if {
	rule.line > 0
} else := {}

message(code, values) := strings.replace_n(braced, data.openshell.codes[code]) if {
	all := object.union({"policy": object.get(input, ["policy"], "")}, values)
	braced := {sprintf("{%s}", [key]): sprintf("%v", [value]) | some key, value in all}
}

# hint is the first of the table that fits a denial.
hint(code) := {"hint": texts[0]} if {
	texts := [h.text | some h in data.openshell.hints; h.code == code; fits(h)]
	count(texts) > 0
} else := {}

fits(h) if {
	about.host in any_of(h.hosts, about.host)
	about.method in any_of([m | some m in [h.method]; m != ""], about.method)
	startswith(about.path, h.path_prefix)
	endswith(about.path, h.path_suffix)
	about.program in any_of(h.commands, about.program)
}

any_of(list, value) := [value] if {
	count(list) == 0
} else := list

# about is what hints are matched against.
about := {"host": input.network.host, "method": input.network.method, "path": input.network.path, "program": ""} if {
	input.kind == "network"
} else := {"host": "", "method": "", "path": input.file.path, "program": ""} if {
	input.kind == "file"
} else := {"host": "", "method": "", "path": "", "program": input.exec.commands[exec.denied_at].named} if {
	input.kind == "exec"
} else := {"host": "", "method": "", "path": "", "program": input.exec.commands[0].named} if {
	input.kind == "exec"
}
