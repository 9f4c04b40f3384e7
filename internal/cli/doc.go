// Package cli is how the commands behave alike: exit statuses, errors with a
// hint, output formats, colour, durations and the version.
package cli
