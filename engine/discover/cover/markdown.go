package cover

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/redundctl/redundctl/engine/diag"
)

// Summary is a report in one line.
func Summary(r Report) string {
	if len(r.Primaries) == 0 {
		return "nothing to cover: no automation of another system was found"
	}
	count := map[Status]int{}
	for _, p := range r.Primaries {
		count[p.Status]++
	}
	out := fmt.Sprintf("%s %% covered: %d of %s", strconv.FormatFloat(r.Percent, 'f', -1, 64), count[Covered], diag.Count(len(r.Primaries), "automation"))
	for _, s := range []Status{Drifted, Disabled, Uncovered} {
		if count[s] > 0 {
			out += fmt.Sprintf(", %d %s", count[s], s)
		}
	}
	return out
}

// Markdown is a report for the summary of a CI job.
func Markdown(r Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### Coverage\n\n%s\n", Summary(r))
	if len(r.Primaries) > 0 {
		b.WriteString("\n| Status | System | Name | Source | Pipeline | Note |\n|---|---|---|---|---|---|\n")
	}
	for _, p := range r.Primaries {
		at := p.Source
		if p.Line != nil {
			at = fmt.Sprintf("%s:%d", at, *p.Line)
		}
		row(&b, string(p.Status), p.System, p.Name, at, value(p.Pipeline), value(p.Note))
	}
	return b.String()
}

// MarkdownOfDrift is what has changed, for the summary of a CI job.
func MarkdownOfDrift(list []Change) string {
	if len(list) == 0 {
		return "### Drift\n\nNothing has changed.\n"
	}
	var b strings.Builder
	b.WriteString("### Drift\n\n| Pipeline | Source | Key | Was | Is | Then |\n|---|---|---|---|---|---|\n")
	for _, x := range list {
		row(&b, x.System+"/"+x.Pipeline, x.Source, x.Key, value(x.Was), value(x.Is), x.Hint)
	}
	return b.String()
}

// row writes one row of a table.
func row(b *strings.Builder, cells ...string) {
	for _, c := range cells {
		b.WriteString("| " + cell(c) + " ")
	}
	b.WriteString("|\n")
}

// cell is a text that neither ends its cell nor means anything to Markdown.
func cell(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`).Replace(s)
}
