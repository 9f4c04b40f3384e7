package audit

import (
	"regexp"
	"strings"
)

// form is a secret that its surroundings give away.
type form struct {
	hints   string // words, "|" between alternatives and "&" between what must all be there, in lower case
	pattern *regexp.Regexp
	with    string
}

// secretNames are the words in a name whose value is a secret.
const secretNames = `passw(?:or)?d|passphrase|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|account[_-]?key|` +
	`auth[_-]?key|signing[_-]?key|encryption[_-]?key|private[_-]?key|credentials?|session[_-]?(?:key|id)|signature|jsessionid`

const secretNameHints = "pass|auth|pwd|secret|token|key|credential|session|signature"

// secretHeaders are the headers whose value is a secret.
const secretHeaders = `(?:proxy-)?authorization|(?:set-)?cookie2?|x-[a-z0-9-]*(?:token|key|secret|signature|auth|session)[a-z0-9-]*|` +
	`(?:private|job|deploy|csrf|api|access|auth)-(?:token|key)|apikey`

// forms are tried in order on text that maskTokens has seen.
var forms = []form{
	// A private key, to its end or the end of the text: RFC 7468, OpenSSH, PGP, PuTTY.
	{
		"-----begin&private key",
		regexp.MustCompile(`(?is)-----BEGIN[ A-Z0-9]*PRIVATE KEY.*?(?:-----END[ A-Z0-9]*PRIVATE KEY[ A-Z]*-----|$)`), Masked,
	},
	{
		"private-lines:",
		regexp.MustCompile(`(?is)Private-Lines:.*`), "Private-Lines: " + Masked,
	},
	// A header, to the end of the line or of its quotes.
	{
		":&authorization|cookie|x-|token|key",
		regexp.MustCompile(`(?i)(` + secretHeaders + `)(\\*["']?\s*:\s*\\*["']?)([^\s"'\\][^\r\n"'\\]*)`), "${1}${2}" + Masked,
	},
	{
		"bearer ",
		regexp.MustCompile(`(?i)(bearer\s+)[a-z0-9._~+/=-]{6,}`), "${1}" + Masked,
	},
	{
		"basic ",
		regexp.MustCompile(`(?i)(basic\s+)[a-z0-9+/_-]*(?:[0-9][a-z0-9+/_-]{4,}={0,2}|[a-z0-9+/_-]{6,}={1,2})`), "${1}" + Masked,
	},
	// The user information of a URL: all of it for HTTP, where a user alone is
	// often a token, the password elsewhere. Merged slashes leave one.
	{
		"@&:/",
		regexp.MustCompile(`(?i)((?:https?|wss?|ftps?|git\+https?|socks[45]h?)://?)[^\s/?#"'<>]+@`), "${1}" + Masked + "@",
	},
	{
		"@&:/",
		regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*://?[^\s/?#"'<>:@]*:)[^\s/"'<>]+@`), "${1}" + Masked + "@",
	},
	{"?&=&:/", urlQuery, ""}, // the values of a URL's query
	// NAME=value, name: value, "name": "value".
	{
		"=|:&" + secretNameHints,
		regexp.MustCompile(`(?i)((?:[a-z0-9_.-]*(?:` + secretNames + `)[a-z0-9_.-]*|(?:[a-z0-9_.-]*[_.-])?(?:pass|auth)))` +
			`(\\*["']?\s*:\s*\\*["']|\\*["']?\s*:\s+|\\*["']?\s*=\s*\\*["']?)([^\s&;,"'\\]+)`), "${1}${2}" + Masked,
	},
	// A webhook is an address and a secret in one.
	{
		"/services/t|/workflows/t",
		regexp.MustCompile(`(?i)(/(?:services|workflows)/)t[a-z0-9_]{6,}/[ab][a-z0-9_]{6,}(?:/[a-z0-9_]+)+`), "${1}" + Masked,
	},
	{
		"/webhooks/",
		regexp.MustCompile(`(?i)(/webhooks/[0-9]{6,}/)[a-z0-9_-]{16,}`), "${1}" + Masked,
	},
	{
		"/webhookb2/",
		regexp.MustCompile(`(?i)(/webhookb2/)[^\s"'?]+`), "${1}" + Masked,
	},
	{
		"/bot&:",
		regexp.MustCompile(`(?i)(/bot)[0-9]{6,}:[a-z0-9_-]{20,}`), "${1}" + Masked,
	},
	// Azure client secrets, Terraform Cloud tokens.
	{
		"q~",
		regexp.MustCompile(`(?i)[a-z0-9_.~-]{3}[0-9]q~[a-z0-9_.~-]{20,}`), Masked,
	},
	{
		".atlasv1.",
		regexp.MustCompile(`(?i)[a-z0-9]{6,}\.atlasv1\.[a-z0-9_=-]{16,}`), Masked,
	},
}

var (
	urlQuery  = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://?[^\s"'<>?#]*\?[^\s"'<>#]*`)
	pairValue = regexp.MustCompile(`([?&][^=&]*=)[^&]+`)
)

// needs is hints taken apart.
var needs = func() [][][]string {
	out := make([][][]string, len(forms))
	for i, f := range forms {
		for all := range strings.SplitSeq(f.hints, "&") {
			out[i] = append(out[i], strings.Split(all, "|"))
		}
	}
	return out
}()

func hinted(lower string, all [][]string) bool {
	for _, words := range all {
		found := false
		for _, w := range words {
			found = found || strings.Contains(lower, w)
		}
		if !found {
			return false
		}
	}
	return true
}

func maskForms(s string) string {
	if !strings.ContainsAny(s, "=:@?~ -/.") {
		return s
	}
	low := strings.ToLower(s)
	for i, f := range forms {
		switch {
		case !hinted(low, needs[i]):
		case f.pattern == urlQuery:
			s = urlQuery.ReplaceAllStringFunc(s, maskPairs)
		default:
			s = f.pattern.ReplaceAllString(s, f.with)
		}
	}
	return s
}

// maskPairs masks the values of the query of a URL.
func maskPairs(url string) string { return pairValue.ReplaceAllString(url, "${1}"+Masked) }

// MaskText replaces every secret that can be told by its looks: the tokens of
// well-known services, private keys, the user information of URLs, values of
// their queries, headers that carry credentials, and values of names such as
// password.
//
// A secret behind percent-encoding is found, too: the text is then decoded.
func MaskText(s string) string {
	if len(s) < 5 {
		return s
	}
	masked := maskForms(maskTokens(s))
	if strings.IndexByte(masked, '%') < 0 {
		return masked
	}
	decoded := masked
	for range 3 {
		before := decoded
		if decoded = unescape(before); decoded == before {
			break
		}
		if hidden := maskForms(maskTokens(decoded)); hidden != decoded {
			return hidden
		}
	}
	return masked
}

// unescape decodes every %HH; what is none stays.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && hex(s[i+1]) && hex(s[i+2]) {
			b.WriteByte(unhex(s[i+1])<<4 | unhex(s[i+2]))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return lower(c) - 'a' + 10
}
