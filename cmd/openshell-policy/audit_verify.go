package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/internal/cli"
)

type auditVerifyOptions struct {
	dir    string
	key    string
	copies []string
	json   bool
	stdout io.Writer
	stderr io.Writer
}

func newAuditVerify() *cobra.Command {
	o := &auditVerifyOptions{}
	cmd := &cobra.Command{
		Use:   "verify LOG",
		Short: "Find what was changed, removed, inserted, reordered or cut in a log",
		Long: `Check a log's folder, offline: every record against the Merkle tree over all
records, the tree against every checkpoint that the log has signed, and these
against checkpoints that were kept elsewhere. The first bad record is named, and
what happened to it. A log may be verified while it is written.

Who owns the machine can rewrite a log and sign it again. Only a public key and a
checkpoint that were kept elsewhere (audit.checkpoint_file, audit.checkpoint_url)
show that: give them with --key and --checkpoint.

Exit status: 0 intact, 1 not, 2 could not be checked.`,
		Example: `  openshell-policy audit verify /var/lib/openshell/audit
  openshell-policy audit verify audit --key gw-0.pub --checkpoint /mnt/elsewhere/checkpoint`,
		Args: cli.Args(1, 1, "one LOG, a folder"),
	}
	format := cli.AddOutput(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.dir, o.json = args[0], format.String() == "json"
		o.stdout, o.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
		return auditVerify(o)
	}
	cmd.Flags().StringVar(&o.key, "key", "", "public `KEY`, or a file with it (default: key.pub of the log)")
	cmd.Flags().StringArrayVar(&o.copies, "checkpoint", nil, "`FILE` with a checkpoint that was kept elsewhere, repeatable")
	return cmd
}

func auditVerify(o *auditVerifyOptions) error {
	if info, err := os.Stat(o.dir); err == nil && !info.IsDir() {
		return cli.WithHint(fmt.Errorf("%s is a file; only a log's folder can be verified", o.dir), "a gateway's log is the folder audit in its state folder")
	}
	key, err := auditKey(o.dir, o.key)
	if err != nil {
		return err
	}
	if o.key == "" {
		fmt.Fprintln(o.stderr, "note: the key is the log's own; keep key.pub elsewhere and give it with --key")
	}
	opts := audit.VerifyOptions{Key: key}
	for _, name := range o.copies {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		opts.Copies = append(opts.Copies, audit.Copy{Name: name, Text: text})
	}
	report, err := audit.Verify(o.dir, opts)
	if err != nil {
		return err
	}
	return o.print(report)
}

func (o *auditVerifyOptions) print(r *audit.Report) error {
	if o.json {
		if err := cli.WriteJSON(o.stdout, r); err != nil {
			return err
		}
	} else {
		fmt.Fprint(o.stdout, verifyText(r))
	}
	switch {
	case len(r.Findings) > 0:
		return cli.Exit(cli.ExitFindings)
	case len(r.Unchecked) > 0:
		return cli.WithHint(errors.New(r.Unchecked[0]), "keep the checkpoints that are signed when segments close (segments/*.checkpoint): they can always be compared")
	}
	return nil
}

func verifyText(r *audit.Report) string {
	var b strings.Builder
	for i := range r.Findings {
		b.WriteString(findingText(&r.Findings[i]) + "\n")
	}
	fmt.Fprintf(&b, "log %s: %s", audit.Printable(r.Origin), count(int(r.Records), "record", "records"))
	if r.Records > 0 {
		fmt.Fprintf(&b, " (%d to %d), signed up to %d", r.First, r.First+r.Records-1, r.Signed)
	}
	if r.Unsigned > 0 {
		fmt.Fprintf(&b, ", %d not signed yet", r.Unsigned)
	}
	if r.Expired > 0 {
		fmt.Fprintf(&b, ", up to %d deleted by retention", r.Expired)
	}
	if r.Torn > 0 {
		fmt.Fprintf(&b, ", %s of an unfinished record", count(int(r.Torn), "byte", "bytes"))
	}
	fmt.Fprintf(&b, "\ncompared: %s, %s of closed segments, %s\n", count(r.Tiles, "tile", "tiles"),
		count(r.Sealed, "checkpoint", "checkpoints"), count(r.Copies, "copy", "copies"))
	if len(r.Findings) == 0 {
		b.WriteString("intact\n")
	} else {
		b.WriteString("NOT intact\n")
	}
	return b.String()
}

// findingText prints a finding as "FILE: CODE: record N WHAT: why".
func findingText(f *audit.Finding) string {
	s := ""
	if f.File != "" {
		s = audit.Printable(f.File) + ": "
	}
	s += f.Code() + ": "
	switch {
	case f.Last > 0:
		s += fmt.Sprintf("records %d to %d ", f.Seq, f.Last)
	case f.Seq > 0:
		s += fmt.Sprintf("record %d ", f.Seq)
	}
	return s + f.What + ": " + audit.Printable(f.Detail)
}

// auditKey reads a log's public key: a file, the key itself, or the log's own.
func auditKey(dir, given string) (note.Verifier, error) {
	name := given
	if given == "" {
		name = filepath.Join(dir, "key.pub")
	}
	text, err := os.ReadFile(name)
	if err != nil && strings.Count(given, "+") >= 2 {
		text, err = []byte(given), nil
	}
	if err != nil {
		return nil, cli.WithHint(err, "a log's public key is the file key.pub in its folder; give another with --key")
	}
	key, err := audit.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return key, nil
}
