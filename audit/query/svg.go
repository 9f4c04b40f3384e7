package query

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// The drawing's sizes, in pixels.
const (
	svgWidth, svgHeight = 800, 260
	svgLeft, svgTop     = 60, 30
	svgPlotW, svgPlotH  = 720, 180
)

// The colours of the bars, apart also for who sees no red or green.
const (
	colorAllowed = "#4c78a8"
	colorDenied  = "#d62728"
	colorAudited = "#f2a93b"
)

// SVG draws the timeline as stacked bars: allowed, audited, denied.
func (s *Stats) SVG(w io.Writer, zone *time.Location) error {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", svgWidth, svgHeight, svgWidth, svgHeight)
	fmt.Fprintf(&b, "<title>%d decisions: %d allowed, %d denied, %d audited</title>\n", s.Decisions, s.Allowed, s.Denied, s.Audited)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", svgWidth, svgHeight)
	legend(&b)
	if n := len(s.Timeline); n > 0 {
		s.svgBars(&b, zone)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func legend(b *strings.Builder) {
	x := svgLeft
	for _, l := range [][2]string{{"allowed", colorAllowed}, {"audited", colorAudited}, {"denied", colorDenied}} {
		fmt.Fprintf(b, `<rect x="%d" y="8" width="12" height="12" fill="%s"/><text x="%d" y="18">%s</text>`+"\n", x, l[1], x+16, l[0])
		x += 90
	}
}

func (s *Stats) svgBars(b *strings.Builder, zone *time.Location) {
	most := uint64(1)
	for _, t := range s.Timeline {
		most = max(most, t.Allowed+t.Denied+t.Audited)
	}
	width := float64(svgPlotW) / float64(len(s.Timeline))
	bottom := float64(svgTop + svgPlotH)
	for i, t := range s.Timeline {
		x, y := svgLeft+float64(i)*width, bottom
		for _, part := range []struct {
			n     uint64
			color string
		}{{t.Allowed, colorAllowed}, {t.Audited, colorAudited}, {t.Denied, colorDenied}} {
			if part.n == 0 {
				continue
			}
			h := float64(svgPlotH) * float64(part.n) / float64(most)
			y -= h
			fmt.Fprintf(b, `<rect x="%.2f" y="%.2f" width="%.2f" height="%.2f" fill="%s"/>`+"\n", x, y, max(width-1, 0.5), h, part.color)
		}
	}
	form := "15:04"
	if s.To.Sub(s.From) > 24*time.Hour {
		form = "2006-01-02"
	}
	fmt.Fprintf(b, `<path d="M%d %d V%d H%d" fill="none" stroke="#333333"/>`+"\n", svgLeft, svgTop, svgTop+svgPlotH, svgLeft+svgPlotW)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%d</text><text x="%d" y="%d" text-anchor="end">0</text>`+"\n", svgLeft-6, svgTop+10, most, svgLeft-6, svgTop+svgPlotH)
	last := s.Timeline[len(s.Timeline)-1]
	fmt.Fprintf(b, `<text x="%d" y="%d">%s</text>`+"\n", svgLeft, svgTop+svgPlotH+18, s.Timeline[0].Start.In(zone).Format(form))
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", svgLeft+svgPlotW, svgTop+svgPlotH+18, last.Start.In(zone).Format(form))
}
