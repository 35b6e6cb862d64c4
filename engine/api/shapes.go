// Package api is what programs get from redundctl: the JSON shapes of every
// command that prints data. Fields may be added, never renamed. Times are RFC
// 3339 in UTC with a Z, what is absent is null, and lists never are.
package api

import (
	"time"

	"github.com/redundctl/redundctl/engine/logs"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Listed is one pipeline of `list`.
type Listed struct {
	Name      string         `json:"name"`
	System    string         `json:"system"`
	Category  *string        `json:"category"`
	Enabled   bool           `json:"enabled"`
	Observe   bool           `json:"observe"`
	Mode      string         `json:"mode"`
	Primary   map[string]any `json:"primary"` // kind and the kind's own keys, or null
	Schedules []Schedule     `json:"schedules"`
	Next      *string        `json:"next"`
	File      string         `json:"file"`
}

// Schedule is one schedule of a pipeline: cron or every.
type Schedule struct {
	Cron     string `json:"cron,omitempty"`
	Every    string `json:"every,omitempty"`
	Timezone string `json:"timezone"`
}

// List gives the entry of one pipeline; next is its next slot, or zero.
func List(p *pipeline.Pipeline, next time.Time) Listed {
	out := Listed{
		Name: p.Name, System: p.System, Category: Present(p.Category), Enabled: p.Enabled, Observe: p.Observe,
		Mode: string(p.Mode), Schedules: []Schedule{}, Next: When(next), File: p.File,
	}
	if p.Primary != nil {
		out.Primary = map[string]any{"kind": p.Primary.Kind}
		for k, v := range p.Primary.With {
			if k != "token" {
				out.Primary[k] = v
			}
		}
	}
	for _, s := range p.Schedule {
		e := Schedule{Cron: s.Cron, Timezone: s.Timezone}
		if s.Cron == "" {
			e.Every = s.Every.String()
		}
		out.Schedules = append(out.Schedules, e)
	}
	return out
}

// Due is one slot of `next`; At keeps the offset of the schedule's zone.
type Due struct {
	Pipeline string `json:"pipeline"`
	System   string `json:"system"`
	At       string `json:"at"`
}

// Run is one run of `runs`.
type Run struct {
	ID         int64   `json:"id"`
	Pipeline   string  `json:"pipeline"`
	System     string  `json:"system"`
	Trigger    string  `json:"trigger"`
	Slot       *string `json:"slot"`
	State      string  `json:"state"`
	Reason     *string `json:"reason"`
	Attempt    int     `json:"attempt"`
	Queued     *string `json:"queued"`
	Started    *string `json:"started"`
	Finished   *string `json:"finished"`
	DurationMS *int64  `json:"duration-ms"`
	Error      *string `json:"error"`
}

// Of gives the shape of a run.
func Of(r pipeline.Run) Run {
	out := Run{
		ID: r.ID, Pipeline: r.Pipeline, System: r.System, Trigger: r.Trigger, Slot: When(r.Slot), State: string(r.State),
		Reason: Present(r.Reason), Attempt: r.Attempt, Queued: When(r.Queued), Started: When(r.Started),
		Finished: When(r.Finished), Error: Present(r.Error),
	}
	if !r.Started.IsZero() && !r.Finished.IsZero() {
		ms := r.Finished.Sub(r.Started).Milliseconds()
		out.DurationMS = &ms
	}
	return out
}

// Shown is a run with its steps, as `show` and `run` give it.
type Shown struct {
	Run
	Steps   []Step   `json:"steps"`
	Primary *Primary `json:"primary"`
}

// Primary is what the primary was seen to do when the run was decided.
type Primary struct {
	Kind     string `json:"kind"`
	Verdict  string `json:"verdict"`
	Evidence any    `json:"evidence"` // an object: reason and url, and what the probe's answer said
}

// Line is what was seen in one line for people.
func (p *Primary) Line() string {
	line := p.Verdict
	said, _ := p.Evidence.(map[string]any)
	if reason, ok := said["reason"].(string); ok {
		line += ": " + reason
	}
	if url, ok := said["url"].(string); ok {
		line += " (" + url + ")"
	}
	return line
}

// Step is one step of a run; a matrix has one for each combination.
type Step struct {
	ID       string         `json:"id"`
	Matrix   *string        `json:"matrix"`
	Uses     string         `json:"uses"`
	State    string         `json:"state"`
	Continue bool           `json:"continued"`
	Attempts int            `json:"attempts"`
	ExitCode *int           `json:"exit-code"`
	Signal   *string        `json:"signal"`
	Started  *string        `json:"started"`
	Finished *string        `json:"finished"`
	Outputs  map[string]any `json:"outputs"`
	Error    *string        `json:"error"`
}

// Show gives the shape of a run with its steps, and with what its primary was
// seen to do; nil: none was asked.
func Show(r pipeline.Run, steps []pipeline.StepRecord, primary *Primary) Shown {
	out := Shown{Run: Of(r), Steps: []Step{}, Primary: primary}
	for _, s := range steps {
		outputs := s.Outputs
		if outputs == nil {
			outputs = map[string]any{}
		}
		if s.Truncated {
			outputs["outputs-truncated"] = true
		}
		out.Steps = append(out.Steps, Step{
			ID: s.ID, Matrix: Present(s.Matrix), Uses: s.Uses, State: string(s.State), Continue: s.Continued, Attempts: s.Attempts,
			ExitCode: s.ExitCode, Signal: Present(s.Signal), Started: When(s.Started), Finished: When(s.Finished),
			Outputs: outputs, Error: Present(s.Error),
		})
	}
	return out
}

// When is an instant as it is printed, or nil for the zero time.
func When(t time.Time) *string { return Present(pipeline.Time(t)) }

// Present is a text as it is printed, or nil where there is none.
func Present(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Line is one line of `logs`, which prints one object a line.
type Line struct {
	At       string  `json:"at"`
	System   string  `json:"system"` // or engine
	Pipeline *string `json:"pipeline"`
	Run      *int64  `json:"run"`
	Step     *string `json:"step"`
	Text     string  `json:"text"`
}

// LineOf gives the shape of a line.
func LineOf(l logs.Line) Line {
	out := Line{At: pipeline.Time(l.At), System: l.Name, Pipeline: Present(l.Pipeline), Step: Present(l.Step), Text: l.Text}
	if l.Run != 0 {
		out.Run = &l.Run
	}
	return out
}

// Backup is one git backup of `backups`.
type Backup struct {
	ID        string  `json:"id"`
	At        *string `json:"at"`
	Commit    string  `json:"commit"`
	Branch    *string `json:"branch"` // null: HEAD was detached
	Head      *string `json:"head"`   // null: there was no commit yet
	Reason    string  `json:"reason"`
	WorkTree  string  `json:"work-tree"`
	Staged    int     `json:"staged"` // files
	Unstaged  int     `json:"unstaged"`
	Untracked int     `json:"untracked"`
	Commits   int     `json:"commits"` // that the remote did not have
	Verified  bool    `json:"verified"`
	Problem   *string `json:"problem"` // why it cannot be read, when that was asked
}

// Topic is what `explain` says of one key.
type Topic struct {
	Path        string   `json:"path"`
	Type        string   `json:"type"`
	Default     *string  `json:"default"` // as it is written, in words where it is no constant
	Description string   `json:"description"`
	Enum        []string `json:"enum"`
	Example     *string  `json:"example"` // as YAML's flow style
	Required    bool     `json:"required"`
	Secret      bool     `json:"secret"`
	Expressions bool     `json:"expressions"` // its text, or texts below it, may hold ${{ }}
	Rules       []string `json:"rules"`       // what its keys ask of each other
	Keys        []Topic  `json:"keys"`        // of the object or of the list's items, without theirs
}

// Cleaned is what `cleanup` removed, or would remove.
type Cleaned struct {
	DryRun  bool     `json:"dry-run"`
	History Pruned   `json:"history"`
	Logs    []string `json:"logs"`
	Reports []string `json:"reports"`
	// Artifacts are the runs whose files in the state directory went, by their ids.
	Artifacts []string `json:"artifacts"`
	Backups   []string `json:"backups"`
}

// Pruned counts what was removed from the history. Oldest and Newest are when
// the first and the last of the runs were queued.
type Pruned struct {
	Runs        int     `json:"runs"`
	Steps       int     `json:"steps"`
	Slots       int     `json:"slots"`
	Events      int     `json:"events"`
	Definitions int     `json:"definitions"`
	Oldest      *string `json:"oldest"`
	Newest      *string `json:"newest"`
}
