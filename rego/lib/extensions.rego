# METADATA
# title: Extensions
# description: >-
#   What the owner's modules, data.openshell.extension.NAME, deny. They only deny:
#   what they say counts where the policy would let the input pass.
package openshell.extensions

# verdict is whether an extension denies, and what of it is explained. An element
# that is not as it should be denies too.
verdict := {"code": "policy_error"} if {
	count(malformed) > 0
} else := {
	"code": sprintf("ext_%s_%s", [least[0], least[1].code]),
	"message": least[1].message,
	"rule": sprintf("extension.%s", [least[0]]),
	"name": least[0],
} if {
	count(denials) > 0
} else := {"code": "allowed"}

# least decides among several.
least := min(denials)

denials := {[name, denial] |
	some name, module in data.openshell.extension
	some denial in module.deny
}

malformed contains name if {
	some name, module in data.openshell.extension
	not is_set(module.deny)
}

malformed contains name if {
	some [name, denial] in denials
	not well_formed(denial)
}

well_formed(denial) if {
	is_object(denial)
	object.keys(denial) == {"code", "message"}
	is_string(denial.code)
	is_string(denial.message)
	regex.match(`^[a-z][a-z0-9_]{0,63}$`, denial.code)
}
