package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/redundctl/redundctl/engine/answer"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/github/listing"
	"github.com/redundctl/redundctl/engine/kind/github/rest"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Dispatch is the step kind `github/dispatch`.
func Dispatch() kind.Action {
	k := kind.Define("github/dispatch", dispatch, build)
	k.Check = check
	k.Secrets = map[string]string{"token": tokenSecret}
	return k
}

// request is `with` of the kind.
type request struct {
	Repository string         `json:"repository"`
	Workflow   any            `json:"workflow"` // a file name or an id
	Action     string         `json:"action"`
	Ref        string         `json:"ref"`
	Inputs     map[string]any `json:"inputs"`
	Run        any            `json:"run"`
	APIURL     string         `json:"api-url"`
	Token      string         `json:"token"`
	Wait       bool           `json:"wait"`
}

// action is one request, ready to be sent.
type action struct {
	request
	repo     *listing.Repository
	workflow string
	id       int64 // of the run; 0: none is given
	inputs   map[string]any
}

// maxInputs is how many inputs GitHub takes.
const maxInputs = 25

func build(r request, d kind.Deps) (pipeline.Action, error) {
	name, err := rest.Parse(r.Repository)
	if err != nil {
		return nil, err
	}
	client, err := rest.New(rest.Options{HTTP: d.HTTP, URL: r.APIURL, Token: r.Token})
	if err != nil {
		return nil, err
	}
	a := &action{request: r, repo: listing.New(client, name, time.Now), workflow: listing.File(answer.Text(r.Workflow)), inputs: map[string]any{}}
	switch r.Action {
	case "rerun", "cancel":
		if a.id, err = strconv.ParseInt(answer.Text(r.Run), 10, 64); err != nil || a.id <= 0 {
			return nil, fmt.Errorf("run %q is not the id of a run", answer.Text(r.Run))
		}
	default:
		if a.workflow == "" {
			return nil, errors.New(noWorkflow)
		}
	}
	if len(r.Inputs) > maxInputs {
		return nil, fmt.Errorf("%d inputs are more than the %d that GitHub takes", len(r.Inputs), maxInputs)
	}
	for k, v := range r.Inputs { // GitHub takes texts
		if a.inputs[k], err = input(v); err != nil {
			return nil, fmt.Errorf("the input %s cannot be written: %w", k, err)
		}
	}
	return a, nil
}

const noWorkflow = "it does not say which workflow to start: add workflow"

// check finds what the schema cannot say: dispatch is the default of action.
func check(with map[string]any, _ kind.Place) []kind.Finding {
	if what, ok := with["action"]; ok && what != "dispatch" || with["workflow"] != nil {
		return nil
	}
	return []kind.Finding{{Severity: diag.Error, Rule: "required", Message: noWorkflow, Hint: "name its file, as workflow: deploy.yml"}}
}

// input is the value of an input as GitHub takes it.
func input(v any) (string, error) {
	switch v.(type) {
	case map[string]any, []any:
		b, err := json.Marshal(v)
		return string(b), err
	}
	return answer.Text(v), nil
}

// Run sends the request.
func (a *action) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	out, err := a.do(ctx, s)
	var e *rest.Error
	if errors.As(err, &e) && e.After > 0 {
		err = &pipeline.Later{Err: err, After: e.After}
	}
	return out, err
}

func (a *action) do(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	c, name := a.repo.Client, a.repo.Name
	switch a.Action {
	case "enable", "disable":
		if err := c.Switch(ctx, name, a.workflow, a.Action); err != nil {
			return pipeline.Outputs{}, err
		}
		say(s, "%s of %s is %sd", a.workflow, name, a.Action)
		return pipeline.Outputs{}, nil
	case "cancel":
		return a.cancel(ctx, s)
	case "rerun":
		return a.rerun(ctx, s)
	}
	if a.Ref == "" {
		branch, err := a.repo.Branch(ctx)
		if err != nil {
			return pipeline.Outputs{}, err
		}
		a.Ref = branch
	}
	look, stop := ctx, context.CancelFunc(func() {})
	if !a.Wait { // the run is started; its id is good to have
		look, stop = context.WithTimeout(ctx, lookFor)
	}
	defer stop()
	d, _, err := order(look, a.repo, rest.Order{Workflow: a.workflow, Ref: a.Ref, Inputs: a.inputs})
	switch {
	case err != nil:
		return pipeline.Outputs{}, err
	case d.ID == 0 && a.Wait:
		return pipeline.Outputs{}, fmt.Errorf("%s of %s was started on %s, but no run of it is listed: look for it in the Actions tab", a.workflow, name, a.Ref)
	case d.ID == 0:
		say(s, "%s of %s was started on %s; its run is not listed yet", a.workflow, name, a.Ref)
		return pipeline.Outputs{Values: map[string]any{"run": "", "url": "", "conclusion": ""}}, nil
	}
	say(s, "%s of %s was started on %s: run %d %s", a.workflow, name, a.Ref, d.ID, web(d.Page))
	return a.end(ctx, s, rest.Run{ID: d.ID, Page: d.Page, Attempt: 1})
}

// lookFor is how long the run is looked for that the API did not name.
const lookFor = 20 * time.Second

func (a *action) rerun(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	l, err := a.repo.Run(ctx, a.id, 0)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	if err := a.repo.Client.Rerun(ctx, a.repo.Name, a.id); err != nil {
		return pipeline.Outputs{}, err
	}
	l.Run.Attempt = max(l.Run.Attempt, 1) + 1
	say(s, "run %d of %s is started again: attempt %d %s", a.id, a.repo.Name, l.Run.Attempt, web(l.Run.Page))
	return a.end(ctx, s, l.Run)
}

func (a *action) cancel(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	over, err := a.repo.Client.Cancel(ctx, a.repo.Name, a.id)
	switch {
	case err != nil:
		return pipeline.Outputs{}, err
	case over:
		say(s, "run %d of %s was over already", a.id, a.repo.Name)
	default:
		say(s, "run %d of %s is told to end", a.id, a.repo.Name)
	}
	return a.end(ctx, s, rest.Run{ID: a.id})
}

// end hands on the run, when it is over if it is waited for. The run of which
// attempt counts is started at the least.
func (a *action) end(ctx context.Context, s *pipeline.Scope, run rest.Run) (pipeline.Outputs, error) {
	out := func(conclusion string) pipeline.Outputs {
		return pipeline.Outputs{Values: map[string]any{"run": strconv.FormatInt(run.ID, 10), "url": web(run.Page), "conclusion": conclusion}}
	}
	if !a.Wait {
		return out(""), nil
	}
	over, err := a.await(ctx, s, run)
	if err != nil {
		return out(""), err
	}
	run = over
	say(s, "run %d is %s", run.ID, plain(run.Conclusion))
	if a.Action != "cancel" && verdict(&run) != pipeline.Delivered {
		err = fmt.Errorf("run %d of %s is %s: %s", run.ID, a.repo.Name, plain(run.Conclusion), web(run.Page))
	}
	return out(run.Conclusion), err
}

// await asks for a run until it is over, less and less often. An answer that
// does not come, or says that GitHub has trouble, is asked for again.
func (a *action) await(ctx context.Context, s *pipeline.Scope, run rest.Run) (rest.Run, error) {
	told := ""
	for pause := firstPause; ; pause = min(pause*3/2, lastPause) {
		l, err := a.repo.Run(ctx, run.ID, 0)
		var e *rest.Error
		switch errors.As(err, &e); {
		case err == nil && l.Run.Attempt >= run.Attempt && ended(&l.Run):
			return l.Run, nil
		case err == nil && l.Run.Status != told && l.Run.Attempt >= run.Attempt:
			told = l.Run.Status
			say(s, "run %d is %s", run.ID, plain(told))
		case err != nil && e != nil && (e.Refused || e.Status/100 == 4 && e.After == 0):
			return run, fmt.Errorf("run %d of %s can no longer be followed: %w", run.ID, a.repo.Name, err)
		case err != nil && ctx.Err() == nil:
			say(s, "%s", err)
		}
		wait := pause
		if e != nil {
			wait = max(wait, e.After)
		}
		if err := sleep(ctx, wait); err != nil {
			return run, fmt.Errorf("run %d of %s goes on; nobody waits for it any longer: %w", run.ID, a.repo.Name, err)
		}
	}
}

// The pauses between two looks at a run that is waited for.
const (
	firstPause = 500 * time.Millisecond
	lastPause  = 15 * time.Second
)

func say(s *pipeline.Scope, format string, values ...any) {
	_, _ = fmt.Fprintf(s.Out, format+"\n", values...)
}

// Plan says the request and sends none.
func (a *action) Plan(_ context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	c, name := a.repo.Client, a.repo.Name
	var lines []string
	switch a.Action {
	case "enable", "disable":
		lines = append(lines, http.MethodPut+" "+c.Address(rest.SwitchPath(name, a.workflow, a.Action)))
	case "rerun", "cancel":
		lines = append(lines, http.MethodPost+" "+c.Address(rest.RunPath(name, a.id, a.Action)))
	default:
		ref := a.Ref
		if ref == "" {
			ref = "the default branch"
		}
		lines = append(lines, http.MethodPost+" "+c.Address(rest.Order{Workflow: a.workflow}.Path(name)), "ref "+ref)
		for _, k := range slices.Sorted(maps.Keys(a.inputs)) {
			lines = append(lines, fmt.Sprintf("input %s: %s", k, a.inputs[k]))
		}
	}
	if c.Anonymous() {
		lines = append(lines, "without a token, which GitHub will refuse: declare the secret GITHUB_TOKEN")
	} else {
		lines = append(lines, "header Authorization: Bearer ***")
	}
	if a.Wait && a.Action != "enable" && a.Action != "disable" {
		lines = append(lines, "waits until the run is over")
	}
	out := make([]pipeline.Effect, len(lines))
	for i, line := range lines {
		out[i] = pipeline.Effect(s.Mask(line))
	}
	return out, nil
}
