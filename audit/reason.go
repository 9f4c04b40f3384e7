package audit

import (
	"strings"

	"github.com/openshell-policy/openshell/schemas"
)

// Reason is what a log line prints in brackets for a denial: the code's reason
// with {method} filled in, or "readonly policy" where the nearest rule's methods
// only read. It is "" for an allowed request.
func Reason(code schemas.Code, method string, ruleMethods []string) string {
	if code == schemas.CodeMethodNotAllowed && onlyReads(ruleMethods) {
		return "readonly policy"
	}
	return strings.ReplaceAll(code.Info().Reason, "{method}", Printable(method))
}

func onlyReads(methods []string) bool {
	for _, m := range methods {
		if m != "GET" && m != "HEAD" && m != "OPTIONS" {
			return false
		}
	}
	return len(methods) > 0
}
