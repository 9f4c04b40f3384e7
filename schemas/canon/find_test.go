package canon_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// What a script names is the file that the caller finds, under the name that the
// script uses.
func TestFind(t *testing.T) {
	asked := [][2]string{}
	sh := canon.Shell{Hook: true, Cwd: "/w", Find: func(program, cwd string) (canon.File, bool) {
		asked = append(asked, [2]string{program, cwd})
		if program != "git-upload-pack" {
			return canon.File{}, false
		}
		return canon.File{Path: "/usr/bin/git", Links: []string{"/usr/bin/git-upload-pack"}, PathWritable: true}, true
	}}
	in, err := canon.CommandArgv([]string{"sh", "-c", "cd sub; git-upload-pack '/r' | ./x; cd \"$y\"; ./z"}, schemas.Command{Program: "/bin/sh"}, sh)
	if err != nil {
		t.Fatal(err)
	}
	want := [][2]string{{"git-upload-pack", "/w/sub"}, {"./x", "/w/sub"}}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	c := in.Commands[1]
	if c.Path != "/usr/bin/git" || c.Named != "git" || c.Looked != "git-upload-pack" || !c.PathWritable || len(c.Links) != 1 {
		t.Errorf("got %+v", c)
	}
	if got := in.Commands[2].Path; got != "/w/sub/x" {
		t.Errorf("not found: got %s", got)
	}
}
