package diag

import (
	"slices"
	"strings"
	"sync"
)

// CodeInfo documents one code. Bad triggers it; Good is a near miss that does
// not. Both are run by the tests of the part that finds it. An example is the
// text of one file, or of several with a line "-- NAME --" before each.
type CodeInfo struct {
	Code     string
	Severity Severity
	Title    string
	Why      string
	Fix      string
	Bad      string
	Good     string
	Part     Part // who finds it
}

// Part is a part of the toolchain that gives codes.
type Part string

// The parts. What PartCompile finds as an error keeps a policy from being
// compiled, so that no configuration and no comment can silence it.
const (
	PartCompile Part = ""
	PartLint    Part = "lint"
	PartBundle  Part = "bundle"
	PartGateway Part = "gateway"
	PartSandbox Part = "sandbox"
	PartAudit   Part = "audit"
)

// Lookup returns a code's documentation.
func Lookup(code string) (CodeInfo, bool) {
	i, ok := slices.BinarySearchFunc(codes(), code, func(c CodeInfo, code string) int { return strings.Compare(c.Code, code) })
	if !ok {
		return CodeInfo{}, false
	}
	return codes()[i], true
}

// Codes lists every code in order. None ever vanishes or changes meaning.
func Codes() []CodeInfo { return slices.Clone(codes()) }

// codes joins the tables of the parts, one line each.
var codes = sync.OnceValue(func() []CodeInfo {
	all := slices.Concat(
		compileCodes,
		bundleCodes, extensionCodes,
		auditCodes, sandboxCodes,
		lintCodes(),
		testCodes(),
		diffCodes(),
	)
	slices.SortFunc(all, func(a, b CodeInfo) int { return strings.Compare(a.Code, b.Code) })
	return all
})

const head = "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: x}\n"

const base = "---\napiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: base}\nspec: {}\n"

func outbound(rule string) string {
	return head + "spec: {network: {outbound: [" + rule + "]}}\n"
}

func files(lists string) string { return head + "spec: {filesystem: {" + lists + "}}\n" }

func commands(lists string) string { return head + "spec: {execution: {" + lists + "}}\n" }

// Where Bad is empty, what triggers the code is too long to show.
var compileCodes = []CodeInfo{
	{"OSP1001", Error, "the file is not text", "A policy is UTF-8 text that shows what it says: no binary, no control characters, none that reorder a line.", "Check that the right file was named, and save it as UTF-8.", "\x00\x01\x02", head + "spec: {} # r\u00e9sum\u00e9\n", PartCompile},
	{"OSP1002", Error, "YAML syntax", "The text is not YAML, so nothing in it can be read.", "Mend the line; quote strings that hold : or #.", "spec: [\n", head + "spec: {extends: [base]}\n" + base, PartCompile},
	{"OSP1003", Error, "YAML feature refused", "Anchors, aliases, merge keys and tags make a policy mean something else than it shows.", "Write the value out where it is used.", head + "spec: &a {mode: audit}\n", head + "spec: {mode: audit} # &a\n", PartCompile},
	{"OSP1004", Error, "duplicate key", "Two values for one key: readers disagree which counts.", "Remove one of them.", head + "spec: {mode: audit, mode: enforce}\n", head + "spec: {mode: audit}\n", PartCompile},
	{"OSP1005", Error, "nested too deeply", "No policy needs more than 64 levels; deep nesting is used to exhaust parsers.", "Flatten the document.", head + "spec: " + strings.Repeat("[", 65) + strings.Repeat("]", 65) + "\n", head + "spec: {}\n", PartCompile},
	{"OSP1006", Error, "unknown apiVersion or kind", "Only documents of a known kind are read.", "Write apiVersion: openshell.nvidia.com/v1alpha1 and kind: SandboxPolicy.", "apiVersion: v1\nkind: SandboxPolicy\nmetadata: {name: x}\nspec: {}\n", head + "spec: {}\n", PartCompile},
	{"OSP1007", Error, "unknown field", "A misspelt field, or one that its place does not take, would silently do nothing.", "Use the field that the hint names.", outbound("{hosts: a.example.com}"), outbound("{host: a.example.com}"), PartCompile},
	{"OSP1008", Error, "missing field", "The document cannot be understood without it.", "Add the field.", outbound("{methods: [GET]}"), outbound("{host: a.example.com, methods: [GET]}"), PartCompile},
	{"OSP1009", Error, "wrong type or value", "The value is not of the kind that the field takes.", "Write a value as the hint shows it.", outbound("{host: a.example.com, ports: ['443']}"), outbound("{host: a.example.com, ports: [443]}"), PartCompile},
	{"OSP1010", Error, "method spelling", "Methods are compared exactly, and HTTP's are upper case. CONNECT and TRACE cannot be allowed.", "Write the method in upper case.", outbound("{host: a.example.com, methods: [get]}"), outbound("{host: a.example.com, methods: [GET]}"), PartCompile},
	{"OSP1011", Error, "the file is too large", "A policy file has at most 2 MiB and fewer than 1000 documents.", "Split it, or check that the right file was named.", "", head + "spec: {}\n", PartCompile},
	{"OSP1012", Error, "nothing to compile", "The file holds no document, or no policy; it may be empty by accident.", "Begin with apiVersion: openshell.nvidia.com/v1alpha1 and kind: SandboxPolicy.", "# nothing yet\n---\n", "---\n" + head + "spec: {}\n", PartCompile},
	{"OSP1099", Error, "fault of the compiler", "The policies are right, but the bundle could not be written.", "Report it, with the policies.", "", head + "spec: {}\n", PartCompile},
	{"OSP2001", Error, "host pattern", "The host can never match, or would match far more than a service.", "Name the host, or one domain's hosts as *.example.com.", outbound("{host: '*.co.uk'}"), outbound("{host: '*.example.co.uk'}"), PartCompile},
	{"OSP2002", Error, "path glob", "The pattern is malformed or can never match a resolved path.", "Write an absolute path, or **/NAME for any depth.", files("blocked: [etc/shadow]"), files("blocked: ['**/shadow']"), PartCompile},
	{"OSP2003", Error, "command pattern", "The pattern cannot be split into a program and its arguments.", "Write one command, or stages joined by |.", commands("blocked_commands: ['a && b']"), commands("blocked_commands: ['a | b']"), PartCompile},
	{"OSP2004", Error, "query glob", "The glob over a query value is malformed.", "Use *, ? and [a-z]; * also matches a slash.", outbound("{host: a.example.com, query: {q: ['**']}}"), outbound("{host: a.example.com, query: {q: ['*']}}"), PartCompile},
	{"OSP2005", Error, "duplicate name", "A name must stand for one thing: logs, tests and extends refer to it.", "Rename one of them.", head + "spec: {network: {outbound: [{name: a, host: a.example.com}, {name: a, host: b.example.com}]}}\n", head + "spec: {network: {outbound: [{name: a, host: a.example.com}, {name: b, host: b.example.com}]}}\n", PartCompile},
	{"OSP2006", Error, "extends", "A base policy is neither in this set nor in the library, or the policies extend each other in a circle.", "Name a policy of this set or of the library; move what a circle shares into a policy of its own.", head + "spec: {extends: [nowhere]}\n", head + "spec: {extends: [base]}\n" + base, PartCompile},
	{"OSP2007", Error, "passthrough conflict", "What is passed through unread cannot also be inspected, or denied by what only inspection shows.", "Inspect both, or give them different hosts or ports.", outbound("{host: a.example.com, tls: passthrough}, {host: '*.example.com', methods: [GET]}"), outbound("{host: a.example.com, tls: passthrough}, {host: '*.example.org', methods: [GET]}"), PartCompile},
	{"OSP2008", Error, "address range", "allow_private takes canonical ranges of private addresses that may be dialled.", "Write the network address, such as 10.0.0.0/8.", outbound("{host: a.example.com, allow_private: [10.0.0.1/8]}"), outbound("{host: a.example.com, allow_private: [10.0.0.0/8]}"), PartCompile},
	{"OSP2009", Error, "unknown command group", "A list names a group that the library does not have.", "Use @coreutils, @posix or @build.", commands("allowed_commands: ['@nothing']"), commands("allowed_commands: ['@coreutils']"), PartCompile},
	{"OSP2010", Warning, "host spelling", "Hosts are compared in lower case and in their ASCII form; the pattern is read so.", "Write the form that the hint names.", outbound("{host: A.example.com}"), outbound("{host: a.example.com}"), PartCompile},
}
