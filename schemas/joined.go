package schemas

import "strings"

// JoinedName names the policy that stands for one with others bound beside it:
// it extends them all.
func JoinedName(policy string, with []string) string {
	if len(with) == 0 {
		return policy
	}
	return policy + "." + strings.Join(with, ".") + ".joined"
}
