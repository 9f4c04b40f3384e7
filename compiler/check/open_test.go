package check_test

import (
	"fmt"
	"testing"

	"github.com/openshell-policy/openshell/compiler/check"
)

func TestEveryGroupCompiles(t *testing.T) {
	for _, g := range []string{"@coreutils", "@posix", "@build"} {
		one(t, fmt.Sprintf("execution: {allowed_commands: ['%s'], blocked_commands: ['%s']}", g, g))
	}
}

func TestWildcardsAreInASCII(t *testing.T) {
	for written, want := range map[string]string{"*.bücher.example.com": "xn--bcher-kva", "**.Bücher.example.com": "xn--bcher-kva"} {
		p := one(t, fmt.Sprintf("network: {denied: [{host: %q}]}", written))
		if got, _ := p.Network.Denied[0].Host.Segments[1].Literal(); got != want {
			t.Errorf("%s: got %q, want %q", written, got, want)
		}
	}
	for _, bad := range []string{"*ü.example.com", "a!*.example.com"} {
		if _, ds := check.Policies(documents(t, "p.yaml", document("x", fmt.Sprintf("network: {denied: [{host: %q}]}", bad))), nil); len(ds) == 0 {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestBlockedStarsKeepTheirPlace(t *testing.T) {
	for pattern, want := range map[string]string{"docker * rm": "docker rm", "curl -o * https://x": "curl -o -o=* https://x", "git * --force": "git --force"} {
		if got := showBlocked(one(t, fmt.Sprintf("execution: {blocked_commands: [%q]}", pattern)).Exec.Blocked[0]); got != want {
			t.Errorf("%s: got %q, want %q", pattern, got, want)
		}
	}
}

func TestShellWordsAreProgramsToo(t *testing.T) {
	one(t, "execution: {allowed_commands: ['time make *', 'export *'], blocked_commands: ['local *']}")
	if got := len(one(t, "execution: {allowed_commands: [' @coreutils']}").Exec.Allowed); got < 50 {
		t.Errorf("a group after a blank: got %d rules", got)
	}
}

func TestAllowPrivateIsPrivate(t *testing.T) {
	for _, bad := range []string{"0.0.0.0/0", "::/0", "8.8.8.0/24", "::ffff:10.0.0.0/104"} {
		if _, ds := check.Policies(documents(t, "p.yaml", document("x", fmt.Sprintf("network: {outbound: [{host: a.example.com, allow_private: [%q]}]}", bad))), nil); len(ds) == 0 {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestPlainHTTPHasNothingToPassThrough(t *testing.T) {
	if _, ds := check.Policies(documents(t, "p.yaml", document("x", "network: {outbound: [{host: a.example.com, tls: passthrough, scheme: http}]}")), nil); len(ds) == 0 {
		t.Error("scheme: http with tls: passthrough is accepted")
	}
}
