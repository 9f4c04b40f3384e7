package floor_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/shim/floor"
	"github.com/openshell-policy/openshell/schemas"
)

// tree is a file system: directories end in a slash.
type tree []string

func (v tree) Stat(file string) (dir, exists bool) {
	if file == "/" {
		return true, true
	}
	for _, f := range v {
		if f == file {
			return false, true
		}
		if strings.HasPrefix(f, file+"/") {
			return true, true
		}
	}
	return false, false
}

func (v tree) Names(dir string) []string {
	var out []string
	for _, f := range v {
		rest, ok := strings.CutPrefix(f, strings.TrimSuffix(dir, "/")+"/")
		if name, _, _ := strings.Cut(rest, "/"); ok && name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

var machine = tree{
	"/usr/bin/git", "/lib/", "/lib64/", "/etc/ssl/certs/a", "/etc/ssl/private/key", "/etc/shadow", "/etc/hostname",
	"/workspace/a", "/tmp/", "/dev/null", "/dev/tty", "/dev/sda", "/proc/kcore", "/home/agent/",
}

func TestNew(t *testing.T) {
	tests := []struct {
		name    string
		files   schemas.PolicyFiles
		want    []floor.Grant
		trapped bool
	}{
		{
			"exact",
			schemas.PolicyFiles{Writable: []string{"/workspace/**", "/tmp/**"}, Baseline: []string{"/usr/**", "/dev/null", "/lib*/**"}},
			[]floor.Grant{
				{"/dev/null", floor.Device},
				{"/lib", floor.Read},
				{"/lib64", floor.Read},
				{"/tmp", floor.Write},
				{"/usr", floor.Read},
				{"/workspace", floor.Write},
			},
			false,
		},
		{
			"secrets beside what is read",
			schemas.PolicyFiles{Baseline: []string{"/etc/ssl/**", "/proc/**"}, Sensitive: []string{"/etc/ssl/private/**", "/proc/kcore"}},
			[]floor.Grant{{"/etc/ssl/certs", floor.Read}, {"/proc", floor.Read}},
			false,
		},
		{
			"a file beside what is read can be listed",
			schemas.PolicyFiles{Readonly: []string{"/etc/**"}, Blocked: []string{"/etc/shadow"}},
			[]floor.Grant{
				{"/etc", floor.List},
				{"/etc/hostname", floor.Read},
				{"/etc/ssl", floor.Read},
			},
			true,
		},
		{
			"blocked inside what is written",
			schemas.PolicyFiles{Writable: []string{"/workspace/**"}, Blocked: []string{"**/.env"}},
			[]floor.Grant{{"/workspace", floor.Write}},
			true,
		},
		{
			"missing at the start",
			schemas.PolicyFiles{Writable: []string{"/home/agent/cache/**", "/nowhere/**"}},
			[]floor.Grant{{"/home/agent", floor.Write}},
			true,
		},
		{
			"blocked whole",
			schemas.PolicyFiles{Readonly: []string{"/etc/shadow"}, Blocked: []string{"/etc/**"}},
			nil,
			true,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			plan := floor.New(test.files, nil, "", machine)
			if diff := cmp.Diff(test.want, plan.Grants); diff != "" {
				t.Errorf("grants (-want +got):\n%s", diff)
			}
			if got := len(plan.Trapped) > 0; got != test.trapped {
				t.Errorf("trapped %t, want %t: %v", got, test.trapped, plan.Trapped)
			}
		})
	}
}

// The ceiling is the union of the policies that may come into force.
func TestCeiling(t *testing.T) {
	now := schemas.PolicyFiles{Readonly: []string{"/workspace/**"}}
	later := schemas.PolicyFiles{Writable: []string{"/workspace/**"}}
	plan := floor.New(now, []schemas.PolicyFiles{later}, "", machine)
	if want := []floor.Grant{{"/workspace", floor.Write}}; !cmp.Equal(plan.Grants, want) {
		t.Errorf("got %v, want %v", plan.Grants, want)
	}
}

// Each version handles what the one before does, and grants nothing that it does
// not handle: the kernel would refuse the rule.
func TestRights(t *testing.T) {
	before := floor.Handled(0)
	for abi := 1; abi <= 9; abi++ {
		handled := floor.Handled(abi)
		if abi > 1 && before.FS&^handled.FS != 0 {
			t.Errorf("version %d handles less than the one before", abi)
		}
		for _, a := range []floor.Access{floor.List, floor.Read, floor.Device, floor.Write} {
			for _, dir := range []bool{true, false} {
				r := floor.Rights(a, abi, dir)
				if r&^handled.FS != 0 {
					t.Errorf("version %d, access %d: grants %#x beyond %#x", abi, a, r, handled.FS)
				}
				if r&(unix.LANDLOCK_ACCESS_FS_MAKE_CHAR|unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK) != 0 {
					t.Errorf("version %d, access %d: makes devices", abi, a)
				}
				if a < floor.Device && r&(unix.LANDLOCK_ACCESS_FS_WRITE_FILE|unix.LANDLOCK_ACCESS_FS_TRUNCATE) != 0 {
					t.Errorf("version %d, access %d: writes", abi, a)
				}
			}
		}
		before = handled
	}
}
