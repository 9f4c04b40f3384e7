package tables_test

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// files pairs each table with a pointer to a list of its entries.
var files = map[string]any{
	"baseline.json":      &[]tables.BaselinePath{},
	"sensitive.json":     &[]tables.SensitivePath{},
	"helpers.json":       &[]tables.Helper{},
	"hints.json":         &[]tables.Hint{},
	"known.json":         &[]tables.Known{},
	"services.json":      &[]tables.Service{},
	"metadata.json":      &[]tables.MetadataAddress{},
	"specialranges.json": &[]tables.Range{},
	"builtins.json":      &[]string{},
	"families.json":      &[]tables.ProgramFamily{},
	"shells.json":        &[]tables.Shell{},
	"carriers.json":      &[]tables.Carrier{},
	"loaders.json":       &[]string{},
	"env.json":           &[]string{},
	"shellbuiltins.json": &[]string{},
	"subcommands.json":   &[]tables.Subcommand{},
	"options.json":       &[]tables.ProgramOptions{},
	"devices.json":       &[]tables.Device{},
	"agents.json":        &[]tables.Agent{},
}

func TestFilesAreWellFormed(t *testing.T) {
	for name, entries := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var table struct {
			Comment string          `json:"comment"`
			Entries json.RawMessage `json:"entries"`
		}
		if err := json.Unmarshal(data, &table); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		dec := json.NewDecoder(bytes.NewReader(table.Entries))
		dec.DisallowUnknownFields()
		if err := dec.Decode(entries); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if table.Comment == "" || reflect.ValueOf(entries).Elem().Len() == 0 {
			t.Errorf("%s has no comment or no entries", name)
		}
	}
}

// What a caller does to a result does not reach the next caller.
func TestAccessorsReturnCopies(t *testing.T) {
	accessors := map[string]func() any{
		"BaselinePaths": func() any { return tables.BaselinePaths() },
		"Baseline":      func() any { return tables.Baseline() },
		"Sensitive":     func() any { return tables.Sensitive() },
		"Groups":        func() any { return tables.Groups() },
		"Helpers":       func() any { return tables.Helpers() },
		"Hints":         func() any { return tables.Hints() },
		"Services":      func() any { return tables.Services() },
		"Metadata":      func() any { return tables.Metadata() },
		"SpecialRanges": func() any { return tables.SpecialRanges() },
		"Builtins":      func() any { return tables.Builtins() },
		"Families":      func() any { return tables.Families() },
		"Shells":        func() any { return tables.Shells() },
		"CarrierTable":  func() any { return tables.CarrierTable() },
		"Carriers":      func() any { return tables.Carriers() },
		"Loaders":       func() any { return tables.Loaders() },
		"DeniedEnv":     func() any { return tables.DeniedEnv() },
		"ShellBuiltins": func() any { return tables.ShellBuiltins() },
		"Subcommands":   func() any { return tables.Subcommands() },
		"Options":       func() any { return tables.Options() },
	}
	equal := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	equalAddr := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	for name, get := range accessors {
		before, victim := get(), get()
		if reflect.ValueOf(before).Len() == 0 {
			t.Errorf("%s is empty", name)
		}
		spoil(reflect.ValueOf(victim))
		if diff := cmp.Diff(before, get(), equal, equalAddr); diff != "" {
			t.Errorf("%s (-before +after):\n%s", name, diff)
		}
	}
}

// spoil overwrites every string that can be reached.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			spoil(v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			spoil(v.MapIndex(key))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			spoil(v.Field(i))
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString("spoiled")
		}
	}
}

func TestPaths(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range tables.BaselinePaths() {
		if !strings.HasPrefix(p.Glob, "/") || p.Reason == "" || seen[p.Glob] {
			t.Errorf("baseline %+v: relative, without a reason, or listed twice", p)
		}
		seen[p.Glob] = true
	}
	for _, p := range tables.Sensitive() {
		absolute := strings.HasPrefix(p.Glob, "/")
		if absolute != (p.Anchor == tables.AnchorAbsolute) || !absolute && p.Anchor != tables.AnchorHome {
			t.Errorf("sensitive %+v: the anchor does not fit the glob", p)
		}
		if p.Reason == "" || seen[p.Anchor+p.Glob] {
			t.Errorf("sensitive %+v: without a reason, or listed twice", p)
		}
		seen[p.Anchor+p.Glob] = true
	}
	if len(seen) < 100 {
		t.Errorf("saw %d paths, want at least 100", len(seen))
	}
}

// A group must not smuggle in a program whose job is to start others.
func TestGroupsHoldNoCarriers(t *testing.T) {
	carriers := strings.Fields("sh bash dash ash zsh ksh env xargs timeout nice nohup setsid stdbuf time chroot runcon sudo su doas command exec eval")
	seen := 0
	for name, patterns := range tables.Groups() {
		if !slices.IsSorted(patterns) || len(slices.Compact(slices.Clone(patterns))) != len(patterns) {
			t.Errorf("%s is not sorted or repeats itself", name)
		}
		for _, p := range patterns {
			seen++
			program, rest, _ := strings.Cut(p, " ")
			if rest != "*" || slices.Contains(carriers, program) {
				t.Errorf("%s: %q is not \"PROGRAM *\", or a carrier", name, p)
			}
		}
	}
	if seen < 200 {
		t.Errorf("saw %d patterns, want at least 200", seen)
	}
	for _, want := range []string{"@coreutils", "@posix", "@build"} {
		if len(tables.Groups()[want]) == 0 {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestHelpers(t *testing.T) {
	for _, h := range tables.Helpers() {
		if h.Program == "" || len(h.Dirs)+len(h.Interpreters) == 0 || h.Reason == "" {
			t.Errorf("%+v helps nobody or has no reason", h)
		}
		for _, dir := range h.Dirs {
			if !strings.HasPrefix(dir, "/usr/") {
				t.Errorf("%s: %q is not a folder of the system", h.Program, dir)
			}
		}
	}
}

func TestHintsHaveKnownCodes(t *testing.T) {
	codes := map[string]bool{}
	for _, info := range schemas.Codes() {
		codes[string(info.Code)] = true
	}
	for _, h := range tables.Hints() {
		if !codes[h.Code] || h.Text == "" || strings.HasSuffix(h.Text, ".") {
			t.Errorf("%+v: unknown code, no text, or a full stop", h)
		}
		if h.Hosts == nil || h.Commands == nil {
			t.Errorf("%s %q: a list is nil, which Rego cannot count", h.Code, h.Text)
		}
	}
}

func TestHints(t *testing.T) {
	tests := []struct {
		name, code, host, method, path, program string
		want                                    string // in the text; "" no hint
	}{
		{"clone", "method_not_allowed", "github.com", "POST", "/a/b.git/git-upload-pack", "", "{host: github.com, methods: [POST]"},
		{"clone elsewhere", "host_not_in_policy", "git.example.com", "POST", "/a/b/git-upload-pack", "", "git clone"},
		{"push", "method_not_allowed", "github.com", "POST", "/a/b/git-receive-pack", "", "git push"},
		{"pip", "host_not_in_policy", "files.pythonhosted.org", "GET", "/packages/a", "", "files.pythonhosted.org"},
		{"npm audit", "method_not_allowed", "registry.npmjs.org", "POST", "/-/npm/v1/security/advisories/bulk", "", "advisories"},
		{"npm publish", "method_not_allowed", "registry.npmjs.org", "PUT", "/left-pad", "", "npm publish"},
		{"ssh of root", "blocked_path", "", "", "/root/.ssh/config", "", "use HTTPS"},
		{"ssh of a user", "blocked_path", "", "", "/home/agent/.ssh/id_ed25519", "", "use HTTPS"},
		{"program file", "blocked_path", "", "", "/usr/lib/python3/dist-packages/google/auth/credentials.py", "", "program's own file"},
		{"coreutils", "command_not_allowed", "", "", "", "ls", "@coreutils"},
		{"posix", "command_not_allowed", "", "", "", "awk", "@posix"},
		{"build", "command_not_allowed", "", "", "", "make", "@build"},
		{"unknown program", "command_not_allowed", "", "", "", "nmap", ""},
		{"unknown host", "host_not_in_policy", "a.example.com", "GET", "/", "", ""},
		{"allowed", "allowed", "github.com", "GET", "/", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			for _, h := range tables.Hints() {
				if h.Matches(test.code, test.host, test.method, test.path, test.program) {
					got = h.Text
					break
				}
			}
			if !strings.Contains(got, test.want) || (test.want == "") != (got == "") {
				t.Errorf("got %q, want %q in it", got, test.want)
			}
		})
	}
}

func TestServices(t *testing.T) {
	needs := 0
	for _, s := range tables.Services() {
		if s.Name == "" || s.Title == "" || len(s.Anchors) == 0 {
			t.Errorf("%+v has no name, title or anchor", s)
		}
		for _, n := range slices.Concat(s.Needs, s.KeepDenied) {
			needs++
			levels := []string{tables.NeedRequired, tables.NeedFeature, tables.NeedTelemetry}
			if n.Host == "" || len(n.Methods) == 0 || len(n.Paths) == 0 || n.Reason == "" || !slices.Contains(levels, n.Level) {
				t.Errorf("%s: %+v is incomplete", s.Name, n)
			}
		}
	}
	if needs == 0 {
		t.Error("no needs seen")
	}
}

func TestSpecialRanges(t *testing.T) {
	tests := map[string]string{
		"0.0.0.0": tables.RangeNever, "127.0.0.1": tables.RangeNever, "169.254.169.254": tables.RangeNever,
		"224.0.0.1": tables.RangeNever, "255.255.255.255": tables.RangeNever, "::": tables.RangeNever, "::1": tables.RangeNever,
		"fe80::1": tables.RangeNever, "ff02::1": tables.RangeNever, "::127.0.0.1": tables.RangeNever,
		"10.1.2.3": tables.RangePrivate, "172.31.255.255": tables.RangePrivate, "192.168.0.1": tables.RangePrivate,
		"100.64.0.1": tables.RangePrivate, "fd00::1": tables.RangePrivate, "198.18.0.1": tables.RangePrivate, "2001:db8::1": tables.RangePrivate,
		"172.32.0.1": "", "100.128.0.1": "", "1.1.1.1": "", "2606:4700::1111": "", "2a00::1": "",
	}
	for address, want := range tests {
		got := ""
		for _, r := range tables.SpecialRanges() {
			if r.Prefix.Contains(netip.MustParseAddr(address)) {
				got = r.Class
				break
			}
		}
		if got != want {
			t.Errorf("%s: class %q, want %q", address, got, want)
		}
	}
	for _, r := range tables.SpecialRanges() {
		if r.Prefix != r.Prefix.Masked() || r.Name == "" || r.Source == "" || r.Class != tables.RangeNever && r.Class != tables.RangePrivate {
			t.Errorf("%+v is not canonical or incomplete", r)
		}
	}
}

func TestMetadata(t *testing.T) {
	for _, want := range []string{"169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"} {
		if !slices.ContainsFunc(tables.Metadata(), func(m tables.MetadataAddress) bool { return m.Address == netip.MustParseAddr(want) }) {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestBuiltinsAreDeterministic(t *testing.T) {
	list := tables.Builtins()
	if !slices.IsSorted(list) || len(list) < 100 {
		t.Errorf("%d built-ins, sorted = %t", len(list), slices.IsSorted(list))
	}
	for _, name := range list {
		for _, banned := range []string{"http.", "net.lookup", "opa.", "rand.", "uuid.rfc4122", "time.", "io.jwt.", "crypto.x509.", "providers.", "rego.", "trace"} {
			if strings.HasPrefix(name, banned) {
				t.Errorf("%s may be called", name)
			}
		}
	}
	for _, want := range []string{"eq", "startswith", "sprintf", "glob.match", "internal.member_2"} {
		if !slices.Contains(list, want) {
			t.Errorf("%s may not be called", want)
		}
	}
}

func TestIsPublicSuffix(t *testing.T) {
	tests := []struct {
		name          string
		suffix, icann bool
	}{
		{"com", true, true},
		{"co.uk", true, true},
		{"github.io", true, false},
		{"internal", true, false},
		{"example.com", false, false},
		{"example.co.uk", false, false},
		{"a.github.io", false, false},
		{"", false, false},
		{".com", false, false},
		{"com.", false, false},
	}
	for _, test := range tests {
		if suffix, icann := tables.IsPublicSuffix(test.name); suffix != test.suffix || icann != test.icann {
			t.Errorf("%q: got %t, %t, want %t, %t", test.name, suffix, icann, test.suffix, test.icann)
		}
	}
}

func TestIsDevice(t *testing.T) {
	tests := map[string]bool{
		"/dev/null": true, "/dev/pts/3": true, "/dev/tty": true, "/dev/pts": false, "/dev/pts/": false, "/dev/sda": false,
		"/dev/nullx": false, "/workspace/dev/null": false, "/dev/mem": false,
	}
	for path, want := range tests {
		if got := tables.IsDevice(path); got != want {
			t.Errorf("%s: got %t, want %t", path, got, want)
		}
	}
	// A device that may be written to is one that the baseline makes readable.
	for _, d := range tables.Devices() {
		if !slices.Contains(tables.Baseline(), d.Glob) || d.Reason == "" {
			t.Errorf("device %+v: not in the baseline, or without a reason", d)
		}
	}
}
