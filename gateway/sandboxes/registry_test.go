package sandboxes_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/gateway/sandboxes"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

func TestRegistrySurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	r, err := sandboxes.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, token, err := r.Create("claude", "github-readonly")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^sb-[a-z0-9]{6}$`).MatchString(s.ID) {
		t.Errorf("id %q", s.ID)
	}
	data, err := os.ReadFile(filepath.Join(dir, "sandboxes.json"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), token) {
		t.Error("the token is on disk")
	}
	if r, err = sandboxes.Open(dir); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{s.ID, strings.TrimPrefix(s.ID, "sb-")} {
		if got, ok := r.Authenticate(id, token); !ok || got.Policy != "github-readonly" {
			t.Errorf("%q: %+v, %v", id, got, ok)
		}
	}
	for _, bad := range [][2]string{{s.ID, token + "x"}, {s.ID, ""}, {"sb-zzzzzz", token}, {"", ""}} {
		if _, ok := r.Authenticate(bad[0], bad[1]); ok {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestRegistryBindAndEnd(t *testing.T) {
	r, err := sandboxes.Open("")
	if err != nil {
		t.Fatal(err)
	}
	s, token, err := r.Create("codex", "a")
	if err != nil {
		t.Fatal(err)
	}
	if before, err := r.Bind(s.ID[:6], "b"); err != nil || before.Policy != "a" {
		t.Errorf("bind: %+v, %v", before, err)
	}
	if got, _ := r.Running(s.ID); got.Policy != "b" {
		t.Errorf("policy %q after binding", got.Policy)
	}
	code := 3
	ended, err := r.End(s.ID, adminapi.StatusFailed, &code)
	if err != nil || ended.Status != adminapi.StatusFailed || *ended.ExitCode != 3 || ended.Ended == nil {
		t.Errorf("end: %+v, %v", ended, err)
	}
	if _, ok := r.Authenticate(s.ID, token); ok {
		t.Error("the token of an ended sandbox works")
	}
	if _, err := r.Bind(s.ID, "c"); !errors.Is(err, sandboxes.ErrEnded) {
		t.Errorf("bind after the end: %v", err)
	}
	if got := len(r.List(false)); got != 0 {
		t.Errorf("%d running", got)
	}
	if got := len(r.List(true)); got != 1 {
		t.Errorf("%d in all", got)
	}
}

func TestRegistryFindsByPrefix(t *testing.T) {
	r, err := sandboxes.Open("")
	if err != nil {
		t.Fatal(err)
	}
	for range 40 {
		if _, _, err := r.Create("", "p"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Find("sb-"); !errors.Is(err, sandboxes.ErrNotFound) {
		t.Errorf("empty prefix: %v", err)
	}
	ambiguous := 0
	for _, s := range r.List(true) {
		if _, err := r.Find(s.ID[3:4]); errors.Is(err, sandboxes.ErrAmbiguous) {
			ambiguous++
		}
		if got, err := r.Find(s.ID[3:]); err != nil || got.ID != s.ID {
			t.Errorf("%s: %v, %v", s.ID, got, err)
		}
	}
	if ambiguous == 0 {
		t.Error("40 ids and no letter begins two of them")
	}
}

func TestRegistryRotatesTokens(t *testing.T) {
	dir := t.TempDir()
	r, err := sandboxes.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, first, err := r.Create("codex", "a")
	if err != nil {
		t.Fatal(err)
	}
	_, second, err := r.Rotate(s.ID, time.Hour)
	if err != nil || second == first {
		t.Fatal(err)
	}
	works := func(r *sandboxes.Registry, token string) bool { _, ok := r.Authenticate(s.ID, token); return ok }
	if !works(r, first) || !works(r, second) {
		t.Error("within the grace both tokens work")
	}
	if r, err = sandboxes.Open(dir); err != nil || !works(r, first) || !works(r, second) {
		t.Error("after a restart within the grace both tokens work")
	}
	_, third, err := r.Rotate(s.ID, 0)
	if err != nil || works(r, first) || works(r, second) || !works(r, third) {
		t.Errorf("without a grace only the newest token works: %v", err)
	}
	if _, err := r.End(s.ID, adminapi.StatusStopped, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Rotate(s.ID, 0); !errors.Is(err, sandboxes.ErrEnded) {
		t.Errorf("rotated after the end: %v", err)
	}
}
