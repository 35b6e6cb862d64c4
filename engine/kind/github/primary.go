package github

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/answer"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/github/listing"
	"github.com/redundctl/redundctl/engine/kind/github/rest"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// keys are those of the primary kind.
type keys struct {
	Repository string `json:"repository"`
	Workflow   any    `json:"workflow"` // a file name or an id
	Branch     string `json:"branch"`
	Event      any    `json:"event"` // a list, or one word
	APIURL     string `json:"api-url"`
	Token      string `json:"token"`
}

// Primary is the primary kind `github-workflow`.
func Primary() kind.Primary {
	return kind.Primary{Name: "github-workflow", Fragment: primary, Usual: 30 * time.Minute, Build: func(with map[string]any, d kind.PrimaryDeps) (pipeline.Probe, error) {
		return watch(with, d, time.Now)
	}}
}

// probe looks at one workflow. It is a pipeline.Dispatcher and a
// pipeline.Canceller too.
type probe struct {
	repo     *listing.Repository
	workflow string
	branch   string // "": the default one
	events   []string
	every    time.Duration
	now      func() time.Time
	seen     *listing.List      // by the last look
	slots    map[time.Time]bool // that were looked at in it
}

var (
	_ pipeline.Dispatcher = (*probe)(nil)
	_ pipeline.Canceller  = (*probe)(nil)
)

func watch(with map[string]any, d kind.PrimaryDeps, now func() time.Time) (*probe, error) {
	var k keys
	if err := decode(with, &k); err != nil {
		return nil, err
	}
	name, err := rest.Parse(k.Repository)
	if err != nil {
		return nil, err
	}
	p := &probe{workflow: answer.Text(k.Workflow), branch: k.Branch, events: words(k.Event), every: time.Minute, now: now}
	if len(p.events) == 0 {
		p.events = []string{"schedule"}
	}
	if d.Pipeline != nil && d.Pipeline.Primary != nil && d.Pipeline.Primary.Every > 0 {
		p.every = d.Pipeline.Primary.Every.Std()
	}
	if _, written := with["token"]; !written && d.Secret != nil {
		k.Token, _ = d.Secret(tokenSecret)
	}
	p.repo, err = shared(d, rest.Options{HTTP: d.HTTP, URL: k.APIURL, Token: k.Token, Now: now}, name)
	return p, err
}

// tokenSecret is the secret that stands in for a token, if it is declared.
const tokenSecret = "GITHUB_TOKEN"

// shared is the repository as all pipelines with the same token know it, and
// the client, whose limits are those of the token.
func shared(d kind.PrimaryDeps, o rest.Options, name rest.Repository) (*listing.Repository, error) {
	client, err := rest.New(o)
	if err != nil {
		return nil, err
	}
	if d.Shared == nil {
		return listing.New(client, name, o.Now), nil
	}
	who := fmt.Sprintf("github %s %x ", strings.TrimRight(o.URL, "/"), sha256.Sum256([]byte(o.Token)))
	client, _ = d.Shared.Get(who, func() any { return client }).(*rest.Client)
	repo, _ := d.Shared.Get(who+strings.ToLower(string(name)), func() any { return listing.New(client, name, o.Now) }).(*listing.Repository)
	return repo, nil
}

// maxSkew is how far the clock of the API may be from ours.
const maxSkew = 30 * time.Second

// Probe looks for the run of the slot, or at the run that was dispatched for it.
func (p *probe) Probe(ctx context.Context, w pipeline.Window) (pipeline.Reading, error) {
	switch {
	case w.Run != "":
		return p.one(ctx, w.Run), nil
	case w.Slot.IsZero():
		return unknown("a workflow has no state between its runs: it can back up a schedule, no service"), nil
	}
	l, err := p.list(ctx, w.Slot)
	switch {
	case err != nil:
		return failed(err), nil
	case skewed(l.Skew):
		return crooked(l.Skew, p.name()), nil
	}
	branch := p.branch
	if branch == "" {
		// GitHub runs schedules on the default branch alone: where only they
		// count, its name does no more than to confirm that.
		if branch, err = p.repo.Branch(ctx); err != nil && !slices.Equal(p.events, []string{"schedule"}) {
			return failed(err), nil
		}
	}
	runs := p.serving(l, w, branch)
	if len(runs) == 0 {
		return p.nothing(ctx, l, w), nil
	}
	for i := range runs {
		if runs[i].fresh || ended(&runs[i].Run) {
			continue
		}
		again, err := p.repo.Run(ctx, runs[i].ID, p.fresh()) // newer runs have pushed it off the page that is read
		if err != nil {
			return gone(err), nil
		}
		runs[i].Run = again.Run
	}
	r := decide(runs)
	r.Evidence["repository"] = string(p.repo.Name)
	return r, nil
}

// fresh is how old an answer may be: it is shared by those who ask meanwhile.
func (p *probe) fresh() time.Duration { return p.every / 2 }

func (p *probe) name() string { return p.workflow + " of " + string(p.repo.Name) }

// list asks for the runs since the slot: of the whole repository, which serves
// every pipeline, and of the workflow alone where that has too many.
func (p *probe) list(ctx context.Context, since time.Time) (*listing.List, error) {
	q := listing.Ask{Since: since, Fresh: p.fresh()}
	if p.slots[since] {
		q.Seen = p.seen // who looks again wants to see more
	}
	l, err := p.repo.Runs(ctx, q)
	if err != nil {
		return nil, err
	}
	if p.seen != l {
		p.seen, p.slots = l, map[time.Time]bool{}
	}
	if p.slots[since] = true; l.Err != nil {
		return nil, l.Err
	}
	if l.Reaches(since) {
		return l, nil
	}
	own, err := p.repo.RunsOf(ctx, listing.File(p.workflow), listing.Ask{Since: since, Fresh: p.fresh()})
	if err == nil {
		err = own.Err
	}
	if err != nil {
		return nil, err
	}
	return own, nil
}

// served is a run that serves the slot.
type served struct {
	rest.Run
	fresh bool // it is as the latest answer had it
}

// serving are the runs of the slot, the newest first.
func (p *probe) serving(l *listing.List, w pipeline.Window, branch string) []served {
	var out []served
	for i, run := range l.Runs {
		switch {
		case run.Created.Before(w.Slot), !w.Next.IsZero() && !run.Created.Before(w.Next):
		case branch != "" && run.Branch != branch && (run.Branch != "" || run.Event != "schedule"), !slices.Contains(p.events, run.Event), !run.Own():
		case listing.Names(p.workflow, run.Workflow, run.Path):
			out = append(out, served{run, i < l.Head})
		}
	}
	return out
}

// oldList is how old a list may be, near the limit of requests, that says of no run
// that it is missing.
const oldList = 2 * time.Minute

// nothing says that there is no run for the slot, and why, if the workflow's
// own state tells.
func (p *probe) nothing(ctx context.Context, l *listing.List, w pipeline.Window) pipeline.Reading {
	if !l.Reaches(w.Slot) {
		return unknown(fmt.Sprintf("there are more than %d runs of %s since the slot, and none of the newest serves it", len(l.Runs), p.name()))
	}
	if l.At.Before(w.Slot) || p.now().Sub(l.At) > max(p.every, oldList) && p.repo.Client.Pace() > 0 {
		r := unknown(fmt.Sprintf("the limit of requests is near, and the newest list of runs was asked for at %s: whether there is one of %s since the slot is not known", l.At.UTC().Format(time.RFC3339), p.name()))
		r.Evidence["asked"] = l.At.UTC().Format(time.RFC3339)
		return r
	}
	r := pipeline.Reading{Verdict: pipeline.Nothing, Reason: "no run of " + p.name() + " since the slot",
		Evidence: map[string]any{"repository": string(p.repo.Name), "runs": 0, "asked": l.At.UTC().Format(time.RFC3339)}}
	file, err := p.repo.Workflow(ctx, p.workflow)
	switch {
	case err != nil: // the list has answered, and that is what counts
	case file == nil && slices.ContainsFunc(l.Runs, func(run rest.Run) bool { return listing.Names(p.workflow, run.Workflow, run.Path) }):
		r.Evidence["state"] = "deleted"
		r.Reason += ": " + states["deleted"]
	case file == nil:
		r = unknown("GitHub knows no workflow " + p.name() + ": check primary.github-workflow.workflow, which is its file name or id")
		r.Refused = true
		r.Evidence["status"] = http.StatusNotFound
	default:
		r.URL = web(file.Page)
		r.Evidence["state"] = file.State
		if why, ok := states[file.State]; ok {
			r.Reason += ": " + why
		}
	}
	return r
}

// states are those of a workflow that explain why it does not run.
var states = map[string]string{
	"deleted":             "its file has been deleted",
	"disabled_fork":       "GitHub runs no schedules of a fork until they are enabled there",
	"disabled_inactivity": "GitHub has disabled it, for nothing happened in the repository for 60 days: enable it in the Actions tab or with github/dispatch",
	"disabled_manually":   "somebody has disabled it",
}

// one looks at one run, by its id.
func (p *probe) one(ctx context.Context, id string) pipeline.Reading {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return unknown(fmt.Sprintf("%q is no run of GitHub", id))
	}
	l, err := p.repo.Run(ctx, n, 0)
	switch {
	case err != nil:
		return gone(err)
	case skewed(l.Skew):
		return crooked(l.Skew, p.name())
	}
	r := decide([]served{{l.Run, true}})
	r.Evidence["repository"] = string(p.repo.Name)
	return r
}

func skewed(d time.Duration) bool { return d.Abs() > maxSkew }

// crooked is what can be said when one of the two clocks is wrong.
func crooked(d time.Duration, name string) pipeline.Reading {
	way := "ahead of"
	if d < 0 {
		way = "behind"
	}
	r := unknown(fmt.Sprintf("the clock of GitHub is %s %s ours, so nobody can tell which slot a run of %s belongs to: set the clock of this machine", d.Abs().Round(time.Second), way, name))
	r.Evidence["skew"] = d.Round(time.Second).String()
	return r
}

func unknown(why string) pipeline.Reading {
	return pipeline.Reading{Verdict: pipeline.Unknown, Reason: why, Evidence: map[string]any{}}
}

// gone is what an error says that was met when one run was asked for. That there
// is no such run is no fault of who asks: it has been deleted.
func gone(err error) pipeline.Reading {
	r := failed(err)
	var e *rest.Error
	r.Refused = r.Refused && errors.As(err, &e) && e.Status != http.StatusNotFound
	return r
}

// failed is what an error says of a primary: nothing.
func failed(err error) pipeline.Reading {
	r := unknown(err.Error())
	var e *rest.Error
	if errors.As(err, &e) {
		r.Refused = e.Refused
		if e.Status != 0 {
			r.Evidence["status"] = e.Status
		}
		if e.After > 0 {
			r.Evidence["retry-after"] = e.After.Round(time.Second).String()
		}
	}
	return r
}
