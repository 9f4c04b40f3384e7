package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/policies"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

func newPolicy(p *place) *cobra.Command {
	return cli.Group("policy", "Apply, list and show policies", newApply(p), newPolicyList(p), newPolicyGet(p), newPolicyDelete(p))
}

type applyOptions struct {
	place   *place
	sandbox string
	policy  string
	file    string
	format  *cli.Output
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
}

func newApply(p *place) *cobra.Command {
	o := &applyOptions{place: p}
	cmd := &cobra.Command{
		Use:   "apply (--sandbox ID --policy NAME|FILE | -f FILE)",
		Short: "Change the policy of a running sandbox, or a policy itself",
		Long: `Change the policy of a running sandbox, or a policy itself; both are in force when
the command returns, and no restart is needed.

With -f the file's policy is stored in the gateway, for every sandbox bound to it. A
policy that does not compile changes nothing; exit status 1.`,
		Example: `  openshell policy apply --sandbox sb-a1b2c3 --policy full-dev
  openshell policy apply -f team.yaml`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.stdin, o.stdout, o.stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return apply(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.sandbox, "sandbox", "", "`ID` of the sandbox")
	f.StringVarP(&o.policy, "policy", "p", "", "`POLICY` to bind it to: a name or a file")
	f.StringVarP(&o.file, "file", "f", "", "`FILE` whose policies to store; - is stdin")
	o.format = cli.AddOutput(cmd, "text", "json")
	return cmd
}

// complete checks that one thing is to be changed, and that all of it is there.
func (o *applyOptions) complete() error {
	problem := ""
	switch {
	case o.file != "" && o.sandbox != "":
		problem = "--file stores a policy and --sandbox binds one: give one of them"
	case o.file != "" && o.policy != "":
		problem = "--policy goes with --sandbox, not with --file"
	case o.file != "":
	case o.sandbox == "" && o.policy == "":
		problem = "nothing to apply: give --sandbox and --policy, or --file"
	case o.sandbox == "":
		problem = "--sandbox is missing: which sandbox gets the policy?"
	case o.policy == "":
		problem = "--policy is missing: which policy does the sandbox get?"
	}
	if problem == "" {
		return nil
	}
	return cli.WithHint(errors.New(problem), "openshell policy apply --help shows examples")
}

func apply(ctx context.Context, o *applyOptions) error {
	if err := o.complete(); err != nil {
		return err
	}
	c, err := o.place.client(ctx)
	if err != nil {
		return noGatewayHint(err)
	}
	begun := time.Now()
	if o.file != "" {
		err = o.store(ctx, c, begun)
	} else {
		err = o.bind(ctx, c, begun)
	}
	var invalid *invalidPolicy
	if errors.As(err, &invalid) {
		return cli.WithStatus(cli.ExitFindings, err)
	}
	return err
}

func noGatewayHint(err error) error {
	if errors.Is(err, errNoGateway) && cli.StatusOf(err) == cli.ExitError {
		var e *cli.Error
		if !errors.As(err, &e) {
			return cli.WithHint(err, "openshell gateway start runs one; openshell sandbox create starts its own")
		}
	}
	return err
}

// bind gives a sandbox another policy.
func (o *applyOptions) bind(ctx context.Context, c *adminapi.Client, begun time.Time) error {
	name, _, err := offer(ctx, c, o.policy)
	if err != nil {
		return err
	}
	change, err := c.SetPolicy(ctx, o.sandbox, adminapi.SetPolicy{Policy: name})
	if err != nil {
		return unknownSandbox(err)
	}
	restart, err := refreshLocal(o.place, change.Sandbox)
	if err != nil {
		return err
	}
	if o.format.String() == "json" {
		return errors.Join(cli.WriteJSON(o.stdout, boundPolicy{change, restart}), restartNeeded(restart))
	}
	if !change.Changed {
		_, err := fmt.Fprintf(o.stdout, "Policy unchanged — sandbox has %s access\n", change.To)
		return err
	}
	fmt.Fprintf(o.stderr, "enforced by %d/%d gateways in %d ms\n", change.Enforced, change.Gateways, time.Since(begun).Milliseconds())
	writeChanges(o.stderr, change.Changes)
	if err := restartNeeded(restart); err != nil {
		fmt.Fprintf(o.stdout, "Policy updated in part — sandbox now has %s access but for some files\n", change.To)
		return err
	}
	_, err = fmt.Fprintf(o.stdout, "Policy updated — sandbox now has %s access\n", change.To)
	return err
}

// boundPolicy is the answer as JSON.
type boundPolicy struct {
	adminapi.PolicyChange
	RestartRequired []string `json:"restart_required,omitempty"`
}

// restartNeeded says which clauses a running sandbox cannot follow.
func restartNeeded(paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	err := fmt.Errorf("restart_required: the sandbox keeps what it had for %s", strings.Join(paths, ", "))
	return cli.WithStatus(cli.ExitFindings, cli.WithHint(err, "start a new sandbox; with --hot-files its file clauses can change while it runs"))
}

// store puts a file's policies into the gateway.
func (o *applyOptions) store(ctx context.Context, c *adminapi.Client, begun time.Time) error {
	applied, err := applyFile(ctx, c, o.file, o.stdin)
	if err != nil {
		return err
	}
	for _, w := range applied.Warnings {
		fmt.Fprintln(o.stderr, w)
	}
	restart, err := refreshLocal(o.place, applied.Sandboxes...)
	if err != nil {
		return err
	}
	if o.format.String() == "json" {
		return errors.Join(cli.WriteJSON(o.stdout, storedPolicy{applied, restart}), restartNeeded(restart))
	}
	names := strings.Join(applied.Policies, ", ")
	if !applied.Changed {
		_, err := fmt.Fprintf(o.stdout, "Policy unchanged — %s\n", names)
		return err
	}
	fmt.Fprintf(o.stderr, "enforced by 1/1 gateways in %d ms\n", time.Since(begun).Milliseconds())
	writeChanges(o.stderr, applied.Changes)
	bound := "no running sandbox has it"
	if len(applied.Sandboxes) > 0 {
		bound = "in force for " + strings.Join(applied.Sandboxes, ", ")
	}
	if _, err := fmt.Fprintf(o.stdout, "Policy updated — %s: %s\n", names, bound); err != nil {
		return err
	}
	return restartNeeded(restart)
}

// storedPolicy is the answer as JSON.
type storedPolicy struct {
	adminapi.Applied
	RestartRequired []string `json:"restart_required,omitempty"`
}

func writeChanges(w io.Writer, changes []string) {
	if len(changes) > 0 {
		fmt.Fprintln(w, strings.Join(changes, "; "))
	}
}

type policyOptions struct {
	place  *place
	name   string
	format *cli.Output
	stdout io.Writer
	stderr io.Writer
}

func newPolicyList(p *place) *cobra.Command {
	o := &policyOptions{place: p}
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the gateway's policies", Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.stdout, o.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return listPolicies(cmd.Context(), o)
		},
	}
	o.format = cli.AddOutput(cmd, "table", "json", "yaml", "name")
	return cmd
}

func listPolicies(ctx context.Context, o *policyOptions) error {
	l, err := o.policies(ctx)
	if err != nil {
		return err
	}
	switch o.format.String() {
	case "json":
		return cli.WriteJSON(o.stdout, l)
	case "yaml":
		return cli.WriteYAML(o.stdout, l)
	case "name":
		for _, p := range l.Policies {
			fmt.Fprintln(o.stdout, p.Name)
		}
		return nil
	}
	var rows [][]string
	for _, p := range l.Policies {
		rows = append(rows, []string{p.Name, strconv.Itoa(p.Rules), string(p.Mode), p.File})
	}
	return cli.Table(o.stdout, []string{"NAME", "RULES", "MODE", "FILE"}, rows)
}

// policies are the gateway's, or the ready-made ones where none runs.
func (o *policyOptions) policies(ctx context.Context) (adminapi.PolicyList, error) {
	c, err := o.place.client(ctx)
	if err == nil {
		return c.Policies(ctx)
	}
	if !errors.Is(err, errNoGateway) || o.place.named() {
		return adminapi.PolicyList{}, err
	}
	fmt.Fprintln(o.stderr, "no gateway is running: these are the ready-made policies")
	result := policyset.Compile(policyset.Library(), compiler.Options{})
	g, err := rego.New(rego.Options{}).Load(result.Bundle)
	if err != nil {
		return adminapi.PolicyList{}, err
	}
	l := adminapi.PolicyList{Revision: result.Revision, Policies: []adminapi.Policy{}}
	for _, p := range g.Policies() {
		l.Policies = append(l.Policies, adminapi.Policy{Name: p.Name, File: p.File, Line: p.Line, Mode: p.Mode, Rules: p.Rules})
	}
	return l, nil
}

func newPolicyGet(p *place) *cobra.Command {
	o := &policyOptions{place: p}
	cmd := &cobra.Command{
		Use: "get NAME", Short: "Print a policy", Example: "  openshell policy get github-readonly > mine.yaml",
		Args: cli.Args(1, 1, "the name of a policy"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name, o.stdout, o.stderr = args[0], cmd.OutOrStdout(), cmd.ErrOrStderr()
			return getPolicy(cmd.Context(), o)
		},
	}
	o.format = cli.AddOutput(cmd, "yaml", "json", "name")
	return cmd
}

func getPolicy(ctx context.Context, o *policyOptions) error {
	d, err := o.detail(ctx)
	if err != nil {
		return err
	}
	switch o.format.String() {
	case "json":
		return cli.WriteJSON(o.stdout, d)
	case "name":
		_, err = fmt.Fprintln(o.stdout, d.Name)
	default:
		_, err = io.WriteString(o.stdout, d.Source)
	}
	return err
}

func (o *policyOptions) detail(ctx context.Context) (adminapi.PolicyDetail, error) {
	c, err := o.place.client(ctx)
	if err == nil {
		d, err := c.Policy(ctx, o.name)
		var e *adminapi.Error
		if !errors.As(err, &e) || e.Code != "no_policy" {
			return d, err
		}
	} else if !errors.Is(err, errNoGateway) || o.place.named() {
		return adminapi.PolicyDetail{}, err
	}
	text, ok := policies.Text(o.name)
	if !ok {
		return adminapi.PolicyDetail{}, cli.WithHint(fmt.Errorf("no policy named %q", o.name), "openshell policy list shows the policies")
	}
	return adminapi.PolicyDetail{
		Policy: adminapi.Policy{Name: o.name, File: "library/" + o.name + ".yaml"}, Source: string(text), Sandboxes: []string{},
	}, nil
}
