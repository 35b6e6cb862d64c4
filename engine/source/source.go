// Package source reads YAML text into plain values whose places are known, and
// edits it in place. Parse is where to begin: it uses yaml.v3 for the tree of
// nodes and nothing else of it, because its decoding into values takes time in
// the square of the number of keys and reports problems without a place.
package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"gopkg.in/yaml.v3"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/source/parser"
)

// Limits bound what one file may ask of us. A zero is the default of the
// language.
type Limits struct {
	FileSize int64 // bytes; 1 MiB
	Aliases  int   // uses of anchors; 100
	Depth    int   // mappings and lists inside each other; 50
	Nodes    int   // values, with aliases written out; 100,000
}

func (l Limits) orDefault() Limits {
	if l.FileSize <= 0 {
		l.FileSize = 1 << 20
	}
	if l.Aliases <= 0 {
		l.Aliases = 100
	}
	if l.Depth <= 0 {
		l.Depth = 50
	}
	if l.Nodes <= 0 {
		l.Nodes = 100_000
	}
	return l
}

// most is how many problems of one file are told.
const most = 50

// File is the text of one YAML document and what it says. It may be read from
// several goroutines at once.
type File struct {
	Name string
	Text []byte

	// Value is made of map[string]any, []any, string, bool, nil, int64, uint64
	// and float64 only; nil when the text is not YAML. With problems of other
	// kinds it is what could be understood.
	Value any

	doc   *yaml.Node // nil when the text is not YAML
	root  *yaml.Node // the document's content
	once  sync.Once
	lines []int // where each line begins, as yaml.v3 counts lines
	last  atomic.Pointer[located]
}

// Pos is a place: line and column from 1, columns and width in runes. The
// zero Pos is the file as a whole.
type Pos struct{ Line, Column, Width int }

// Parse reads a file. The File is never nil. One mistake gives one problem, and
// text that is hostile gives a problem as fast as any other.
func Parse(name string, text []byte, lim Limits) (*File, []diag.Problem) {
	lim = lim.orDefault()
	f := &File{Name: name, Text: text}
	if p, bad := TooLarge(name, int64(len(text)), lim); bad {
		f.Text = nil
		return f, []diag.Problem{p}
	}
	if p, bad := f.checkText(); bad {
		return f, []diag.Problem{p}
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	doc, err := parser.Next(d)
	switch {
	case errors.Is(err, io.EOF):
		return f, []diag.Problem{f.empty(Pos{Line: 1, Column: 1})}
	case err != nil:
		return f, []diag.Problem{f.syntax(err, lim)}
	}
	next, err := parser.Next(d)
	switch {
	case err == nil:
		return f, []diag.Problem{f.several(next)}
	case !errors.Is(err, io.EOF):
		return f, []diag.Problem{f.syntax(err, lim)}
	}
	f.doc, f.root = doc, doc.Content[0]
	if f.root.Kind == yaml.ScalarNode && f.root.Tag == "!!null" {
		at := f.start(f.root)
		if len(f.line(at.Line)) == 0 {
			at = Pos{Line: 1, Column: 1}
		}
		return f, []diag.Problem{f.empty(at)}
	}
	c := converter{file: f, lim: lim}
	f.Value = c.value(f.root, 0)
	return f, c.problems
}

// TooLarge is the problem of a file whose size is over the limit; it can be
// asked before the file is read.
func TooLarge(name string, size int64, lim Limits) (diag.Problem, bool) {
	lim = lim.orDefault()
	if size <= lim.FileSize {
		return diag.Problem{}, false
	}
	return diag.Problem{
		File: name, Severity: diag.Error, Rule: "too-large",
		Message: fmt.Sprintf("the file has %d bytes; %d is the limit", size, lim.FileSize),
		Hint:    "keep long text in a file of its own that a step reads, or raise limits.file-size",
	}, true
}

// syntax makes the problem of a text that is not YAML.
func (f *File) syntax(err error, lim Limits) diag.Problem {
	if off := conflict(f.Text, true); off >= 0 {
		return f.conflicted(off)
	}
	m := parser.Explain(f.Text, err)
	at := f.span(m.Offset, m.Offset+m.Width)
	switch m.Kind {
	case parser.Depth:
		return f.Problem(at, diag.Error, "too-deep", fmt.Sprintf("values are nested deeper than %d", lim.Depth), "write it flatter")
	case parser.Documents:
		return f.Problem(at, diag.Error, "several-documents", m.Message, m.Hint)
	}
	return f.Problem(at, diag.Error, "yaml-syntax", m.Message, m.Hint)
}

func (f *File) empty(p Pos) diag.Problem {
	return f.Problem(p, diag.Error, "empty-document", "the file says nothing", "delete it, or give its name a leading dot so that it is not read")
}

func (f *File) several(second *yaml.Node) diag.Problem {
	at := f.start(second)
	if len(second.Content) > 0 && second.Content[0].Line > 0 {
		at = f.start(second.Content[0])
	}
	// The line that begins the second document is the mark above it.
	for l := at.Line; l > 1; l-- {
		if line := f.line(l); bytes.HasPrefix(line, []byte("---")) || bytes.HasPrefix(line, []byte("...")) {
			at = Pos{Line: l, Column: 1, Width: 3}
			break
		}
	}
	return f.Problem(at, diag.Error, "several-documents", "a second YAML document begins here", "put each document into a file of its own")
}

// Problem makes a problem of this file, with the line that it shows. The words
// are its message and its hint.
func (f *File) Problem(at Pos, sev diag.Severity, rule string, words ...string) diag.Problem {
	p := diag.Problem{
		File: f.Name, Line: at.Line, Column: at.Column, Width: at.Width,
		Severity: sev, Rule: rule, Source: string(f.line(at.Line)),
	}
	if len(words) > 0 {
		p.Message = words[0]
	}
	if len(words) > 1 {
		p.Hint = words[1]
	}
	return p
}
