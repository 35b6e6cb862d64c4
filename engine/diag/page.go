package diag

import (
	"fmt"
	"strings"
)

// Page is docs/problems.md: every rule with its examples, in Markdown.
func Page() string {
	var b strings.Builder
	b.WriteString("# Problems\n\nEvery problem that `redundctl validate` can find, by the id that stands in brackets behind it. An error keeps its file from\n" +
		"being used; a warning never stops anything. Each example is loaded by a test: the bad one gives just this problem, the good\n" +
		"one none. A line `-- name --` begins a file where an example needs several.\n\nThis page is made from the rules by `go generate`.\n")
	for _, r := range Rules {
		fmt.Fprintf(&b, "\n## %s\n\n%s: %s.\n\nBad:\n\n```text\n%s```\n\nGood:\n\n```text\n%s```\n", r.ID, title(r.Severity), r.Summary, printable(r.Bad), r.Good)
	}
	return b.String()
}

func title(s Severity) string {
	if s == Warning {
		return "Warning"
	}
	return "Error"
}

// printable shows the control characters of an example as escapes.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' {
			return '\u2400' + r
		}
		return r
	}, s)
}
