package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/internal/cli"
)

type auditProveOptions struct {
	dir      string
	key      string
	seq      uint64
	decision string
	out      string
	stdout   io.Writer
}

func newAuditProve() *cobra.Command {
	o := &auditProveOptions{}
	cmd := &cobra.Command{
		Use:   "prove LOG",
		Short: "Prove that a record is in a log",
		Long: `Print a proof that a record is in a log: the record, the hashes that lead from it
to the root of the tree, and the checkpoint that signs the root (C2SP tlog-proof).
Whoever has the log's public key checks it with verify-proof, without the log.

Exit status: 0 proved, 1 the log holds no such record or is not what it signed, 2
could not read.`,
		Example: `  openshell-policy audit prove audit --seq 1042 --out record.tlog-proof
  openshell-policy audit prove audit --decision 01993f2a | openshell-policy audit verify-proof - --key gw-0.pub`,
		Args: cli.Args(1, 1, "one LOG, a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.dir, o.stdout = args[0], cmd.OutOrStdout()
			return auditProve(o)
		},
	}
	f := cmd.Flags()
	f.Uint64Var(&o.seq, "seq", 0, "`NUMBER` of the record (custom.seq)")
	f.StringVar(&o.decision, "decision", "", "`ID` of the decision (decision_id)")
	f.StringVar(&o.key, "key", "", "public `KEY`, or a file with it (default: key.pub of the log)")
	f.StringVar(&o.out, "out", "", "write the proof to `FILE` instead of stdout")
	return cmd
}

func auditProve(o *auditProveOptions) error {
	if (o.seq == 0) == (o.decision == "") {
		return cli.WithHint(errors.New("which record is to be proved?"), "give --seq NUMBER or --decision ID; audit query -o json prints both")
	}
	key, err := auditKey(o.dir, o.key)
	if err != nil {
		return err
	}
	if o.decision != "" {
		if o.seq, err = audit.FindDecision(o.dir, o.decision); err != nil {
			return notThere(err)
		}
	}
	proof, err := audit.Prove(o.dir, o.seq, key)
	if err != nil {
		return notThere(err)
	}
	if o.out != "" {
		return writeFile(o.out, proof.Format())
	}
	_, err = o.stdout.Write(proof.Format())
	return err
}

// notThere is a finding where the log holds no such record, or another than it
// has signed.
func notThere(err error) error {
	if errors.Is(err, audit.ErrNoRecord) {
		return cli.WithHint(cli.WithStatus(cli.ExitFindings, err), "a record is signed about a second after it was written; openshell-policy audit query lists what there is")
	}
	return corrupt(err)
}

func newAuditVerifyProof() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "verify-proof PROOF",
		Short: "Check a proof that a record is in a log, with the public key alone",
		Long: `Check a proof that audit prove has printed. Only the log's public key is needed.
The record is printed on stdout, which log and which checkpoint it is proved by on
stderr.

Exit status: 0 proved, 1 not, 2 could not read.`,
		Example: `  openshell-policy audit verify-proof record.tlog-proof --key gw-0.pub`,
		Args:    cli.Args(1, 1, "one PROOF, a file or -"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if key == "" {
				return cli.WithHint(errors.New("audit verify-proof needs --key"), "it is the file key.pub of the log that the proof is from")
			}
			text, err := readProof(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			return verifyProof(cmd.OutOrStdout(), cmd.ErrOrStderr(), text, key)
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "public `KEY` of the log, or a file with it")
	return cmd
}

func readProof(stdin io.Reader, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(stdin, 16<<20))
	}
	return os.ReadFile(name)
}

func verifyProof(stdout, stderr io.Writer, text []byte, given string) error {
	key, err := auditKey("", given)
	if err != nil {
		return err
	}
	proof, cp, err := audit.CheckProof(text, key)
	if err != nil {
		return cli.WithStatus(cli.ExitFindings, err)
	}
	fmt.Fprintf(stderr, "proved: record %d of log %s, by its checkpoint of %d records\n", proof.Seq, audit.Printable(cp.Origin), cp.Size)
	_, err = fmt.Fprintf(stdout, "%s\n", proof.Record)
	return err
}
