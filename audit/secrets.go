package audit

import (
	"regexp"
	"strings"
)

// Masked replaces a secret in a record.
const Masked = "[masked]"

// secretHints are the lower-case words that every secret of the table holds; a
// text without any of them is not searched further.
var secretHints = []string{
	"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "sk-", "sk_live_", "rk_live_",
	"akia", "asia", "xox", "eyj", "npm_", "pypi-", "hf_", "aiza", "ost_", "dop_v1_", "ya29.",
}

// secretTable matches the tokens of well-known services, and ours (ost_), where
// a word begins. It ignores case, because paths are also recorded folded.
var secretTable = regexp.MustCompile(`(?i)(^|[^a-z0-9])(` + strings.Join([]string{
	`gh[pousr]_[a-z0-9]{16,}`,
	`github_pat_[a-z0-9_]{16,}`,
	`glpat-[a-z0-9_-]{16,}`,
	`[sr]k_live_[a-z0-9]{16,}`,
	`sk-[a-z0-9_-]{16,}`,
	`a[ks]ia[a-z0-9]{16}`,
	`xox[abeoprs]-[a-z0-9-]{8,}`,
	`eyj[a-z0-9_-]{8,}\.[a-z0-9_-]{4,}(\.[a-z0-9_-]*)?`,
	`npm_[a-z0-9]{30,}`,
	`pypi-[a-z0-9_-]{30,}`,
	`hf_[a-z0-9]{24,}`,
	`aiza[a-z0-9_-]{30,}`,
	`ya29\.[a-z0-9_-]{16,}`,
	`dop_v1_[a-f0-9]{32,}`,
	`ost_[a-z0-9_-]{16,}`,
}, "|") + `)`)

// MaskText replaces every secret that the table knows.
func MaskText(s string) string {
	if !mayHoldSecret(s) {
		return s
	}
	return secretTable.ReplaceAllString(s, "${1}"+Masked)
}

func mayHoldSecret(s string) bool {
	if len(s) < 8 {
		return false
	}
	lower := strings.ToLower(s)
	for _, hint := range secretHints {
		if strings.Contains(lower, hint) {
			return true
		}
	}
	return false
}
