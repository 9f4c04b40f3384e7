package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// play goes through the script and stops at the first difference.
func play(ctx context.Context, w *world, r *report, acts []act) error {
	sessions := map[string]*session{}
	for number, a := range acts {
		s := sessions[a.agent]
		if !a.again {
			var err error
			if s, err = w.open(ctx, a.agent, a.policy); err != nil {
				return err
			}
			sessions[a.agent] = s
		}
		r.act(number+1, a, s)
		for _, st := range a.steps {
			if err := perform(ctx, w, r, s, st); err != nil {
				return fmt.Errorf("%s under %s: %s: %w", a.agent, a.policy, st.says, err)
			}
		}
	}
	return epilogue(ctx, w, r, acts, sessions)
}

// perform runs one step and checks everything that must be true of it.
func perform(ctx context.Context, w *world, r *report, s *session, st step) error {
	r.step(st, s)
	var output string
	var status int
	var err error
	if st.outside != "" {
		output, status, err = w.shell(ctx, strings.ReplaceAll(st.outside, "$ID", s.id))
	} else {
		output, status, err = s.run(st.run)
	}
	if err != nil {
		return err
	}
	r.output(output, st.whole)
	lines, err := s.decisions(ctx, w, len(st.log))
	if err != nil {
		return err
	}
	r.decisions(lines)
	return check(st, status, output, lines, w.origin.take())
}

func check(st step, status int, output string, lines, reached []string) error {
	decisions := withoutTimes(lines)
	switch allowed := allowed(st.log); {
	case status != st.status:
		return fmt.Errorf("exit status %d, want %d\n%s", status, st.status, output)
	case !strings.Contains(output, st.prints):
		return fmt.Errorf("printed\n%s\nwithout %q", output, st.prints)
	case !slices.Equal(decisions, st.log):
		return fmt.Errorf("decisions\n  %s\nwant\n  %s", strings.Join(decisions, "\n  "), strings.Join(st.log, "\n  "))
	case !slices.Equal(reached, allowed):
		return fmt.Errorf("the origin saw\n  %s\nwant\n  %s", strings.Join(reached, "\n  "), strings.Join(allowed, "\n  "))
	}
	return nil
}

// withoutTimes drops the "[10:31:02] " of log lines, and the lines that are not
// decisions.
func withoutTimes(lines []string) []string {
	var out []string
	for _, line := range lines {
		_, rest, _ := strings.Cut(line, "] ")
		if !strings.HasPrefix(rest, "ADMIN ") {
			out = append(out, rest)
		}
	}
	return out
}

// allowed are the requests that must have reached the origin.
func allowed(log []string) []string {
	var out []string
	for _, line := range log {
		if request, ok := strings.CutSuffix(line, " ✅"); ok {
			out = append(out, request)
		}
	}
	return out
}

// shell runs a command of the owner's.
func (w *world) shell(ctx context.Context, command string) (output string, status int, err error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Env = w.env
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out), exit.ExitCode(), nil
	}
	return strings.Trim(string(out), "\n"), 0, err
}

// epilogue shows what the owner sees afterwards, and checks that nothing was
// decided that no step expected.
func epilogue(ctx context.Context, w *world, r *report, acts []act, sessions map[string]*session) error {
	r.title("What the owner sees")
	first := sessions[acts[0].agent]
	for _, args := range [][]string{{"sandbox", "list"}, {"sandbox", "logs", first.id}} {
		out, err := w.openshell(ctx, args...)
		if err != nil {
			return err
		}
		r.command("openshell " + strings.Join(args, " "))
		r.output(strings.Trim(out, "\n"), true)
	}
	expected := map[string]int{}
	for _, a := range acts {
		for _, st := range a.steps {
			expected[a.agent] += len(st.log)
		}
	}
	total := 0
	for agent, s := range sessions {
		if err := s.close(); err != nil {
			return fmt.Errorf("%s: %w", agent, err)
		}
		lines, err := s.log(ctx, w)
		if err != nil {
			return err
		}
		lines = withoutTimes(lines)
		if len(lines) != expected[agent] || len(lines) == 0 {
			return fmt.Errorf("%s: %d decisions in the log, want %d", agent, len(lines), expected[agent])
		}
		total += len(lines)
	}
	r.end(total, len(sessions))
	return nil
}
