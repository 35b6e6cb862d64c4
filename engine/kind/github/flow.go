package github

import (
	"context"
	_ "embed" // the schema fragment
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/github/jobs"
	asked "github.com/redundctl/redundctl/engine/kind/github/jobs/order"
	"github.com/redundctl/redundctl/engine/kind/github/jobs/plan"
	"github.com/redundctl/redundctl/engine/kind/github/survey"
	"github.com/redundctl/redundctl/engine/kind/github/workflow"
	"github.com/redundctl/redundctl/engine/pipeline"
)

//go:embed workflow.json
var flowFragment []byte

// Workflow is the step kind `github/workflow`. others are the step kinds that
// stand in for actions of GitHub's own.
func Workflow(others []kind.Action) kind.Action {
	find := func(name string) (kind.Action, bool) {
		for _, k := range others {
			if k.Name == name {
				return k, true
			}
		}
		return kind.Action{}, false
	}
	k := kind.Define("github/workflow", flowFragment, func(w flowWith, d kind.Deps) (pipeline.Action, error) {
		return &flow{tools: jobs.Tools{Deps: d, Kind: find}, order: asked.Order(w)}, nil
	})
	k.Check = checkFlow
	return k
}

type flowWith struct {
	File   string         `json:"file"`
	Event  string         `json:"event"`
	Inputs map[string]any `json:"inputs"`
	Job    string         `json:"job"`
}

type flow struct {
	tools jobs.Tools
	order asked.Order
}

// Run runs the workflow.
func (f *flow) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	return jobs.Run(ctx, f.tools, f.order, s)
}

// Plan says what would run, and what cannot.
func (f *flow) Plan(ctx context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	return plan.Of(ctx, f.order, s)
}

// checkFlow says of a workflow, while files are loaded, what of it cannot run
// here.
func checkFlow(with map[string]any, at kind.Place) []kind.Finding {
	file, ok := with["file"].(string)
	if !ok || strings.Contains(file, "${{") || at.Dir == "" {
		return nil
	}
	say := func(rule, message, hint string) kind.Finding {
		return kind.Finding{Key: []string{"file"}, Severity: diag.Warning, Rule: rule, Message: message, Hint: hint}
	}
	path := file
	if !filepath.IsAbs(path) {
		path = filepath.Join(at.Dir, path)
	}
	rel, err := filepath.Rel(at.Root, path)
	if err != nil || !filepath.IsLocal(rel) {
		return nil // what lies outside is not read while files are loaded
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return []kind.Finding{say("missing-script", "there is no workflow "+file, "check its path from the step's working directory")}
	}
	name, err := filepath.Rel(at.Dir, path)
	if err != nil || !filepath.IsLocal(name) {
		return nil
	}
	s, err := survey.Look(workflow.Below(at.Dir), filepath.ToSlash(name))
	if err != nil {
		return []kind.Finding{say("cannot-run-here", err.Error(), "mend the workflow: the step fails until then")}
	}
	event, _ := with["event"].(string)
	if event == "" && len(s.File.Crons) > 0 {
		event = "schedule"
	}
	if event == "" {
		event = "workflow_dispatch"
	}
	var out []kind.Finding
	if job, _ := with["job"].(string); job != "" && !strings.Contains(job, "${{") && s.File.Job(job) == nil {
		out = append(out, kind.Finding{Key: []string{"job"}, Severity: diag.Warning, Rule: "cannot-run-here", Message: file + " has no job " + job, Hint: "the step fails until it has"})
	}
	if at.Secrets != nil {
		out = append(out, undeclared(s, at.Secrets, say)...)
	}
	for _, b := range s.Blocked(event) {
		hint := "the job fails there"
		if b.Given {
			hint = "the job goes on without it"
		}
		out = append(out, say("cannot-run-here", b.String(), hint))
	}
	return out
}

// undeclared are the secrets that a workflow reads and its pipeline does not
// declare, all in one: they are empty there. GITHUB_TOKEN is left out: no token is
// made here, and most workflows do without.
func undeclared(s *survey.Survey, declared []string, say func(rule, message, hint string) kind.Finding) []kind.Finding {
	var names []string
	for _, name := range s.Secrets {
		if name != tokenSecret && !slices.ContainsFunc(declared, func(d string) bool { return strings.EqualFold(d, name) }) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []kind.Finding{say("missing-secret", s.File.Path+" reads what the pipeline does not declare and so is empty there: "+strings.Join(names, ", "), "declare it under secrets")}
}
