package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a flag's value that also takes days and weeks: 90s, 1h30m, 7d, 2w.
type Duration time.Duration

const day = 24 * time.Hour

// ParseDuration reads a duration; "d" is 24 hours and "w" seven days, before any
// smaller unit.
func ParseDuration(s string) (time.Duration, error) {
	rest, total := s, time.Duration(0)
	for _, unit := range []struct {
		letter string
		length time.Duration
	}{{"w", 7 * day}, {"d", day}} {
		number, after, found := strings.Cut(rest, unit.letter)
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || n < 0 || n > 1e6 {
			return 0, badDuration(s)
		}
		total += time.Duration(n * float64(unit.length))
		rest = after
	}
	if rest == "" && s != "" {
		return total, nil
	}
	small, err := time.ParseDuration(rest)
	if err != nil || small < 0 {
		return 0, badDuration(s)
	}
	return total + small, nil
}

func badDuration(s string) error {
	return fmt.Errorf("%q is not a duration such as 90s, 1h30m, 7d or 2w", s)
}

// String returns the duration. Zero is "0", which help texts leave out as a default.
func (d *Duration) String() string {
	if *d == 0 {
		return "0"
	}
	return time.Duration(*d).String()
}

// Type names the value in help texts.
func (d *Duration) Type() string { return "DURATION" }

// Set reads a duration.
func (d *Duration) Set(s string) error {
	v, err := ParseDuration(s)
	if err == nil {
		*d = Duration(v)
	}
	return err
}

// Age prints how old something is as kubectl does: two units while they matter,
// then one.
func Age(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 10*time.Minute:
		return two(d, time.Minute, "m", time.Second, "s")
	case d < 3*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 8*time.Hour:
		return two(d, time.Hour, "h", time.Minute, "m")
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d < 8*day:
		return two(d, day, "d", time.Hour, "h")
	case d < 2*365*day:
		return fmt.Sprintf("%dd", d/day)
	case d < 8*365*day:
		return two(d, 365*day, "y", day, "d")
	}
	return fmt.Sprintf("%dy", d/(365*day))
}

func two(d, large time.Duration, largeUnit string, small time.Duration, smallUnit string) string {
	text := fmt.Sprintf("%d%s", d/large, largeUnit)
	if rest := d % large / small; rest > 0 {
		text += fmt.Sprintf("%d%s", rest, smallUnit)
	}
	return text
}
