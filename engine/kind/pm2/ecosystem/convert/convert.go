package convert

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"sort"
	"strings"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/literal"
)

// App is one application as it was read.
type App struct {
	// Value are its options, with values that are known or Opaque.
	Value *literal.Value
	// Read is the same application as its file says it, with places and with the
	// variables that it is made with; Value itself, where that was not run.
	Read *literal.Value
	// Known are the values of variables that Value may hold although the file does
	// not say so, by their names.
	Known map[string]string

	// Loads is set when the file reads variables from a .env file.
	Loads bool

	File string // relative to the root, with forward slashes
	Root string // absolute
	Host Host
}

// Host is what is known of the machine that PM2 runs on: this one.
type Host struct {
	Zone       string                                   // IANA, as Europe/Berlin; "": it is not known
	Processors int                                      // at least 1
	User       string                                   // our own name; "": not known
	UID        int                                      // our own
	Program    func(name string) bool                   // whether PATH has it
	Data       func(path string) (head []byte, ok bool) // the first bytes of a file
}

// app is an application that is being converted.
type app struct {
	App
	out  kind.Found
	opts map[string]option
	keys []string // of opts, as they were written

	inherited []string
	env       kind.Map
	dir       string // where it runs, absolute
	argv      []any
	node      bool // node or bun runs it
	cluster   bool
	instances int
	scheduled bool
	cronText  string
}

// Convert makes what there is to say of an application: everything of a Found.
func Convert(in App) kind.Found {
	a := &app{App: in, opts: map[string]option{}}
	a.out.Source = in.File
	if in.Read != nil {
		a.out.Line = in.Read.Line
	}
	a.collect()
	a.name()
	if a.options(); a.out.Broken == "" && a.out.Primary == "" {
		a.out.Broken, a.out.Draft, a.out.Constructs, a.out.Schedules = "the application has no name", nil, nil, nil
	}
	if a.out.Broken == "" {
		a.out.Script = a.hash()
	}
	return a.out
}

// collect finds the options among the keys: of several that mean the same, the
// canonical one counts, unless it is empty.
func (a *app) collect() {
	for _, f := range a.Value.Fields {
		o := option{key: f.Key, value: f.Value, line: f.Line, column: f.Column}
		if at := a.Read.Field(f.Key); at != nil {
			o.line, o.column = at.Line, at.Column
		}
		if o.line == 0 {
			o.line = a.out.Line
		}
		name := canonical(f.Key)
		if name == "env_*" || name == "" {
			name = f.Key
		}
		if have, ok := a.opts[name]; ok && (truthy(have.value) && f.Key != name || !truthy(f.Value)) {
			continue
		} else if !ok {
			a.keys = append(a.keys, name)
		}
		a.opts[name] = o
	}
}

// get is the value of an option; nil where it is not given.
func (a *app) get(name string) *literal.Value {
	o, ok := a.opts[name]
	if !ok || o.value.Kind == literal.Undefined || o.value.Kind == literal.Null {
		return nil
	}
	return o.value
}

// say tells how far an option that was given means here what it means there.
func (a *app) say(name string, s kind.Support, note string) {
	o, ok := a.opts[name]
	if !ok {
		return
	}
	a.out.Constructs = append(a.out.Constructs, kind.Construct{Key: o.key, Support: s, File: a.File, Line: o.line, Column: o.column, Note: note})
}

func (a *app) exact(names ...string) {
	for _, n := range names {
		a.say(n, kind.Exact, "")
	}
}

// disable says why the pipeline cannot run here; the first reason counts.
func (a *app) disable(format string, args ...any) {
	if a.out.Disabled == "" {
		a.out.Disabled = fmt.Sprintf(format, args...)
	}
}

// name is PM2's: that of the option, else the script's file without its ending.
func (a *app) name() {
	if v := a.get("name"); truthy(v) && v.Kind != literal.Opaque {
		a.out.Primary = v.Show()
		a.exact("name")
	} else if v := a.get("script"); truthy(v) && v.Kind == literal.String {
		a.out.Primary = stem(v.Text)
		a.say("name", kind.Unsupported, "it takes running the file to know it: the script's name stands for it")
	}
	a.out.Name = Name(a.out.Primary)
}

func stem(script string) string {
	base := filepath.Base(script)
	if i := strings.LastIndexByte(base, '.'); i > 0 {
		return base[:i]
	}
	return base
}

// Name makes the name of a pipeline of any text.
func Name(s string) string { return kind.Name(kind.Words(s), "app") }

// hash stands for what the application does: its options without the schedule,
// without values that are secret, and wherever the project lies.
func (a *app) hash() string {
	v := a.Read
	if v == nil {
		v = a.Value
	}
	var parts []string
	for _, f := range v.Fields {
		switch name := canonical(f.Key); {
		case name == "cron_restart" && len(a.out.Schedules) > 0:
		case name == "env" || name == "env_*":
			for _, e := range f.Value.Fields {
				text := e.Value.Canonical()
				if e.Value.Parts == nil && secret(e.Key, e.Value) {
					text = "secret"
				}
				parts = append(parts, f.Key+"."+e.Key+"="+text)
			}
		default:
			parts = append(parts, f.Key+"="+f.Value.Canonical())
		}
	}
	sort.Strings(parts)
	text := strings.ReplaceAll(strings.Join(parts, "\n"), strings.TrimSuffix(a.Root, "/")+"/", "./")
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
