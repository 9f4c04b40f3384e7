package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// session is a sandbox whose agent does what it is told.
type session struct {
	id     string
	agent  string
	policy string
	notes  []string // what openshell said on stderr

	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Reader
	taken int // decisions that were looked at
}

var announced = regexp.MustCompile(`^sandbox (sb-[a-z0-9]{6}): `)

// open runs `openshell sandbox create --policy POLICY -- AGENT`.
func (w *world) open(ctx context.Context, agent, policy string) (*session, error) {
	s := &session{agent: agent, policy: policy}
	s.cmd = exec.CommandContext(ctx, filepath.Join(w.bin, "openshell"), "sandbox", "create", "--policy", policy, "--", agent)
	s.cmd.Env, s.cmd.Dir = w.env, filepath.Join(w.dir, "work")
	s.cmd.WaitDelay = time.Second
	var err error
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(stdout)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	return s, s.readNotes(stderr)
}

// readNotes reads stderr up to the line with the sandbox's name, and lets the rest
// pass.
func (s *session) readNotes(stderr io.Reader) error {
	lines := bufio.NewReader(stderr)
	for s.id == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("no sandbox for %s: %s", s.agent, strings.Join(append(s.notes, line), "\n"))
		}
		line = strings.TrimRight(line, "\n")
		s.notes = append(s.notes, line)
		if m := announced.FindStringSubmatch(line); m != nil {
			s.id = m[1]
		}
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return nil
}

// run lets the agent run a shell command and returns what it printed.
func (s *session) run(command string) (output string, status int, err error) {
	if _, err := fmt.Fprintf(s.stdin, "( %s ) </dev/null 2>&1; printf '\\n\\001%%d\\n' $?\n", command); err != nil {
		return "", 0, err
	}
	var b strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			return b.String(), 0, fmt.Errorf("%s: the agent ended: %w", s.agent, err)
		}
		if number, ok := strings.CutPrefix(line, "\x01"); ok {
			status, err := strconv.Atoi(strings.TrimSpace(number))
			return strings.Trim(b.String(), "\n"), status, err
		}
		b.WriteString(line)
	}
}

// decisions returns the log's new lines. Some may still be on their way, so it
// waits a while for as many as are expected.
func (s *session) decisions(ctx context.Context, w *world, expected int) ([]string, error) {
	deadline := time.Now().Add(2 * time.Second)
	for {
		all, err := s.log(ctx, w)
		if err != nil {
			return nil, err
		}
		if len(all)-s.taken >= expected || time.Now().After(deadline) {
			fresh := all[min(s.taken, len(all)):]
			s.taken = len(all)
			return fresh, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// log is what `openshell sandbox logs` prints.
func (s *session) log(ctx context.Context, w *world) ([]string, error) {
	out, err := w.openshell(ctx, "sandbox", "logs", s.id)
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(out, func(r rune) bool { return r == '\n' }), nil
}

// close ends the agent as its terminal would.
func (s *session) close() error {
	if err := s.stdin.Close(); err != nil {
		return err
	}
	err := s.cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return err
}
