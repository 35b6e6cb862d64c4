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

	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/config/mistake"
	"github.com/redundctl/redundctl/engine/config/shape"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/engine/source"
	"github.com/redundctl/redundctl/schema"
)

// file is one pipeline file while it is loaded.
type file struct {
	*loader
	files.Found
	source   *source.File
	value    map[string]any // as written, with the environment's overrides
	pipeline *pipeline.Pipeline
	problems []diag.Problem
	zones    *schedule.Zones
}

// load reads the files side by side.
func (l *loader) load(ctx context.Context, list []files.Found) {
	l.loaded = make([]*file, len(list))
	zones := &schedule.Zones{}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(list)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(list) {
					return
				}
				f := &file{loader: l, Found: list[i], zones: zones}
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
		f.source, _ = f.open(f.Name, false)
	}
	if f.source == nil {
		f.source = &source.File{Name: f.Name}
	}
	return f.source
}

// read parses, checks and decodes the file, by itself.
func (f *file) read() {
	// What cannot be read is told alone: the rest would follow from it.
	if f.source, f.problems = f.open(f.Name, false); f.problems != nil {
		f.reject("")
		return
	}
	v, ok := f.source.Value.(map[string]any)
	if !ok {
		if f.source.Value != nil {
			f.problems = append(f.problems, mistake.Problems(f.source, f.kinds.Schemas().Pipeline(f.source.Value))...)
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
	f.problems = append(f.problems, mistake.Problems(f.source, f.kinds.Schemas().Pipeline(f.value))...)
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
	stem := f.Name[strings.LastIndex(f.Name, "/")+1:]
	stem = stem[:strings.LastIndex(stem, ".")]
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range []string{name, stem} {
		if n != "" {
			f.rejected[n] = append(f.rejected[n], f.Name)
			f.rejected[f.Folder+"/"+n] = append(f.rejected[f.Folder+"/"+n], f.Name)
		}
	}
	f.pipeline = nil
}

// overridden lays what the environment says of this pipeline on what is
// written.
func (f *file) overridden(v map[string]any, name string) map[string]any {
	system, _ := v["system"].(string)
	if system == "" {
		system = f.Folder
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
			over["params"] = shape.Defaults(v["params"], params)
		}
		v = shape.Merged(v, over)
		if s := over["schedule"]; s != nil {
			v["schedule"] = s // whole: cron and every exclude each other
		}
	}
	return v
}

// decode makes the pipeline of a value that the schema has found good.
func (f *file) decode(name string) {
	v := maps.Clone(f.value)
	if v["primary"] != nil {
		v["primary"] = shape.Primary(v["primary"], f.primaries())
	}
	for _, list := range []string{"steps", "on-success", "on-failure", "on-cancel", "always"} {
		if steps, ok := v[list].([]any); ok {
			v[list] = shape.Steps(steps, []any{list}, f.source.Keys)
		}
	}
	f.kinds.Schemas().FillPipeline(v)
	p := &pipeline.Pipeline{File: f.Name}
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

// complete sets what depends on more than one key.
func (f *file) complete(p *pipeline.Pipeline, v map[string]any) {
	if p.System == "" {
		p.System = f.Folder
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
			shape.Complete(&list[i], step)
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
