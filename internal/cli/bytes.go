package cli

import (
	"fmt"
	"strconv"
	"strings"
)

// Bytes is a flag for a size, such as 512m or 4g; units are powers of 1024.
type Bytes int64

// Set reads a size.
func (b *Bytes) Set(s string) error {
	number := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(s), "b"), "i")
	shift := 0
	for i, unit := range []string{"k", "m", "g", "t"} {
		if rest, ok := strings.CutSuffix(number, unit); ok {
			number, shift = rest, 10*(i+1)
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > int64(1)<<(62-shift) {
		return fmt.Errorf("%q is not a size such as 512m or 4g", s)
	}
	*b = Bytes(n << shift)
	return nil
}

// String writes the size in the largest unit that divides it.
func (b *Bytes) String() string {
	n := int64(*b)
	for _, unit := range []string{"", "k", "m", "g"} {
		if n == 0 || n%1024 != 0 {
			return strconv.FormatInt(n, 10) + unit
		}
		n /= 1024
	}
	return strconv.FormatInt(n, 10) + "t"
}

// Type is what help calls the value.
func (b *Bytes) Type() string { return "size" }
