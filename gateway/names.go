package gateway

import (
	"net/http"
	"slices"
	"strings"
)

// pathHeaders ask some servers for another path than the request target.
var pathHeaders = []string{"X-Original-Url", "X-Rewrite-Url"}

// decisive tells header fields that change what a request is: how it is framed,
// where it goes, its method or path.
func decisive(name string) bool {
	return name == "Host" || name == "Content-Length" || name == "Expect" ||
		slices.Contains(hopByHop, name) || slices.Contains(overrideHeaders, name) || slices.Contains(pathHeaders, name)
}

// checkNames refuses decisive fields where the gateway does not look for them but
// an origin may: spelled with underscores, which CGI and its heirs (WSGI, Rack,
// PHP) cannot tell from hyphens, or announced as trailers, which some servers
// merge into the header.
func checkNames(r *http.Request) *misread {
	for _, name := range pathHeaders {
		if _, ok := r.Header[name]; ok {
			return badRequest(name + " asks for another path than the request target")
		}
	}
	for name := range r.Header {
		if strings.IndexByte(name, '_') >= 0 && decisive(hyphenated(name)) {
			return badRequest("a header field is spelled with underscores that servers take for " + hyphenated(name))
		}
	}
	for name := range r.Trailer {
		if decisive(hyphenated(name)) {
			return badRequest("the trailer field " + hyphenated(name) + " belongs in the header")
		}
	}
	return nil
}

func hyphenated(name string) string {
	return http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
}

// keepNames returns what takes every other name out of a trailer. net/http adds
// whatever a client sends there to the names that it announced, and sends all of
// it on.
func keepNames(trailer http.Header) func() {
	announced := make(http.Header, len(trailer))
	for name := range trailer {
		announced[name] = nil
	}
	return func() {
		for name := range trailer {
			if _, ok := announced[name]; !ok {
				delete(trailer, name)
			}
		}
	}
}
