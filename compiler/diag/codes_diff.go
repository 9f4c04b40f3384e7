package diag

// PartDiff is the comparison of policies.
const PartDiff Part = "diff"

// diffCodes are how changes appear in SARIF and in annotations.
func diffCodes() []CodeInfo {
	return []CodeInfo{
		{
			Code: "OSP2040", Severity: Error, Part: PartDiff,
			Title: "A pattern of an invariant is not understood",
			Why:   "The patterns of never, always and only are METHODS URL, read GLOB, write GLOB or run COMMAND. An invariant with a pattern that is none would prove nothing.",
			Fix:   "Write it in one of these forms.",
			Bad:   "apiVersion: openshell.nvidia.com/v1alpha1\nkind: PolicyInvariants\nmetadata: {name: x}\nspec:\n  invariants:\n    - {name: a, never: [api.example.com]}\n",
			Good:  "apiVersion: openshell.nvidia.com/v1alpha1\nkind: PolicyInvariants\nmetadata: {name: x}\nspec:\n  invariants:\n    - {name: a, never: [\"* https://api.example.com/**\"]}\n",
		},
		{
			Code: "OSP2041", Severity: Error, Part: PartDiff,
			Title: "An invariant does not hold",
			Why:   "The example passes though an invariant says that it never does, or is denied though it always should pass; the engine decided it. Or the claim is about no policy, or cannot be settled.",
			Fix:   "Mend the policy, or the invariant.",
			Bad:   "never: [\"POST https://api.example.com/**\"] # and a rule that allows every method\n",
			Good:  "never: [\"POST https://api.example.com/**\"] # and a rule that allows GET\n",
		},
		{
			Code: "OSP2042", Severity: Error, Part: PartDiff,
			Title: "A policy test fails",
			Why:   "A case of a test expects another decision than the policy gives. review reports it beside what lint and diff find.",
			Fix:   "Mend the policy, or the case if the new decision is intended.",
			Bad:   "- {request: POST https://api.example.com/x, expect: deny} # and the policy allows it\n",
			Good:  "- {request: POST https://api.example.com/x, expect: deny} # and the policy denies it\n",
		},
		{
			Code: "OSP3901", Severity: Warning, Part: PartDiff,
			Title: "The change lets more pass",
			Why:   "A request, file operation or command passes after the change that did not pass before. The example was decided by the engine under both policies.",
			Fix:   "Narrow the rule, or accept the change with --ignore, a reason and a day until when.",
			Bad:   "methods: [GET, POST] # was [GET]\n",
			Good:  "methods: [GET] # was [GET, HEAD], which is the same\n",
		},
		{
			Code: "OSP3902", Severity: Info, Part: PartDiff,
			Title: "The change lets less pass",
			Why:   "A request, file operation or command that passed before does not pass after the change. Who relies on it will notice.",
			Fix:   "Nothing, if that is intended.",
			Bad:   "methods: [GET] # was [GET, POST]\n",
			Good:  "methods: [GET, HEAD] # was [GET], which is the same\n",
		},
		{
			Code: "OSP3903", Severity: Warning, Part: PartDiff,
			Title: "Whether the change lets more or less pass is not known",
			Why:   "Neither a proof nor an example settles it: patterns that make too many classes, blocked commands or pipelines whose structure differs, paths that servers read in several ways, or Rego extensions.",
			Fix:   "Make the patterns alike, split the change into smaller ones, or accept it with --ignore direction=unknown.",
			Bad:   "blocked_commands: [git push --force a | tee *] # was [git push | tee]\n",
			Good:  "blocked_commands: [rm --recursive --force /] # was [rm -rf /], which is the same\n",
		},
	}
}
