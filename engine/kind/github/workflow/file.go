package workflow

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"

	"github.com/redundctl/redundctl/engine/kind"
)

// Parse reads a workflow file; path is its name relative to the repository. The
// error, a *Fault, is that it cannot be read at all: it is no YAML, holds a merge
// conflict, or has no jobs.
func Parse(path string, text []byte) (f *File, err error) {
	if bad := refuse(path, text); bad != nil {
		return nil, bad
	}
	defer func() {
		// The parser is not ours: a fault of it must not end an engine.
		if r := recover(); r != nil {
			f, err = nil, &Fault{File: path, Message: line(fmt.Sprintf("the file cannot be parsed: %v", r))}
		}
	}()
	w, errs := actionlint.Parse(text)
	if w == nil {
		bad := &Fault{File: path, Message: "the file cannot be parsed"}
		if len(errs) > 0 {
			bad.Line, bad.Column, bad.Message = errs[0].Line, errs[0].Column, line(errs[0].Message)
			if bad.Line == 0 {
				bad.Line = brokenAt(text)
			}
		}
		return nil, bad
	}
	t := &translator{file: &File{Path: path}}
	for _, e := range errs {
		if !harmless(e.Message) {
			t.file.Faults = append(t.file.Faults, Fault{File: path, Line: e.Line, Column: e.Column, Message: line(e.Message)})
		}
	}
	if len(w.Jobs) == 0 {
		if len(t.file.Faults) > 0 {
			return nil, &t.file.Faults[0]
		}
		return nil, &Fault{File: path, Line: 1, Message: "there are no jobs"}
	}
	t.workflow(w)
	t.finish()
	return t.file, nil
}

// harmless are errors of the parser for what GitHub takes.
func harmless(message string) bool {
	return strings.Contains(message, "is defined but not used") || strings.Contains(message, "remove this section if it's unnecessary")
}

// translator builds a File.
type translator struct {
	file  *File
	reads reads
}

// finish brings what was found into order.
func (t *translator) finish() {
	f := t.file
	for _, x := range f.Faults {
		if strings.HasPrefix(x.Message, "unexpected key") {
			t.note(construct{key: "unknown key", pos: &actionlint.Pos{Line: x.Line, Col: x.Column}, support: kind.Unsupported, note: x.Message + ": GitHub refuses the file, here the key is passed over"})
		}
	}
	slices.SortStableFunc(f.Constructs, func(a, b kind.Construct) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	f.Faults = append(f.Faults, t.reads.faults...)
	for i := range f.Faults {
		f.Faults[i].File = f.Path
	}
	slices.SortStableFunc(f.Faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	f.Secrets, f.AllSecrets = slices.Sorted(maps.Keys(t.reads.secrets)), t.reads.all
}

// construct is one key on its way into the list.
type construct struct {
	key     string
	pos     *actionlint.Pos
	support kind.Support
	note    string
}

func (t *translator) note(c construct) {
	out := kind.Construct{Key: c.key, Support: c.support, File: t.file.Path, Note: c.note}
	if c.pos != nil {
		out.Line, out.Column = c.pos.Line, c.pos.Col
	}
	t.file.Constructs = append(t.file.Constructs, out)
}

func (t *translator) exact(key string, pos *actionlint.Pos) {
	t.note(construct{key: key, pos: pos, support: kind.Exact})
}

func (t *translator) like(key string, pos *actionlint.Pos, note string) {
	t.note(construct{key: key, pos: pos, support: kind.Approximated, note: note})
}

func (t *translator) cannot(key string, pos *actionlint.Pos, note string) Reason {
	t.note(construct{key: key, pos: pos, support: kind.Unsupported, note: note})
	r := Reason{Text: key + ": " + note}
	if pos != nil {
		r.Line, r.Column = pos.Line, pos.Col
	}
	return r
}

// text takes a scalar, and what its expressions read.
func (t *translator) text(s *actionlint.String) Text {
	if s == nil {
		return Text{}
	}
	out := Text{Value: s.Value}
	if s.Pos != nil {
		out.Line, out.Column = s.Pos.Line, s.Pos.Col
	}
	t.reads.text(out)
	return out
}

// value takes a scalar that becomes text though it may stand for a number.
func (t *translator) value(s *actionlint.String) Text {
	out := t.text(s)
	if s != nil && !s.Quoted {
		out.Value = plain(out.Value)
	}
	return out
}

// condition takes an `if`, which needs no braces.
func (t *translator) condition(s *actionlint.String) Text {
	if s == nil {
		return Text{}
	}
	out := Text{Value: s.Value, Line: s.Pos.Line, Column: s.Pos.Col}
	t.reads.condition(out)
	return out
}

func (t *translator) boolean(b *actionlint.Bool) Text {
	switch {
	case b == nil:
		return Text{}
	case b.Expression != nil:
		return t.text(b.Expression)
	}
	return at(b.Pos, b.String())
}

func (t *translator) float(b *actionlint.Float) Text {
	switch {
	case b == nil:
		return Text{}
	case b.Expression != nil:
		return t.text(b.Expression)
	}
	return at(b.Pos, number(b.Value))
}

func (t *translator) integer(b *actionlint.Int) Text {
	switch {
	case b == nil:
		return Text{}
	case b.Expression != nil:
		return t.text(b.Expression)
	}
	return at(b.Pos, number(float64(b.Value)))
}

func at(p *actionlint.Pos, value string) Text {
	out := Text{Value: value, Line: 1}
	if p != nil {
		out.Line, out.Column = p.Line, p.Col
	}
	return out
}

// env takes a mapping of variables.
func (t *translator) env(e *actionlint.Env) Env {
	if e == nil {
		return Env{}
	}
	out := Env{Expr: t.text(e.Expression)}
	for _, v := range e.Vars {
		if v != nil && v.Name != nil {
			out.Vars = append(out.Vars, Var{Name: v.Name.Value, Value: t.value(v.Value)})
		}
	}
	inOrder(out.Vars)
	return out
}

func inOrder(list []Var) {
	slices.SortFunc(list, func(a, b Var) int {
		return cmp.Or(cmp.Compare(a.Value.Line, b.Value.Line), cmp.Compare(a.Value.Column, b.Value.Column), cmp.Compare(a.Name, b.Name))
	})
}

func envPos(e *actionlint.Env) *actionlint.Pos {
	if e.Expression != nil {
		return e.Expression.Pos
	}
	var first *actionlint.Pos
	for _, v := range e.Vars {
		if v != nil && v.Name != nil && (first == nil || v.Name.Pos.IsBefore(first)) {
			first = v.Name.Pos
		}
	}
	return first
}

// workflow takes the keys of the top level.
func (t *translator) workflow(w *actionlint.Workflow) {
	f := t.file
	if f.Name = t.text(w.Name); w.Name != nil {
		t.exact("name", w.Name.Pos)
	}
	if f.RunName = t.text(w.RunName); w.RunName != nil {
		t.like("run-name", w.RunName.Pos, "it is not shown: the run is the pipeline's")
	}
	for _, e := range w.On {
		t.event(e)
	}
	if w.Permissions != nil {
		t.like("permissions", w.Permissions.Pos, noToken)
	}
	if f.Env = t.env(w.Env); w.Env != nil {
		t.exact("env", envPos(w.Env))
	}
	f.Run = t.defaults("", w.Defaults)
	f.Group = t.group("", w.Concurrency)
	ids := slices.Collect(maps.Keys(w.Jobs))
	slices.SortFunc(ids, func(a, b string) int {
		p, q := jobPos(w.Jobs[a]), jobPos(w.Jobs[b])
		return cmp.Or(cmp.Compare(p.Line, q.Line), cmp.Compare(p.Col, q.Col), cmp.Compare(a, b))
	})
	for _, id := range ids {
		if j := w.Jobs[id]; j != nil && j.ID != nil {
			f.Jobs = append(f.Jobs, t.job(j))
		}
	}
	t.needs()
}

const noToken = "no token is made here: steps have the secret GITHUB_TOKEN, if the pipeline declares it, with the rights that it has"

func jobPos(j *actionlint.Job) *actionlint.Pos {
	switch {
	case j != nil && j.ID != nil && j.ID.Pos != nil:
		return j.ID.Pos
	case j != nil && j.Pos != nil:
		return j.Pos
	}
	return &actionlint.Pos{}
}

// needs settles which jobs are meant, and refuses circles.
func (t *translator) needs() {
	f := t.file
	for _, j := range f.Jobs {
		for i, id := range j.Needs {
			if to := f.Job(id); to != nil {
				j.Needs[i] = to.ID
				continue
			}
			f.Faults = append(f.Faults, Fault{Line: j.Line, Column: j.Column, Message: fmt.Sprintf("job %s needs %q, which is no job", j.ID, id)})
			j.Cannot = Reason{Text: fmt.Sprintf("jobs.%s.needs: there is no job %q", j.ID, id), Line: j.Line, Column: j.Column}
		}
	}
	state := map[string]int{} // 1: being looked at, 2: done
	var circle func(j *Job) bool
	circle = func(j *Job) bool {
		switch state[j.ID] {
		case 1:
			return true
		case 2:
			return false
		}
		state[j.ID] = 1
		for _, id := range j.Needs {
			if to := f.Job(id); to != nil && circle(to) {
				return true
			}
		}
		state[j.ID] = 2
		return false
	}
	for _, j := range f.Jobs {
		if circle(j) {
			f.Faults = append(f.Faults, Fault{Line: j.Line, Column: j.Column, Message: "the jobs need each other in a circle: " + j.ID})
			for _, k := range f.Jobs {
				if state[k.ID] == 1 {
					k.Needs, k.Cannot = nil, Reason{Text: "jobs." + k.ID + ".needs: the jobs need each other in a circle", Line: k.Line, Column: k.Column}
					state[k.ID] = 2
				}
			}
		}
	}
}

func (t *translator) defaults(under string, d *actionlint.Defaults) Defaults {
	if d == nil || d.Run == nil {
		return Defaults{}
	}
	out := Defaults{Shell: t.text(d.Run.Shell), Dir: t.text(d.Run.WorkingDirectory)}
	if d.Run.Shell != nil {
		t.exact(under+"defaults.run.shell", d.Run.Shell.Pos)
	}
	if d.Run.WorkingDirectory != nil {
		t.exact(under+"defaults.run.working-directory", d.Run.WorkingDirectory.Pos)
	}
	return out
}

func (t *translator) group(under string, c *actionlint.Concurrency) Group {
	if c == nil {
		return Group{}
	}
	out := Group{Name: t.text(c.Group), Cancel: t.boolean(c.CancelInProgress)}
	t.like(under+"concurrency", c.Pos, "the group holds among what runs on this machine; runs on GitHub know nothing of it")
	if c.CancelInProgress != nil {
		t.like(under+"concurrency.cancel-in-progress", c.CancelInProgress.Pos, "what runs already is waited for, not cancelled")
	}
	return out
}
