package main

import (
	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
)

// newRoot makes the command line; each command has a line.
func newRoot() *cobra.Command {
	root := cli.Group("openshell-policy", "Lint, test, compile and explain sandbox policies",
		newInit(),
		newLint(),
		newFmt(),
		newTest(),
		newEval(),
		newDiff(),
		newProve(),
		newReview(),
		newReplay(),
		newSuggest(),
		newExplain(),
		newAudit(),
		newCompile(),
		newInspect(),
		newBundle(),
		newKeygen(),
		newSchema(),
		cli.VersionCommand(),
	)
	root.Long = `Lint, test, compile and explain sandbox policies.

A policy says which requests an agent may send, which files it may touch and which
commands it may run. Exit status: 0 clean, 1 findings (a policy does not compile, a
test failed, a decision was a denial), 2 could not run.`
	root.Example = `  openshell-policy init team-a --agent claude --language node
  openshell-policy lint policies/
  openshell-policy test policies/ --coverage --mutate
  openshell-policy eval --policy github-readonly --request 'GET https://api.github.com/repos/org/app'
  openshell-policy compile policies/ -o bundle.tar.gz`
	completeEverywhere(root)
	return root
}
