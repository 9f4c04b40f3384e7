package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/openshell-policy/openshell/compiler/diff"
	"github.com/openshell-policy/openshell/internal/cli"
)

// accepted is a change that somebody answers for, until a day.
type accepted struct {
	Policy    string `yaml:"policy"`
	Surface   string `yaml:"surface"`
	Direction string `yaml:"direction"`
	Rule      string `yaml:"rule"`
	Reason    string `yaml:"reason"`
	Until     string `yaml:"until"`

	expired bool
	used    int
}

const ignoreHint = "write --ignore 'policy=NAME,rule=ID,until=2026-12-31,reason=why', or a YAML file with a list of such entries"

// readAccepted reads the values of --ignore.
func readAccepted(values []string, now time.Time) ([]*accepted, error) {
	var out []*accepted
	for _, v := range values {
		if strings.HasPrefix(v, "policy=") || strings.Contains(v, ",policy=") {
			a, err := parseAccepted(v)
			if err != nil {
				return nil, err
			}
			out = append(out, a)
			continue
		}
		data, err := os.ReadFile(v)
		if err != nil {
			return nil, cli.WithHint(fmt.Errorf("--ignore: %w", err), ignoreHint)
		}
		list, err := parseAcceptedFile(v, data, now)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, checkAccepted(out, now)
}

func checkAccepted(list []*accepted, now time.Time) error {
	for _, a := range list {
		if err := a.check(now); err != nil {
			return cli.WithHint(err, ignoreHint)
		}
	}
	return nil
}

// parseAcceptedFile reads a list of entries.
func parseAcceptedFile(name string, data []byte, now time.Time) ([]*accepted, error) {
	var list []*accepted
	if len(data) == 0 {
		return nil, nil
	}
	if err := yaml.Load(data, &list, yaml.WithKnownFields()); err != nil {
		return nil, cli.WithHint(fmt.Errorf("%s: %w", name, err), ignoreHint)
	}
	return list, checkAccepted(list, now)
}

// parseAccepted reads key=value,...; the reason comes last, and may hold commas.
func parseAccepted(text string) (*accepted, error) {
	a := &accepted{}
	fields := map[string]*string{"policy": &a.Policy, "surface": &a.Surface, "direction": &a.Direction, "rule": &a.Rule, "until": &a.Until, "reason": &a.Reason}
	for rest := text; rest != ""; {
		key, after, ok := strings.Cut(rest, "=")
		field := fields[strings.TrimSpace(key)]
		if !ok || field == nil {
			return nil, cli.WithHint(fmt.Errorf("--ignore: %q is not key=value with a known key", rest), ignoreHint)
		}
		value, next := after, ""
		if strings.TrimSpace(key) != "reason" {
			value, next, _ = strings.Cut(after, ",")
		}
		*field, rest = strings.TrimSpace(value), next
	}
	return a, nil
}

func (a *accepted) check(now time.Time) error {
	switch {
	case a == nil || a.Policy == "":
		return errors.New("--ignore: an entry names no policy")
	case a.Reason == "":
		return fmt.Errorf("--ignore: the entry for %s gives no reason", a.Policy)
	case a.Until == "":
		return fmt.Errorf("--ignore: the entry for %s does not say until when", a.Policy)
	case a.Direction != "" && a.Direction != "wider" && a.Direction != "narrower" && a.Direction != "unknown":
		return fmt.Errorf("--ignore: direction %q is not wider, narrower or unknown", a.Direction)
	case a.Surface != "" && !slices.Contains([]string{"policy", diff.SurfaceMode, diff.SurfaceNetwork, diff.SurfaceFiles, diff.SurfaceCommands}, a.Surface):
		return fmt.Errorf("--ignore: surface %q is not policy, mode, network, files or commands", a.Surface)
	}
	day, err := time.Parse(time.DateOnly, a.Until)
	if err != nil {
		return fmt.Errorf("--ignore: until %q is not a day such as 2026-12-31", a.Until)
	}
	a.expired = !now.Before(day.AddDate(0, 0, 1))
	return nil
}

func (a *accepted) matches(policy string, ch *diff.Change) bool {
	return !a.expired && a.Policy == policy && (a.Surface == "" || a.Surface == ch.Surface) &&
		(a.Direction == "" || a.Direction == string(ch.Direction)) &&
		(a.Rule == "" || a.Rule == ch.Before.Rule || a.Rule == ch.After.Rule)
}

// accept takes out the changes that somebody answers for. What is unknown is
// accepted by an entry with direction unknown alone.
func (c *comparison) accept(list []*accepted) {
	for _, p := range c.Policies {
		for i := range p.Surfaces {
			p.accept(&p.Surfaces[i], list)
		}
	}
	c.count()
}

func (p *policyChange) accept(s *diff.Surface, list []*accepted) {
	kept := []diff.Change{}
	for _, ch := range s.Changes {
		at := slices.IndexFunc(list, func(a *accepted) bool { return a.matches(p.Policy, &ch) })
		if at < 0 {
			kept = append(kept, ch)
			continue
		}
		list[at].used++
		p.Ignored = append(p.Ignored, ignoredOne{ch, list[at].Reason, list[at].Until})
	}
	doubt := len(s.Unknown) > 0
	for _, a := range list {
		if doubt && !a.expired && a.Policy == p.Policy && a.Direction == "unknown" && (a.Surface == "" || a.Surface == s.Name) {
			a.used++
			doubt, s.Unknown = false, nil
		}
	}
	s.Settle(kept, doubt)
	p.Settle()
}
