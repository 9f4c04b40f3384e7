package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// Run executes a command line and returns the exit status. An error is printed
// on stderr as
//
//	error: what went wrong
//	hint: what to type next
func Run(ctx context.Context, root *cobra.Command) int {
	prepare(root)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return ExitOK
	}
	PrintError(cmd.ErrOrStderr(), err)
	status := StatusOf(err)
	if other, ok := cmd.Annotations[statusAnnotation]; ok && status == ExitError {
		status, _ = strconv.Atoi(other)
	}
	return status
}

// statusAnnotation holds what a command ends with where others end with
// ExitError.
const statusAnnotation = "openshell/exit-status"

// FailWith makes a command end with the status where others end with 2, because
// it passes the status of another command through.
func FailWith(cmd *cobra.Command, status int) {
	cmd.Annotations = map[string]string{statusAnnotation: strconv.Itoa(status)}
}

// prepare makes cobra leave the printing to us, all the way down.
func prepare(cmd *cobra.Command) {
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return WithHint(err, "%s --help lists the flags", c.CommandPath())
	})
	for _, sub := range cmd.Commands() {
		prepare(sub)
	}
}

// PrintError prints an error and its hint; an error without a message prints
// nothing.
func PrintError(w io.Writer, err error) {
	var e *Error
	if errors.As(err, &e) && e.Err == nil {
		return
	}
	color := Color(w)
	fmt.Fprintf(w, "%s %s\n", Paint(color, Red, "error:"), err)
	if e != nil && e.Hint != "" {
		fmt.Fprintf(w, "%s %s\n", Paint(color, Green, "hint:"), e.Hint)
	}
}

// Group is a command that only holds others: alone it prints its help, and a
// word that it does not know is an error.
func Group(use, short string, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			return WithHint(err, "did you mean %s?", strings.Join(near, " or "))
		}
		return WithHint(err, "%s --help lists the commands", cmd.CommandPath())
	}
	cmd.SuggestionsMinimumDistance = 2
	cmd.AddCommand(subs...)
	return cmd
}

// Args checks how many arguments there are, in words that say what is missing.
func Args(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return WithHint(fmt.Errorf("%s needs %s", cmd.CommandPath(), what), "%s --help shows examples", cmd.CommandPath())
		case most >= 0 && len(args) > most:
			return WithHint(fmt.Errorf("%s takes %s, and got %q too", cmd.CommandPath(), what, args[most:]), "%s --help shows examples", cmd.CommandPath())
		}
		return nil
	}
}

// NoArgs refuses arguments.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return WithHint(fmt.Errorf("%s takes no arguments, and got %q", cmd.CommandPath(), args), "%s --help shows examples", cmd.CommandPath())
}
