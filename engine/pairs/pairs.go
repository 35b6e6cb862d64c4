// Package pairs reads the files in which steps hand values on: lines of
// `key=value` and blocks of `key<<END`, as GITHUB_OUTPUT is written.
package pairs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"
)

const (
	oneOutput  = 1 << 20
	allOutputs = 4 << 20
	// readLimit is how much of a file is read at all. What lies behind it is
	// as good as cut.
	readLimit = 16 << 20
)

// Read reads the file. One that a step took away is empty. check refuses names;
// nil: none is. cut reports that a value was cut at 1 MiB, or all of them together
// at 4 MiB. The error is a line that is neither, with its number.
func Read(path string, check func(name string) error) (values map[string]string, cut bool, err error) {
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
	cut = len(text) > readLimit
	if cut {
		text = text[:readLimit]
	}
	r := &reader{text: bytes.TrimPrefix(text, []byte("\ufeff")), cut: cut, check: check, values: map[string]string{}}
	if err := r.read(); err != nil {
		return nil, false, err
	}
	return r.values, r.cut, nil
}

// reader reads the text of one file.
type reader struct {
	text   []byte
	line   int // the last one that was read, from 1
	cut    bool
	values map[string]string
	total  int
	check  func(string) error
}

// next takes one line; LF, CRLF and CR end it, as they do for GitHub.
func (p *reader) next() (line, ending []byte, ok bool) {
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

func (p *reader) read() error {
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
func (p *reader) block(delimiter []byte) (string, error) {
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
func (p *reader) set(name, value string) {
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
