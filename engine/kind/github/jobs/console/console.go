// Package console shows the output of a workflow's steps: line by line, behind the
// name of the job and the step, with the workflow commands done
// (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands).
package console

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/redundctl/redundctl/engine/secret"
)

// Printer brings the lines of all jobs to one output. It is safe for concurrent
// use.
type Printer struct {
	mu  sync.Mutex
	out io.Writer
	// Mask knows what steps asked to be masked.
	Mask *secret.Masker
	hide func(string) string
}

// New makes one; out nil: nothing is shown. hide masks the run's own secrets, as
// whoever reads out does; nil: there are none.
func New(out io.Writer, hide func(string) string) *Printer {
	return &Printer{out: out, Mask: secret.NewMasker(), hide: hide}
}

// masked is a text without any secret.
func (p *Printer) masked(text string) string {
	text = p.Mask.Mask(text)
	if p.hide != nil {
		text = p.hide(text)
	}
	return text
}

// Say shows a line of ours.
func (p *Printer) Say(prefix, text string) {
	p.write([]byte(prefix + " | " + p.Mask.Mask(text) + "\n"))
}

// Alone calls a function while nothing is shown.
func (p *Printer) Alone(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
}

func (p *Printer) write(b []byte) {
	if p.out == nil || len(b) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.out.Write(b) // whoever receives it keeps its troubles
}

// longLine is how much of a line is waited for, and edge how much of it stays
// behind when it is shown in parts: what a secret may begin in.
const (
	longLine = 64 << 10
	edge     = 4 << 10
)

// Console takes the output of one step, line by line: commands are done, all
// else is shown behind the name of its job and step. It is safe for concurrent
// use.
type Console struct {
	To     *Printer
	Prefix string
	// Does does a command that is the step's own; false: it is not known.
	Does func(Command) bool

	mu   sync.Mutex
	rest []byte // a line that has not ended
	stop string // the token that ends ::stop-commands::, or ""
}

// Write never fails.
func (c *Console) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(b)
	var shown []byte
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			c.rest = append(c.rest, b...)
			for len(c.rest) > longLine {
				n := c.part()
				shown = c.line(shown, c.rest[:n])
				c.rest = append(c.rest[:0], c.rest[n:]...)
			}
			break
		}
		line := b[:end]
		if len(c.rest) > 0 {
			c.rest = append(c.rest, line...)
			line = c.rest
		}
		shown = c.line(shown, line)
		c.rest, b = c.rest[:0], b[end+1:]
	}
	c.To.write(shown)
	return n, nil
}

// part is how much of a long line is shown, so that no secret stands across its
// end: what masks lines sees each by itself.
func (c *Console) part() int {
	whole := string(c.rest)
	masked := c.To.masked(whole)
	most := len(whole) - edge
	for n := most; n > 0; n -= edge {
		for n > 1 && !utf8.RuneStart(whole[n]) {
			n--
		}
		if c.To.masked(whole[:n])+c.To.masked(whole[n:]) == masked {
			return n
		}
	}
	return most
}

// Flush shows a last line without an end.
func (c *Console) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.rest) > 0 {
		c.To.write(c.line(nil, c.rest))
		c.rest = nil
	}
}

// line appends what is shown of a line.
func (c *Console) line(shown, b []byte) []byte {
	text := strings.TrimSuffix(string(b), "\r")
	if strings.HasPrefix(strings.TrimLeft(text, " \t"), "::") {
		say, known := c.command(strings.TrimLeft(text, " \t"))
		if known && say == "" {
			return shown
		}
		if known {
			text = say
		}
	}
	shown = append(shown, c.Prefix...)
	shown = append(shown, " | "...)
	shown = append(shown, c.To.Mask.Mask(text)...)
	return append(shown, '\n')
}

// Say shows words of ours.
func (c *Console) Say(text string) {
	c.Flush()
	c.To.Say(c.Prefix, text)
}

// Command is one workflow command: ::name key=value,key=value::data.
type Command struct {
	Name string // in lower case
	Keys map[string]string
	Data string
}

// parseCommand reads a line that begins with two colons.
func parseCommand(line string) (Command, bool) {
	head, data, ok := strings.Cut(line[2:], "::")
	if !ok {
		return Command{}, false
	}
	name, properties, _ := strings.Cut(head, " ")
	if name == "" {
		return Command{}, false
	}
	c := Command{Name: strings.ToLower(name), Data: unescape(data, false)}
	for _, p := range strings.Split(properties, ",") {
		if k, v, ok := strings.Cut(strings.TrimSpace(p), "="); ok {
			if c.Keys == nil {
				c.Keys = map[string]string{}
			}
			c.Keys[k] = unescape(v, true)
		}
	}
	return c, true
}

func unescape(s string, property bool) string {
	if !strings.Contains(s, "%") {
		return s
	}
	s = strings.NewReplacer("%0D", "\r", "%0d", "\r", "%0A", "\n", "%0a", "\n").Replace(s)
	if property {
		s = strings.NewReplacer("%3A", ":", "%3a", ":", "%2C", ",", "%2c", ",").Replace(s)
	}
	return strings.ReplaceAll(s, "%25", "%")
}

// command does what a line asks for; say is what people see of it, "" nothing.
func (c *Console) command(line string) (say string, known bool) {
	if c.stop != "" {
		if line == "::"+c.stop+"::" {
			c.stop = ""
			return "", true
		}
		return "", false
	}
	x, ok := parseCommand(line)
	if !ok {
		return "", false
	}
	switch x.Name {
	case "add-mask":
		for _, l := range append([]string{x.Data}, strings.Split(x.Data, "\n")...) {
			c.To.Mask.Add(strings.TrimRight(l, "\r"))
		}
		return "", true
	case "error", "warning", "notice":
		return x.Name + ": " + strings.ReplaceAll(x.Data, "\n", "; ") + where(x.Keys), true
	case "group":
		return x.Data, true
	case "stop-commands":
		c.stop = x.Data
		return "", true
	case "endgroup", "debug", "echo", "add-matcher", "remove-matcher":
		return "", true
	case "set-env", "add-path":
		return "warning: the command " + x.Name + " is disabled, as on GitHub: write to the file that GITHUB_ENV or GITHUB_PATH names", true
	}
	return "", c.Does != nil && c.Does(x)
}

// where is the place that an annotation names.
func where(keys map[string]string) string {
	if keys["file"] == "" {
		return ""
	}
	s := " (" + keys["file"]
	if keys["line"] != "" {
		s += ":" + keys["line"]
	}
	return s + ")"
}
