package cli_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
)

func TestParseDuration(t *testing.T) {
	tests := map[string]time.Duration{
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "2w": 336 * time.Hour,
		"1w2d3h": (9*24 + 3) * time.Hour, "1.5d": 36 * time.Hour, "0s": 0,
		"": -1, "d": -1, "7": -1, "-1d": -1, "1h2d": -1, "1d1w": -1, "x": -1, "-5s": -1,
	}
	for text, want := range tests {
		got, err := cli.ParseDuration(text)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestAge(t *testing.T) {
	tests := map[time.Duration]string{
		-time.Second: "0s", 5 * time.Second: "5s", 119 * time.Second: "119s", 5 * time.Minute: "5m",
		5*time.Minute + 3*time.Second: "5m3s", 12 * time.Minute: "12m", 3 * time.Hour: "3h", 3*time.Hour + time.Minute: "3h1m",
		30 * time.Hour: "30h", 50 * time.Hour: "2d2h", 30 * 24 * time.Hour: "30d", 9 * 365 * 24 * time.Hour: "9y",
	}
	for d, want := range tests {
		if got := cli.Age(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestRun(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		status int
		stderr string
	}{
		{"clean", []string{"do"}, 0, ""},
		{"findings", []string{"do", "--status", "1"}, 1, ""},
		{"hint", []string{"do", "--fail"}, 2, "error: it broke\nhint: mend it\n"},
		{"flag", []string{"do", "--nope"}, 2, "error: unknown flag: --nope\nhint: tool do --help lists the flags\n"},
		{"command", []string{"dp"}, 2, "error: unknown command \"dp\" for \"tool\"\nhint: did you mean do?\n"},
		{"arguments", []string{"do", "x"}, 2, "error: tool do takes no arguments, and got [\"x\"]\nhint: tool do --help shows examples\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var stderr bytes.Buffer
			root := tool()
			root.SetArgs(test.args)
			root.SetErr(&stderr)
			root.SetOut(&bytes.Buffer{})
			if got := cli.Run(context.Background(), root); got != test.status {
				t.Errorf("status %d, want %d", got, test.status)
			}
			if stderr.String() != test.stderr {
				t.Errorf("stderr %q, want %q", stderr.String(), test.stderr)
			}
		})
	}
}

func tool() *cobra.Command {
	var status int
	var fail bool
	do := &cobra.Command{Use: "do", Args: cli.NoArgs, RunE: func(*cobra.Command, []string) error {
		if fail {
			return cli.WithHint(errors.New("it broke"), "mend it")
		}
		if status != 0 {
			return cli.Exit(status)
		}
		return nil
	}}
	do.Flags().IntVar(&status, "status", 0, "")
	do.Flags().BoolVar(&fail, "fail", false, "")
	return cli.Group("tool", "does things", do)
}

func TestWriteYAML(t *testing.T) {
	var b bytes.Buffer
	v := struct {
		Zeta  string   `json:"zeta"`
		Alpha []string `json:"alpha"`
		Text  string   `json:"text"`
	}{"1", []string{"a", "b"}, "true"}
	if err := cli.WriteYAML(&b, v); err != nil {
		t.Fatal(err)
	}
	want := "zeta: \"1\"\nalpha:\n  - a\n  - b\ntext: \"true\"\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := cli.Table(&b, []string{"ID", "AGENT"}, [][]string{{"sb-a1b2c3", "claude"}}); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(b.String(), "\n"); len(lines) != 3 || lines[1] != "sb-a1b2c3  claude" {
		t.Errorf("got %q", b.String())
	}
}
