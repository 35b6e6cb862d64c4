// Package check reads one file of a project and checks it by itself: a pipeline,
// or an action that pipelines use. What only all files together show, such as a
// name that is taken twice, is not its business.
//
// Start with File.Read; a check file holds what no schema can say.
package check

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/config/contexts"
	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/config/mistake"
	"github.com/redundctl/redundctl/engine/config/programs"
	"github.com/redundctl/redundctl/engine/config/settings"
	"github.com/redundctl/redundctl/engine/config/shape"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/engine/secret"
	"github.com/redundctl/redundctl/engine/source"
	"github.com/redundctl/redundctl/schema"
)

// Project is what files are checked against. Several goroutines may do so at
// once.
type Project struct {
	Root      string // absolute
	Config    *settings.Config
	Settings  *settings.File // redund.yaml, which Config is of
	Blind     bool           // nothing is known of what redund.yaml says
	Instead   *files.Instead // read in place of one of the files; nil: none
	Notify    []string       // the services that redund.yaml names; nil: nobody knows
	Kinds     *kind.Set
	Secrets   *secret.Sources
	Programs  *programs.Set
	Templates contexts.Templates
	Zones     schedule.Zones
	Actions   *Actions
}

// open reads a file of the project.
func (p *Project) open(name string) (*source.File, []diag.Problem, files.Stamp) {
	c := &p.Config.Limits
	return p.Instead.Open(files.Under(p.Root, name), name, source.Limits{FileSize: int64(c.FileSize), Aliases: c.Aliases, Depth: c.Depth}, false)
}

// File is one pipeline file. What Read found may be kept for as long as nothing
// of it has changed: neither the file nor what the fields name.
type File struct {
	*Project
	files.Found
	Pipeline  *pipeline.Pipeline // nil: there is none that is good
	Problems  []diag.Problem
	Because   []string      // files whose problems make this one invalid too
	Stamp     files.Stamp   // of the file as it was read
	Overrides []string      // those of the environment that it has, by the name that is written
	Secret    bool          // it declares secrets
	Outside   bool          // it names what may lie elsewhere: programs, scripts, folders
	Rejected  bool          // it is invalid
	Calls     []Call        // the steps that run other pipelines
	Used      []string      // the actions that it uses, directly or not, also such as cannot be used
	Parsed    time.Duration // how long that took
	Checked   time.Duration

	as     string // the name that it is rejected by; "": none is known
	source *source.File
	value  map[string]any // as written, with the environment's overrides
	count  [2]int         // of problems, warnings and errors
}

// Finish lets go of what is not needed once the file alone has been checked:
// the text and its tree take ten times the room of the pipeline.
func (f *File) Finish() {
	f.value, f.source = nil, nil
}

// text reads the file once more, for the place of a mistake that only shows
// beside other files.
func (f *File) text() *source.File {
	if f.source == nil {
		f.source, _, _ = f.open(f.Name)
	}
	if f.source == nil {
		f.source = &source.File{Name: f.Name}
	}
	return f.source
}

// Late adds a mistake at a path of keys that only shows beside other files.
func (f *File) Late(at []any, rule string, words ...string) {
	f.text()
	f.say(f.source.At(at), diag.Error, rule, words...)
}

// Read parses, checks and decodes the file, by itself.
func (f *File) Read() {
	began := time.Now()
	var ps []diag.Problem
	f.source, ps, f.Stamp = f.open(f.Name)
	f.Parsed = time.Since(began)
	defer func() { f.Checked = time.Since(began) - f.Parsed }()
	defer f.Finish()
	if f.add(ps...); ps != nil {
		f.Reject("") // what cannot be read is told alone: the rest would follow from it
		return
	}
	v, ok := f.source.Value.(map[string]any)
	if !ok {
		f.add(mistake.Problems(f.source, f.Kinds.Schemas().Pipeline(f.source.Value), f.Kinds)...)
		f.Reject("")
		return
	}
	if v["kind"] == "action" {
		f.actionFile()
		return
	}
	if f.foreign(v) {
		f.Reject("")
		return
	}
	name, _ := v["name"].(string)
	f.value = v
	issues := f.Kinds.Schemas().Pipeline(v)
	if f.add(mistake.Problems(f.source, issues, f.Kinds)...); !f.Bad() {
		f.override(name)
	}
	if f.Bad() {
		f.checkRest(v, issues)
		f.Reject(name)
		return
	}
	var err error
	if f.Pipeline, err = f.decode(f.value); err != nil {
		at, what := schema.Undecodable(err)
		f.say(f.source.At(at), diag.Error, "max", what)
		f.Reject(name)
		return
	}
	if f.check(f.value); f.Pipeline != nil {
		f.Calls = calls(f.Pipeline)
	}
}

// Reject makes the pipeline invalid. name is what the file calls it; "": that
// is not known.
func (f *File) Reject(name string) { f.Rejected, f.as, f.Pipeline = true, name, nil }

// Like reports whether another form of the file is one of the same pipeline, or
// of none as well, and nothing else hangs on the difference.
func (f *File) Like(g *File) bool {
	if len(f.Calls)+len(g.Calls)+len(g.Overrides) > 0 || f.Rejected != g.Rejected || !slices.Equal(f.Used, g.Used) || (f.Pipeline == nil) != (g.Pipeline == nil) {
		return false
	}
	return f.Pipeline == nil || f.Pipeline.System == g.Pipeline.System && f.Pipeline.Name == g.Pipeline.Name
}

// Names are those under which people will look for a pipeline that is rejected,
// and because the files whose problems say why.
func (f *File) Names() (names, because []string) {
	stem := f.Name[strings.LastIndex(f.Name, "/")+1:]
	stem = strings.TrimSuffix(stem, path.Ext(stem))
	because = append([]string{f.Name}, f.Because...)
	for _, p := range f.Problems {
		if p.Severity == diag.Error && !slices.Contains(because, p.File) {
			because = append(because, p.File)
		}
	}
	all := []string{f.as, stem}
	if f.as == stem {
		all = all[1:]
	}
	for _, n := range all {
		if n != "" {
			names = append(names, n, f.Folder+"/"+n)
		}
	}
	return names, because
}

// foreign tells a file of another tool as one mistake: each of its keys would
// be another one.
func (f *File) foreign(v map[string]any) bool {
	key, what, hint := mistake.Foreign(v)
	if key == "" {
		return false
	}
	f.say(f.source.KeyAt(place(key)), diag.Error, "foreign-file", "this is "+what+", and no pipeline", hint)
	return true
}

// override lays what the environment says of this pipeline on what is written.
// What does not fit stands in redund.yaml.
func (f *File) override(name string) {
	v := f.value
	system, _ := v["system"].(string)
	for _, key := range []string{name, cmp.Or(system, f.Folder) + "/" + name} {
		over, ok := f.Settings.Overrides[key]
		if !ok {
			continue
		}
		f.Overrides = append(f.Overrides, key)
		at := place("environments", f.Config.Environment, "pipelines", key)
		over = maps.Clone(over)
		if params, ok := over["params"].(map[string]any); ok {
			declared, _ := f.value["params"].(map[string]any)
			for name := range params {
				if declared[name] == nil {
					f.add(f.Settings.Source.Problem(f.Settings.Source.KeyAt(Below(at, "params", name)), diag.Error, "unknown-param",
						fmt.Sprintf("the pipeline %s has no param %q", key, name), mistake.Choice(name, slices.Sorted(maps.Keys(declared)))))
				}
			}
			over["params"] = shape.Defaults(f.value["params"], params)
		}
		v = shape.Merged(v, over)
		if s := over["schedule"]; s != nil {
			v["schedule"] = s // whole: cron and every exclude each other
		}
		issues := f.Kinds.Schemas().Pipeline(v)
		for i, x := range issues {
			if n := len(x.Path); n > 2 && x.Path[0] == "params" && x.Path[2] == "default" {
				x.Path = slices.Delete(slices.Clone(x.Path), 2, 3)
			}
			issues[i].Path = Below(at, x.Path...)
		}
		f.add(mistake.Problems(f.Settings.Source, issues, f.Kinds)...)
	}
	f.value = v
}

// decode makes the pipeline of a value that the schema has found good.
func (f *File) decode(value map[string]any) (*pipeline.Pipeline, error) {
	v := maps.Clone(value)
	if v["primary"] != nil {
		v["primary"] = shape.Primary(v["primary"], f.primaries())
	}
	for _, list := range shape.ListNames() {
		if steps, ok := v[list].([]any); ok {
			v[list] = shape.Steps(steps, []any{list}, f.source.Keys)
		}
	}
	f.Kinds.Schemas().FillPipeline(v)
	p := &pipeline.Pipeline{File: f.Name}
	if err := f.Kinds.Schemas().Decode(v, p); err != nil {
		return nil, err
	}
	f.complete(p, v)
	return p, nil
}

// primaries are the kinds of primaries that there are.
func (f *File) primaries() []string {
	_, primaries := f.Kinds.Schemas().Kinds()
	return primaries
}

// complete sets what depends on more than one key.
func (f *File) complete(p *pipeline.Pipeline, v map[string]any) {
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
