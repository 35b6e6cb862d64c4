package config

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/redundctl/redundctl/engine/config/contexts"
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
	name    string // from the project root
	once    sync.Once
	no      string               // why it is no action at all, or ""
	action  *pipeline.ActionFile // nil when it has errors
	file    *file                // its problems
	secrets []string             // that it reads

	// Whether what it uses is there shows when that has been read too.
	used sync.Once
	uses []actionUse
}

// actionUse is a step of an action that uses another one.
type actionUse struct {
	step int
	to   *actionFile
}

// Action gives the file of `kind: action` at a path from the project root, as
// `uses: ./path` names it. The error says that it has problems, which stand
// among those of the project when a pipeline uses it.
func (p *Project) Action(name string) (*pipeline.ActionFile, error) {
	a := p.actions.get(name)
	if a.action == nil {
		why := a.no
		if why == "" {
			i := slices.IndexFunc(a.file.problems, func(x diag.Problem) bool { return x.Severity == diag.Error })
			why = a.file.problems[max(i, 0)].Message
		}
		return nil, fmt.Errorf("the action %s cannot be used: %s", name, why)
	}
	return a.action, nil
}

// clean is the name of an action, whichever way it is written.
func clean(uses string) string { return path.Clean(strings.TrimPrefix(uses, "./")) }

// get reads an action when it is first asked for.
func (s *actions) get(name string) *actionFile {
	name = clean(name)
	s.mu.Lock()
	a, ok := s.files[name]
	if !ok {
		a = &actionFile{name: name}
		s.files[name] = a
	}
	s.mu.Unlock()
	a.once.Do(func() { a.read(s.project) })
	return a
}

// read parses, checks and decodes an action.
func (a *actionFile) read(p *Project) {
	// Its problems are kept apart from those of the project: it may be used by
	// many pipelines.
	own := &loader{Project: &Project{Root: p.Root, Config: p.Config, kinds: p.kinds, env: p.env, instead: p.instead, actions: p.actions, blind: p.blind, notify: p.notify, rejected: map[string][]string{}}}
	f := &file{loader: own, Found: files.Found{Name: a.name}, zones: &schedule.Zones{}}
	a.file = f
	if strings.HasPrefix(a.name, "../") || a.name == ".." || filepath.IsAbs(a.name) {
		a.no = "it does not lie in the project"
		return
	}
	var ps []diag.Problem
	if f.source, ps = own.open(a.name); f.source == nil {
		a.no = ps[0].Message
		return
	}
	defer f.finish()
	if f.add(ps...); ps != nil {
		return
	}
	v, ok := f.source.Value.(map[string]any)
	if ok && v["kind"] != "action" {
		a.no = "it has no kind: action"
		return
	}
	issues := p.kinds.Schemas().Action(f.source.Value)
	f.add(mistake.Problems(f.source, issues, f.kinds)...)
	switch {
	case !f.bad():
		if action := f.action(v, a); !f.bad() {
			a.action = action
		}
	case ok:
		sound := shape.Sound(v, mistake.Wrong(issues))
		if rest, err := f.decodeAction(sound); err == nil {
			f.checkActionExpressions(rest, sound, contexts.DoubtOf(v, issues))
		}
	}
}

// decodeAction makes the action of a value that the schema has found good.
func (f *file) decodeAction(v map[string]any) (*pipeline.ActionFile, error) {
	v = maps.Clone(v)
	if steps, ok := v["steps"].([]any); ok {
		v["steps"] = shape.Steps(steps, []any{"steps"}, f.source.Keys)
	}
	f.kinds.Schemas().FillAction(v)
	a := &pipeline.ActionFile{File: f.Name}
	if err := f.kinds.Schemas().Decode(v, a); err != nil {
		return nil, err
	}
	raw, _ := v["steps"].([]any)
	for i := range a.Steps {
		step, _ := raw[i].(map[string]any)
		shape.Complete(&a.Steps[i], step)
		a.Steps[i].ID = cmp.Or(a.Steps[i].ID, fmt.Sprintf("step-%d", i+1))
	}
	f.pipeline = &pipeline.Pipeline{Name: a.Name, Steps: a.Steps, WorkingDirectory: ".", File: f.Name}
	return a, nil
}

// action decodes and checks an action that the schema has found good.
func (f *file) action(v map[string]any, file *actionFile) *pipeline.ActionFile {
	a, err := f.decodeAction(v)
	if err != nil {
		at, what := schema.Undecodable(err)
		f.say(f.source.At(at), diag.Error, "max", what)
		return nil
	}
	f.checkParams(a.Inputs, []any{"inputs"})
	f.checkIDs(a.Steps, []any{"steps"})
	f.checkGraph(a.Steps, []any{"steps"})
	f.checkMatrices(a.Steps, []any{"steps"})
	for i := range a.Steps {
		f.checkFiles(&a.Steps[i], []any{"steps", i})
		if s := &a.Steps[i]; s.Uses != "" && !strings.HasPrefix(s.Uses, "./") && !strings.HasPrefix(s.Uses, "plugin:") {
			f.findings(s, []any{"steps", i})
		}
	}
	file.secrets = f.checkActionExpressions(a, v, nil)
	return a
}

// checkActionExpressions checks every expression of an action, and gives the
// secrets that it reads.
func (f *file) checkActionExpressions(a *pipeline.ActionFile, written map[string]any, doubt *contexts.Doubt) (secrets []string) {
	// The outputs of the actions that it uses are not looked into: these may
	// come to use this one.
	scope := &contexts.Scope{Pipeline: f.pipeline, Base: contexts.Base(nil, nil, f.vars()), Doubt: doubt, Outputs: f.outputs}
	scope.Base["inputs"] = contexts.Params(a.Inputs, "input", "inputs")
	delete(scope.Base, "params")
	// Whose secrets an action reads is settled by the pipeline that uses it.
	scope.Base["secrets"] = expr.MapOf(expr.StringType())
	f.kinds.Schemas().Strings("action", written, schema.Visit{Expression: func(at []any, text string, braces bool) {
		t := f.checkExpression(scope, at, text, braces)
		if t == nil {
			return
		}
		for _, r := range t.Refs() {
			if r.Root == "secrets" && len(r.Path) > 0 && r.Path[0] != "*" && !slices.Contains(secrets, r.Path[0]) {
				secrets = append(secrets, r.Path[0])
			}
		}
	}})
	return secrets
}

// using gives the actions that an action uses, and says what is wrong with how
// it does.
func (a *actionFile) using() []actionUse {
	a.used.Do(func() {
		if a.action == nil {
			return
		}
		defer a.file.finish()
		for i := range a.action.Steps {
			if s := &a.action.Steps[i]; strings.HasPrefix(s.Uses, "./") {
				if to := a.file.checkUse(s, []any{"steps", i}); to != nil {
					a.uses = append(a.uses, actionUse{i, to})
				}
			}
		}
	})
	return a.uses
}

// checkUse gives the action that a step uses, when it is there and takes what
// it is given.
func (f *file) checkUse(s *pipeline.Step, at []any) *actionFile {
	a := f.actions.get(s.Uses)
	uses := below(at, "uses")
	if a.no != "" {
		f.text()
		f.say(f.source.At(uses), diag.Error, "action", fmt.Sprintf("the action %s cannot be used: %s", s.Uses, a.no), "an action is a file of kind: action, named by its path from the project root")
		return nil
	}
	if a.action != nil {
		f.checkGift(gift{to: "the action " + s.Uses, what: "input", declared: a.action.Inputs, values: s.With, at: below(at, "with"), missing: uses})
	}
	return a
}

// checkAction looks at the action that a step of a pipeline uses, and at those
// that it uses in turn.
func (f *file) checkAction(s *pipeline.Step, at []any) {
	a := f.checkUse(s, at)
	if a == nil {
		return
	}
	all, circles := a.reach()
	for _, b := range all {
		f.add(b.file.problems...)
		for _, name := range b.secrets {
			if !slices.ContainsFunc(f.pipeline.Secrets, func(s string) bool { return strings.EqualFold(s, name) }) {
				f.say(f.source.At(below(at, "uses")), diag.Error, "undeclared-secret", fmt.Sprintf("%s reads the secret %s", b.name, name),
					"declare it under secrets, so that it can be read")
			}
		}
	}
	f.add(circles...)
}

// reach gives an action and all that it uses, directly or not, and the circles
// that they make.
func (a *actionFile) reach() (all []*actionFile, circles []diag.Problem) {
	byName := map[string]*actionFile{}
	next := func(name string) []string {
		b := byName[name]
		all = append(all, b)
		var to []string
		for _, u := range b.using() {
			byName[u.to.name] = u.to
			to = append(to, u.to.name)
		}
		return to
	}
	byName[a.name] = a
	for _, circle := range needs.Circles([]string{a.name}, next) {
		first, second := byName[circle[0]], circle[1%len(circle)]
		i := slices.IndexFunc(first.using(), func(u actionUse) bool { return u.to.name == second })
		f := &file{loader: first.file.loader, Found: first.file.Found}
		f.text()
		f.say(f.source.At([]any{"steps", first.using()[i].step, "uses"}), diag.Error, "cycle",
			"the actions use each other in a circle: "+strings.Join(needs.Shortened(append(circle, circle[0])), " → "), "take one of these steps out")
		circles = append(circles, f.problems...)
	}
	return all, circles
}

// actionFile checks a file of kind: action that was found among the pipelines,
// where it does not belong, or that was asked for by its path.
func (f *file) actionFile() {
	if !f.Given {
		f.say(f.source.At([]any{"kind"}), diag.Error, "action-place", "this is an action, which a step uses, and no pipeline", "move it out of the folders of pipelines, as into actions/")
		return
	}
	asked := f.actions.get(f.Name)
	if asked.no != "" {
		f.say(f.source.At([]any{"kind"}), diag.Error, "action", "the action cannot be used: "+asked.no, "move it into the project")
		return
	}
	all, circles := asked.reach()
	for _, a := range all {
		f.add(a.file.problems...)
	}
	f.add(circles...)
}
