package console

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// progress is how far the steps are. Output's lock guards it.
type progress struct {
	steps   int
	numbers map[string]int // of each name, in the order of their first beginning
	widest  int            // of all names, up to a bound
	running []begun        // in the order of their beginning
	done    map[string]bool
}

type begun struct {
	name string
	at   time.Time
}

// pad is how wide a name may be before it no longer moves the others.
const pad = 24

func newProgress(steps int) progress {
	return progress{steps: steps, numbers: map[string]int{}, done: map[string]bool{}}
}

func (p *progress) number(name string) int {
	n, ok := p.numbers[name]
	if !ok {
		n = len(p.numbers)
		p.numbers[name] = n
		p.widest = max(p.widest, min(pad, ansi.StringWidth(name)))
	}
	return n
}

func (p *progress) begin(name string) {
	p.number(name)
	delete(p.done, name) // it may be tried again
	p.running = append(p.running, begun{name, time.Now()})
}

func (p *progress) end(name string) {
	for i, r := range p.running {
		if r.name == name {
			p.running = append(p.running[:i], p.running[i+1:]...)
			break
		}
	}
	for _, r := range p.running {
		if r.name == name {
			return // another of the same matrix
		}
	}
	p.done[name] = true
}

// text is the progress line: 2/5 done, running: build 34s, test 12s.
func (p *progress) text(now time.Time, columns int) string {
	var b strings.Builder
	if p.steps > 0 {
		fmt.Fprintf(&b, "%d/%d done", len(p.done), max(p.steps, len(p.numbers)))
	} else {
		fmt.Fprintf(&b, "%d done", len(p.done))
	}
	for i, r := range p.running {
		if i == 0 {
			b.WriteString(", running: ")
		} else {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %s", r.name, now.Sub(r.at).Truncate(time.Second))
	}
	if columns > 1 {
		return ansi.Truncate(b.String(), columns-1, "…")
	}
	return b.String()
}
