package main

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The sizes of a drawing, in pixels.
const (
	plotLeft, plotWidth, plotRight = 150, 460, 90
	barHeight, groupGap            = 16, 34
)

// draw writes one drawing for each figure, with the cases of 1 KiB.
func draw(dir string, peers []peer, results []result) error {
	small := slices.DeleteFunc(slices.Clone(results), func(r result) bool { return r.scenario.size > 1<<10 })
	for _, d := range []struct {
		name, title string
		value       func(figures) float64
	}{
		{"proxy-throughput.svg", "Requests a second (more is better)", func(f figures) float64 { return f.perSecond }},
		{"proxy-cpu.svg", "CPU a request in µs (less is better)", func(f figures) float64 { return float64(f.cpu.Nanoseconds()) / 1000 }},
		{"proxy-latency.svg", "Median latency in µs (less is better)", func(f figures) float64 { return float64(f.p50.Microseconds()) }},
	} {
		if err := os.WriteFile(filepath.Join(dir, d.name), []byte(bars(d.title, peers, small, d.value)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// bars draws a group of horizontal bars for each result.
func bars(title string, peers []peer, results []result, value func(figures) float64) string {
	var b strings.Builder
	height := 40 + len(results)*(groupGap+len(peers)*(barHeight+2))
	width := plotLeft + plotWidth + plotRight
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n<text x=\"8\" y=\"20\" font-size=\"15\">%s</text>\n", html.EscapeString(title), width, height, html.EscapeString(title))
	y := 34
	for _, r := range results {
		y += groupGap - 10
		fmt.Fprintf(&b, `<text x="8" y="%d" font-weight="bold">%s</text>`+"\n", y, html.EscapeString(r.scenario.String()))
		y += 10
		most := 0.0
		for _, f := range r.figures {
			most = max(most, value(f))
		}
		for _, p := range peers {
			bar(&b, p.name, y, r.figures, value, most)
			y += barHeight + 2
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func bar(b *strings.Builder, name string, y int, all map[string]figures, value func(figures) float64, most float64) {
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", plotLeft-6, y+12, html.EscapeString(name))
	f, ok := all[name]
	v := value(f)
	if !ok || v == 0 || most == 0 {
		fmt.Fprintf(b, `<text x="%d" y="%d" fill="#777777">–</text>`+"\n", plotLeft, y+12)
		return
	}
	color := "#b0b7c3"
	if strings.HasPrefix(name, "ours") {
		color = "#4c78a8"
	}
	w := v / most * plotWidth
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/><text x="%.1f" y="%d">%.0f</text>`+"\n", plotLeft, y, max(w, 1), barHeight-2, color, plotLeft+w+5, y+12, v)
}
