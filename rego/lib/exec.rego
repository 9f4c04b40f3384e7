# METADATA
# title: Commands
# description: >-
#   Every command of the list must be allowed, and no blocked pattern may match
#   any of them, alone or along a pipeline.
package openshell.exec

import data.openshell.explain
import data.openshell.file

index := data.openshell.index[input.policy]

commands := input.exec.commands

decision := explain.by(min(blocked), "blocked_command", {"command": text(commands[culprit])}) if {
	count(blocked) > 0
} else := explain.by_default("default", "untrusted_program", untrusted) if {
	index.execution
	untrusted
} else := refused if {
	refused
} else := explain.by_default("default", "command_not_allowed", {"command": "a command that cannot be made literal"}) if {
	index.limited
	input.exec.opaque
	not input.exec.hook
} else := passed(0)

# --- blocked patterns ---

blocked := found if {
	found := data.openshell.policies[input.policy].exec.blocked with input.stages as stages
}

stages := [found |
	some command in commands
	found := by_name(command) | by_path(command)
]

by_name(command) := {stage |
	some name in command.names
	found := data.openshell.policies[input.policy].exec.stage with input.command as command with input.family as name
	some stage in found
}

by_path(command) := {stage |
	some path in array.concat([command.path, command.program], command.links)
	startswith(path, "/")
	forms := file.forms(path)
	found := data.openshell.policies[input.policy].exec.stage_path with input.command as command with input.at as forms
	some stage in found
}

# culprit is the command that completes the deciding pattern.
culprit := max([i | some i, found in stages; some stage in found; stage[0] == min(blocked)])

# --- programs that are not what they seem ---

untrusted := {"program": suspects[0], "name": "program"}

suspects := array.concat(input.exec.env_denied, [command.path |
	some command in commands
	loads_anything(command.path)
])

loads_anything(path) if startswith(path, "/memfd:")

loads_anything(path) if endswith(path, " (deleted)")

loads_anything(path) if {
	some pattern in data.openshell.tables.loaders
	glob.match(pattern, ["/"], path)
}

# --- allowed patterns ---

# refused is the decision for the first command that nothing allows.
refused := refusal(commands[first_refused])

first_refused := min([i | some i, command in commands; not allowance(i, command)]) if {
	index.restricted
}

# denied_at is the command that brought a denial about.
denied_at := culprit if {
	count(blocked) > 0
} else := first_refused

refusal(command) := explain.by_default("default", "untrusted_program", {"program": command.path, "name": min(names)}) if {
	names := {name |
		some name in {command.named, command.looked}
		count(patterns(name, command)) > 0
		not trusted_name(name, command)
	}
	count(names) > 0
} else := explain.by_default("default", "command_not_allowed", {"command": text(command)})

# allowance is the id or ordinal of what allows a command.
allowance(i, command) := "entry_point" if {
	i == 0
	input.exec.entry_point
} else := first_rule(command) if {
	second_allowed(command)
	first_rule(command)
} else := "carrier" if {
	carrier(command.named, command)
	second_allowed(command)
} else := "helper" if {
	i == 0 # the parent starts the first command only
	helper(command)
}

# first_rule is the allowed pattern, listed first, that names the program.
first_rule(command) := min(ordinals) if {
	ordinals := path_patterns(command) | {ordinal |
		some name in {command.named, command.looked}
		trusted_name(name, command)
		some ordinal in patterns(name, command)
	}
	count(ordinals) > 0
}

patterns(name, command) := found if {
	found := data.openshell.policies[input.policy].exec.allowed with input.command as command with input.family as name
}

path_patterns(command) := found if {
	forms := file.forms(command.path)
	found := data.openshell.policies[input.policy].exec.allowed_path with input.command as command with input.at as forms
}

# trusted_name holds where the sandbox cannot change what the name stands for:
# the file's own name, or a looked-up name whose every step is out of reach.
trusted_name(name, command) if {
	name == command.named
	unchangeable(command)
}

trusted_name(name, command) if {
	name == command.looked
	unchangeable(command)
	not command.path_writable
	every link in command.links { not file.writable(link) }
}

unchangeable(command) if not file.writable(command.path)

# An argv[0] that names another program must be allowed too.
second_allowed(command) if command.second == ""

second_allowed(command) if count(patterns(command.second, command)) > 0

second_allowed(command) if carrier(command.second, command)

# carrier: a program whose own effect is to start others, which the kernel hook
# checks one by one.
carrier(name, command) if {
	input.exec.hook
	index.carriers
	not index.none
	name in data.openshell.tables.carriers
	unchangeable(command)
}

# helper: a program in an allowed program's private directory, started by it.
helper(command) if {
	not index.none
	unchangeable(command)
	not file.writable(input.exec.parent)
	parent := split(input.exec.parent, "/")
	some h in data.openshell.tables.helpers
	h.program == parent[count(parent) - 1]
	parent_allowed(h.program)
	helps(h, command)
}

# parent_allowed: a pattern names the parent, whatever its arguments.
parent_allowed(program) if {
	some rule in index.rules
	rule.program == program
}

parent_allowed(_) if {
	forms := file.forms(input.exec.parent)
	found := data.openshell.policies[input.policy].exec.program_path with input.at as forms
	count(found) > 0
}

helps(h, command) if {
	some dir in h.dirs
	startswith(command.path, dir)
}

helps(h, command) if command.named in h.interpreters

# passed is the decision for a list that nothing refuses, by its first command.
passed(i) := explain.by(found, "allowed", {}) if {
	index.restricted
	found := allowance(i, commands[i])
	is_number(found)
} else := explain.by_default(found, "allowed", {}) if {
	index.restricted
	found := allowance(i, commands[i])
} else := explain.by_default("default", "allowed", {})

text(command) := concat(" ", array.concat([command.program], command.args))
