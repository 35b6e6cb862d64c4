package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/config/mistake"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/source"
)

// checkKinds asks each step's kind what its schema cannot say, and looks at
// the actions and plugins that steps name.
func (f *file) checkKinds(steps []pipeline.Step, at []any) {
	for i := range steps {
		s := &steps[i]
		here := below(at, i)
		f.checkPaths(s, here)
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
func (f *file) findings(s *pipeline.Step, at []any) {
	k, ok := f.kinds.Action(s.Uses)
	if !ok || k.Check == nil {
		return
	}
	for _, x := range k.Check(s.With, kind.Place{Root: f.Root, Dir: f.directory(s)}) {
		where := below(at, "with")
		for _, key := range x.Key {
			where = append(where, index(key, mistake.Value(f.source.Value, where)))
		}
		if len(x.Key) == 0 {
			where = below(at, "uses")
		}
		f.say(f.source.At(where), x.Severity, x.Rule, x.Message, x.Hint)
	}
}

// index is a part of a path: a number where what it is below is a list.
func index(key string, in any) any {
	if _, ok := in.([]any); ok {
		n := 0
		if _, err := fmt.Sscan(key, &n); err == nil {
			return n
		}
	}
	return key
}

// directory is where the step works, or "" when an expression decides.
func (f *file) directory(s *pipeline.Step) string {
	dir := f.Root
	for _, d := range []string{f.pipeline.WorkingDirectory, s.WorkingDirectory} {
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

// checkPaths warns of a working directory outside the project, where it is
// written out.
func (f *file) checkPaths(s *pipeline.Step, at []any) {
	dir := f.directory(s)
	if dir == "" || s.WorkingDirectory == "." || s.WorkingDirectory == "" {
		return
	}
	if rel, err := filepath.Rel(f.Root, dir); err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		f.say(f.source.At(below(at, "working-directory")), diag.Warning, "outside-project",
			fmt.Sprintf("%s lies outside the project", s.WorkingDirectory), "keep what a pipeline works on in the project, or be sure that it is meant")
	}
}

// checkPlugin says when this machine has no such plugin. It runs none.
func (f *file) checkPlugin(s *pipeline.Step, at []any) {
	name := strings.TrimPrefix(s.Uses, kind.PluginPrefix)
	if _, ok := f.Config.Plugins[name]; ok {
		return
	}
	if f.programs.Look("redund-step-"+name, "") == "" {
		f.say(f.source.At(below(at, "uses")), diag.Warning, "missing-program",
			fmt.Sprintf("there is no plugin %q on this machine", name), "name its path under plugins in "+FileName+", or put redund-step-"+name+" into a folder of PATH outside the project")
	}
}

// checkCalls holds that pipelines that steps run are there, and do not run
// each other in a circle.
func (f *file) checkCalls(all map[string]*file) {
	for _, list := range slices.Sorted(maps.Keys(lists(f.pipeline))) {
		for i, s := range lists(f.pipeline)[list] {
			name, ok := s.With["name"].(string)
			if s.Uses != "pipeline" || !ok || strings.Contains(name, "${{") || len(f.options.Paths) > 0 {
				continue
			}
			found := f.Find(name)
			at := func() source.Pos { return f.text().At(place(list, i, "with", "name")) }
			switch {
			case len(found) == 1:
				if circle := calls(found[0], f.pipeline, all, nil); circle != nil {
					f.say(at(), diag.Error, "cycle", "the pipelines run each other in a circle: "+strings.Join(append([]string{f.pipeline.ID()}, circle...), " → "), "take one of these steps out")
				}
			case len(found) > 1:
				f.say(at(), diag.Error, "ambiguous-name", fmt.Sprintf("the name %q means %s and %s", name, found[0].ID(), found[1].ID()), "write system/name")
			case f.Rejected(name) == nil:
				var known []string
				for _, p := range f.Pipelines {
					known = append(known, p.Name)
				}
				f.say(at(), diag.Error, "unknown-pipeline", fmt.Sprintf("there is no pipeline %q", name), mistake.Choice(name, known))
			}
		}
	}
}

// calls gives the ids of the pipelines by which from comes to run to, or nil.
func calls(from, to *pipeline.Pipeline, all map[string]*file, way []string) []string {
	if slices.Contains(way, from.ID()) {
		return nil
	}
	way = append(slices.Clone(way), from.ID())
	if from == to {
		return way
	}
	for _, steps := range lists(from) {
		for _, s := range steps {
			name, _ := s.With["name"].(string)
			if s.Uses != "pipeline" {
				continue
			}
			for _, f := range all {
				if p := f.pipeline; p != nil && (p.Name == name || p.ID() == name) {
					if found := calls(p, to, all, way); found != nil {
						return found
					}
				}
			}
		}
	}
	return nil
}
