package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/lint"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/cli"
)

// review is what was found. It is what -o json prints.
type review struct {
	Against  string       `json:"against"`
	Failures []string     `json:"failures"` // why it does not pass; none if it does
	Notes    []string     `json:"notes,omitempty"`
	Lint     reviewLint   `json:"lint"`
	Tests    *reviewTests `json:"tests,omitempty"`
	Diff     *comparison  `json:"diff,omitempty"`
	Proof    *proof       `json:"proof,omitempty"`
	sources  map[string][]byte
	failOn   diag.Severity
	result   *compiler.Result
	policies []subject
}

type reviewLint struct {
	Diagnostics []diag.Diagnostic `json:"diagnostics"`
}

type reviewTests struct {
	Totals analysis.Totals   `json:"totals"`
	Failed []failedCase      `json:"failed"`
	Broken []diag.Diagnostic `json:"broken"`
}

type failedCase struct {
	File   string        `json:"file"`
	Name   string        `json:"name"`
	Ask    string        `json:"ask"`
	Reason string        `json:"reason"`
	Pos    diag.Position `json:"position"`
}

// baseFiles are the files of the revision that decide what passes.
type baseFiles struct {
	config     *lint.Config
	ignore     []byte
	invariants []byte
	notes      []string
}

// base reads them. What only the change has does not count, but for invariants.
func (o *reviewOptions) base(ctx context.Context) (*baseFiles, error) {
	commit, err := git(ctx, nil, "rev-parse", "--verify", "--quiet", "--end-of-options", o.against+"^{commit}")
	if err != nil || strings.HasPrefix(o.against, "-") {
		return nil, gitError(ctx, o.against, err)
	}
	prefix, err := git(ctx, nil, "rev-parse", "--show-prefix")
	if err != nil {
		return nil, err
	}
	b := &baseFiles{}
	show := func(name string) []byte {
		data, err := git(ctx, nil, "cat-file", "blob", strings.TrimSpace(string(commit))+":"+name)
		if err != nil {
			return nil
		}
		return data
	}
	within := strings.TrimSuffix(strings.TrimSpace(string(prefix)), "/")
	if err := b.readConfig(o, within, show); err != nil {
		return nil, err
	}
	if o.ignore != "" {
		if b.ignore = show(path.Join(within, filepath.ToSlash(o.ignore))); b.ignore == nil {
			b.notes = append(b.notes, fmt.Sprintf("%s has no %s: no change is accepted", o.against, o.ignore))
		}
	}
	if o.invariants != "" {
		if b.invariants = show(path.Join(within, filepath.ToSlash(o.invariants))); b.invariants == nil {
			b.notes = append(b.notes, fmt.Sprintf("%s has no %s: those of the change are proved", o.against, o.invariants))
			if b.invariants, err = os.ReadFile(o.invariants); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

// readConfig looks for lint's configuration as lint does, in the revision.
func (b *baseFiles) readConfig(o *reviewOptions, within string, show func(string) []byte) error {
	for dir, up := within, "."; ; dir, up = parent(dir), filepath.Join(up, "..") {
		name := path.Join(dir, lint.ConfigName)
		if data := show(name); data != nil {
			config, ds := lint.ParseConfig(name, data)
			if len(ds) > 0 {
				err := diag.WriteText(o.stderr, ds, map[string][]byte{name: data}, cli.Color(o.stderr))
				return errors.Join(err, cli.Exit(cli.ExitError))
			}
			config.Relative = relativeTo(up)
			b.config = config
			return nil
		}
		if dir == "" || dir == "." {
			return nil
		}
	}
}

func parent(dir string) string {
	if p := path.Dir(dir); p != "." {
		return p
	}
	return ""
}

func (r *review) lint(o *reviewOptions, base *baseFiles) error {
	in, err := readLint(&lintOptions{paths: existing(o.paths), output: o.output}, base.config)
	if err != nil {
		return err
	}
	result := lint.Run(in.sources, in.options(base.config))
	r.Lint.Diagnostics, r.sources = result.Diagnostics, result.Sources
	r.failOn = diag.Severity(o.lintFailOn)
	if r.failOn == "" && base.config != nil {
		r.failOn = base.config.FailOn
	}
	if diag.Fails(result.Diagnostics, r.failOn) {
		r.fail("lint: %s", diag.Summary(result.Diagnostics))
	}
	return nil
}

// test runs the tests of the paths. That there are none is a note.
func (r *review) test(ctx context.Context, o *reviewOptions) error {
	run, err := newTestRun(&testOptions{paths: existing(o.paths), output: o.output})
	if err != nil {
		return err
	}
	if _, _, err := testFiles(run.paths); err != nil {
		r.Notes = append(r.Notes, "the paths hold no tests")
		return nil
	}
	suites, _, err := run.suites(ctx)
	if err != nil {
		return err
	}
	t := &reviewTests{Totals: analysis.Count(suites), Failed: []failedCase{}, Broken: []diag.Diagnostic{}}
	for _, s := range suites {
		if !s.Ran() {
			t.Broken = append(t.Broken, s.Diagnostics...)
		}
		for _, c := range s.Cases {
			if !c.Pass {
				t.Failed = append(t.Failed, failedCase{s.File, c.Name, c.Ask, c.Reason, c.Pos})
			}
		}
	}
	r.Tests = t
	if t.Totals.Failed+t.Totals.Broken > 0 {
		r.fail("tests: %d of %s failed, %s could not be run", t.Totals.Failed, count(t.Totals.Cases, "case", "cases"), count(t.Totals.Broken, "file", "files"))
	}
	return nil
}

func (r *review) diff(ctx context.Context, o *reviewOptions, base *baseFiles, gates []string) error {
	d := &diffOptions{args: o.paths, against: o.against, output: o.output}
	before, after, err := d.sides(ctx)
	if err != nil {
		return err
	}
	r.result = after.result
	for _, p := range after.result.Policies {
		r.policies = append(r.policies, subject{p, p.Name})
	}
	if before.result.Bundle == nil {
		r.fail("the policies of %s do not compile, so that nothing can be compared", o.against)
		return nil
	}
	if r.Diff, err = compareSides(ctx, before, after); err != nil {
		return err
	}
	accepted, err := parseAcceptedFile(o.ignore, base.ignore, o.now)
	if err != nil {
		return err
	}
	r.Diff.accept(accepted)
	if err := r.Diff.replay(ctx, o.logs, after); err != nil {
		return err
	}
	if r.Diff.fails(gates) {
		r.fail("the change is %s, and --fail-on is %s", r.Diff.Verdict, strings.Join(gates, ","))
	}
	return nil
}

func (r *review) prove(ctx context.Context, o *reviewOptions, base *baseFiles) error {
	if base.invariants == nil {
		return nil
	}
	list, ds := parseInvariants(o.invariants, base.invariants)
	if diag.HasErrors(ds) {
		err := diag.WriteText(o.stderr, ds, map[string][]byte{o.invariants: base.invariants}, cli.Color(o.stderr))
		return errors.Join(err, cli.Exit(cli.ExitError))
	}
	var err error
	if r.Proof, err = proveAll(ctx, list, r.policies, r.result); err != nil {
		return err
	}
	if r.Proof.fails(false) {
		r.fail("invariants: %d refuted, %d unknown, %d about no policy", r.Proof.Counts["refuted"], r.Proof.Counts["unknown"], len(r.Proof.Unmatched))
	}
	return nil
}

// findings are those of all parts, for SARIF.
func (r *review) findings() []diag.Diagnostic {
	out := slices.Clone(r.Lint.Diagnostics)
	if r.Diff != nil {
		out = append(out, r.Diff.findings()...)
	}
	if r.Proof != nil {
		out = append(out, r.Proof.findings(false)...)
	}
	if r.Tests != nil {
		out = append(out, r.Tests.Broken...)
		for _, f := range r.Tests.Failed {
			out = append(out, diag.New("OSP2042", f.Pos, fmt.Sprintf("%s: %s: %s", f.Name, f.Ask, f.Reason), ""))
		}
	}
	diag.Sort(out)
	return out
}
