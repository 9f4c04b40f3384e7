# METADATA
# title: File operations
# description: >-
#   Blocked comes before everything, then readonly, then writable, then the
#   baseline. Every path of the operation is judged: resolved, lexical, and both
#   of the target.
package openshell.file

import data.openshell.explain

reads := {"read", "list", "exec"}

operations := reads | {
	"stat", "write", "create", "truncate", "delete", "rename", "link",
	"chmod", "chown", "xattr", "utimes", "mknod",
}

sides := [input.file] if {
	not input.file.target
} else := [input.file, input.file.target]

decision := explain.by_default("default", "allowed", {}) if {
	input.file.op == "stat"
} else := object.union(explain.by(min(blocked), "blocked_path", {"path": blocked_at[min(blocked)]}), strictest) if {
	count(blocked) > 0
} else := explain.by_default("default", "blocked_path", {"path": known[0], "where": "an object known to be blocked"}) if {
	count(known) > 0
} else := read_decision if {
	input.file.op in reads
} else := write_decision

# strictest: mode audit never lets a well-known secret through, also where an entry
# of the policy that is listed before it blocks the same path.
strictest := {"mode": "enforce"} if {
	some ordinal in blocked
	data.openshell.index[input.policy].rules[ordinal].mode == "enforce"
} else := {}

known := [side.path | some side in sides; side.known_blocked]

# blocked holds the ordinals of blocked entries over every path.
blocked := {ordinal | some ordinal, _ in blocked_at}

# blocked_at says which path an entry blocks.
blocked_at[ordinal] := min(paths) if {
	some side in sides
	some path in [side.path, side.lexical]
	some ordinal in blocking(path)
	paths := {other |
		some s in sides
		some other in [s.path, s.lexical]
		ordinal in blocking(other)
	}
}

blocking(path) := at(path).blocked | below_home(path)

below_home(path) := at(substring(path, count(home), -1)).home_blocked if {
	home := input.sandbox.home
	startswith(concat("", [path, "/"]), concat("", [home, "/"]))
} else := set()

read_decision := explain.by(readable[0], "allowed", {}) if {
	count(readable) > 0
} else := explain.by_default("default", "not_readable", {"path": input.file.path})

# readable lists the ordinals that make the path readable, the deciding first.
readable := [ordinal |
	found := at(input.file.path)
	some list in [found.writable, found.readonly, found.baseline]
	some ordinal in list
]

write_decision := explain.by(readonly.ordinal, "not_writable", {"path": readonly.path}) if {
	readonly
} else := explain.by_default("default", "not_writable", {"path": unwritable}) if {
	unwritable
} else := explain.by(min(at(input.file.path).writable), "allowed", {})

# readonly is the first readonly entry over a side of the operation.
readonly := found[0] if {
	found := [{"ordinal": min(ordinals), "path": side.path} |
		some side in sides
		ordinals := at(side.path).readonly
		count(ordinals) > 0
	]
}

unwritable := found[0] if {
	found := [side.path | some side in sides; count(at(side.path).writable) == 0]
}

# writable tells whether the sandbox may change a file; package exec asks it
# about programs.
writable(path) if {
	count(blocking(path)) == 0
	found := at(path)
	count(found.writable) > 0
	count(found.readonly) == 0
}

# at evaluates the generated sets for one path.
at(path) := {
	"blocked": blocked_set,
	"home_blocked": home_blocked,
	"writable": writable_set,
	"readonly": readonly_set,
	"baseline": baseline,
} if {
	subject := forms(path)
	blocked_set := data.openshell.policies[input.policy].file.blocked with input.subject as subject
	home_blocked := data.openshell.policies[input.policy].file.home_blocked with input.subject as subject
	writable_set := data.openshell.policies[input.policy].file.writable with input.subject as subject
	readonly_set := data.openshell.policies[input.policy].file.readonly with input.subject as subject
	baseline := data.openshell.policies[input.policy].file.baseline with input.subject as subject
}

# forms are what patterns are matched against: dir ends in a slash, segments
# leaves out the empty one before the first.
forms(path) := {"path": path, "dir": dir, "segments": segments} if {
	dir := concat("", [trim_suffix(path, "/"), "/"])
	segments := split(substring(path, 1, -1), "/")
}
