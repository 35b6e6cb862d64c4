package check

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
	"github.com/redundctl/redundctl/schema"
)

// Actions are the files of `kind: action` that were read, each once. Several
// goroutines may ask for them.
type Actions struct {
	project *Project
	mu      sync.Mutex
	files   map[string]*actionFile
}

// NewActions knows none yet. They are checked against a project.
func NewActions(p *Project) *Actions { return &Actions{project: p, files: map[string]*actionFile{}} }

// actionFile is one of them.
type actionFile struct {
	name    string // from the project root
	once    sync.Once
	no      string               // why it is no action at all, or ""
	action  *pipeline.ActionFile // nil when it has errors
	file    *File                // its problems
	secrets []string             // that it reads

	// Whether what it uses is there shows when that has been read too.
	used  sync.Once
	asked bool // that was looked at
	uses  []actionUse
}

// actionUse is a step of an action that uses another one.
type actionUse struct {
	step int
	to   *actionFile
}

// Get gives the file of `kind: action` at a path from the project root, as
// `uses: ./path` names it. The error says that it has problems.
func (s *Actions) Get(name string) (*pipeline.ActionFile, error) {
	a := s.get(name)
	if a.action == nil {
		why := a.no
		if why == "" {
			i := slices.IndexFunc(a.file.Problems, func(x diag.Problem) bool { return x.Severity == diag.Error })
			why = a.file.Problems[max(i, 0)].Message
		}
		return nil, fmt.Errorf("the action %s cannot be used: %s", name, why)
	}
	return a.action, nil
}

// clean is the name of an action, whichever way it is written.
func clean(uses string) string { return path.Clean(strings.TrimPrefix(uses, "./")) }

// get reads an action when it is first asked for.
func (s *Actions) get(name string) *actionFile {
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

// Knows reports whether an action was asked for.
func (s *Actions) Knows(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[name] != nil
}

// Keep takes over from before, which stays as it is, those of the actions in use
// that are as they were, and so is all that they use. It gives the names of the
// others in use.
func (s *Actions) Keep(before *Actions, used map[string]bool, changed func(name string, s files.Stamp) bool) []string {
	before.mu.Lock()
	defer before.mu.Unlock()
	// What nobody uses may be about to be read for a run of before.
	old, bad := map[string]*actionFile{}, map[string]bool{}
	for name := range used {
		a := before.files[name]
		old[name], bad[name] = a, a == nil || a.no == "" && !a.asked || changed(name, a.file.Stamp)
	}
	for again := true; again; {
		again = false
		for name, a := range old {
			if !bad[name] && slices.ContainsFunc(a.file.Used, func(n string) bool { return bad[n] }) {
				bad[name], again = true, true
			}
		}
	}
	var out []string
	for name, a := range old {
		if bad[name] {
			out = append(out, name)
			continue
		}
		f := *a.file
		f.Project = s.project
		b := &actionFile{name: name, no: a.no, action: a.action, file: &f, secrets: a.secrets, asked: a.asked, uses: slices.Clone(a.uses)}
		b.once.Do(func() {})
		b.used.Do(func() {})
		s.files[name] = b
	}
	for _, b := range s.files {
		for i := range b.uses {
			b.uses[i].to = s.files[b.uses[i].to.name]
		}
	}
	return out
}

// outside reports whether the name of an action leads out of the project.
func outside(name string) bool {
	return strings.HasPrefix(name, "../") || name == ".." || filepath.IsAbs(name)
}

// read parses, checks and decodes an action.
func (a *actionFile) read(p *Project) {
	// Its problems are kept apart from those of the files that use it: there may
	// be many.
	f := &File{Project: p, Found: files.Found{Name: a.name}}
	a.file = f
	if outside(a.name) {
		a.no = "it does not lie in the project"
		return
	}
	var ps []diag.Problem
	f.source, ps, f.Stamp = p.open(a.name)
	if f.source == nil {
		a.no = ps[0].Message
		return
	}
	defer f.Finish()
	if f.add(ps...); ps != nil {
		return
	}
	v, ok := f.source.Value.(map[string]any)
	if ok && v["kind"] != "action" {
		a.no = "it has no kind: action"
		return
	}
	issues := p.Kinds.Schemas().Action(f.source.Value)
	f.add(mistake.Problems(f.source, issues, f.Kinds)...)
	switch {
	case !f.Bad():
		if action := f.action(v, a); !f.Bad() {
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
func (f *File) decodeAction(v map[string]any) (*pipeline.ActionFile, error) {
	v = maps.Clone(v)
	if steps, ok := v["steps"].([]any); ok {
		v["steps"] = shape.Steps(steps, []any{"steps"}, f.source.Keys)
	}
	f.Kinds.Schemas().FillAction(v)
	a := &pipeline.ActionFile{File: f.Name}
	if err := f.Kinds.Schemas().Decode(v, a); err != nil {
		return nil, err
	}
	raw, _ := v["steps"].([]any)
	for i := range a.Steps {
		step, _ := raw[i].(map[string]any)
		shape.Complete(&a.Steps[i], step)
		a.Steps[i].ID = cmp.Or(a.Steps[i].ID, fmt.Sprintf("step-%d", i+1))
	}
	f.Pipeline = &pipeline.Pipeline{Name: a.Name, Steps: a.Steps, WorkingDirectory: ".", File: f.Name}
	return a, nil
}

// action decodes and checks an action that the schema has found good.
func (f *File) action(v map[string]any, file *actionFile) *pipeline.ActionFile {
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
func (f *File) checkActionExpressions(a *pipeline.ActionFile, written map[string]any, doubt *contexts.Doubt) (secrets []string) {
	// The outputs of the actions that it uses are not looked into: these may
	// come to use this one.
	scope := &contexts.Scope{Pipeline: f.Pipeline, Base: contexts.Base(nil, nil, f.vars()), Doubt: doubt, Outputs: f.outputs}
	scope.Base["inputs"] = contexts.Params(a.Inputs, "input", "inputs")
	delete(scope.Base, "params")
	// Whose secrets an action reads is settled by the pipeline that uses it.
	scope.Base["secrets"] = expr.MapOf(expr.StringType())
	f.Kinds.Schemas().Strings("action", written, schema.Visit{Expression: func(at []any, text string, braces bool) {
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
		a.asked = true
		if a.action == nil {
			return
		}
		defer a.file.Finish()
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

// using gives an action that the file uses.
func (f *File) using(uses string) *actionFile {
	a := f.Actions.get(uses)
	if !slices.Contains(f.Used, a.name) {
		f.Used = append(f.Used, a.name)
	}
	return a
}

// checkUse gives the action that a step uses, when it is there and takes what
// it is given.
func (f *File) checkUse(s *pipeline.Step, at []any) *actionFile {
	a := f.using(s.Uses)
	uses := Below(at, "uses")
	if a.no != "" {
		f.text()
		f.say(f.source.At(uses), diag.Error, "action", fmt.Sprintf("the action %s cannot be used: %s", s.Uses, a.no), "an action is a file of kind: action, named by its path from the project root")
		return nil
	}
	if a.action != nil {
		f.CheckGift(Gift{To: "the action " + s.Uses, What: "input", Declared: a.action.Inputs, Values: s.With, At: Below(at, "with"), Missing: uses})
	}
	return a
}

// checkAction looks at the action that a step of a pipeline uses, and at those
// that it uses in turn.
func (f *File) checkAction(s *pipeline.Step, at []any) {
	a := f.checkUse(s, at)
	if a == nil {
		return
	}
	all, circles := a.reach()
	for _, b := range all {
		f.Used = append(append(f.Used, b.name), b.file.Used...)
		f.add(b.file.Problems...)
		for _, name := range b.secrets {
			if !slices.ContainsFunc(f.Pipeline.Secrets, func(s string) bool { return strings.EqualFold(s, name) }) {
				f.say(f.source.At(Below(at, "uses")), diag.Error, "undeclared-secret", fmt.Sprintf("%s reads the secret %s", b.name, name),
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
		f := &File{Project: first.file.Project, Found: first.file.Found}
		f.text()
		f.say(f.source.At([]any{"steps", first.using()[i].step, "uses"}), diag.Error, "cycle",
			"the actions use each other in a circle: "+strings.Join(needs.Shortened(append(circle, circle[0])), " → "), "take one of these steps out")
		circles = append(circles, f.Problems...)
	}
	return all, circles
}

// actionFile checks a file of kind: action that was found among the pipelines,
// where it does not belong, or that was asked for by its path.
func (f *File) actionFile() {
	if !f.Given {
		f.say(f.source.At([]any{"kind"}), diag.Error, "action-place", "this is an action, which a step uses, and no pipeline", "move it out of the folders of pipelines, as into actions/")
		return
	}
	asked := f.using(f.Name)
	if asked.no != "" {
		f.say(f.source.At([]any{"kind"}), diag.Error, "action", "the action cannot be used: "+asked.no, "move it into the project")
		return
	}
	all, circles := asked.reach()
	for _, a := range all {
		f.Used = append(append(f.Used, a.name), a.file.Used...)
		f.add(a.file.Problems...)
	}
	f.add(circles...)
}
