package github

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redundctl/redundctl/engine/kind/github/listing"
	"github.com/redundctl/redundctl/engine/kind/github/rest"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Dispatch starts the workflow on its branch.
func (p *probe) Dispatch(ctx context.Context, _ pipeline.Window) (pipeline.Reading, error) {
	branch := p.branch
	if branch == "" {
		var err error
		if branch, err = p.repo.Branch(ctx); err != nil {
			return pipeline.Reading{}, err
		}
	}
	d, sure, err := order(ctx, p.repo, rest.Order{Workflow: listing.File(p.workflow), Ref: branch})
	if err != nil {
		return pipeline.Reading{}, err
	}
	if d.ID == 0 {
		return pipeline.Reading{}, fmt.Errorf("GitHub has taken the dispatch of %s on %s, but lists no run for it yet: look for it in the Actions tab", p.name(), branch)
	}
	r := pipeline.Reading{Verdict: pipeline.UnderWay, Run: strconv.FormatInt(d.ID, 10), URL: web(d.Page),
		Reason:   fmt.Sprintf("run %d was dispatched on %s", d.ID, branch),
		Evidence: map[string]any{"repository": string(p.repo.Name), "run": d.ID, "event": "workflow_dispatch", "branch": branch, "named": sure}}
	return r, nil
}

// order starts a workflow and finds the run. An API that does not name it, as
// that of an older Enterprise Server, is asked for the runs since: sure reports
// that it was named. ID is 0 when no run turned up in time.
func order(ctx context.Context, r *listing.Repository, o rest.Order) (d rest.Dispatched, sure bool, err error) {
	d, a, err := r.Client.Dispatch(ctx, r.Name, o)
	if err != nil || d.ID != 0 {
		return d, d.ID != 0, err
	}
	since := a.Date
	if since.IsZero() {
		since = a.Received
	}
	since = since.Add(-a.Received.Sub(a.Sent) - time.Second).Truncate(time.Second) // both count in whole seconds
	return find(ctx, r, o, since), false, nil
}

// find looks for the run of an order until ctx is done; the zero value: there
// is none yet.
func find(ctx context.Context, r *listing.Repository, o rest.Order, since time.Time) rest.Dispatched {
	for pause := 200 * time.Millisecond; sleep(ctx, pause) == nil; pause = min(2*pause, 5*time.Second) {
		l, err := r.Runs(ctx, listing.Ask{Since: since})
		if err == nil {
			err = l.Err
		}
		var e *rest.Error
		if errors.As(err, &e) && (e.Refused || e.After > 0) {
			break // it was dispatched all the same
		}
		if err != nil {
			continue
		}
		for i := len(l.Runs) - 1; i >= 0; i-- { // the oldest since is the likeliest
			run := &l.Runs[i]
			if !run.Created.Before(since) && run.Event == "workflow_dispatch" && run.Branch == o.Ref && listing.Names(o.Workflow, run.Workflow, run.Path) {
				return rest.Dispatched{ID: run.ID, Page: run.Page}
			}
		}
	}
	return rest.Dispatched{}
}

// sleep waits, or gives the error of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Cancel ends a run that the schedule began. The reading may be old: a run that
// a person has started again since is his.
func (p *probe) Cancel(ctx context.Context, r pipeline.Reading) error {
	id, err := strconv.ParseInt(r.Run, 10, 64)
	switch {
	case err != nil:
		return fmt.Errorf("there is no run to cancel of %s", p.name())
	case !r.Scheduled:
		return fmt.Errorf("run %d of %s was not begun by its schedule: it is not cancelled", id, p.name())
	}
	l, err := p.repo.Run(ctx, id, 0)
	switch {
	case err != nil:
		return err
	case l.Run.Event != "schedule" || l.Run.Attempt > 1:
		return fmt.Errorf("run %d of %s was begun again by a person: it is not cancelled", id, p.name())
	case ended(&l.Run):
		return fmt.Errorf("run %d of %s is over already: it cannot be cancelled", id, p.name())
	}
	over, err := p.repo.Client.Cancel(ctx, p.repo.Name, id)
	if err == nil && over {
		err = fmt.Errorf("run %d of %s is over already: it cannot be cancelled", id, p.name())
	}
	return err
}
