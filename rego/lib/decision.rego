# METADATA
# title: The decision
# description: >-
#   data.openshell.decision answers one input, in any OPA. It is defined for
#   every input: what cannot be decided is denied.
package openshell

import data.openshell.exec
import data.openshell.explain
import data.openshell.extensions
import data.openshell.file
import data.openshell.network

default decision := {
	"allow": false,
	"mode": "enforce",
	"code": "policy_error",
	"message": "the policy could not be evaluated",
	"rule": "default",
	"policy": "",
	"revision": "",
}

decision := by_policy if {
	not passes(by_policy)
} else := by_policy if {
	extensions.verdict.code == "allowed"
} else := failed if {
	extensions.verdict.code == "policy_error"
} else := by_policy if {
	not by_policy.allow # mode audit lets it pass
	by_extension.mode == "audit" # and the denial of the extension too
} else := by_extension

passes(d) if d.allow

passes(d) if d.mode == "audit"

failed := {
	"allow": false,
	"mode": "enforce",
	"code": "policy_error",
	"message": data.openshell.codes.policy_error,
	"rule": "default",
	"policy": input.policy,
	"revision": data.openshell.revision,
}

by_extension := object.union(
	{
		"allow": false,
		"mode": data.openshell.index[input.policy].mode,
		"code": extensions.verdict.code,
		"message": extensions.verdict.message,
		"rule": extensions.verdict.rule,
		"policy": input.policy,
		"revision": data.openshell.revision,
	},
	{"source": source | source := data.openshell.extensions_index[extensions.verdict.name]},
)

# by_policy is the decision of the policy alone.
by_policy := explain.bad_request(missing) if {
	missing := lacking
} else := explain.no_policy if {
	not data.openshell.index[input.policy]
} else := network.decision if {
	input.kind == "network"
} else := file.decision if {
	input.kind == "file"
} else := exec.decision if {
	input.kind == "exec"
}

# lacking says what a malformed input lacks. A field that is not there must not
# make the answer undefined, so each is asked for with a null to fall back on.
lacking := "the input has no policy" if {
	not is_string(object.get(input, ["policy"], null))
} else := "the input's kind is not network, file or exec" if {
	not kind in {"network", "file", "exec"}
} else := sprintf("the input has no %s", [kind]) if {
	not is_object(subject)
} else := sprintf("the input's %s lacks %s", [kind, concat(", ", sort(fields))]) if {
	fields := required[kind] - object.keys(subject)
	count(fields) > 0
} else := sprintf("a command of the input lacks %s", [concat(", ", sort(fields))]) if {
	kind == "exec"
	fields := {field |
		some command in subject.commands
		some field in (required.command - object.keys(command))
	}
	count(fields) > 0
} else := "the input has no command" if {
	kind == "exec"
	count(subject.commands) == 0
} else := sprintf("%s needs a target", [subject.op]) if {
	kind == "file"
	subject.op in {"rename", "link"}
	not is_object(object.get(subject, ["target"], null))
} else := sprintf("%v is not a file operation", [subject.op]) if {
	kind == "file"
	not subject.op in file.operations
}

kind := object.get(input, ["kind"], null)

subject := object.get(input, [kind], null)

required := {
	"network": {
		"scheme", "host", "port", "method", "path", "query", "websocket", "binary", "ancestors",
		"authority", "parent", "host_parent", "dir", "segments", "folded", "split",
	},
	"file": {"op", "path", "lexical", "known_blocked"},
	"exec": {"commands", "parent", "entry_point", "hook", "env_denied", "opaque"},
	"command": {
		"program", "argv0", "path", "links", "args", "cwd", "path_writable", "upstream",
		"names", "named", "looked", "second", "sub", "options", "operands", "line",
	},
}
