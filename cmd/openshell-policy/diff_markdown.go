package main

import (
	"fmt"
	"strings"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/compiler/diff"
)

// maxMarkdown is less than what GitHub takes as a comment.
const maxMarkdown = 65_000

// markdown renders the comparison as a comment: widenings first, details folded.
// What does not fit is counted.
func (c *comparison) markdown(limit int) string {
	b := &bounded{limit: limit - 200}
	b.add(fmt.Sprintf("### Policy changes: %s\n\n%s, from `%s` to `%s`.\n\n", c.Verdict, c.summary(), c.Before, c.After))
	for _, part := range []struct {
		title     string
		direction diff.Direction
		mark      string
	}{{"Now passes", diff.Widens, "🔺"}, {"No longer passes", diff.Narrows, "🔻"}} {
		c.section(b, part.title, part.direction, part.mark)
	}
	c.doubts(b)
	if c.Replay != nil {
		replaySection(b, c.Replay)
	}
	for _, p := range c.Policies {
		for _, ig := range p.Ignored {
			b.add(fmt.Sprintf("- accepted until %s: %s in %s (%s)\n", ig.Until, code(ig.Change.Example), code(p.Policy), escape(ig.Reason)))
		}
	}
	if b.left > 0 {
		b.force(fmt.Sprintf("\n…and %d more; `openshell-policy diff` prints all of them.\n", b.left))
	}
	return b.String()
}

func (c *comparison) section(b *bounded, title string, d diff.Direction, mark string) {
	first := true
	for _, p := range c.Policies {
		for _, s := range p.Surfaces {
			for _, ch := range s.Changes {
				if ch.Direction != d {
					continue
				}
				if first {
					b.add("#### " + title + "\n\n")
					first = false
				}
				b.item(changeItem(p, &ch, mark))
			}
		}
	}
	if !first {
		b.add("\n")
	}
}

func changeItem(p *policyChange, ch *diff.Change, mark string) string {
	out := fmt.Sprintf("- %s **%s** %s: %s\n", mark, escape(p.Policy), ch.Surface, code(ch.Example))
	if ch.Surface == "policy" {
		return out
	}
	return out + fmt.Sprintf("  <details><summary>%s</summary>\n\n  before: %s<br>after: %s\n  </details>\n", html(ch.Class), escape(partWords(ch, &ch.Before)), escape(partWords(ch, &ch.After)))
}

func (c *comparison) doubts(b *bounded) {
	first := true
	for _, p := range c.Policies {
		for _, s := range p.Surfaces {
			for _, why := range s.Unknown {
				if first {
					b.add("#### Unknown\n\n")
					first = false
				}
				b.item(fmt.Sprintf("- ❔ **%s** %s: %s\n", escape(p.Policy), s.Name, escape(why)))
			}
		}
	}
}

// bounded is text up to a limit of bytes.
type bounded struct {
	strings.Builder
	limit, left int
}

func (b *bounded) add(s string) {
	if b.Len()+len(s) <= b.limit {
		b.WriteString(s)
	}
}

// item adds a whole item or counts it.
func (b *bounded) item(s string) {
	if b.left > 0 || b.Len()+len(s) > b.limit {
		b.left++
		return
	}
	b.WriteString(s)
}

func (b *bounded) force(s string) { b.WriteString(s) }

// oneLine makes text of a policy's or a log's one line that does nothing to who
// prints it.
func oneLine(s string) string {
	return audit.Printable(strings.NewReplacer("\n", " ", "\r", " ").Replace(s))
}

// code makes text of a policy's a code span that nothing in it can end.
func code(s string) string {
	s = oneLine(s)
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		return fence + " " + s + " " + fence
	}
	return fence + s + fence
}

// escape keeps text of a policy's from being read as Markdown or HTML.
func escape(s string) string {
	r := strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "|", `\|`, "@", "@\u200b", "#", `\#`)
	return r.Replace(oneLine(s))
}

// html keeps text inside of HTML from being read as HTML or as a mention; nothing
// reads it as Markdown.
func html(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "@\u200b").Replace(oneLine(s))
}
