package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/schemas"
)

// auditLogs is said by every command that reads logs.
const auditLogs = `LOG is the folder of a log (a gateway's or a shim's), a folder of such folders, a file
of records or of OPA's decision logs (arrays, one event a line, console output; plain,
gzip or zstd), or - for the standard input. Several are read as one, by time.`

// selection are the flags that select records.
type selection struct {
	filter       query.Filter
	since, until string
}

// flags adds them; some filters need whole records.
func (s *selection) flags(cmd *cobra.Command, records bool) {
	f := cmd.Flags()
	f.StringVar(&s.since, "since", "", "only from `TIME` on: 90s, 2h, 7d before now, 10:30, 2006-01-02 or 2006-01-02T15:04:05Z")
	f.StringVar(&s.until, "until", "", "only before `TIME`")
	f.StringVar(&s.filter.Sandbox, "sandbox", "", "only of the sandbox `ID`")
	f.StringVar(&s.filter.Policy, "policy", "", "only under the policy `NAME`")
	f.StringVar(&s.filter.Decision, "decision", "", "only these `DECISION`s: "+strings.Join(query.Decisions, ", ")+" (deny or audit)")
	f.StringVar(&s.filter.Code, "code", "", "only with the decision `CODE`")
	f.StringVar(&s.filter.Host, "host", "", "only to `HOST`; * and ? stand for any characters")
	f.StringVar(&s.filter.Method, "method", "", "only with the `METHOD` or file operation")
	f.StringVar(&s.filter.Rule, "rule", "", "only decided by the rule `ID`")
	complete(cmd, "decision", query.Decisions...)
	codes := make([]string, 0, 32)
	for _, c := range schemas.Codes() {
		codes = append(codes, string(c.Code))
	}
	complete(cmd, "code", codes...)
	if records {
		f.StringVar(&s.filter.Kind, "kind", "", "only of the `KIND`: network, file or exec")
		f.StringVar(&s.filter.Text, "text", "", "only with `TEXT` anywhere in the record")
		complete(cmd, "kind", "network", "file", "exec")
	}
}

func complete(cmd *cobra.Command, flag string, values ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// ready reads the times and checks the words.
func (s *selection) ready(now time.Time) error {
	for _, x := range []struct {
		flag, text string
		to         *time.Time
	}{{"--since", s.since, &s.filter.Since}, {"--until", s.until, &s.filter.Until}} {
		if x.text == "" {
			continue
		}
		t, err := query.ParseTime(x.text, now, cli.ParseDuration)
		if err != nil {
			return fmt.Errorf("%s: %w", x.flag, err)
		}
		*x.to = t
	}
	if err := s.filter.Check(); err != nil {
		hint := "openshell-policy audit query --help lists the filters"
		if strings.HasPrefix(err.Error(), "code") {
			hint = "openshell-policy explain lists the codes"
		}
		return cli.WithHint(err, "%s", hint)
	}
	return nil
}

// logsOf resolves the logs that a user names.
func logsOf(args []string) ([]string, error) {
	logs, err := query.Logs(args)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, cli.WithHint(err, "a gateway's log is the folder audit in its state folder")
	}
	return logs, err
}

// corrupt gives an error of reading a log the status that it stands for: 1 for a
// log that does not hold what it should, 2 for one that cannot be read.
func corrupt(err error) error {
	var path *fs.PathError
	if err == nil || errors.As(err, &path) || errors.Is(err, context.Canceled) || errors.Is(err, query.ErrNotFollowed) {
		return err
	}
	return cli.WithStatus(cli.ExitFindings, err)
}
