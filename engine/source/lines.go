package source

import (
	"bytes"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/redundctl/redundctl/engine/source/parser"
)

// index finds where each line begins, once.
func (f *File) index() []int {
	f.once.Do(func() {
		first := 0
		if bytes.HasPrefix(f.Text, []byte(bom)) {
			first = len(bom)
		}
		f.lines = append(f.lines, first)
		for i := first; i < len(f.Text); {
			if n := parser.LineBreak(f.Text, i); n > 0 {
				i += n
				f.lines = append(f.lines, i)
			} else {
				i++
			}
		}
	})
	return f.lines
}

// offset is the byte that a line and column of yaml.v3 mean: lines by its own
// breaks, columns in runes, a byte order mark not counted.
func (f *File) offset(line, column int) int {
	lines := f.index()
	if line < 1 {
		return lines[0]
	}
	if line > len(lines) {
		return len(f.Text)
	}
	i := lines[line-1]
	for c := 1; c < column && i < len(f.Text); c++ {
		_, n := utf8.DecodeRune(f.Text[i:])
		i += n
	}
	return i
}

// place is the line and column of a byte, as people and editors count them.
func (f *File) place(off int) Pos {
	off = min(off, len(f.Text))
	start := bytes.LastIndexByte(f.Text[:off], '\n') + 1
	p := Pos{Line: bytes.Count(f.Text[:off], []byte("\n")) + 1}
	if start == 0 && bytes.HasPrefix(f.Text, []byte(bom)) {
		start = min(len(bom), off)
	}
	p.Column = utf8.RuneCount(f.Text[start:off]) + 1
	return p
}

// span is the place of some bytes, up to the end of their first line.
func (f *File) span(start, end int) Pos {
	p := f.place(start)
	end = max(start, min(end, len(f.Text)))
	text := f.Text[start:end]
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		text = bytes.TrimRight(text[:i], "\r")
	}
	p.Width = utf8.RuneCount(text)
	return p
}

// start is where a node begins.
func (f *File) start(n *yaml.Node) Pos {
	return f.place(f.offset(n.Line, n.Column))
}

// line is the text of a line, without its break.
func (f *File) line(number int) []byte {
	if number < 1 {
		return nil
	}
	text := bytes.TrimPrefix(f.Text, []byte(bom))
	for ; number > 1; number-- {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			return nil
		}
		text = text[i+1:]
	}
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return bytes.TrimSuffix(text[:i], []byte("\r"))
	}
	return text
}
