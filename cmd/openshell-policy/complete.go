package main

import (
	"github.com/spf13/cobra"
)

// completeTests offers test files and folders.
func completeTests(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"yaml", "yml", "rego"}, cobra.ShellCompDirectiveFilterFileExt
}
