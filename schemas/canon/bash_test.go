package canon_test

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// shellPieces are put together at random: what parsers disagree about.
var shellPieces = []string{
	"aa", "bb", "aa ", "bb ", " ", " ", ";", "\n", "&&", "|", "&", "#", "\\\n", "\\", "\r", "'", "\"", "$'", "(", ")", "{ ", "; }",
	"if aa; then bb; fi", "<<E\n", "\nE\n", "<<'E'\n", "<<<", "$(aa x)", "`bb y`", "$(", "`", "{a,b}", "{1..2}", "{", "}", ",", "..", "! ",
	"[[ a ]]", "for i in 1 2; do ", "; done", "ff() { bb f; }", "ff", "case x in x) ", ";; esac", "time ", "2>&1", ">/dev/null", "<(aa p)",
	"command ", "x=1 ", "x=$(bb z)", "=", "\\x41", "\t", "((1))", "\\'", "\\\"", "x#", "é", "\v", "\u00a0", "$\"", "\\{", "\\101", "\x7f",
}

// What bash runs is among the commands that were read from the text, word for
// word, unless the text is refused or said to be opaque.
func TestAgainstBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		if os.Getenv("OPENSHELL_REQUIRE_TOOLS") == "1" {
			t.Fatal(err)
		}
		t.Skip("there is no bash to compare with")
	}
	dir, random, compared := t.TempDir(), rand.New(rand.NewPCG(1, 2)), 0
	for i := 0; compared < 120 && i < 20000; i++ {
		var text strings.Builder
		text.WriteString("aa ")
		for range 1 + random.IntN(8) {
			text.WriteString(shellPieces[random.IntN(len(shellPieces))])
		}
		in, err := canon.CommandText(text.String(), canon.Shell{})
		if err != nil || in.Opaque {
			continue
		}
		for _, words := range runBash(t, bash, filepath.Join(dir, strconv.Itoa(i)), text.String()) {
			compared++
			if !slices.ContainsFunc(in.Commands, func(c schemas.Command) bool { return accountsFor(c, words) }) {
				t.Errorf("%q runs %q, which is not in %q", text.String(), words, show(in))
			}
		}
	}
	if compared < 120 {
		t.Errorf("%d commands compared, want 120", compared)
	}
}

// runBash returns the words of every aa and bb that a text runs.
func runBash(t *testing.T, bash, log, text string) [][]string {
	t.Helper()
	file, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	prelude := `aa() { printf '%s\0' aa "$@" end. >&3; }; bb() { printf '%s\0' bb "$@" end. >&3; }; `
	cmd := exec.CommandContext(ctx, bash, "--norc", "-c", prelude+text)
	cmd.Dir, cmd.Env, cmd.ExtraFiles, cmd.WaitDelay = filepath.Dir(log), []string{"PATH=/nonexistent", "LC_ALL=C.UTF-8"}, []*os.File{file}, time.Second
	_ = cmd.Run() // that a text fails says nothing
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var runs [][]string
	for run := range strings.SplitSeq(string(data), "\x00end.\x00") {
		if run != "" {
			runs = append(runs, strings.Split(run, "\x00"))
		}
	}
	return runs
}

// accountsFor tells whether a command is these words, as far as its own are
// known.
func accountsFor(c schemas.Command, words []string) bool {
	if c.Program != words[0] {
		return false
	}
	if strings.Contains(c.Line, `\?`) {
		return true
	}
	return slices.EqualFunc(c.Args, words[1:], func(arg, word string) bool { return arg == canon.Escape(word) })
}
