package parse

import (
	"fmt"
	"strings"
)

// oneOf names the closest of the allowed words, or all of them.
func oneOf(written string, allowed []string) string {
	if best := suggest(written, allowed); best != "" {
		return best
	}
	if len(allowed) == 1 {
		return "write " + allowed[0]
	}
	return "one of " + strings.Join(allowed, ", ")
}

// suggest names the closest of the allowed words, "" if none is close.
func suggest(written string, allowed []string) string {
	if best := Closest(written, allowed); best != "" {
		return fmt.Sprintf("did you mean %s?", best)
	}
	return ""
}

// Closest returns the one of some words that a misspelt one is most likely meant
// for, "" if none is close.
func Closest(written string, allowed []string) string {
	best, distance := "", len(written)/3+2
	for _, a := range allowed {
		if n := edits(strings.ToLower(written), strings.ToLower(a)); n < distance {
			best, distance = a, n
		}
	}
	if best == "" || distance > len(best)/2 {
		return ""
	}
	return best
}

// edits is the Levenshtein distance of two short words.
func edits(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
