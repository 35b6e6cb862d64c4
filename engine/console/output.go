package console

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// OutputOptions configure an Output.
type OutputOptions struct {
	Color    bool     // names of steps in colours of their own
	Steps    int      // how many steps there are, for the progress line; 0: not known
	Terminal *os.File // where the writer leads; the progress line is drawn only when it is a terminal
}

// redraw is how often the progress line is drawn at most, and patience how
// long Close waits for a reader that has stalled.
const (
	redraw   = 250 * time.Millisecond
	patience = 5 * time.Second
)

// Output shows the output of steps as it comes: whole lines, each with the name
// of its step before it. Steps never wait long for whoever reads: what cannot
// be shown in time is left out, and how much that was is said.
type Output struct {
	w       io.Writer
	color   bool
	columns func() int // of the terminal; nil: there is none
	lines   queue
	stop    chan struct{} // closed by Close
	ended   chan struct{} // closed when the printer has ended

	mu     sync.Mutex
	closed bool
	open   map[*Step]bool
	progress

	drawn string // the progress line on the screen; the printer's own
	err   error  // the first of writing; the printer's own until ended
}

// ErrStalled is the error of Close when nobody reads what is printed.
var ErrStalled = errors.New("nobody reads the output: what was left of it is not shown")

// NewOutput makes an Output on w. It must be closed.
func NewOutput(w io.Writer, o OutputOptions) *Output {
	var columns func() int
	if IsTerminal(o.Terminal) && os.Getenv("TERM") != "dumb" {
		columns = func() int { return width(o.Terminal) }
	}
	return newOutput(w, o, columns)
}

func newOutput(w io.Writer, o OutputOptions, columns func() int) *Output {
	out := &Output{
		w: w, color: o.Color, columns: columns, lines: newQueue(), open: map[*Step]bool{},
		stop: make(chan struct{}), ended: make(chan struct{}), progress: newProgress(o.Steps),
	}
	go out.print()
	return out
}

// Step gives the writer of the output of a step that begins now. Closing it
// says that the step has ended. It may be written to from several goroutines.
func (o *Output) Step(name string) io.WriteCloser {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := &Step{out: o, name: Clean(name)}
	if !o.closed {
		o.open[s] = true
		o.begin(s.name)
	}
	return s
}

// Note prints a line that belongs to no step.
func (o *Output) Note(format string, args ...any) {
	for l := range strings.Lines(fmt.Sprintf(format, args...)) {
		o.lines.push(line(strings.TrimRight(l, "\r\n"))+"\n", true, o.stop)
	}
}

// Close prints what is left, takes the progress line away, and ends. Its error
// is the first of writing, or ErrStalled.
func (o *Output) Close() error {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return nil
	}
	o.closed = true
	steps := o.open
	o.open = nil
	o.mu.Unlock()
	for s := range steps {
		s.flush()
	}
	close(o.stop)
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-o.ended:
		return o.err
	case <-t.C:
		return ErrStalled
	}
}

// print is the one goroutine that writes.
func (o *Output) print() {
	defer close(o.ended)
	var tick <-chan time.Time
	if o.columns != nil {
		t := time.NewTicker(redraw)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-o.lines.ready:
			o.write(o.lines.take())
		case <-tick:
			o.draw()
		case <-o.stop:
			o.write(o.lines.take())
			o.erase()
			return
		}
	}
}

// write prints whole lines, in place of the progress line.
func (o *Output) write(text string) {
	if text == "" {
		return
	}
	if o.drawn != "" {
		text = "\r\x1b[K" + text
		o.drawn = ""
	}
	o.put(text)
}

func (o *Output) draw() {
	o.mu.Lock()
	text := o.text(time.Now(), o.columns())
	o.mu.Unlock()
	if text != o.drawn {
		o.put("\r\x1b[K" + text)
		o.drawn = text
	}
}

func (o *Output) erase() {
	if o.drawn != "" {
		o.put("\r\x1b[K")
		o.drawn = ""
	}
}

func (o *Output) put(text string) {
	if o.err == nil {
		_, o.err = io.WriteString(o.w, text)
	}
}
