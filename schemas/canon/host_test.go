package canon_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

var (
	label63 = strings.Repeat("a", 63)
	name253 = strings.Repeat(label63+".", 3) + strings.Repeat("a", 61)
)

func TestHost(t *testing.T) {
	tests := []struct {
		name, host, want string // want "" if it is refused
	}{
		{"plain", "api.github.com", "api.github.com"},
		{"single label", "localhost", "localhost"},
		{"underscore", "_dmarc.a_b.example.com", "_dmarc.a_b.example.com"},
		{"hyphens in the third and fourth place", "r3---sn-abc.example.com", "r3---sn-abc.example.com"},
		{"A19 upper case", "Api.GitHub.COM", "api.github.com"},
		{"one trailing dot", "example.com.", "example.com"},
		{"two trailing dots", "example.com..", ""},
		{"empty", "", ""},
		{"root", ".", ""},
		{"leading dot", ".example.com", ""},
		{"empty label", "a..b", ""},
		{"leading hyphen", "-a.example.com", ""},
		{"trailing hyphen", "a-.example.com", ""},
		{"A16 userinfo", "user@evil.test", ""},
		{"A17 fragment", "allowed.test#@evil.test", ""},
		{"A20 U-label", "bücher.test", "xn--bcher-kva.test"},
		{"A20 U-label in upper case", "BÜCHER.test", "xn--bcher-kva.test"},
		{"A20 A-label", "xn--bcher-kva.test", "xn--bcher-kva.test"},
		{"A20 A-label in upper case", "XN--Bcher-KVA.test", "xn--bcher-kva.test"},
		{"A20 A-label of nothing", "xn--a.test", ""},
		{"A20 A-label of ASCII", "xn--abc-.test", ""},
		{"A20 full-width letters", "ｅxample.com", ""},
		{"A20 ideographic full stop", "example。com", ""},
		{"A20 zero-width joiner", "exam\u200dple.com", ""},
		{"A20 not UTF-8", "b\xfccher.test", ""},
		{"A22 percent", "ex%61mple.com", ""},
		{"A23 backslash", `example.com\@evil.com`, ""},
		{"slash", "example.com/a", ""},
		{"question mark", "example.com?a", ""},
		{"A25 NUL", "a\x00b", ""},
		{"A25 space", "a b", ""},
		{"A25 DEL", "a\x7fb", ""},
		{"A25 line feed", "a\nb", ""},
		{"A26 label of 63", label63 + ".com", label63 + ".com"},
		{"A26 label of 64", label63 + "a.com", ""},
		{"A26 name of 253", name253, name253},
		{"A26 name of 253 and a dot", name253 + ".", name253},
		{"A26 name of 254", name253 + "a", ""},
		{"A26 huge", strings.Repeat("a.", 1<<16), ""},
		{"IPv4", "192.0.2.1", "192.0.2.1"},
		{"IPv4 with a dot", "192.0.2.1.", ""},
		{"B02 two parts", "127.1", ""},
		{"B02 octal", "0177.0.0.1", ""},
		{"B02 hex", "0x7f.0.0.1", ""},
		{"B02 hex at the end", "127.0.0.0x1", ""},
		{"B02 upper-case hex at the end", "127.0.0.0X1", ""},
		{"B02 empty hex", "a.0x", ""},
		{"B02 integer", "2130706433", ""},
		{"B02 leading zeros", "127.000.000.001", ""},
		{"B02 zero", "0", ""},
		{"B02 numeric last label", "example.1", ""},
		{"B02 five parts", "1.2.3.4.5", ""},
		{"B02 full-width digits", "１.0.0.1", ""},
		{"digits in a name", "1.2.3.4.example.com", "1.2.3.4.example.com"},
		{"IPv6", "2001:db8::1", "2001:db8::1"},
		{"IPv6 in another spelling", "2001:DB8:0:0::0001", "2001:db8::1"},
		{"IPv6 of IPv4", "::FFFF:192.0.2.1", "::ffff:192.0.2.1"},
		{"IPv6 with brackets", "[2001:db8::1]", ""},
		{"B05 zone", "fe80::1%eth0", ""},
		{"B05 encoded zone", "fe80::1%25eth0", ""},
		{"port", "example.com:443", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := canon.Host(test.host)
			if got != test.want || (err != nil) != (test.want == "") {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
			if err != nil {
				wantRefused(t, err, 400)
			}
		})
	}
}

// wantRefused checks that an error is one that a client can be told.
func wantRefused(t *testing.T, err error, status int) {
	t.Helper()
	var e *canon.Error
	switch {
	case !errors.As(err, &e):
		t.Errorf("got %T %v, want a *canon.Error", err, err)
	case e.Code != schemas.CodeBadRequest || e.Status != status || e.Detail == "" || e.Error() != e.Detail:
		t.Errorf("got %+v, want code bad_request, status %d and a detail", e, status)
	}
}

func TestAuthority(t *testing.T) {
	tests := []struct {
		name, authority, scheme string
		host                    string // "" if it is refused
		port                    int
	}{
		{"https", "example.com", "https", "example.com", 443},
		{"http", "example.com", "http", "example.com", 80},
		{"port", "Example.com:8443", "https", "example.com", 8443},
		{"no port and no scheme", "example.com", "", "", 0},
		{"empty", "", "https", "", 0},
		{"empty port", "example.com:", "https", "", 0},
		{"port zero", "example.com:0", "https", "", 0},
		{"leading zero", "example.com:0443", "https", "", 0},
		{"sign", "example.com:+443", "https", "", 0},
		{"too large", "example.com:65536", "https", "", 0},
		{"largest", "example.com:65535", "https", "example.com", 65535},
		{"words", "example.com:https", "https", "", 0},
		{"only a port", ":443", "https", "", 0},
		{"IPv4", "192.0.2.1:443", "", "192.0.2.1", 443},
		{"IPv6", "[2001:DB8::1]:443", "", "2001:db8::1", 443},
		{"IPv6 without a port", "[2001:db8::1]", "http", "2001:db8::1", 80},
		{"IPv6 without brackets", "2001:db8::1", "https", "", 0},
		{"A16 userinfo", "user@evil.test:443", "", "", 0},
		{"A25 NUL", "a\x00b:443", "", "", 0},
		{"A25 space", "a b:443", "", "", 0},
		{"B05 zone", "[fe80::1%25eth0]:443", "", "", 0},
		{"B05 zone of the loopback", "[::1%25lo]", "https", "", 0},
		{"B17 open bracket", "[::1", "https", "", 0},
		{"B17 text after the bracket", "[::1]x:443", "https", "", 0},
		{"B17 double brackets", "[[::1]]:443", "https", "", 0},
		{"B17 two ports", "a.com:80:90", "https", "", 0},
		{"B17 empty port after the bracket", "[::1]:", "https", "", 0},
		{"B17 name in brackets", "[example.com]:443", "https", "", 0},
		{"B17 IPv4 in brackets", "[192.0.2.1]:443", "https", "", 0},
		{"B17 closing bracket only", "::1]:443", "https", "", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			host, port, err := canon.Authority(test.authority, test.scheme)
			if host != test.host || port != test.port || (err != nil) != (test.host == "") {
				t.Errorf("got %q, %d, %v, want %q, %d", host, port, err, test.host, test.port)
			}
			if err != nil {
				wantRefused(t, err, 400)
			}
		})
	}
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{"Example.com.", "bücher.test", "127.1", "::1", "xn--a", "a_b", "0x7f.1", "1.2.3.4", "a。b", "fe80::1%eth0", "ß.de"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, err := canon.Host(s)
		if err != nil {
			wantRefused(t, err, 400)
			return
		}
		if again, err := canon.Host(host); again != host || err != nil {
			t.Errorf("%q: again %q, %v, want %q", s, again, err, host)
		}
		if host == "" || len(host) > 253 || host != strings.ToLower(host) || strings.ContainsAny(host, "[]@%/\\?# \x00") {
			t.Errorf("%q: got %q, which is not canonical", s, host)
		}
		if a, err := netip.ParseAddr(host); err == nil && (a.String() != host || a.Zone() != "") {
			t.Errorf("%q: got %q, want %q", s, host, a)
		}
	})
}

func TestUserinfoIsNotQuoted(t *testing.T) {
	for _, s := range []string{"hunter2@a.test", "u:hunter2@a.test:443", "u:hunter2@a.test", "[hunter2@a", "@hunter2", "a.test:hunter2@"} {
		_, _, err := canon.Authority(s, "https")
		_, alone := canon.Host(s)
		if err == nil || alone == nil || strings.Contains(err.Error()+alone.Error(), "hunter2") {
			t.Errorf("%q: %v, %v", s, err, alone)
		}
	}
}
