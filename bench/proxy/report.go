package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// baseline is what every ratio is to.
const baseline = "bare Go proxy"

// figures are the medians of a proxy's samples.
type figures struct {
	perSecond float64
	p50, p99  time.Duration
	cpu       time.Duration
	rss       int64
}

type result struct {
	scenario scenario
	figures  map[string]figures
}

func summary(samples []sample) figures {
	return figures{
		perSecond: median(samples, func(s sample) float64 { return s.perSecond }),
		p50:       median(samples, func(s sample) time.Duration { return s.p50 }),
		p99:       median(samples, func(s sample) time.Duration { return s.p99 }),
		cpu:       median(samples, func(s sample) time.Duration { return s.cpu }),
		rss:       median(samples, func(s sample) int64 { return s.rss }),
	}
}

func median[T int64 | float64 | time.Duration](samples []sample, of func(sample) T) T {
	all := make([]T, len(samples))
	for i, s := range samples {
		all[i] = of(s)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func report(w io.Writer, peers []peer, results []result) {
	for _, r := range results {
		fmt.Fprintf(w, "\n%s\n", r.scenario)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(t, "\treq/s\t÷ bare\tp50 µs\tp99 µs\tCPU µs/req\tbare ÷\tRSS MiB\t")
		base := r.figures[baseline]
		for _, p := range peers {
			f, ok := r.figures[p.name]
			if !ok {
				fmt.Fprintf(t, "%s\t–\t\t\t\t\t\t\t\n", p.name)
				continue
			}
			fmt.Fprintf(t, "%s\t%.0f\t%s\t%d\t%d\t%s\t%s\t%s\t\n", p.name, f.perSecond, ratio(f.perSecond, base.perSecond),
				f.p50.Microseconds(), f.p99.Microseconds(), number(float64(f.cpu.Nanoseconds())/1000), ratio(float64(base.cpu), float64(f.cpu)), number(float64(f.rss)/(1<<20)))
		}
		_ = t.Flush()
	}
}

func ratio(a, b float64) string {
	if a == 0 || b == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", a/b)
}

func number(f float64) string {
	if f == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f", f)
}
