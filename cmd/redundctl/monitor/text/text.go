// Package text makes what anybody may have written fit for a terminal: harmless,
// and of a width that is known.
package text

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/text/unicode/norm"

	"github.com/redundctl/redundctl/engine/console"
)

// mostBytes is how much of one text is looked at: more fits no screen.
const mostBytes = 4 << 10

// Clean makes a text harmless and keeps it on one line.
func Clean(s string) string {
	s = console.Clean(s[:min(len(s), mostBytes)])
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			// Terminals do not agree on how wide joined characters are: apart, each
			// has a width that they agree on. An accent of its own would be lost
			// where the cells of the screen are compared.
			return norm.NFC.String(strings.NewReplacer("\u200d", "", "\ufe0e", "", "\ufe0f", "").Replace(s))
		}
	}
	return s
}

// Printed is Clean for what a step printed: its colours are left out, its tabs
// become spaces.
func Printed(s string) string {
	if len(s) > mostBytes {
		s = s[:mostBytes]
	}
	if strings.IndexByte(s, '\x1b') >= 0 {
		s = ansi.Strip(s)
	}
	return Clean(strings.ReplaceAll(strings.TrimRight(s, "\r"), "\t", "    "))
}

// Width is how many columns a text takes at most: some terminals count by
// character, others by what is seen as one.
func Width(s string) int {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return max(ansi.StringWidth(s), ansi.StringWidthWc(s))
		}
	}
	return len(s)
}

// Cut shortens a text that does not fit, and says so with its last column.
func Cut(s string, room int) string {
	switch {
	case Width(s) <= room:
		return s
	case room < 1:
		return ""
	}
	return prefix(s, room-1) + "…"
}

// prefix is as much of the beginning of a text as fits.
func prefix(s string, room int) string {
	end := 0
	for end < len(s) {
		c, _ := ansi.FirstGraphemeCluster(s[end:], ansi.GraphemeWidth)
		if room -= Width(c); room < 0 || c == "" {
			break
		}
		end += len(c)
	}
	return s[:end]
}

// Pad fills a text up to a width.
func Pad(s string, to int) string { return s + strings.Repeat(" ", max(to-Width(s), 0)) }

// Wrap breaks a text into lines of a width, between words where it can.
func Wrap(s string, room int) []string {
	var out []string
	room = max(room, 2)
	for part := range strings.SplitSeq(s, "\n") {
		now := ""
		for _, word := range strings.Fields(Clean(part)) {
			if now != "" && Width(now)+1+Width(word) <= room {
				now += " " + word
				continue
			}
			if now != "" {
				out = append(out, now)
			}
			for Width(word) > room {
				head := prefix(word, room)
				if head == "" {
					break // a character that is wider than the room: it is cut when it is drawn
				}
				out, word = append(out, head), word[len(head):]
			}
			now = word
		}
		out = append(out, now)
	}
	return out
}

// Age is a length of time as exact as it matters: 45s, 3m12s, 25m, 2h05m, 3d04h.
func Age(d time.Duration) string {
	d = max(d, 0)
	s := int64(d / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 3600:
		return fmt.Sprintf("%dm", s/60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}

// Took is how long something lasted.
func Took(d time.Duration) string {
	if d < time.Minute {
		return d.Round(10 * time.Millisecond).String()
	}
	return Age(d)
}

// At reads a time of a JSON shape; the zero time for none.
func At(s *string) time.Time {
	if s == nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, *s)
	if err != nil {
		return time.Time{}
	}
	return t
}

// Clock is a time of day where we are, with the date when that is another.
func Clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	switch {
	case t.IsZero():
		return "-"
	case t.Format(time.DateOnly) == now.Format(time.DateOnly):
		return t.Format("15:04:05")
	}
	return t.Format("01-02 15:04")
}

// Or gives what a pointer points to, or another value for nil.
func Or(s *string, other string) string {
	if s == nil || *s == "" {
		return other
	}
	return *s
}
