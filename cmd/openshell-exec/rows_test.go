package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// elsewhere says, of the acceptance cases of files and commands that no test here
// has in its name, where they are tested or why they do not apply.
var elsewhere = map[string]string{
	"F21": "the compiler's warnings and TestRows F19: everything blocked is one blocked tree",
	"F36": "nothing to decide: what Git has stored is in files that may be read; the threat model says so",
	"F37": "a bind mask is the local runtime's second layer; names are decided at each open (F07)",
	"K12": "sandboxctl/shim/filter TestArguments",
	"K11": "sandboxctl/shim/filter TestArguments",
	"K15": "TestHeldDescriptor: what is open stays open, as what was read stays read: a descriptor can be passed on or mapped while it is looked for, so to take it back means to end the sandbox; the threat model says so",
	"K18": "sandboxctl/shim/filter TestArguments",
	"K20": "sandboxctl/shim/filter TestArguments and TestEveryNumber",
	"K21": "sandboxctl/shim/filter TestForeignABIs",
	"K23": "the kernel's: of two filters the stricter answer counts, and a second listener is refused",
	"K29": "TestSupervisorKilled",
	"K33": "the self-test of every start: an open that only the Landlock domain denies",
	"C23": "schemas/canon: a substitution that is code is connected to the shell that runs it",
	"C24": "not covered: what is downloaded and then run is a file; the threat model says so",
	"C29": "schemas/canon: what is not literal is opaque, and left to the kernel hook",
	"C32": "schemas/canon: here-documents",
	"C35": "schemas/canon: aliases are opaque",
	"C38": "schemas/canon: braces",
	"C41": "not an execution: the file rules hold (F30)",
	"X14": "the kernel's: no_new_privs and no capabilities",
	"X17": "sandboxctl/shim/filter TestArguments: mount is refused",
	"X20": "an allowed interpreter runs any code; the threat model says so",
	"N01": "the local runtime's network",
	"N06": "sandboxctl/shim/bare TestIdentify",
	"N07": "the gateway's",
	"N09": "the supervisor has no socket that the sandbox can name",
	"R02": "the local runtime's limits",
	"R05": "TestReload",
	"R06": "TestReload",
	"R08": "TestReload",
	"R09": "TestReloadsMeanwhile",
	"R11": "bare.Probe: a filter without a listener gives level floor",
	"R12": "bare.Probe: what cannot be read fails the self-test",
	"R14": "every test here, as nobody under the profile",
	"R15": "bare.Probe: without ptrace the level is floor, which is refused unless --allow-degraded",
	"R17": "package rego bounds an evaluation to a second",
	"R18": "a policy that cannot be read leaves the one before in force: TestReload",
	"R20": "the local runtime's",
}

// cases are the ids of the acceptance cases.
const cases = `F01 F03 F04 F06 F07 F09 F10 F12 F13 F15 F16 F18 F19 F21 F22 F24 F25 F27 F28 F30 F31 F33 F34 F36 F37 F39 F40
K02 K03 K05 K06 K08 K09 K11 K12 K14 K15 K17 K18 K20 K21 K23 K24 K26 K27 K29 K30 K32 K33
C02 C03 C05 C06 C08 C09 C11 C12 C14 C15 C17 C18 C20 C21 C23 C24 C26 C27 C29 C30 C32 C33 C35 C36 C38 C39 C41 C42 C44
C45 C47 C48 C50 C51
X02 X03 X05 X06 X08 X09 X11 X12 X14 X15 X17 X18 X20
N01 N03 N04 N06 N07 N09 N10
R02 R03 R05 R06 R08 R09 R11 R12 R14 R15 R17 R18 R20`

// Every case has a test with its id in its name, or a reason.
func TestEveryCaseHasATestOrAReason(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	named, tests := map[string]bool{}, map[string]bool{}
	for _, f := range files {
		if f == "rows_test.go" {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"([FKCXNR]\d\d)((?: [FKCXNR]\d\d)*) `).FindAllStringSubmatch(string(text), -1) {
			for _, id := range append(strings.Fields(m[2]), m[1]) {
				named[id] = true
			}
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			tests[m[1]] = true
		}
	}
	ids := strings.Fields(cases)
	for _, id := range ids {
		if reason, ok := elsewhere[id]; ok == named[id] {
			t.Errorf("%s: named by a test %t, reason %q; want one of the two", id, named[id], reason)
		}
	}
	for id, reason := range elsewhere {
		if !slices.Contains(ids, id) {
			t.Errorf("%s has a reason and is no case", id)
		}
		if name, _, _ := strings.Cut(reason, ":"); strings.HasPrefix(name, "Test") && !tests[name] {
			t.Errorf("%s: there is no %s", id, name)
		}
		if strings.HasPrefix(reason, "open") {
			t.Errorf("%s is open: %s", id, reason)
		}
	}
	if len(ids) < 100 {
		t.Errorf("saw %d cases; there are more", len(ids))
	}
}
