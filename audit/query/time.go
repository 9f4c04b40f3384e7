package query

import (
	"fmt"
	"time"
)

// timeForms are what ParseTime reads besides durations; those without a zone are
// local, those without a date are of today.
var timeForms = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly,
}

// ParseTime reads a moment: a date, a date and time, a time of today, or how long
// before now, by the given reader of durations (90s, 2h, 7d).
func ParseTime(s string, now time.Time, duration func(string) (time.Duration, error)) (time.Time, error) {
	if d, err := duration(s); err == nil {
		return now.Add(-d), nil
	}
	for _, form := range timeForms {
		if t, err := time.ParseInLocation(form, s, now.Location()); err == nil {
			return t, nil
		}
	}
	for _, form := range []string{time.TimeOnly, "15:04"} {
		if t, err := time.ParseInLocation(form, s, now.Location()); err == nil {
			y, m, d := now.Date()
			return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, now.Location()), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 2h, 7d, 10:30, 2006-01-02 or 2006-01-02T15:04:05Z", s)
}
