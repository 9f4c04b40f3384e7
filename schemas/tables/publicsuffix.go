package tables

import (
	"strings"

	"golang.org/x/net/publicsuffix"
)

// IsPublicSuffix tells whether a host name in lower-case ASCII is a suffix under
// which anybody may register a name, such as "com" or "co.uk", and whether it
// stands in the ICANN section of the public suffix list. One that does not,
// such as "github.io", belongs to a company that hands out names below it, or
// is a single label that the list does not know.
func IsPublicSuffix(s string) (suffix, icann bool) {
	if s == "" || strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") {
		return false, false
	}
	found, icann := publicsuffix.PublicSuffix(s)
	if found != s {
		return false, false
	}
	return true, icann
}
