// Package ecosystem finds the applications that the ecosystem files of PM2
// describe, and makes the pipeline that would back up each.
//
// JSON and YAML are read. What is JavaScript is read too, as far as that goes
// without running it (package literal); only a search that says so has node run
// it (package evaluate). Package convert makes pipelines of what comes out.
package ecosystem

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/convert"
	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/literal"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Finder finds the applications of PM2.
func Finder() kind.Finder {
	return kind.Finder{Name: "pm2", System: "pm2", Find: find, Backs: backs}
}

// backs: an application is known by its name alone, as PM2 knows it.
func backs(p *pipeline.Primary, f *kind.Found) bool {
	if p == nil || p.Kind != "pm2" {
		return false
	}
	name, _ := p.With["process"].(string)
	return name != "" && (name == f.Primary || name == convert.Process(f.Primary))
}

func find(ctx context.Context, s kind.Search) ([]kind.Found, error) {
	files, err := files(s)
	if err != nil {
		return nil, err
	}
	host := hostOf(s.Env)
	var out []kind.Found
	for _, path := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f := &file{search: s, path: path, host: host, name: s.Rel(path)}
		out = append(out, f.found(ctx)...)
	}
	return out, nil
}

// largest is how big a file may be.
const largest = 4 << 20

// file is one ecosystem file.
type file struct {
	search kind.Search
	path   string // absolute
	name   string // relative to the root
	host   convert.Host
	src    string

	known map[string]string // variables that running it has shown
	ran   bool
	note  string
}

// found gives the applications of a file. Of one that is broken it gives the file,
// and each application that a look at its text finds: both say that they are
// broken.
func (f *file) found(ctx context.Context) []kind.Found {
	if err := f.load(); err != nil {
		return []kind.Found{{Primary: f.name, Name: convert.Name(f.name), Source: f.name, Broken: oneLine(err.Error())}}
	}
	whole, err := f.read(ctx)
	if err != nil {
		return f.salvage(err)
	}
	if len(whole.list)+len(whole.static) == 0 {
		if f.search.Path != f.path && strings.HasPrefix(filepath.Base(f.path), "process.") && whole.none == nothing {
			return nil // process.json is the name of many things
		}
		return []kind.Found{{Primary: f.name, Name: convert.Name(f.name), Source: f.name, Broken: whole.none}}
	}
	out := make([]kind.Found, 0, len(whole.list))
	for i, app := range whole.list {
		out = append(out, f.application(app, i))
	}
	for i, port := range whole.static {
		out = append(out, f.static(port, i))
	}
	for i := range out {
		out[i].Evaluated = f.ran
	}
	if f.note != "" && len(out) > 0 {
		out[0].Note = joined(out[0].Note, f.note)
	}
	return out
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

func (f *file) load() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > largest {
		return fmt.Errorf("it is no file of at most %d MiB", largest>>20)
	}
	text, err := os.ReadFile(f.path)
	f.src = string(text)
	return err
}

// application makes one of what was read.
func (f *file) application(a read, n int) kind.Found {
	if a.value.Kind != literal.Object {
		return kind.Found{
			Primary: f.name + "#" + strconv.Itoa(n+1), Name: convert.Name(f.name), Source: f.name, Line: a.text.Line,
			Broken: "it is no application, but " + what(a.value),
		}
	}
	out := convert.Convert(convert.App{
		Value: a.value, Read: a.text, Known: f.known, Loads: strings.Contains(f.src, "dotenv") || strings.Contains(f.src, "loadEnvFile"),
		File: f.name, Root: f.search.Root, Host: f.host,
	})
	if out.Primary == "" {
		out.Primary, out.Name = f.name+"#"+strconv.Itoa(n+1), convert.Name(f.name)
	}
	return out
}

func what(v *literal.Value) string {
	switch v.Kind {
	case literal.Opaque:
		return "what it takes running the file to know"
	case literal.Array:
		return "a list"
	case literal.Null, literal.Undefined:
		return "nothing"
	}
	return "a plain value"
}

// static is one of `static`: folders that PM2 serves by a server of its own.
func (f *file) static(v *literal.Value, n int) kind.Found {
	name := v.Get("name").Show()
	if name == "" {
		name = "static-page-server-" + v.Get("port").Show()
	}
	if name == "static-page-server-" {
		name += strconv.Itoa(n)
	}
	return kind.Found{
		Primary: name, Name: convert.Name(name), Source: f.name, Line: v.Line,
		Disabled: "the file server of PM2 itself serves it",
		Draft: kind.Map{
			{Key: "description", Value: "A folder that PM2 serves files of."},
			{Key: "primary", Value: kind.Map{{Key: "pm2", Value: kind.Map{{Key: "process", Value: convert.Process(name)}}}}},
			{Key: "mode", Value: "standby"},
			{Key: "service", Value: kind.Map{{Key: "exec", Value: []any{"false"}}}},
		},
		Constructs: []kind.Construct{{Key: "static", Support: kind.Unsupported, File: f.name, Line: v.Line, Note: "the file server of PM2 itself: take another one"}},
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// place is where an error lies, as file:line.
func (f *file) place(err error) (line int, message string) {
	if e := new(literal.Error); errors.As(err, &e) {
		return e.Line, e.Message
	}
	return 0, err.Error()
}

// salvage gives what is left of a broken file.
func (f *file) salvage(err error) []kind.Found {
	line, message := f.place(err)
	if at := kind.Conflict([]byte(f.src)); at > 0 {
		line, message = at, "a merge conflict was left in it"
	}
	where := f.name
	if line > 0 {
		where += ":" + strconv.Itoa(line)
	}
	apps := scan(f.src)
	whole := kind.Found{Primary: f.name, Name: convert.Name(f.name), Source: f.name, Line: line, Broken: oneLine(message)}
	switch len(apps) {
	case 0:
	case 1:
		whole.Note = "1 application was found in its text, and gets no pipeline until it is mended"
	default:
		whole.Note = fmt.Sprintf("%d applications were found in its text, and get no pipeline until it is mended", len(apps))
	}
	out := []kind.Found{whole}
	for _, a := range apps {
		out = append(out, kind.Found{
			Primary: a.name, Name: convert.Name(a.name), Source: f.name, Line: a.line,
			Broken: oneLine("its file is broken at " + where + ": " + message), Note: a.note(),
		})
	}
	slices.SortStableFunc(out[1:], func(x, y kind.Found) int { return x.Line - y.Line })
	return out
}
