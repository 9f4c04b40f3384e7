package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// figure is one line of the report.
type figure struct {
	what   string
	key    string // "Benchmark/sub unit"
	factor float64
	unit   string
	goal   string
}

const (
	micro = 1e-3
	milli = 1e-6
)

// figures are the goals that the project has set itself, and what stands beside
// them.
var figures = []figure{
	{"allowed request, 10 rules", "Decide/rules=10/allow ns/op", micro, "µs", "≤ 12"},
	{"  100 rules", "Decide/rules=100/allow ns/op", micro, "µs", "flat ±20 %"},
	{"  1,000 rules", "Decide/rules=1000/allow ns/op", micro, "µs", "flat ±20 %"},
	{"  10,000 rules", "Decide/rules=10000/allow ns/op", micro, "µs", "flat ±20 %"},
	{"  allocations", "Decide/rules=10000/allow allocs/op", 1, "", "≤ 60"},
	{"allowed by a wildcard, 10,000 rules", "Decide/rules=10000/allow_wildcard ns/op", micro, "µs", "≤ 12"},
	{"explained denial: unknown host, 10,000 rules", "Decide/rules=10000/unknown_host ns/op", micro, "µs", "≤ 20"},
	{"explained denial: method, 10,000 rules", "Decide/rules=10000/wrong_method ns/op", micro, "µs", "≤ 20"},
	{"explained denial: path, 10,000 rules", "Decide/rules=10000/wrong_path ns/op", micro, "µs", "≤ 20"},
	{"denied rule, 10,000 rules", "Decide/rules=10000/denied ns/op", micro, "µs", "≤ 20"},
	{"cached decision", "DecideCached ns/op", micro, "µs", "≤ 0.5"},
	{"  allocations", "DecideCached allocs/op", 1, "", "≤ 2"},
	{"canonical request", "Network/plain ns/op", micro, "µs", ""},
	{"compile 10 rules", "Compile/rules=10 ns/op", milli, "ms", "≤ 6"},
	{"  1,000 rules", "Compile/rules=1000 ns/op", milli, "ms", ""},
	{"  10,000 rules", "Compile/rules=10000 ns/op", milli, "ms", "≤ 1,300"},
	{"load a bundle of 10,000 rules", "Load/rules=10000 ns/op", milli, "ms", ""},
	{"changed policy of 200 rules in force", "Reload/others=0 ns/op", milli, "ms", "≤ 100"},
	{"  beside nine others of 200", "Reload/others=9 ns/op", milli, "ms", "≤ 100"},
	{"gateway ÷ bare proxy: 1 connection, 1 KiB", "Inspected/conns=1/body=1024 ratio", 1, "", "≥ 0.85"},
	{"  1 connection, 1 MiB", "Inspected/conns=1/body=1048576 ratio", 1, "", "≥ 0.85"},
	{"  32 connections, 1 KiB", "Inspected/conns=32/body=1024 ratio", 1, "", "≥ 0.85"},
	{"  32 connections, 1 MiB", "Inspected/conns=32/body=1048576 ratio", 1, "", "≥ 0.85"},
	{"  32 connections, 1 KiB", "Inspected/conns=32/body=1024 req/s", 1, "req/s", ""},
	{"held tunnel", "HeldTunnel KiB/tunnel", 1, "KiB", "≤ 45"},
	{"execution in a sandbox ÷ outside, without rules", "Shim/exec/free ratio", 1, "", "≤ 1.1"},
	{"  with rules about arguments", "Shim/exec/arguments ratio", 1, "", "≤ 1.3"},
	{"open, file mode floor", "Shim/open/floor ratio", 1, "", "≤ 1.5"},
	{"  trapped", "Shim/open/trapped ratio", 1, "", ""},
	{"Python imports, trapped", "Shim/python/trapped ratio", 1, "", "≤ 1.5"},
	{"gcc -c, trapped", "Shim/gcc/trapped ratio", 1, "", "≤ 2"},
	{"openshell-exec, compile and self-test included ÷ bwrap", "ShimStart ratio", 1, "", ""},
	{"supervisor's memory, 200 processes", "ShimMemory MiB", 1, "MiB", "≤ 40"},
	{"durable append, 64 writers ÷ one sync a record", "Durable/writers=64 ratio", 1, "", "≥ 28"},
	{"  256 writers", "Durable/writers=256 ratio", 1, "", ""},
	{"  1 writer", "Durable/writers=1 ratio", 1, "", ""},
	{"record appended, CPU in all", "Append/bounded cpu-µs/rec", 1, "µs", "≤ 8"},
	{"  allocations", "Append/bounded allocs/op", 1, "", "≤ 2"},
	{"20,000 records a second, bounded", "Paced/bounded %core", 1, "% of a core", "≤ 25"},
	{"  strict", "Paced/strict %core", 1, "% of a core", ""},
	{"records verified", "Verify rec/s/core", 1, "/s/core", "≥ 300,000"},
	{"record on disk, compressed, with its part of the tree", "Size B/rec", 1, "B", "≤ 100"},
}

// write prints the figures that were measured.
func write(w io.Writer, results map[string][]float64) {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "FIGURE\tMEASURED\t\tGOAL")
	seen := 0
	for _, f := range figures {
		v, ok := median(results[f.key])
		if !ok {
			continue
		}
		seen++
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", f.what, number(v*f.factor), f.unit, f.goal)
	}
	tw.Flush()
	if seen < len(figures) {
		fmt.Fprintf(w, "(%d of %d figures measured)\n", seen, len(figures))
	}
}

// number prints three significant digits.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
