package filter

// Arch is the machine's own architecture.
const Arch = arch

// Lists are the tables by name.
type Lists struct{ Harmless, Refused, Exec, Files, Metadata, Connect, Special []int }

// Tables returns what the filter is built from.
func Tables() Lists {
	l := Lists{Harmless: harmless, Refused: refused, Exec: execCalls, Files: fileCalls, Metadata: metadataCalls, Connect: connectCalls}
	for nr := range special(Options{Files: true}) {
		l.Special = append(l.Special, nr)
	}
	return l
}
