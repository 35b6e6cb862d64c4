package ecosystem

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/evaluate"
	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/literal"
)

// read is one application: its values, and what the text says of it. They are the
// same where the file was not run.
type read struct{ value, text *literal.Value }

// whole is what a file describes.
type whole struct {
	list   []read
	static []*literal.Value
	none   string // why list is empty
}

// read reads the file. The error is a *literal.Error where a place is known.
func (f *file) read(ctx context.Context) (whole, error) {
	switch ext := strings.ToLower(filepath.Ext(f.path)); ext {
	case ".json":
		v, err := literal.JSON(strings.TrimPrefix(f.src, "\ufeff"), f.options())
		return applications(v, v), err
	case ".yaml", ".yml":
		v, err := literal.YAML(f.src)
		return applications(v, v), err
	case ".js", ".cjs", ".mjs":
		return f.script(ctx)
	default:
		return whole{}, fmt.Errorf("PM2 reads no %q as an ecosystem file", ext)
	}
}

func (f *file) options() literal.Options {
	dir := filepath.Dir(f.path)
	return literal.Options{File: f.path, Dir: dir, Data: func(name string) ([]byte, error) {
		path := filepath.Join(dir, name)
		if rel := f.search.Rel(path); rel == ".." || strings.HasPrefix(rel, "../") {
			return nil, errors.New("it lies outside of the project")
		}
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > largest/4 {
			return nil, errors.New("it is no file of a fit size")
		}
		return os.ReadFile(path)
	}}
}

// script reads JavaScript, and runs it where the search says so.
func (f *file) script(ctx context.Context) (whole, error) {
	if err := f.check(); err != nil {
		return whole{}, err
	}
	text, err := literal.Script(f.src, f.options())
	if err != nil {
		text = literal.Result{Value: &literal.Value{Kind: literal.Opaque, Why: err.Error()}}
	}
	if !f.search.Evaluate || f.search.Proc == nil {
		if err != nil { // esbuild takes it for JavaScript: it is more than is read here
			line, message := f.place(err)
			return whole{none: fmt.Sprintf("it takes running the file to know its applications (line %d: %s)", line, message)}, nil
		}
		f.unread(text)
		out := applications(text.Value, text.Value)
		if len(out.list) == 0 && len(text.Unread) > 0 {
			out.none = "it takes running the file to know its applications"
		}
		return out, nil
	}
	f.ran = true
	run, failed := evaluate.Node{Proc: f.search.Proc, Env: f.search.Env}.File(ctx, f.path)
	if failed != nil {
		out := applications(text.Value, text.Value)
		if err != nil || len(out.list) == 0 || ctx.Err() != nil {
			return whole{}, failed
		}
		line, message := f.place(failed)
		if line > 0 {
			message = "line " + strconv.Itoa(line) + ": " + message
		}
		f.note = "its file was read as it stands, for running it failed (" + oneLine(message) + ")"
		return out, nil
	}
	f.known = known(f.search.Env, run.Set)
	return applications(run.Value, text.Value), nil
}

// known are the variables that a file may have taken values from.
func known(env []string, set map[string]string) map[string]string {
	out := map[string]string{}
	for _, v := range env {
		if name, value, ok := strings.Cut(v, "="); ok {
			out[name] = value
		}
	}
	for name, value := range set {
		out[name] = value
	}
	return out
}

// unread says what a look at the text cannot know.
func (f *file) unread(r literal.Result) {
	var parts []string
	if len(r.Assumed) > 0 {
		parts = append(parts, "as if "+strings.Join(r.Assumed, ", ")+" were not set")
	}
	if len(r.Unread) > 0 {
		var lines []string
		for _, n := range r.Unread {
			lines = append(lines, strconv.Itoa(n))
		}
		parts = append(parts, "without what it does in line "+strings.Join(lines, ", "))
	}
	if len(parts) > 0 {
		f.note = "its file was read and not run: " + strings.Join(parts, ", ")
	}
}

// check has esbuild tell what is no JavaScript: it is stricter than our reader,
// and knows the place.
func (f *file) check() error {
	if strings.Contains(f.src, "\x00") {
		return &literal.Error{Message: "it holds a NUL byte, and is no text"}
	}
	r := api.Transform(f.src, api.TransformOptions{Loader: api.LoaderJS, LogLevel: api.LogLevelSilent, Sourcefile: f.name})
	if len(r.Errors) == 0 {
		return nil
	}
	m := r.Errors[0]
	e := &literal.Error{Message: oneLine(m.Text)}
	if m.Location != nil {
		e.Line, e.Column = m.Location.Line, m.Location.Column+1
	}
	return e
}

// nothing is why a file has none that could be anything else.
const nothing = "it describes no application"

// applications finds them in what a file exports: a list, one alone, or an
// object's `apps` or `pm2`. text is the same as the file says it.
func applications(v, text *literal.Value) whole {
	if v == nil {
		return whole{}
	}
	out := whole{none: nothing}
	list, written := v, text
	for _, key := range []string{"apps", "pm2"} {
		if x := v.Get(key); x != nil {
			list, written = x, text.Get(key)
			break
		}
	}
	if s := v.Get("static"); s != nil && s.Kind == literal.Array {
		out.static = s.Items
	}
	switch list.Kind {
	case literal.Array:
		for i, x := range list.Items {
			out.list = append(out.list, read{x, match(x, i, list, written)})
		}
	case literal.Object:
		if list == v && list.Get("script") == nil && list.Get("exec") == nil && list.Get("cmd") == nil && list.Get("command") == nil {
			break // something else
		}
		if written == nil || written.Kind != literal.Object {
			written = list
		}
		out.list = []read{{list, written}}
	case literal.Opaque:
		out.none = "it takes running the file to know its applications"
	}
	return out
}

// match finds an application in what the text says: by its name, else by its
// place, where there are as many.
func match(x *literal.Value, i int, list, text *literal.Value) *literal.Value {
	if text == nil || text.Kind != literal.Array {
		return x
	}
	name := x.Get("name")
	if i < len(text.Items) && (name.Show() == text.Items[i].Get("name").Show() || len(text.Items) == len(list.Items)) {
		return text.Items[i]
	}
	for _, t := range text.Items {
		if name != nil && t.Get("name").Show() == name.Show() {
			return t
		}
	}
	return x
}
