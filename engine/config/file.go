package config

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
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
	count    map[bool]int // of problems, by whether they are errors
	because  []string     // files whose problems make this one invalid too
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
	if f.source != nil && f.pipeline != nil {
		f.alike.Of(f.pipeline)
	}
	f.value, f.source = nil, nil
}

// text reads the file once more, for the place of a mistake that only shows
// beside other files.
func (f *file) text() *source.File {
	if f.source == nil {
		f.source, _ = f.open(f.Name)
	}
	if f.source == nil {
		f.source = &source.File{Name: f.Name}
	}
	return f.source
}

// read parses, checks and decodes the file, by itself.
func (f *file) read() {
	var ps []diag.Problem
	f.source, ps = f.open(f.Name)
	if f.add(ps...); ps != nil {
		f.reject("") // what cannot be read is told alone: the rest would follow from it
		return
	}
	v, ok := f.source.Value.(map[string]any)
	if !ok {
		f.add(mistake.Problems(f.source, f.kinds.Schemas().Pipeline(f.source.Value), f.kinds)...)
		f.reject("")
		return
	}
	if v["kind"] == "action" {
		f.actionFile()
		return
	}
	if f.foreign(v) {
		f.reject("")
		return
	}
	name, _ := v["name"].(string)
	f.value = v
	issues := f.kinds.Schemas().Pipeline(v)
	if f.add(mistake.Problems(f.source, issues, f.kinds)...); !f.bad() {
		f.override(name)
	}
	if f.bad() {
		f.checkRest(v, issues)
		f.reject(name)
		return
	}
	var err error
	if f.pipeline, err = f.decode(f.value); err != nil {
		at, what := schema.Undecodable(err)
		f.say(f.source.At(at), diag.Error, "max", what)
		f.reject(name)
		return
	}
	f.check(f.value)
}

// foreign tells a file of another tool as one mistake: each of its keys would
// be another one.
func (f *file) foreign(v map[string]any) bool {
	key, what, hint := mistake.Foreign(v)
	if key == "" {
		return false
	}
	f.say(f.source.KeyAt(place(key)), diag.Error, "foreign-file", "this is "+what+", and no pipeline", hint)
	return true
}

// reject remembers under which names people will look for the pipeline.
func (f *file) reject(name string) {
	stem := f.Name[strings.LastIndex(f.Name, "/")+1:]
	stem = strings.TrimSuffix(stem, path.Ext(stem))
	because := append([]string{f.Name}, f.because...)
	for _, p := range f.problems {
		if p.Severity == diag.Error && !slices.Contains(because, p.File) {
			because = append(because, p.File)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	names := []string{name, stem}
	if name == stem {
		names = names[1:]
	}
	for _, n := range names {
		if n != "" {
			f.rejected[n] = append(f.rejected[n], because...)
			f.rejected[f.Folder+"/"+n] = append(f.rejected[f.Folder+"/"+n], because...)
		}
	}
	f.pipeline = nil
}

// override lays what the environment says of this pipeline on what is written.
// What does not fit stands in redund.yaml.
func (f *file) override(name string) {
	v := f.value
	system, _ := v["system"].(string)
	for _, key := range []string{name, cmp.Or(system, f.Folder) + "/" + name} {
		over, ok := f.redund.Overrides[key]
		if !ok {
			continue
		}
		f.mu.Lock()
		if f.used == nil {
			f.used = map[string]bool{}
		}
		f.used[key] = true
		f.mu.Unlock()
		at := place("environments", f.Config.Environment, "pipelines", key)
		over = maps.Clone(over)
		if params, ok := over["params"].(map[string]any); ok {
			declared, _ := f.value["params"].(map[string]any)
			for name := range params {
				if declared[name] == nil {
					f.add(f.redund.Source.Problem(f.redund.Source.KeyAt(below(at, "params", name)), diag.Error, "unknown-param",
						fmt.Sprintf("the pipeline %s has no param %q", key, name), mistake.Choice(name, slices.Sorted(maps.Keys(declared)))))
				}
			}
			over["params"] = shape.Defaults(f.value["params"], params)
		}
		v = shape.Merged(v, over)
		if s := over["schedule"]; s != nil {
			v["schedule"] = s // whole: cron and every exclude each other
		}
		issues := f.kinds.Schemas().Pipeline(v)
		for i, x := range issues {
			if n := len(x.Path); n > 2 && x.Path[0] == "params" && x.Path[2] == "default" {
				x.Path = slices.Delete(slices.Clone(x.Path), 2, 3)
			}
			issues[i].Path = below(at, x.Path...)
		}
		f.add(mistake.Problems(f.redund.Source, issues, f.kinds)...)
	}
	f.value = v
}

// decode makes the pipeline of a value that the schema has found good.
func (f *file) decode(value map[string]any) (*pipeline.Pipeline, error) {
	v := maps.Clone(value)
	if v["primary"] != nil {
		v["primary"] = shape.Primary(v["primary"], f.primaries())
	}
	for _, list := range shape.ListNames() {
		if steps, ok := v[list].([]any); ok {
			v[list] = shape.Steps(steps, []any{list}, f.source.Keys)
		}
	}
	f.kinds.Schemas().FillPipeline(v)
	p := &pipeline.Pipeline{File: f.Name}
	if err := f.kinds.Schemas().Decode(v, p); err != nil {
		return nil, err
	}
	f.complete(p, v)
	return p, nil
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
	if m := f.Config.Systems[p.System].Mode; m != "" && (p.Primary != nil || m == pipeline.Alongside) {
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
	for _, name := range shape.ListNames() {
		list := shape.List(p, name)
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
