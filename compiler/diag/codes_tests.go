package diag

// PartTest is the runner of policy tests.
const PartTest Part = "test"

// testCodes are what the runner of tests finds beside failed cases.
func testCodes() []CodeInfo {
	return []CodeInfo{
		{
			Code: "OSP1020", Severity: Error, Part: PartTest,
			Title: "A Rego test or extension does not compile",
			Why:   "Files *_test.rego are compiled with the other Rego files of their folder, in strict mode and with the built-ins that decisions may use: no I/O, no clock, no randomness. None of the folder's tests runs while one file is wrong.",
			Fix:   "Mend the line; give what comes from outside as `with input as {...}`.",
			Bad:   "package size_test\n\ntest_now if time.now_ns() > 0\n",
			Good:  "package size_test\n\ntest_now if 1 > 0\n",
		},
		{
			Code: "OSP1021", Severity: Warning, Part: PartTest,
			Title: "No case asks a file that the test names",
			Why:   "A file in spec.policies whose policies no case asks, themselves or through what extends them, is not tested, although it looks so.",
			Fix:   "Name the policy in spec.policy or in a case, or take the file out of spec.policies.",
			Bad:   "apiVersion: openshell.nvidia.com/v1alpha1\nkind: PolicyTest\nmetadata: {name: x}\nspec:\n  policies: [x.yaml]\n  cases:\n    - {policy: full-dev, file: read /etc/shadow, expect: deny}\n",
			Good:  "apiVersion: openshell.nvidia.com/v1alpha1\nkind: PolicyTest\nmetadata: {name: x}\nspec:\n  policies: [x.yaml]\n  cases:\n    - {policy: x, file: read /etc/shadow, expect: deny}\n",
		},
	}
}
