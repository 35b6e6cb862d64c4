package logs

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Line is one line of a log. It is written as
//
//	2026-11-24T08:13:15.123Z run=12 pm2/git-sync sync | text
//
// with 0 as the run of a service, or, when it belongs to no pipeline, as stamp, bar
// and text; with + in place of | when it goes on from the line before.
type Line struct {
	At        time.Time
	Name      string // of the file
	Run       int64
	Pipeline  string
	Step      string
	Text      string
	Continued bool // the text goes on from the line before, which was too long
}

// String gives the line as it is written.
func (l Line) String() string {
	text := l.At.UTC().Format(stamp) + header(l.Run, l.Pipeline, l.Step)
	if l.Continued {
		return text + more + l.Text
	}
	return text + bar + l.Text
}

const (
	stamp = "2006-01-02T15:04:05.000Z"
	bar   = " | "
	more  = " + "
	// maxText bounds the text of one line; what is longer goes on in the next.
	maxText = 64 << 10
	// maxLine bounds a line that is read: every byte may be escaped.
	maxLine = 4*maxText + 1024
)

// header is what stands between stamp and bar.
func header(run int64, pipeline, step string) string {
	if run == 0 && pipeline == "" {
		return ""
	}
	return " run=" + strconv.FormatInt(run, 10) + " " + word(pipeline) + " " + word(step)
}

// word makes s one word, so that the line can be taken apart again.
func word(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == ' ' || unicode.IsSpace(r) {
			return '_'
		}
		return r
	}, string(clean(nil, []byte(s))))
	if s == "" {
		return "-"
	}
	return s
}

// parse takes a line apart; ok is false for what is none of ours.
func parse(name string, b []byte) (l Line, ok bool) {
	if len(b) < len(stamp) {
		return l, false
	}
	at, err := time.Parse(stamp, string(b[:len(stamp)]))
	if err != nil {
		return l, false
	}
	l = Line{At: at, Name: name}
	rest := b[len(stamp):]
	end := bytes.Index(rest, []byte(bar))
	if next := bytes.Index(rest, []byte(more)); next >= 0 && (end < 0 || next < end) {
		end, l.Continued = next, true
	}
	if end < 0 {
		return l, false
	}
	l.Text = string(rest[end+len(bar):])
	if end == 0 {
		return l, true
	}
	fields := strings.Fields(string(rest[:end]))
	if len(fields) != 3 {
		return l, false
	}
	run, found := strings.CutPrefix(fields[0], "run=")
	l.Run, err = strconv.ParseInt(run, 10, 64)
	l.Pipeline, l.Step = fields[1], fields[2]
	return l, found && err == nil
}

// plain are the bytes that a log may hold as they are.
func plain(b byte) bool { return b >= ' ' && b < 0x7f || b == '\t' }

// clean appends text with everything escaped that a terminal would obey or a
// reader could take for the end of the line.
func clean(to, text []byte) []byte {
	for len(text) > 0 {
		n := 0
		for n < len(text) && plain(text[n]) {
			n++
		}
		to = append(to, text[:n]...)
		text = text[n:]
		if len(text) == 0 {
			break
		}
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1, r < 0x80:
			to = append(to, '\\', 'x', hex[text[0]>>4], hex[text[0]&15])
		case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r) && r != '\u200d', r == '\u2028', r == '\u2029':
			to = fmt.Appendf(to, `\u%04x`, r)
		default:
			to = append(to, text[:size]...)
		}
		text = text[size:]
	}
	return to
}

const hex = "0123456789abcdef"
