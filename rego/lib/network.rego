# METADATA
# title: Requests
# description: >-
#   Deny rules come first, then the allow rule listed first, then the nearest
#   miss. The generated sets hit and near hold ordinals of the index.
package openshell.network

import data.openshell.explain

rules := data.openshell.index[input.policy].rules

hit := min(data.openshell.policies[input.policy].network.hit)

near := min(data.openshell.policies[input.policy].network.near)

decision := explain.by(hit, outcome[rules[hit].effect], {}) if {
	hit
} else := near_miss if {
	near
} else := explain.by_default("default", "host_not_in_policy", {"host": input.network.host})

outcome := {"allow": "allowed", "deny": "denied_rule"}

# near_miss denies with the first check that the nearest rule fails. The rule's
# own mode holds once host and port match.
near_miss := object.union(explain.by(near[1], near[2], values), {"mode": mode}) if {
	rule := rules[near[1]]
	mode := near_mode(near[0], rule)
	values := {
		"host": input.network.host,
		"port": input.network.port,
		"scheme": input.network.scheme,
		"method": input.network.method,
		"path": input.network.path,
		"binary": opened_by,
		"ports": object.get(rule, ["ports"], ""),
		"methods": object.get(rule, ["methods"], ""),
		"key": missed_key(near, rule),
		"detail": sprintf("the path holds %%2F, which %s does not take; it needs encoded_slash: allow", [rule.where]),
	}
}

# missed_key is the query key that the near miss is about.
missed_key(miss, rule) := rule.query[place].key if {
	place := abs(miss[3])
} else := ""

near_mode(passed, rule) := rule.mode if {
	passed <= -2
} else := data.openshell.index[input.policy].mode

opened_by := input.network.binary if {
	input.network.binary != ""
} else := "an unknown program"
