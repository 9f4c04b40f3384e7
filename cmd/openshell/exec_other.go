//go:build !linux

package main

import "github.com/spf13/cobra"

// localCommands are what only a local sandbox can do.
func localCommands(*place) []*cobra.Command { return nil }

// localDetails has nothing to tell.
func localDetails(*place, string) (any, []string) { return nil, nil }

// refreshLocal has nobody to tell.
func refreshLocal(*place, ...string) ([]string, error) { return nil, nil }
