//go:build !linux

package main

import "github.com/spf13/cobra"

// localCommands are what only a local sandbox can do.
func localCommands(*place) []*cobra.Command { return nil }

// refreshLocal has nobody to tell.
func refreshLocal(*place, ...string) ([]string, error) { return nil, nil }
