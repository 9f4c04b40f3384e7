package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/schemas"
)

// rounds is how often an attack is tried: OPENSHELL_ATTACK_ROUNDS, else few.
func rounds(t *testing.T, factor int) string {
	n := 200
	if s := os.Getenv("OPENSHELL_ATTACK_ROUNDS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	return strconv.Itoa(n * factor)
}

// execAttack runs an attacker on execve until something ran and something was
// refused, and adds up what it reports: on a busy machine its other half may not
// get a turn at first. It fails where that never happens.
func execAttack(t *testing.T, run func() result) (ran, denied, killed int) {
	t.Helper()
	for range 10 {
		r, d, k := oneExecAttack(t, run())
		ran, denied, killed = ran+r, denied+d, killed+k
		if ran > 0 && denied+killed > 0 {
			return ran, denied, killed
		}
	}
	t.Errorf("%d ran and %d were stopped: the attack does not attack", ran, denied+killed)
	return ran, denied, killed
}

func oneExecAttack(t *testing.T, r result) (ran, denied, killed int) {
	t.Helper()
	var all int
	i := strings.Index(r.out, "rounds ")
	if i < 0 {
		t.Fatalf("no report, status %d:\n%s", r.status, r.out)
	}
	if _, err := fmt.Sscanf(r.out[i:], "rounds %d ran %d denied %d killed %d", &all, &ran, &denied, &killed); err != nil {
		t.Fatalf("%v:\n%s", err, r.out)
	}
	t.Logf("%d rounds: %d ran, %d denied, %d killed", all, ran, denied, killed)
	return ran, denied, killed
}

// blocking is a policy under which one program must not run, whole or with one
// argument.
const blocking = `
  filesystem:
    writable: ["WORK/**"]
    readonly: ["BIN/**"]
  execution:
    blocked_commands: ["win y", "WORK/winb"]`

func TestAttacksOnExecve(t *testing.T) {
	tests := []struct {
		name string
		args func(w *world) []string
	}{
		{"X02 argument by a thread", func(w *world) []string {
			return []string{"BIN/argvflip", rounds(t, 1), "BIN/win", "WORK/score"}
		}},
		{"X03 argument by a process", func(w *world) []string {
			return []string{"BIN/sharedflip", rounds(t, 1), "BIN/win", "WORK/score"}
		}},
		{"X01 path by a thread", func(w *world) []string {
			data, err := os.ReadFile(filepath.Join(w.bin, "win"))
			if err != nil {
				t.Fatal(err)
			}
			w.file("winb", string(data), 0o755)
			truth, err := os.ReadFile("/bin/true")
			if err != nil {
				t.Fatal(err)
			}
			w.file("wina", string(truth), 0o755)
			return []string{"BIN/pathflip", rounds(t, 1), "WORK/wina", "WORK/winb", "WORK/score"}
		}},
	}
	for _, m := range modes() {
		for _, test := range tests {
			t.Run(test.name+"/"+m.name, func(t *testing.T) {
				w := newWorld(t, m, blocking)
				score := w.file("score", "", 0o644)
				args := test.args(w)
				for i := range args {
					args[i] = w.expand(args[i])
				}
				_, _, killed := execAttack(t, func() result { return w.run(args...) })
				if won, err := os.ReadFile(score); err != nil || len(won) > 0 {
					t.Errorf("the denied program ran %d times, %v", len(won), err)
				}
				races := 0
				for _, r := range w.denials() {
					if r.Custom.Code == schemas.CodeExecRace {
						races++
					}
				}
				if races != killed {
					t.Errorf("%d records of races, %d were killed", races, killed)
				}
			})
		}
		t.Run("X08 environment by a thread/"+m.name, func(t *testing.T) {
			w := newWorld(t, m, blocking)
			execAttack(t, func() result {
				r := w.run(filepath.Join(w.bin, "envflip"), rounds(t, 1), filepath.Join(w.bin, "envflip"))
				if !strings.Contains(r.out, "won 0") {
					t.Errorf("a loader variable came through:\n%s", r.out)
				}
				return r
			})
		})
	}
}

func TestAttacksOnOpen(t *testing.T) {
	tests := []struct {
		name string
		args []string
		// held says that every try is refused, so that none opens.
		held bool
	}{
		{"K01 path by a thread", []string{"BIN/openflip", "N", "WORK/.enw", "WORK/.env", "path"}, false},
		{"K06 flags of openat2 by a thread", []string{"BIN/openflip", "N", "WORK/.env", "WORK/.env", "how"}, true},
		{"K02 links by a thread", []string{"BIN/swap", "N", "WORK", "WORK/.env"}, false},
		{"K30 create through a link", []string{"BIN/create", "N", "WORK", "WORK/credentials.new"}, false},
		{"F31 folder that moves", []string{"BIN/movedir", "N", "WORK"}, false},
	}
	for _, m := range modes() {
		for _, test := range tests {
			t.Run(test.name+"/"+m.name, func(t *testing.T) {
				w := newWorld(t, m, plain)
				w.file(".env", "SECRET=1\n", 0o600)
				w.file("secret/key", "SECRET=2\n", 0o600)
				w.file(".enw", "nothing\n", 0o600)
				w.file("harmless", "nothing\n", 0o600)
				args := append([]string{}, test.args...)
				for i := range args {
					args[i] = w.expand(args[i])
				}
				args[1] = rounds(t, 5)
				// On a busy machine the attacker's thread may never get its turn.
				attacked := false
				for try := 0; try < 10 && !attacked; try++ {
					r := w.run(args...)
					if r.status != 0 || !strings.Contains(r.out, "won 0") {
						t.Fatalf("status %d:\n%s", r.status, r.out)
					}
					attacked = !strings.Contains(r.out, "refused 0") && (test.held || !strings.Contains(r.out, "opened 0") && !strings.Contains(r.out, "made 0"))
					t.Log(strings.TrimSpace(r.out))
				}
				if !attacked {
					t.Error("the attack does not attack")
				}
			})
		}
	}
}
