package console

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// longest is where a line without an end is cut in two, in bytes.
const longest = 64 << 10

// Step is the output of one step.
type Step struct {
	out  *Output
	name string

	mu     sync.Mutex
	part   []byte // of a line that has not ended
	back   bool   // a carriage return stands at its end
	closed bool
}

// Write takes output in pieces of any size. It never fails and never waits
// long.
func (s *Step) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return len(p), nil
	}
	for rest := p; len(rest) > 0; {
		// A carriage return that no newline follows begins the line anew, as
		// progress bars do: only its last state is shown.
		if s.back && rest[0] != '\n' && rest[0] != '\r' {
			s.part = s.part[:0]
		}
		s.back = false
		i := bytes.IndexAny(rest, "\r\n")
		if i < 0 {
			s.add(rest)
			break
		}
		s.add(rest[:i])
		if rest[i] == '\n' {
			s.line()
		} else {
			s.back = true
		}
		rest = rest[i+1:]
	}
	return len(p), nil
}

func (s *Step) add(p []byte) {
	for len(s.part)+len(p) > longest {
		n := longest - len(s.part)
		s.part = append(s.part, p[:n]...)
		p = p[n:]
		cut := len(s.part)
		for cut > longest-utf8.UTFMax && !utf8.RuneStart(s.part[cut-1]) {
			cut--
		}
		if cut > longest-utf8.UTFMax && !utf8.FullRune(s.part[cut-1:]) {
			cut--
		} else {
			cut = len(s.part)
		}
		tail := bytes.Clone(s.part[cut:])
		s.part = s.part[:cut]
		s.line()
		s.part = append(s.part, tail...)
	}
	s.part = append(s.part, p...)
}

// line prints the line that is complete.
func (s *Step) line() {
	s.out.lines.push(s.out.prefix(s.name)+line(string(s.part))+"\n", false, s.out.stop)
	s.part = s.part[:0]
}

// Close prints what has no line end and says that the step has ended.
func (s *Step) Close() error {
	s.flush()
	o := s.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open[s] {
		delete(o.open, s)
		o.end(s.name)
	}
	return nil
}

func (s *Step) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.part) > 0 {
		s.line()
	}
	s.closed = true
}

// prefix is what stands before a line of a step; all are as wide as the
// longest so far.
func (o *Output) prefix(name string) string {
	o.mu.Lock()
	n, pad := o.number(name), o.widest
	o.mu.Unlock()
	text := name + strings.Repeat(" ", max(0, pad-ansi.StringWidth(name)))
	if o.color {
		colors := [...]int{36, 35, 33, 34, 32, 96, 95, 93, 94, 92}
		text = fmt.Sprintf("\x1b[%dm%s\x1b[0m", colors[n%len(colors)], text)
	}
	return text + " | "
}
