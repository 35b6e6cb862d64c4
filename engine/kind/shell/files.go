package shell

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/redundctl/redundctl/engine/pipeline"
)

const (
	oneOutput  = 1 << 20
	allOutputs = 4 << 20
	// readLimit is how much of a file is read at all. What lies behind it is
	// as good as cut.
	readLimit = 16 << 20
)

// refused are names that nobody may set through REDUND_ENV, though `env:` may
// set most of them: text that came from outside and ended there would become
// a program in every step that follows. GitHub refuses NODE_OPTIONS alone.
var refused = []string{
	"BASHOPTS", "BASH_ENV", "ENV", "LD_AUDIT", "LD_PRELOAD", "NODE_OPTIONS",
	"PERL5OPT", "PYTHONSTARTUP", "RUBYOPT", "SHELLOPTS",
}

// handedOn reads what a step wrote to REDUND_OUTPUT and REDUND_ENV.
func handedOn(output, env *file) (pipeline.Outputs, error) {
	var out pipeline.Outputs
	values, cut, err := readPairs(output, nil)
	if err != nil {
		return out, fmt.Errorf("REDUND_OUTPUT: %w", err)
	}
	if len(values) > 0 {
		out.Values = make(map[string]any, len(values))
		for k, v := range values {
			out.Values[k] = v
		}
	}
	out.Truncated = cut
	vars, cut, err := readPairs(env, checkName)
	if err != nil {
		return out, fmt.Errorf("REDUND_ENV: %w", err)
	}
	if cut {
		// Half a variable is worse than none.
		return out, errors.New("REDUND_ENV: a value is over 1 MiB, or all together are over 4 MiB")
	}
	if len(vars) > 0 {
		out.Env = vars
	}
	return out, nil
}

// checkName refuses what must not be set for the steps that follow.
func checkName(name string) error {
	switch {
	case strings.HasPrefix(name, "REDUND_"), name == "REDUNDANCY_MODE":
		return fmt.Errorf("%s is set by redundctl alone", name)
	case slices.Contains(refused, name):
		return fmt.Errorf("%s may not be set for other steps, for it can make them run anything; write it under env: where it is needed", name)
	case strings.ContainsRune(name, 0):
		return errors.New("a name holds a NUL byte")
	}
	return nil
}

// readPairs reads a file of `key=value` lines and `key<<END` blocks, as
// GITHUB_OUTPUT is written. A file that the step took away is empty.
func readPairs(x *file, check func(string) error) (map[string]string, bool, error) {
	path := x.path
	if x.unused = untouched(path); x.unused {
		return nil, false, nil // as most steps leave it
	}
	// The step may have put something else in its place: a link to follow or a
	// pipe to wait on for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, false, err
	case !info.Mode().IsRegular():
		return nil, false, errors.New("it is no longer a file")
	case info.Size() == 0:
		return nil, false, nil
	}
	text, err := io.ReadAll(io.LimitReader(f, readLimit+1))
	if err != nil {
		return nil, false, err
	}
	cut := len(text) > readLimit
	if cut {
		text = text[:readLimit]
	}
	r := &pairs{text: bytes.TrimPrefix(text, []byte("\ufeff")), cut: cut, check: check, values: map[string]string{}}
	if err := r.read(); err != nil {
		return nil, false, err
	}
	return r.values, r.cut, nil
}

// pairs reads the text of one file.
type pairs struct {
	text   []byte
	line   int // the last one that was read, from 1
	cut    bool
	values map[string]string
	total  int
	check  func(string) error
}

// next takes one line; LF, CRLF and CR end it, as they do for GitHub.
func (p *pairs) next() (line, ending []byte, ok bool) {
	if len(p.text) == 0 {
		return nil, nil, false
	}
	p.line++
	end := bytes.IndexAny(p.text, "\r\n")
	if end < 0 {
		line, p.text = p.text, nil
		return line, nil, true
	}
	after := end + 1
	if p.text[end] == '\r' && after < len(p.text) && p.text[after] == '\n' {
		after++
	}
	line, ending, p.text = p.text[:end], p.text[end:after], p.text[after:]
	return line, ending, true
}

func (p *pairs) read() error {
	for {
		line, _, ok := p.next()
		if !ok {
			return nil
		}
		if len(line) == 0 {
			continue
		}
		at := p.line
		equals, block := bytes.IndexByte(line, '='), bytes.Index(line, []byte("<<"))
		var name, value string
		switch {
		case equals >= 0 && (block < 0 || equals < block):
			name, value = string(line[:equals]), string(line[equals+1:])
		case block >= 0:
			name = string(line[:block])
			text, err := p.block(line[block+2:])
			if err != nil {
				return err
			}
			value = text
		default:
			return fmt.Errorf("line %d: neither key=value nor key<<END", at)
		}
		if name == "" {
			return fmt.Errorf("line %d: there is no name before %q", at, string(line[:1]))
		}
		if p.check != nil {
			if err := p.check(name); err != nil {
				return fmt.Errorf("line %d: %w", at, err)
			}
		}
		p.set(name, value)
	}
}

// block takes the lines up to the delimiter.
func (p *pairs) block(delimiter []byte) (string, error) {
	at := p.line
	if len(delimiter) == 0 {
		return "", fmt.Errorf("line %d: there is no delimiter after <<", at)
	}
	var value, ending []byte
	for first := true; ; first = false {
		line, e, ok := p.next()
		if !ok {
			if p.cut {
				return string(value), nil
			}
			return "", fmt.Errorf("line %d: the block has no end: no line is %q alone", at, clip(string(delimiter)))
		}
		if bytes.Equal(line, delimiter) {
			return string(value), nil
		}
		if !first {
			value = append(value, ending...)
		}
		value, ending = append(value, line...), e
	}
}

// set keeps a value within the limits. A later one of the same name replaces
// an earlier one.
func (p *pairs) set(name, value string) {
	value = strings.ToValidUTF8(value, "\ufffd")
	p.total -= len(p.values[name])
	room := min(oneOutput, allOutputs-p.total)
	if len(value) > room {
		p.cut = true
		for room > 0 && !utf8.RuneStart(value[room]) {
			room--
		}
		value = value[:room]
	}
	p.values[name] = value
	p.total += len(value)
}

func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}
