package diag

// PartDiff is the comparison of policies.
const PartDiff Part = "diff"

// diffCodes are how changes appear in SARIF and in annotations.
func diffCodes() []CodeInfo {
	return []CodeInfo{
		{
			Code: "OSP3901", Severity: Warning, Part: PartDiff,
			Title: "The change lets more pass",
			Why:   "A request, file operation or command passes after the change that did not pass before. The example was decided by the engine under both policies.",
			Fix:   "Narrow the rule, or accept the change with --ignore, a reason and a day until when.",
		},
		{
			Code: "OSP3902", Severity: Info, Part: PartDiff,
			Title: "The change lets less pass",
			Why:   "A request, file operation or command that passed before does not pass after the change. Who relies on it will notice.",
			Fix:   "Nothing, if that is intended.",
		},
		{
			Code: "OSP3903", Severity: Warning, Part: PartDiff,
			Title: "Whether the change lets more or less pass is not known",
			Why:   "Neither a proof nor an example settles it: patterns that make too many classes, blocked commands or pipelines whose structure differs, paths that servers read in several ways, or Rego extensions.",
			Fix:   "Make the patterns alike, split the change into smaller ones, or accept it with --ignore direction=unknown.",
		},
	}
}
