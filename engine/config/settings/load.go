package settings

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/config/mistake"
	"github.com/redundctl/redundctl/engine/config/shape"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/engine/source"
	"github.com/redundctl/redundctl/schema"
)

// FileName is the name of the project file.
const FileName = "redund.yaml"

// File is the project file as it was loaded.
type File struct {
	Config    Config
	Source    *source.File              // nil: there is none, or none that can be read
	Overrides map[string]map[string]any // of pipelines by their names: what the environment sets
	Problems  []diag.Problem
	Invalid   bool // it has errors; Config holds what has none, with defaults for the rest
	Blind     bool // nothing is known of what it says
	Rooted    bool // it says where pipelines lie

	schemas *schema.Set
	value   map[string]any // what has no mistakes, with the environment applied
}

// Load reads redund.yaml, applies the environment ("": the one that it names)
// and fills in what is not written. A project without the file has the
// defaults; of one with mistakes holds what has none, so that they are told
// once and not by each pipeline. instead may be nil.
func Load(root, environment string, schemas *schema.Set, instead *files.Instead) *File {
	f := &File{schemas: schemas, Overrides: map[string]map[string]any{}, value: map[string]any{}}
	s, ps, _ := instead.Open(filepath.Join(root, FileName), FileName, source.Limits{}, true)
	if f.Problems = ps; ps != nil {
		f.Blind = true
		if len(ps) == 1 && ps[0].Rule == "empty-document" {
			ps[0].Hint = "write version: 1, or delete it: every key has a default"
		}
	} else if s != nil {
		f.Source = s
		f.understand()
		f.expressions()
	}
	f.Invalid = slices.ContainsFunc(f.Problems, func(p diag.Problem) bool { return p.Severity == diag.Error })
	f.environment(environment)
	_, f.Rooted = f.value["pipelines"]
	schemas.FillConfig(f.value)
	if err := schema.Decode(f.value, &f.Config); err != nil && f.Source != nil {
		at, what := schema.Undecodable(err)
		f.say(Finding{Path: at, Severity: diag.Error, Rule: "max", Message: what})
	}
	if f.Source != nil && !f.Blind {
		for _, x := range append(f.Config.Check(root), f.schedules()...) {
			f.say(x)
		}
	}
	return f
}

// say adds what was found.
func (f *File) say(x Finding) {
	at := f.Source.At(f.Place(x.Path...))
	if x.Width > 0 {
		at = f.Source.InString(x.Path, x.Offset, x.Width)
	}
	f.Problems = append(f.Problems, f.Source.Problem(at, x.Severity, x.Rule, x.Message, x.Hint))
	f.Invalid = f.Invalid || x.Severity == diag.Error
}

// Place is where a key of the configuration stands: in the environment, if
// that sets it.
func (f *File) Place(path ...any) []any {
	over := append([]any{"environments", f.value["environment"]}, path...)
	if len(path) > 0 && mistake.Value(f.Source.Value, over) != nil {
		return over
	}
	return path
}

// understand keeps what can be relied on, and tells the mistakes.
func (f *File) understand() {
	issues := f.schemas.Config(f.Source.Value)
	f.Problems = append(f.Problems, mistake.Problems(f.Source, issues, nil)...)
	value, ok := f.Source.Value.(map[string]any)
	f.Blind = !ok
	if !ok {
		return
	}
	var bad [][]any
	var there []string // systems whose keys cannot be read, but which there are
	for _, i := range issues {
		path := mistake.Place(i)
		if len(path) == 0 {
			continue
		}
		if name, ok := path[len(path)-1].(string); ok && i.Keyword == schema.KeywordType && len(path) == 2 && path[0] == "systems" {
			there = append(there, name)
		}
		if i.Keyword != schema.KeywordExpression || path[0] != "vars" {
			bad = append(bad, path)
		}
	}
	f.value = shape.Sound(value, bad)
	if systems, ok := f.value["systems"].(map[string]any); ok {
		for _, name := range there {
			systems[name] = map[string]any{}
		}
	}
	if list, ok := f.value["pipelines"].([]any); ok {
		f.value["pipelines"] = shape.Filled(list)
	}
}

// environment merges the keys of the chosen environment over the project's,
// and keeps what it says of single pipelines.
func (f *File) environment(chosen string) {
	all, _ := f.value["environments"].(map[string]any)
	written, _ := f.value["environment"].(string)
	if written == "" {
		filled := map[string]any{}
		f.schemas.FillConfig(filled)
		written, _ = filled["environment"].(string)
	}
	name := cmp.Or(chosen, written)
	f.value["environment"] = name
	over, ok := all[name].(map[string]any)
	if !ok && name != written && !f.Blind {
		p := diag.Problem{File: FileName, Severity: diag.Error, Rule: "unknown-environment", Message: fmt.Sprintf("there is no environment %q", name),
			Hint: mistake.Choice(name, append(slices.Sorted(maps.Keys(all)), written))}
		if s := f.Source; s != nil {
			p = s.Problem(s.KeyAt([]any{"environments"}), p.Severity, p.Rule, p.Message, p.Hint)
		}
		f.Problems = append(f.Problems, p)
		f.Invalid = true
	}
	over = maps.Clone(over)
	if pipelines, ok := over["pipelines"].(map[string]any); ok {
		for k, v := range pipelines {
			if m, ok := v.(map[string]any); ok {
				f.Overrides[k] = m
			}
		}
		delete(over, "pipelines")
	}
	f.value = shape.Merged(f.value, over)
}

// schedules finds the mistakes in the schedules that environments set.
func (f *File) schedules() []Finding {
	var out []Finding
	all, _ := mistake.Value(f.Source.Value, []any{"environments"}).(map[string]any)
	for name, e := range all {
		pipelines, _ := mistake.Value(e, []any{"pipelines"}).(map[string]any)
		for key, over := range pipelines {
			v := mistake.Value(over, []any{"schedule"})
			var list pipeline.Schedules
			if v == nil || schema.Decode(v, &list) != nil {
				continue
			}
			at := []any{"environments", name, "pipelines", key, "schedule"}
			_, several := v.([]any)
			for i, s := range list {
				_, err := schedule.Parse(s)
				var e *schedule.Error
				if !errors.As(err, &e) {
					continue
				}
				path := slices.Clone(at)
				if several {
					path = append(path, i)
				}
				out = append(out, Finding{Path: append(path, e.Field), Offset: e.Offset, Width: e.Width, Severity: diag.Error, Rule: e.Rule, Message: e.Message, Hint: e.Hint})
				if name == f.Config.Environment {
					delete(f.Overrides, key) // the pipeline keeps its own
				}
			}
		}
	}
	return out
}

// expressions checks the few places of redund.yaml where expressions may stand:
// they can read secrets and vars.
func (f *File) expressions() {
	types := &expr.Types{NoStatus: true, Roots: map[string]*expr.Type{
		"secrets": expr.MapOf(expr.StringType()), "vars": expr.MapOf(nil), "env": expr.MapOf(expr.StringType()),
	}}
	add := func(at []any, err error) { f.Problems = append(f.Problems, mistake.Expression(f.Source, at, err)) }
	f.schemas.Strings("config", f.Source.Value, schema.Visit{Expression: func(path []any, text string, _ bool) {
		if len(f.Problems) >= mistake.Most || !expr.HasExpr(text) {
			return
		}
		at := slices.Clone(path)
		t, err := expr.Parse(text)
		if err != nil {
			add(at, err)
			return
		}
		for _, e := range expr.Check(t, types) {
			add(at, &e)
		}
	}})
}
