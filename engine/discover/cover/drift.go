package cover

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/discover"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Change is one thing of a primary that is no longer as its pipeline has it, as
// JSON has it.
type Change struct {
	Pipeline string  `json:"pipeline"`
	System   string  `json:"system"`
	Source   string  `json:"source"`
	Key      string  `json:"key"` // schedule, secrets, script or source
	Was      *string `json:"was"` // nil: nothing
	Is       *string `json:"is"`
	Hint     string  `json:"hint"` // the edit that follows it
}

// Drift gives what has changed in the primaries of pipelines, in the order of
// these. Its list is never nil.
func Drift(p *config.Project, found []discover.Primary) []Change {
	d := &drift{project: p, found: found, out: []Change{}}
	named := map[string][]*discover.Primary{} // by the names that their pipelines usually have
	for i := range found {
		x := &found[i]
		named[x.Name] = append(named[x.Name], x)
	}
	for _, x := range p.Pipelines {
		if x.Primary != nil {
			d.look(x, d.primary(x, named[x.Name]))
		}
	}
	return d.out
}

type drift struct {
	project *config.Project
	found   []discover.Primary
	out     []Change
}

// primary is that of a pipeline; nil: it was not found. It is probably one of
// likely.
func (d *drift) primary(x *pipeline.Pipeline, likely []*discover.Primary) *discover.Primary {
	for _, p := range likely {
		if p.Backed(x.Primary) {
			return p
		}
	}
	for i := range d.found {
		if d.found[i].Backed(x.Primary) {
			return &d.found[i]
		}
	}
	return nil
}

// look compares one pipeline with its primary, which is nil when it was not
// found.
func (d *drift) look(x *pipeline.Pipeline, p *discover.Primary) {
	r, imported := imported(d.project, x)
	if p == nil {
		if imported {
			d.gone(x, r)
		}
		return
	}
	say := func(key, was, is, hint string) {
		d.out = append(d.out, Change{x.Name, x.System, p.Source, key, present(was), present(is), hint})
	}
	switch {
	case !agree(x, p.Schedules):
		hint := reschedule(x, d.name(x), p.Schedules)
		if why := unreadable(p.Schedules); why != "" {
			hint = "its platform's cron is none of redundctl's: " + why
		}
		say("schedule", planned(x), dues(p.Schedules), hint)
	case len(p.Schedules) == 0 && r.scheduled && len(x.Schedule) > 0:
		say("schedule", planned(x), "", again(p)+" shows it as the service that it is now")
	}
	follows := follows(x, p.Source)
	if was := r.secrets; imported || follows {
		if !imported {
			was = x.Secrets
		}
		d.secrets(x, p, was, say)
	}
	if imported && r.script != "" && p.Script != "" && r.script != p.Script {
		noted := fmt.Sprintf("write script: %s under %s in %s", p.Script, discover.Imported, x.File)
		hint := again(p) + " shows the pipeline as it would be made now: carry over what you want of it, then " + noted
		if follows {
			hint = fmt.Sprintf("nothing needs to follow, for the pipeline runs %s itself; to take note, %s", p.Source, noted)
		}
		say("script", r.script, p.Script, hint)
	}
}

// again is the command that shows the pipeline of a primary as it would be made
// now.
func again(p *discover.Primary) string {
	return fmt.Sprintf("redundctl import %s %s --dry-run --all", p.Finder.Name, quoted(p.Source))
}

// secrets compares the names of those that the primary uses.
func (d *drift) secrets(x *pipeline.Pipeline, p *discover.Primary, was []string, say func(key, was, is, hint string)) {
	now := slices.Clone(x.Secrets)
	for _, s := range p.Secrets {
		if !slices.Contains(x.Secrets, s) && !slices.Contains(was, s) {
			now = append(now, s)
		}
	}
	now = slices.DeleteFunc(now, func(s string) bool { return slices.Contains(was, s) && !slices.Contains(p.Secrets, s) })
	if follows := !slices.Equal(now, x.Secrets); follows {
		say("secrets", strings.Join(was, ", "), strings.Join(p.Secrets, ", "), fmt.Sprintf("write secrets: [%s] in %s", strings.Join(now, ", "), x.File))
	}
}

// gone tells of a primary that was imported and that is not there any more.
func (d *drift) gone(x *pipeline.Pipeline, r record) {
	c := Change{x.Name, x.System, r.source, "source", &r.source, nil, fmt.Sprintf("redundctl disable %s, or delete %s", d.name(x), x.File)}
	at := files.Under(d.project.Root, r.source)
	for i := range d.found {
		if b := &d.found[i]; b.Source == r.source && b.Broken != "" {
			sum := discover.Sum(at)
			if r.file != "" && r.file == sum {
				return // it could be read when it was the same
			}
			c.Is, c.Hint = present("broken: "+b.Broken), fmt.Sprintf("mend %s: nothing can be compared before", place(b))
			if r.file != "" {
				c.Hint = fmt.Sprintf("%s shows what it holds now: carry over what you want of it, then write file: %s under %s in %s", again(b), sum, discover.Imported, x.File)
			}
			d.out = append(d.out, c)
			return
		}
	}
	if _, err := os.Stat(at); err == nil {
		c.Is = present("no primary: it is gone from there, or not scheduled any more")
	}
	d.out = append(d.out, c)
}

func place(p *discover.Primary) string {
	if p.Line < 1 {
		return p.Source
	}
	return fmt.Sprintf("%s:%d", p.Source, p.Line)
}

// name is a pipeline as commands take it: by its bare name where that means no
// other.
func (d *drift) name(x *pipeline.Pipeline) string {
	if len(d.project.Find(x.Name)) == 1 && d.project.Rejected(x.Name) == nil {
		return x.Name
	}
	return x.ID()
}

// follows reports whether a step runs the source itself.
func follows(x *pipeline.Pipeline, source string) bool {
	return slices.ContainsFunc(x.Steps, func(s pipeline.Step) bool {
		file, _ := s.With["file"].(string)
		return file != "" && (path.Clean(file) == source || path.Join(x.WorkingDirectory, s.WorkingDirectory, file) == source)
	})
}

// quoted is a word as a shell takes it.
func quoted(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/@+-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
