package config

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/engine/source"
	"github.com/redundctl/redundctl/schema"
)

// file is one pipeline file while it is loaded.
type file struct {
	*loader
	found
	source   *source.File
	value    map[string]any // as written, with the environment's overrides
	pipeline *pipeline.Pipeline
	problems []diag.Problem
	zones    *schedule.Zones
}

// load reads the files side by side.
func (l *loader) load(ctx context.Context, files []found) {
	l.loaded = make([]*file, len(files))
	zones := &schedule.Zones{}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(files)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return
				}
				f := &file{loader: l, found: files[i], zones: zones}
				f.read()
				f.finish()
				l.loaded[i] = f
			}
		})
	}
	wg.Wait()
	l.loaded = slices.DeleteFunc(l.loaded, func(f *file) bool { return f == nil })
}

// finish lets go of what is not needed once the file alone has been checked:
// the text and its tree take ten times the room of the pipeline.
func (f *file) finish() {
	f.value, f.source = nil, nil
}

// text reads the file once more, for the place of a mistake that only shows
// beside other files.
func (f *file) text() *source.File {
	if f.source == nil {
		f.source = f.open(f.name, false)
	}
	if f.source == nil {
		f.source = &source.File{Name: f.name}
	}
	return f.source
}

// read parses, checks and decodes the file, by itself.
func (f *file) read() {
	if f.source = f.open(f.name, false); f.source == nil {
		f.reject("")
		return
	}
	v, ok := f.source.Value.(map[string]any)
	if !ok {
		if f.source.Value != nil {
			f.problems = append(f.problems, problems(f.source, f.kinds.Schemas().Pipeline(f.source.Value))...)
		}
		f.reject("")
		return
	}
	if v["kind"] == "action" {
		f.problems = append(f.problems, f.source.Problem(f.source.At([]any{"kind"}), diag.Error, "action-place",
			"this is an action, which a step uses, and no pipeline", "move it out of the folders of pipelines, as into actions/"))
		return
	}
	name, _ := v["name"].(string)
	f.value = f.overridden(v, name)
	f.problems = append(f.problems, problems(f.source, f.kinds.Schemas().Pipeline(f.value))...)
	if f.bad() {
		f.checkExpressionSyntax()
		f.reject(name)
		return
	}
	written := f.value
	f.decode(name)
	if f.pipeline != nil {
		f.check(written)
	}
}

// bad reports whether the file has an error.
func (f *file) bad() bool {
	return slices.ContainsFunc(f.problems, func(p diag.Problem) bool { return p.Severity == diag.Error })
}

// reject remembers under which names people will look for the pipeline.
func (f *file) reject(name string) {
	stem := f.name[strings.LastIndex(f.name, "/")+1:]
	stem = stem[:strings.LastIndex(stem, ".")]
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range []string{name, stem} {
		if n != "" {
			f.rejected[n] = append(f.rejected[n], f.name)
			f.rejected[f.folder+"/"+n] = append(f.rejected[f.folder+"/"+n], f.name)
		}
	}
	f.pipeline = nil
}

// overridden lays what the environment says of this pipeline on what is
// written.
func (f *file) overridden(v map[string]any, name string) map[string]any {
	system, _ := v["system"].(string)
	if system == "" {
		system = f.folder
	}
	for _, key := range []string{name, system + "/" + name} {
		over, ok := f.overrides[key]
		if !ok {
			continue
		}
		f.mu.Lock()
		if f.used == nil {
			f.used = map[string]bool{}
		}
		f.used[key] = true
		f.mu.Unlock()
		over = maps.Clone(over)
		if params, ok := over["params"].(map[string]any); ok {
			over["params"] = defaults(v["params"], params)
		}
		v = merged(v, over)
	}
	return v
}

// defaults turns values for params into their new defaults.
func defaults(declared any, values map[string]any) map[string]any {
	out := map[string]any{}
	all, _ := declared.(map[string]any)
	for k, v := range values {
		if d, ok := all[k].(map[string]any); ok {
			d = maps.Clone(d)
			d["default"] = v
			out[k] = d
		} else {
			out[k] = v
		}
	}
	return out
}

// decode makes the pipeline of a value that the schema has found good.
func (f *file) decode(name string) {
	v := maps.Clone(f.value)
	if v["primary"] != nil {
		v["primary"] = primary(v["primary"], f.primaries())
	}
	for _, list := range []string{"steps", "on-success", "on-failure", "on-cancel", "always"} {
		if steps, ok := v[list].([]any); ok {
			v[list] = f.steps(steps, []any{list})
		}
	}
	f.kinds.Schemas().FillPipeline(v)
	p := &pipeline.Pipeline{File: f.name}
	if err := schema.Decode(v, p); err != nil {
		f.problems = append(f.problems, f.source.Problem(source.Pos{}, diag.Error, "type", err.Error(), ""))
		f.reject(name)
		return
	}
	f.complete(p, v)
	f.pipeline = p
}

// primaries are the kinds of primaries that there are.
func (f *file) primaries() []string {
	_, primaries := f.kinds.Schemas().Kinds()
	return primaries
}

// primary is the shape in which a primary is decoded: its kind's name and
// keys, beside the keys that all kinds share.
func primary(v any, kinds []string) any {
	in, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for k, x := range in {
		if slices.Contains(kinds, k) {
			out["kind"] = k
			out["with"] = x
			continue
		}
		out[k] = x
	}
	return out
}

// steps are the shapes in which steps are decoded: matrices with their axes in
// order, and expressions apart from what they stand for.
func (f *file) steps(list []any, at []any) []any {
	out := make([]any, len(list))
	for i, x := range list {
		step, ok := x.(map[string]any)
		if !ok {
			out[i] = x
			continue
		}
		step = maps.Clone(step)
		if with, ok := step["with"].(map[string]any); ok {
			step["with"] = clone(with)
		}
		if m, ok := step["matrix"]; ok {
			step["matrix"] = matrix(m, f.source.Keys(append(slices.Clone(at), i, "matrix")))
		}
		for key, apart := range map[string]string{"timeout": "timeout-expr", "continue-on-error": "continue-expr"} {
			if s, ok := step[key].(string); ok && strings.Contains(s, "${{") {
				delete(step, key)
				step[apart] = s
			}
		}
		if b, ok := step["if"].(bool); ok {
			step["if"] = fmt.Sprint(b)
		}
		out[i] = step
	}
	return out
}

// matrix is the shape in which a matrix is decoded.
func matrix(v any, keys []string) any {
	if s, ok := v.(string); ok {
		return map[string]any{"expr": s}
	}
	in, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{"include": in["include"], "exclude": in["exclude"]}
	var axes []any
	for _, k := range keys {
		switch x := in[k].(type) {
		case []any:
			if k != "include" && k != "exclude" {
				axes = append(axes, map[string]any{"name": k, "values": x})
			}
		case string:
			axes = append(axes, map[string]any{"name": k, "expr": x})
		}
	}
	out["axes"] = axes
	for k, x := range out {
		if x == nil {
			delete(out, k)
		}
	}
	return out
}

// clone copies the mappings and lists of a value, so that filling in defaults
// leaves what was written as it is.
func clone(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, y := range x {
			out[k] = clone(y)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, y := range x {
			out[i] = clone(y)
		}
		return out
	}
	return v
}

// complete sets what depends on more than one key.
func (f *file) complete(p *pipeline.Pipeline, v map[string]any) {
	if p.System == "" {
		p.System = f.folder
	}
	if m := f.systemMode(p.System); m != "" {
		p.Mode = m
	}
	if p.Mode == "" {
		p.Mode = pipeline.Alongside
		if p.Primary != nil {
			p.Mode = pipeline.Standby
		}
	}
	if p.Primary != nil {
		if p.Grace == (pipeline.Grace{}) && v["grace"] == nil {
			p.Grace = pipeline.Grace{Auto: p.Primary.Kind == "github-workflow", For: pipeline.Duration(15 * 60 * 1e9)}
			if p.Grace.Auto {
				p.Grace.For = 0
			}
		}
		if p.Primary.OnUnknown == "" {
			p.Primary.OnUnknown = "run"
			if p.Service != nil {
				p.Primary.OnUnknown = "skip"
			}
		}
	}
	for name, list := range lists(p) {
		raw, _ := v[name].([]any)
		for i := range list {
			step, _ := raw[i].(map[string]any)
			completeStep(&list[i], step)
			if list[i].ID == "" {
				list[i].ID = fmt.Sprintf("%s-%d", map[bool]string{true: "step", false: name}[name == "steps"], i+1)
			}
		}
	}
}

// lists are the steps and the handlers of a pipeline, by their keys.
func lists(p *pipeline.Pipeline) map[string][]pipeline.Step {
	return map[string][]pipeline.Step{
		"steps": p.Steps, "on-success": p.OnSuccess, "on-failure": p.OnFailure, "on-cancel": p.OnCancel, "always": p.Always,
	}
}

func completeStep(s *pipeline.Step, written map[string]any) {
	_, s.HasNeeds = written["needs"]
	s.TimeoutExpr, _ = written["timeout-expr"].(string)
	s.ContinueExpr, _ = written["continue-expr"].(string)
	switch {
	case s.Run != "":
		s.Kind = "run"
	case s.Exec != nil:
		s.Kind = "exec"
	case strings.HasPrefix(s.Uses, "./"):
		s.Kind = "action"
	default:
		s.Kind = s.Uses
	}
}
