package check

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/config/mistake"
	"github.com/redundctl/redundctl/engine/config/settings"
	"github.com/redundctl/redundctl/engine/config/shape"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/engine/secret"
	"github.com/redundctl/redundctl/engine/source"
)

// check holds what the schema cannot say of one pipeline.
func (f *File) check(written map[string]any) {
	p := f.Pipeline
	f.checkSystem(written)
	f.checkSchedules(written)
	f.checkParams(p.Params, place("params"))
	f.checkNames(p.Secrets, func(i int) source.Pos { return f.source.At(place("secrets", i)) })
	f.checkFolder(place("working-directory"), p.WorkingDirectory, f.directory(&pipeline.Step{}))
	for _, list := range shape.ListNames() {
		steps := shape.List(p, list)
		f.checkIDs(steps, place(list))
		f.checkKinds(steps, place(list))
		f.checkPrograms(steps, place(list))
		f.checkMatrices(steps, place(list))
	}
	f.checkGraph(p.Steps, place("steps"))
	f.checkHandlers()
	f.checkPrimary()
	f.checkOthers()
	f.checkDrill()
	f.checkExpressions(written)
	f.checkSecrets()
	if f.Bad() {
		f.Reject(p.Name)
	}
}

func (f *File) checkSystem(written map[string]any) {
	system := f.Pipeline.System
	if _, ok := f.Config.Systems[system]; ok || f.Blind {
		return
	}
	known := slices.Sorted(maps.Keys(f.Config.Systems))
	if written["system"] != nil {
		f.say(f.source.At(place("system")), diag.Error, "unknown-system", fmt.Sprintf("there is no system %q", system),
			mistake.Choice(system, known)+" (systems in "+settings.FileName+" may name others)")
		return
	}
	hint := "add system: " + strings.Join(known, ", or ") + "; or move the file into a folder of that name"
	if n := diag.Nearest(system, known); n != "" {
		hint = fmt.Sprintf("the folder is called %s: did you mean %q? Or add system: %s", system, n, strings.Join(known, ", or "))
	}
	f.say(mistake.Object(f.source, nil), diag.Error, "unknown-system", "the pipeline does not say which system it belongs to", hint)
}

// checkSchedules parses every schedule of the file.
func (f *File) checkSchedules(written map[string]any) {
	_, list := written["schedule"].([]any)
	for i, s := range f.Pipeline.Schedule {
		if f.full(diag.Error) {
			break
		}
		at := place("schedule")
		if list {
			at = place("schedule", i)
		}
		f.checkSchedule(s, at)
	}
	if d := f.Pipeline.Drill; d != nil {
		f.checkSchedule(pipeline.Schedule{Cron: d.Cron, Timezone: d.Timezone, DST: pipeline.DST{Gap: "shift", Fold: "first"}}, place("drill"))
	}
	if s := f.Pipeline.Service; s != nil && s.CronRestart != "" {
		if _, err := f.Zones.Parse(pipeline.Schedule{Cron: s.CronRestart, Timezone: "UTC"}); err != nil {
			f.schedule(err, place("service"), "cron-restart")
		}
	}
}

func (f *File) checkSchedule(s pipeline.Schedule, at []any) {
	if _, err := f.Zones.Parse(s); err != nil {
		f.schedule(err, at, "")
	}
}

// schedule is the problem of a schedule; field is where its cron stands when
// that is not `cron`.
func (f *File) schedule(err error, at []any, field string) {
	var e *schedule.Error
	if !errors.As(err, &e) {
		f.say(f.source.At(at), diag.Error, schedule.RuleSyntax, err.Error())
		return
	}
	for _, e := range append([]*schedule.Error{e}, e.More...) {
		f.say(f.source.InString(Below(at, cmp.Or(field, e.Field)), e.Offset, e.Width), diag.Error, e.Rule, e.Message, e.Hint)
	}
}

// checkNames holds that names which expressions read differ in more than case.
func (f *File) checkNames(names []string, at func(i int) source.Pos) {
	if len(names) < 2 {
		return
	}
	lower := map[string]string{}
	for i, name := range names {
		if other, twice := lower[strings.ToLower(name)]; twice {
			f.say(at(i), diag.Error, "duplicate-key", fmt.Sprintf("%s and %s differ in case alone, which expressions do not see", other, name), "give one of them another name")
		}
		lower[strings.ToLower(name)] = name
	}
}

// checkMatrices holds that axes have names of their own, and warns when what a
// matrix leaves out is never there.
func (f *File) checkMatrices(steps []pipeline.Step, at []any) {
	for i, s := range steps {
		if s.Matrix == nil || s.Matrix.Expr != "" {
			continue
		}
		var axes []string
		for _, a := range s.Matrix.Axes {
			axes = append(axes, a.Name)
		}
		f.checkNames(axes, func(j int) source.Pos { return f.source.KeyAt(Below(at, i, "matrix", axes[j])) })
		for j, out := range s.Matrix.Exclude {
			for _, name := range slices.Sorted(maps.Keys(out)) {
				if !slices.Contains(axes, name) {
					f.say(f.source.KeyAt(Below(at, i, "matrix", "exclude", j, name)), diag.Warning, "unknown-axis",
						fmt.Sprintf("the matrix has no axis %q, so this leaves out nothing", name), mistake.Choice(name, axes))
				}
			}
		}
	}
}

// checkParams holds that params have names of their own, and that the default
// of a choice is one of its options.
func (f *File) checkParams(params map[string]pipeline.Param, at []any) {
	names := f.source.Keys(at)
	f.checkNames(names, func(i int) source.Pos { return f.source.KeyAt(Below(at, names[i])) })
	for _, name := range slices.Sorted(maps.Keys(params)) {
		p := params[name]
		f.checkGiven(at, name, p)
		if p.Type != "choice" || p.Default == nil || slices.ContainsFunc(p.Options, func(o any) bool { return fmt.Sprint(o) == fmt.Sprint(p.Default) }) {
			continue
		}
		var options []string
		for _, o := range p.Options {
			options = append(options, fmt.Sprint(o))
		}
		f.say(f.source.At(Below(at, name, "default")), diag.Error, "param-default",
			fmt.Sprintf("the default %v is none of the options", p.Default), mistake.Choice(fmt.Sprint(p.Default), options))
	}
}

// checkGiven says that nobody gives a parameter when a slot is due.
func (f *File) checkGiven(at []any, name string, p pipeline.Param) {
	x := f.Pipeline
	if x == nil || at[0] != "params" || len(x.Schedule) == 0 || !x.Enabled || !p.Required || p.Default != nil {
		return
	}
	f.say(f.source.KeyAt(Below(at, name)), diag.Warning, "scheduled-param",
		fmt.Sprintf("nobody gives %s when the schedule is due: each of these runs fails", name), "give it a default, or take the schedule out")
}

// checkIDs holds that no two steps of a list have one id.
func (f *File) checkIDs(steps []pipeline.Step, at []any) {
	seen := map[string]int{}
	for i, s := range steps {
		if f.full(diag.Error) {
			return
		}
		if first, twice := seen[s.ID]; twice {
			pos := f.source.At(Below(at, i, "id"))
			if f.source.Keys(Below(at, i)) != nil && !slices.Contains(f.source.Keys(Below(at, i)), "id") {
				pos = mistake.Object(f.source, Below(at, i))
			}
			f.say(pos, diag.Error, "duplicate-id",
				fmt.Sprintf("the id %q is taken by the step in line %d", s.ID, mistake.Object(f.source, Below(at, first)).Line), "give each step an id of its own")
			continue
		}
		seen[s.ID] = i
	}
	if n := f.Config.Limits.Steps; len(steps) > n {
		f.say(f.source.KeyAt(at), diag.Error, "too-many-steps", fmt.Sprintf("%d steps are more than the limit of %d", len(steps), n), "raise limits.steps in "+settings.FileName)
	}
}

// checkHandlers holds that handlers have no order of their own.
func (f *File) checkHandlers() {
	for _, list := range shape.ListNames()[1:] {
		for i, s := range shape.List(f.Pipeline, list) {
			if s.HasNeeds {
				f.say(f.source.KeyAt(place(list, i, "needs")), diag.Error, "handler-needs", "handlers run one after another and need nothing", "take needs out")
			}
		}
	}
}

// checkPrimary holds what asks for the primary's kind.
func (f *File) checkPrimary() {
	p := f.Pipeline
	if p.Primary == nil {
		return
	}
	k, _ := f.Kinds.Primary(p.Primary.Kind)
	if d := p.Grace.For.Std(); !p.Grace.Auto && len(p.Schedule) > 0 && p.Mode == pipeline.Standby && d < k.Usual && slices.Contains(f.source.Keys(nil), "grace") {
		f.say(f.source.At(place("grace")), diag.Warning, "short-grace",
			fmt.Sprintf("%s is shorter than what is usual for %s (%s): the backup would often run although the primary comes", p.Grace.For, p.Primary.Kind, pipeline.Duration(k.Usual)),
			"write grace: auto, or a longer time")
	}
}

// checkDrill holds that a drill that runs for real may run at any time.
func (f *File) checkDrill() {
	p := f.Pipeline
	if p.Drill == nil || p.Drill.DryRun {
		return
	}
	for i, s := range p.Steps {
		if !s.Idempotent {
			f.say(f.source.At(place("drill", "dry-run")), diag.Error, "drill-idempotent",
				fmt.Sprintf("a drill that runs for real needs idempotent steps, and %s in line %d is none", s.ID, mistake.Object(f.source, place("steps", i)).Line),
				"write dry-run: true, or idempotent: true on every step")
			return
		}
	}
}

// checkSecrets says which declared secrets this machine does not have.
func (f *File) checkSecrets() {
	if len(f.Pipeline.Secrets) == 0 || f.Blind {
		return
	}
	f.Secret = true
	var missing []string
	first := 0
	for i, name := range f.Pipeline.Secrets {
		v, ok, err := f.Secrets.Lookup(name)
		switch at := f.source.At(place("secrets", i)); {
		case err != nil:
			f.say(at, diag.Warning, "missing-secret", fmt.Sprintf("the secret %s cannot be read: %s", name, err))
		case !ok:
			if missing == nil {
				first = i
			}
			missing = append(missing, name)
		case secret.Weak(v):
			f.say(at, diag.Warning, "short-secret", fmt.Sprintf("the secret %s has fewer than 6 characters", name),
				"it is masked all the same, and much else that looks like it")
		}
	}
	if missing != nil {
		what, them := "the secret "+missing[0]+" is", "it"
		if n := len(missing) - 1; n > 0 {
			what, them = "the secrets "+strings.Join(missing[:n], ", ")+" and "+missing[n]+" are", "them"
		}
		f.say(f.source.At(place("secrets", first)), diag.Warning, "missing-secret", what+" not set on this machine",
			"set "+them+" in the environment, in an env file, or in a directory of secrets")
	}
}
