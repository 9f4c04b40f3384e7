package gateway_test

import (
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/gateway"
)

// A source of bundles that cannot work, or that would take anybody's bundle without
// that being said, is an error of the configuration.
func TestBundleSourceConfiguration(t *testing.T) {
	for text, want := range map[string]string{
		"bundle: {url: 'https://x/b', keys: [a.pub], name: team, min_serial: 3, poll: 30s, long_poll: 1m}": "",
		"bundle: {file: b.tar.gz, insecure_unsigned: true}":                                                "",
		"bundle: {oci: 'oci://x/y:z', keys: [a.pub], plain_http: true}":                                    "",
		"bundle: {file: b.tar.gz}":                                    "bundle.keys is empty",
		"bundle: {file: b.tar.gz, url: 'https://x/b', keys: [a.pub]}": "more than one of",
		"bundle: {keys: [a.pub]}":                                     "needs one of",
		"bundle: {file: b.tar.gz, keys: [a.pub]}\npolicies: [p]":      "exclude each other",
		"bundle: {file: b.tar.gz, keys: [a.pub], min_serial: -1}":     "not negative",
		"bundle: {url: 'https://x/b', keys: [a.pub], cert_file: c}":   "go together",
		"bundle: {url: 'https://x/b', keyz: [a.pub]}":                 "keyz",
	} {
		_, err := gateway.LoadConfig([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
