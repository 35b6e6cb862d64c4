package check

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/config/given"
	"github.com/redundctl/redundctl/engine/config/mistake"
	"github.com/redundctl/redundctl/engine/config/programs"
	"github.com/redundctl/redundctl/engine/config/settings"
	"github.com/redundctl/redundctl/engine/config/shape"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// checkKinds asks each step's kind what its schema cannot say, and looks at
// the actions and plugins that steps name.
func (f *File) checkKinds(steps []pipeline.Step, at []any) {
	for i := range steps {
		s := &steps[i]
		here := Below(at, i)
		f.checkPaths(s, here)
		f.checkFiles(s, here)
		switch {
		case s.Uses == "":
		case strings.HasPrefix(s.Uses, "./"):
			f.checkAction(s, here)
		case strings.HasPrefix(s.Uses, kind.PluginPrefix):
			f.checkPlugin(s, here)
		default:
			f.findings(s, here)
		}
	}
}

// findings are what the step's kind itself finds.
func (f *File) findings(s *pipeline.Step, at []any) {
	k, ok := f.Kinds.Action(s.Uses)
	if !ok || k.Check == nil {
		return
	}
	f.Outside = true
	place := kind.Place{Root: f.Root, Dir: f.directory(s), Notify: f.Notify}
	if f.Pipeline.System != "" { // it is a pipeline, and no action
		place.Secrets = append([]string{}, f.Pipeline.Secrets...)
	}
	for _, x := range k.Check(s.With, place) {
		where := mistake.Below(f.source.Value, Below(at, "with"), x.Key)
		if len(x.Key) == 0 {
			where = Below(at, "uses")
		}
		f.say(f.source.At(where), x.Severity, x.Rule, x.Message, x.Hint)
	}
}

// directory is where the step works, or "" when an expression decides.
func (f *File) directory(s *pipeline.Step) string {
	dir := f.Root
	for _, d := range []string{f.Pipeline.WorkingDirectory, s.WorkingDirectory} {
		switch {
		case strings.Contains(d, "${{"):
			return ""
		case filepath.IsAbs(d):
			dir = d
		default:
			dir = filepath.Join(dir, d)
		}
	}
	return dir
}

// checkPaths warns of a working directory that a step cannot work in, where it
// is written out.
func (f *File) checkPaths(s *pipeline.Step, at []any) {
	if s.WorkingDirectory != "." && s.WorkingDirectory != "" {
		f.checkFolder(Below(at, "working-directory"), s.WorkingDirectory, f.directory(s))
	}
}

// checkFolder warns of a working directory, given as text, that lies outside
// the project or is not there.
func (f *File) checkFolder(at []any, text, dir string) {
	switch {
	case dir == "" || text == "." || text == "":
	case f.outside(dir):
		f.say(f.source.At(at), diag.Warning, "outside-project", text+" lies outside the project", outsideHint)
	case !f.there(dir) && (len(at) == 1 || f.there(f.directory(&pipeline.Step{}))): // else it has been told
		f.say(f.source.At(at), diag.Warning, "missing-directory", "there is no folder "+text, directoryHint)
	}
}

const directoryHint = "check its path, or make it in a step before; the step fails until it is there"

// there reports whether a folder is there.
func (f *File) there(dir string) bool {
	if dir == f.Root {
		return true
	}
	f.Outside = true
	return files.Folder(dir)
}

// checkFiles warns of the files of GitHub that a script writes to.
func (f *File) checkFiles(s *pipeline.Step, at []any) {
	for _, x := range programs.Foreign(s.Run, f.Pipeline.Env, s.Env) {
		if !slices.Contains(f.Pipeline.InheritEnv, x.Name) && !slices.Contains(f.Config.InheritEnv, x.Name) {
			f.say(f.source.InString(Below(at, "run"), x.Offset, x.Width), diag.Warning, "foreign-variable", x.Message, x.Hint)
		}
	}
}

const outsideHint = "keep what a pipeline works on in the project, or be sure that it is meant"

func (f *File) outside(path string) bool {
	rel, err := filepath.Rel(f.Root, path)
	return err != nil || rel == ".." || strings.HasPrefix(rel, "../")
}

// checkPath warns of a path outside the project that a kind is given, where it
// is written out: one of a step, which is relative to where the step works, or
// one of the primary, which is relative to the root.
func (f *File) checkPath(at []any, text string) {
	dir := f.Root
	if list, ok := at[0].(string); ok && len(at) > 1 {
		steps := shape.List(f.Pipeline, list)
		if i, ok := at[1].(int); ok && i < len(steps) {
			dir = f.directory(&steps[i])
		}
	}
	full := text
	if !filepath.IsAbs(text) {
		if dir == "" || f.outside(dir) {
			return // nobody knows yet, or it has been told
		}
		full = filepath.Join(dir, text)
	}
	switch {
	case strings.Contains(text, "${{"):
	case f.outside(full):
		f.say(f.source.At(at), diag.Warning, "outside-project", text+" lies outside the project", outsideHint)
	case at[len(at)-1] == "directory" && dir != "" && f.there(dir) && !f.there(full):
		f.say(f.source.At(at), diag.Warning, "missing-directory", "there is no folder "+text, directoryHint)
	}
}

// checkPlugin says when this machine has no such plugin. It runs none.
func (f *File) checkPlugin(s *pipeline.Step, at []any) {
	name := strings.TrimPrefix(s.Uses, kind.PluginPrefix)
	if _, ok := f.Config.Plugins[name]; ok || f.Blind {
		return
	}
	f.Outside = true
	if f.Programs.Known(s.Uses, func() string { return kind.FindPlugin(name, f.Root, f.Programs.Path) }) == "" {
		f.say(f.source.At(Below(at, "uses")), diag.Warning, "missing-program",
			fmt.Sprintf("there is no plugin %q on this machine", name), "name its path under plugins in "+settings.FileName+", or put redund-step-"+name+" into a folder of PATH outside the project")
	}
}

// Gift is what a step gives to another file.
type Gift struct {
	To       string // "the action ./a.yaml"
	What     string // "input" or "param"
	Declared map[string]pipeline.Param
	Values   map[string]any
	At       []any // where the values stand
	Missing  []any // where one stands that is not given
}

// CheckGift says what is wrong with values that are given.
func (f *File) CheckGift(g Gift) {
	for _, m := range given.Check(g.Declared, g.Values) {
		f.text()
		switch {
		case m.Unknown:
			f.say(f.source.KeyAt(Below(g.At, m.Name)), diag.Error, "unknown-"+g.What, fmt.Sprintf("%s has no %s %q", g.To, g.What, m.Name),
				mistake.Choice(m.Name, slices.Sorted(maps.Keys(g.Declared))))
		case m.Missing:
			f.say(f.source.At(g.Missing), diag.Error, "required", fmt.Sprintf("the %s %s of %s is missing", g.What, m.Name, g.To), fmt.Sprintf("give it in %s", g.At[len(g.At)-1]))
		default:
			f.say(f.source.At(Below(g.At, m.Name)), diag.Error, "type", "must be "+m.Want, g.To+" declares it so")
		}
	}
}
