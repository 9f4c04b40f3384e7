package diag

const extension = `package openshell.extension.uploads

deny contains {"code": "too_large", "message": "uploads end at 1 MiB"} if {
	input.kind == "network"
	input.network.content_length > 1048576
}
`

// extensionCodes are given for Rego modules that stand beside policies.
var extensionCodes = []CodeInfo{
	{Code: "OSP5030", Severity: Error, Part: PartBundle, Title: "Rego syntax", Why: "The module is no Rego, so nothing of it can be evaluated.", Fix: "Mend the line.", Bad: "package openshell.extension.uploads\n\ndeny contains {\n", Good: extension},
	{Code: "OSP5031", Severity: Error, Part: PartBundle, Title: "not an extension", Why: "Rego beside policies is package openshell.extension.NAME, or system.log for mask rules. Anything else would not be evaluated, or could replace what decides.", Fix: "Correct the package.", Bad: "package openshell.policies\n\nallow := true\n", Good: extension},
	{Code: "OSP5032", Severity: Error, Part: PartBundle, Title: "deny of another form", Why: "An extension denies by a set of objects with code and message. The code stands in the rule's head as a word, so that it can be documented and counted.", Fix: "Write the object into the head of the rule.", Bad: "package openshell.extension.uploads\n\ndeny if input.kind == \"network\"\n", Good: extension},
	{Code: "OSP5033", Severity: Error, Part: PartBundle, Title: "Rego that does not compile", Why: "The module reads data other than the input, calls a built-in that decisions may not use (I/O, clocks, random numbers), reads a field that inputs do not have, or holds what strict mode refuses.", Fix: "Read the input only, by the names that its schema has.", Bad: "package openshell.extension.uploads\n\ndeny contains {\"code\": \"x\", \"message\": \"y\"} if input.netwrok.host == \"a\"\n", Good: extension},
	{Code: "OSP5034", Severity: Warning, Part: PartBundle, Title: "Rego that is not formatted", Why: "One form for all modules: reviews then show what changes.", Fix: "opa fmt -w FILE.", Bad: "package openshell.extension.uploads\n\ndeny contains {\"code\":\"x\",\"message\":\"y\"} if input.kind == \"network\"\n", Good: extension},
	{Code: "OSP5035", Severity: Error, Part: PartBundle, Title: "mask rule refused", Why: "Mask rules hide values. They may not leave out records, nor hide what says who did what: kind, policy, sandbox, host, port, method, operation.", Fix: "Mask other values below /input.", Bad: "package system.log\n\ndrop if input.input.kind == \"network\"\n", Good: "package system.log\n\nmask contains \"/input/network/query/q\"\n"},
}
