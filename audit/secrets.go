package audit

import "strings"

// Masked replaces a secret in a record.
const Masked = "[masked]"

// tokenKind is a secret that its first characters give away. Case does not
// count: paths and hosts are also recorded folded.
type tokenKind struct {
	prefix string // lower case
	more   set    // what may follow
	least  int    // how much of it must
	digit  bool   // of which one is a digit, because words begin so, too
}

// set tells which bytes a secret may go on with.
type set func(c byte) bool

func hex(c byte) bool    { return c >= '0' && c <= '9' || lower(c) >= 'a' && lower(c) <= 'f' }
func word(c byte) bool   { return c >= '0' && c <= '9' || lower(c) >= 'a' && lower(c) <= 'z' }
func snake(c byte) bool  { return word(c) || c == '_' }
func url64(c byte) bool  { return snake(c) || c == '-' }
func dotted(c byte) bool { return url64(c) || c == '.' }
func base64(c byte) bool { return dotted(c) || c == '+' || c == '/' || c == '=' || c == '~' }

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// tokenKinds are the tokens of well-known services, and ours (ost_). The list is
// documented in docs/audit.md.
var tokenKinds = []tokenKind{
	{"ghp_", word, 16, false},
	{"gho_", word, 16, false},
	{"ghu_", word, 16, false},
	{"ghs_", base64, 16, false},
	{"ghr_", word, 16, false},
	{"github_pat_", snake, 16, false},
	{"glpat-", dotted, 16, false},
	{"gldt-", url64, 16, false},
	{"glrt-", dotted, 16, false},
	{"glcbt-", url64, 16, false},
	{"glptt-", url64, 16, false},
	{"glft-", url64, 16, false},
	{"glsoat-", url64, 16, false},
	{"glimt-", url64, 16, false},
	{"glagent-", url64, 16, false},
	{"gloas-", url64, 16, false},
	{"atbb", word, 24, true},
	{"atatt3x", base64, 24, false},
	{"akia", word, 16, false},
	{"asia", word, 16, true},
	{"abia", word, 16, true},
	{"acca", word, 16, true},
	{"aiza", url64, 30, false},
	{"ya29.", url64, 16, false},
	{"gocspx-", url64, 16, false},
	{"xoxa-", url64, 8, false},
	{"xoxb-", url64, 8, false},
	{"xoxe-", url64, 8, false},
	{"xoxe.", dotted, 8, false},
	{"xoxo-", url64, 8, false},
	{"xoxp-", url64, 8, false},
	{"xoxr-", url64, 8, false},
	{"xoxs-", url64, 8, false},
	{"xoxd-", base64, 8, false},
	{"xoxc-", url64, 8, false},
	{"xapp-", url64, 8, false},
	{"npm_", word, 30, true},
	{"pypi-", url64, 30, true},
	{"rubygems_", hex, 32, false},
	{"cio", word, 32, true},
	{"dckr_pat_", url64, 16, false},
	{"dckr_oat_", url64, 16, false},
	{"sk-", url64, 16, true},
	{"sess-", word, 30, true},
	{"gsk_", word, 30, true},
	{"xai-", word, 30, true},
	{"pplx-", word, 30, true},
	{"r8_", word, 30, true},
	{"hf_", word, 24, true},
	{"api_org_", word, 24, true},
	{"sk_live_", word, 16, false},
	{"rk_live_", word, 16, false},
	{"sk_test_", word, 16, false},
	{"rk_test_", word, 16, false},
	{"whsec_", base64, 16, false},
	{"ac", hex, 32, true},
	{"sk", hex, 32, true},
	{"sg.", dotted, 30, true},
	{"key-", hex, 32, false},
	{"sq0atp-", url64, 16, false},
	{"sq0csp-", url64, 16, false},
	{"shpat_", hex, 24, false},
	{"shpca_", hex, 24, false},
	{"shppa_", hex, 24, false},
	{"shpss_", hex, 24, false},
	{"dop_v1_", hex, 32, false},
	{"doo_v1_", hex, 32, false},
	{"dor_v1_", hex, 32, false},
	{"hrku-", url64, 24, false},
	{"hvs.", url64, 16, false},
	{"hvb.", url64, 16, false},
	{"hvr.", url64, 16, false},
	{"dapi", hex, 32, false},
	{"glsa_", snake, 24, false},
	{"glc_", base64, 24, true},
	{"nrak-", word, 20, false},
	{"nrii-", base64, 20, true},
	{"sntrys_", base64, 24, false},
	{"sntryu_", hex, 32, false},
	{"lin_api_", word, 24, false},
	{"ntn_", word, 30, true},
	{"figd_", url64, 24, false},
	{"pmak-", url64, 24, true},
	{"pscale_tkn_", base64, 24, false},
	{"pscale_pw_", base64, 24, false},
	{"pscale_oauth_", base64, 24, false},
	{"sbp_", hex, 32, false},
	{"sb_secret_", url64, 16, false},
	{"fo1_", url64, 24, true},
	{"fm1r_", base64, 24, false},
	{"fm2_", base64, 24, false},
	{"dp.pt.", word, 24, false},
	{"dp.st.", dotted, 24, false},
	{"dt0c01.", dotted, 24, false},
	{"dt0s01.", dotted, 24, false},
	{"akcp", word, 40, true},
	{"tskey-", url64, 16, true},
	{"pul-", hex, 32, false},
	{"sgp_", snake, 32, true},
	{"ops_eyj", base64, 24, false},
	{"age-secret-key-1", word, 32, false},
	{"eyj", dotted, 16, false},
	{"ost_", url64, 16, true},
}

// tokensBy finds the kinds by their first two characters.
var tokensBy = func() (by [256][256][]tokenKind) {
	for _, k := range tokenKinds {
		by[k.prefix[0]][k.prefix[1]] = append(by[k.prefix[0]][k.prefix[1]], k)
	}
	return by
}()

// tokenStarts are the first characters of all kinds.
var tokenStarts = func() (starts [256]bool) {
	for _, k := range tokenKinds {
		starts[k.prefix[0]], starts[upper(k.prefix[0])] = true, true
	}
	return starts
}()

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - ('a' - 'A')
	}
	return c
}

// maskTokens replaces every token of the table.
func maskTokens(s string) string {
	var out strings.Builder
	kept := 0
	for i := 0; i+4 < len(s); i++ {
		if !tokenStarts[s[i]] || !begins(s, i) {
			continue
		}
		if n := tokenAt(s[i:]); n > 0 {
			out.WriteString(s[kept:i])
			out.WriteString(Masked)
			kept = i + n
			i = kept - 1
		}
	}
	if kept == 0 {
		return s
	}
	return out.String() + s[kept:]
}

// tokenAt is the length of the token that s begins with, 0 if there is none.
func tokenAt(s string) int {
	longest := 0
	for _, k := range tokensBy[lower(s[0])][lower(s[1])] {
		if len(s) >= len(k.prefix)+k.least && strings.EqualFold(s[:len(k.prefix)], k.prefix) {
			longest = max(longest, k.length(s))
		}
	}
	return longest
}

// length is the token's, 0 if s does not begin with one. What is looked at before
// that is known is bounded: hostile text begins as a token at every third byte.
func (k tokenKind) length(s string) int {
	end, digit := len(k.prefix), !k.digit
	for end < len(s) && k.more(s[end]) && (end < knownWithin || digit) {
		digit = digit || s[end] >= '0' && s[end] <= '9'
		end++
	}
	if !digit || end-len(k.prefix) < k.least {
		return 0
	}
	return end
}

// knownWithin is how far into a token its first digit is, where it must have one.
const knownWithin = 256

// begins tells whether a word begins at i: after no letter or digit, after an
// escape (%2F, \xFF), or glued to a short option (-pTOKEN).
func begins(s string, i int) bool {
	if i == 0 || !word(s[i-1]) {
		return true
	}
	switch {
	case i >= 3 && s[i-3] == '%' && hex(s[i-2]) && hex(s[i-1]):
		return true
	case i >= 4 && s[i-4] == '\\' && s[i-3] == 'x' && hex(s[i-2]) && hex(s[i-1]):
		return true
	}
	return i >= 2 && s[i-2] == '-' && (i == 2 || !word(s[i-3]))
}
