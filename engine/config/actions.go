package config

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/config/mistake"
	"github.com/redundctl/redundctl/engine/config/needs"
	"github.com/redundctl/redundctl/engine/config/shape"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/schema"
)

// actions are the files of `kind: action` that were read, each once.
type actions struct {
	project *Project
	mu      sync.Mutex
	files   map[string]*actionFile
}

// actionFile is one of them.
type actionFile struct {
	once     sync.Once
	action   *pipeline.ActionFile // nil when it has errors
	problems []diag.Problem
}

// Action gives the file of `kind: action` at a path from the project root, as
// `uses: ./path` names it. The error says that it has problems, which stand
// among those of the project when a pipeline uses it.
func (p *Project) Action(name string) (*pipeline.ActionFile, error) {
	a := p.actions.get(&loader{Project: p, options: Options{Dir: p.Root, Kinds: p.kinds}}, name)
	if a.action == nil {
		return nil, fmt.Errorf("the action %s cannot be used: %s", name, a.problems[0].Message)
	}
	return a.action, nil
}

// get reads an action when it is first asked for.
func (s *actions) get(l *loader, name string) *actionFile {
	name = path.Clean(strings.TrimPrefix(name, "./"))
	s.mu.Lock()
	a, ok := s.files[name]
	if !ok {
		a = &actionFile{}
		s.files[name] = a
	}
	s.mu.Unlock()
	a.once.Do(func() { a.read(l, name) })
	return a
}

// outputs are those that an action declares.
func (s *actions) outputs(uses string) (map[string]string, bool) {
	a := s.get(&loader{Project: s.project, options: Options{Dir: s.project.Root, Kinds: s.project.kinds}}, uses)
	if a.action == nil {
		return nil, false
	}
	out := map[string]string{}
	for name, o := range a.action.Outputs {
		out[name] = o.Description
	}
	return out, true
}

// read parses, checks and decodes an action.
func (a *actionFile) read(l *loader, name string) {
	if strings.HasPrefix(name, "../") || name == ".." || filepath.IsAbs(name) {
		a.problems = []diag.Problem{{File: name, Severity: diag.Error, Rule: "unreadable", Message: "an action lies in the project", Hint: "write its path from the project root, as ./actions/post.yaml"}}
		return
	}
	// The problems of the file are kept apart from those of the project: it
	// may be used by many pipelines.
	own := &loader{Project: &Project{Root: l.Root, Config: l.Config, kinds: l.kinds, env: l.env, rejected: map[string][]string{}}, options: l.options}
	f := &file{loader: own, Found: files.Found{Name: name}, zones: &schedule.Zones{}}
	if f.source, a.problems = own.open(name, false); a.problems != nil {
		return
	}
	f.problems = mistake.Problems(f.source, l.kinds.Schemas().Action(f.source.Value))
	v, ok := f.source.Value.(map[string]any)
	if ok && !f.bad() {
		a.action = f.action(v)
	}
	if f.bad() {
		a.action = nil
	}
	a.problems = append(a.problems, f.problems...)
}

// action decodes and checks an action that the schema has found good.
func (f *file) action(v map[string]any) *pipeline.ActionFile {
	written := v
	v = maps.Clone(v)
	if steps, ok := v["steps"].([]any); ok {
		v["steps"] = shape.Steps(steps, []any{"steps"}, f.source.Keys)
	}
	f.kinds.Schemas().FillAction(v)
	a := &pipeline.ActionFile{File: f.Name}
	if err := schema.Decode(v, a); err != nil {
		f.say(f.source.At(nil), diag.Error, "type", err.Error())
		return nil
	}
	raw, _ := v["steps"].([]any)
	for i := range a.Steps {
		step, _ := raw[i].(map[string]any)
		shape.Complete(&a.Steps[i], step)
		if a.Steps[i].ID == "" {
			a.Steps[i].ID = fmt.Sprintf("step-%d", i+1)
		}
	}
	f.pipeline = &pipeline.Pipeline{Name: a.Name, Steps: a.Steps, WorkingDirectory: ".", File: f.Name}
	f.checkParams(a.Inputs, []any{"inputs"})
	f.checkIDs(a.Steps, []any{"steps"})
	f.checkGraph(a.Steps, []any{"steps"})
	for i := range a.Steps {
		if s := &a.Steps[i]; s.Uses != "" && !strings.HasPrefix(s.Uses, "./") && !strings.HasPrefix(s.Uses, "plugin:") {
			f.findings(s, []any{"steps", i})
		}
	}
	f.checkActionExpressions(a, written)
	return a
}

func (f *file) checkActionExpressions(a *pipeline.ActionFile, written map[string]any) {
	c := &contexts{file: f, order: needs.Of(a.Steps), action: true}
	c.shared = c.common()
	c.noMatrix = c.shared["matrix"]
	inputs := paramTypes(a.Inputs)
	inputs.What, inputs.Rule, inputs.Hint = "input", "unknown-input", "declare it under inputs"
	c.shared["inputs"] = inputs
	delete(c.shared, "params")
	// Whose secrets an action reads is settled by the pipeline that uses it.
	c.shared["secrets"] = expr.MapOf(expr.StringType())
	f.kinds.Schemas().Strings("action", written, func(at []any, text string, braces bool) {
		t, err := parse(text, braces)
		switch {
		case err != nil:
			f.problems = append(f.problems, mistake.Expression(f.source, slices.Clone(at), err))
		case t != nil && at[0] == "outputs":
			c.outputs(slices.Clone(at), t)
		case t != nil:
			c.check(slices.Clone(at), t, braces)
		}
	})
}

// outputs checks an output of an action, which is read when all its steps have
// ended.
func (c *contexts) outputs(at []any, t *expr.Template) {
	roots := maps.Clone(c.shared)
	roots["steps"] = c.stepTypes(t, func(string) bool { return true })
	for _, e := range expr.Check(t, &expr.Types{Roots: roots, NoStatus: true}) {
		c.problems = append(c.problems, mistake.Expression(c.source, at, &e))
	}
}

// checkAction looks at the action that a step uses: that it is there, takes
// what it is given, and does not come to use itself.
func (f *file) checkAction(s *pipeline.Step, at []any) {
	a := f.actions.get(f.loader, s.Uses)
	where := f.source.At(below(at, "uses"))
	if a.action == nil {
		hint := "redundctl validate shows what is wrong with it"
		if len(a.problems) > 0 {
			hint = fmt.Sprintf("%s:%d: %s", a.problems[0].File, a.problems[0].Line, a.problems[0].Message)
		}
		f.say(where, diag.Error, "action", fmt.Sprintf("the action %s cannot be used", s.Uses), hint)
		return
	}
	if circle := f.actionCycle(s.Uses, nil); circle != nil {
		f.say(where, diag.Error, "cycle", "the actions use each other in a circle: "+strings.Join(circle, " → "), "take one of these steps out")
		return
	}
	f.problems = append(f.problems, a.problems...) // warnings
	known := slices.Sorted(maps.Keys(a.action.Inputs))
	for _, name := range slices.Sorted(maps.Keys(s.With)) {
		if _, ok := a.action.Inputs[name]; !ok {
			f.say(f.source.KeyAt(below(at, "with", name)), diag.Error, "unknown-input", fmt.Sprintf("the action %s has no input %q", s.Uses, name), mistake.Choice(name, known))
		}
	}
	for _, name := range known {
		if in := a.action.Inputs[name]; in.Required && s.With[name] == nil {
			f.say(where, diag.Error, "required", fmt.Sprintf("the input %s of %s is missing", name, s.Uses), "give it in with")
		}
	}
}

// actionCycle gives the paths by which an action comes to use itself, or nil.
func (f *file) actionCycle(uses string, way []string) []string {
	name := path.Clean(strings.TrimPrefix(uses, "./"))
	if i := slices.Index(way, name); i >= 0 {
		return append(way[i:], name)
	}
	way = append(slices.Clone(way), name)
	a := f.actions.get(f.loader, uses)
	if a.action == nil {
		return nil
	}
	for _, s := range a.action.Steps {
		if strings.HasPrefix(s.Uses, "./") {
			if circle := f.actionCycle(s.Uses, way); circle != nil {
				return circle
			}
		}
	}
	return nil
}
