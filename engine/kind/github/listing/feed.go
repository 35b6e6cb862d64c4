package listing

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/redundctl/redundctl/engine/kind/github/rest"
)

// List is the runs of a repository as they were at one time, newest first. It
// is never changed.
type List struct {
	Runs []rest.Run
	// Head is how many of them the latest answers held; the others are as they
	// were when they were newer.
	Head int
	// Whole reports that there are none before the last one.
	Whole bool
	At    time.Time     // when it was asked for
	Skew  time.Duration // between the API's clock and ours
	Err   error         // in place of runs

	came time.Time // when it was answered, or given up
	etag string
	page int // how many the first page holds
}

// Reaches reports whether every run since then is in the list.
func (l *List) Reaches(since time.Time) bool {
	return l.Whole || len(l.Runs) > 0 && l.Runs[len(l.Runs)-1].Created.Before(since)
}

// Ask is what somebody wants to know.
type Ask struct {
	Since time.Time     // runs created from then on
	Fresh time.Duration // how old an answer may be
	Seen  *List         // what he has seen already and wants a newer one of
}

const (
	pages    = 10   // of runs that are read at once, at most
	keepRuns = 5000 // at most
	// askTime bounds all of that. It is less than a look may take, 20 s, so that
	// all who wait have the error of a request that gets no answer.
	askTime = 15 * time.Second
)

// feed keeps the newest runs of a repository, or of one workflow.
type feed struct {
	workflow string // "": all
	turn     chan struct{}
	list     *List // guarded by turn
}

func newFeed(workflow string) *feed {
	f := &feed{workflow: workflow, turn: make(chan struct{}, 1)}
	f.turn <- struct{}{}
	return f
}

// Runs are the runs of the whole repository; a list that does not reach as far
// as asked has as many as are read at once. Its Err is an error of GitHub's;
// the error is that of a request that nobody waits for any longer.
func (r *Repository) Runs(ctx context.Context, q Ask) (*List, error) { return r.from(ctx, r.all, q) }

// RunsOf are the runs of one workflow, for a repository with so many runs that
// Runs does not reach far enough.
func (r *Repository) RunsOf(ctx context.Context, workflow string, q Ask) (*List, error) {
	r.mu.Lock()
	f, ok := r.feeds[workflow]
	if !ok {
		f = newFeed(workflow)
		r.feeds[workflow] = f
	}
	r.mu.Unlock()
	return r.from(ctx, f, q)
}

// from gives what is known, or asks when it is its turn. One request is under
// way at a time: who waited takes its answer when that is new enough.
func (r *Repository) from(ctx context.Context, f *feed, q Ask) (*List, error) {
	began := r.now()
	select {
	case <-f.turn:
		defer func() { f.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, errors.New("no answer in time from " + r.Client.Address(""))
	}
	if l := f.list; l != nil && r.serves(l, q, began) {
		return l, nil
	}
	within, stop := context.WithTimeout(ctx, askTime)
	defer stop()
	l := r.ask(within, f, q)
	l.came = r.now()
	if l.Err != nil && ctx.Err() != nil {
		return nil, l.Err // that of one who waited too little, not of all
	}
	if l.Err != nil && f.list != nil {
		l.Runs, l.etag, l.page, l.Whole = f.list.Runs, f.list.etag, f.list.page, f.list.Whole // for the next answer
	}
	f.list = l
	return l, nil
}

// serves reports whether what is known answers the question.
func (r *Repository) serves(l *List, q Ask, began time.Time) bool {
	age := r.now().Sub(l.At)
	switch {
	case age < 0: // the clock was set back
		return false
	case l.Err == nil && !l.Reaches(q.Since) && len(l.Runs) < keepRuns:
		return false
	case age < r.Client.Pace():
		return true // whatever is wanted: who reads it looks at its age
	case l.At.Before(q.Since):
		return false // it cannot show a run of a slot that was still to come
	}
	return l != q.Seen && (age < q.Fresh || l.At.After(began) || l.Err != nil && !l.came.Before(began))
}

// ask asks for the newest runs, and for older ones as far as they are wanted.
func (r *Repository) ask(ctx context.Context, f *feed, q Ask) *List {
	l := &List{At: r.now()}
	old := f.list
	if old == nil {
		old = &List{}
	}
	runs, a, err := r.Client.Runs(ctx, r.Name, rest.Page{Workflow: f.workflow, Number: 1, ETag: old.etag})
	switch {
	case err != nil:
		l.Err = err
		return l
	case a.Unchanged():
		l.Runs, l.etag, l.page, l.Head, l.Whole = old.Runs, old.etag, old.page, old.page, old.Whole
	default:
		var joined bool
		l.Runs, joined = merge(runs, old.Runs)
		l.etag, l.page, l.Head = a.ETag, len(runs), len(runs)
		l.Whole = !a.Next || joined && old.Whole
		if !a.Next {
			l.Runs = l.Runs[:min(len(l.Runs), l.page)]
		}
	}
	l.Skew = a.Skew()
	for n := 0; n < pages-1 && !l.Reaches(q.Since) && len(l.Runs) < keepRuns; n++ {
		runs, a, err := r.Client.Runs(ctx, r.Name, rest.Page{Workflow: f.workflow, Number: len(l.Runs)/rest.PerPage + 1})
		if err != nil {
			l.Err = err
			return l
		}
		before := len(l.Runs)
		all := append(l.Runs[:before:before], runs...)
		l.Runs, _ = merge(all, nil)
		if l.Head == before {
			l.Head = len(l.Runs)
		}
		if l.Whole = !a.Next; len(l.Runs) == before {
			break
		}
	}
	if len(l.Runs) > keepRuns {
		l.Runs, l.Whole = l.Runs[:keepRuns:keepRuns], false
	}
	return l
}

func missing(err error) bool {
	var e *rest.Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound
}

// age is how old an answer may be, and an error in place of one.
type age struct{ answer, err time.Duration }

// kept is one answer that serves for a while.
type kept[T any] struct {
	turn  chan struct{}
	value T // guarded by turn, as what follows
	err   error
	at    time.Time // zero: nobody has asked yet
}

func newKept[T any]() *kept[T] {
	k := &kept[T]{turn: make(chan struct{}, 1)}
	k.turn <- struct{}{}
	return k
}

// get gives what is kept, or asks.
func (k *kept[T]) get(ctx context.Context, now func() time.Time, old age, ask func(context.Context) (T, error)) (T, error) {
	select {
	case <-k.turn:
		defer func() { k.turn <- struct{}{} }()
	case <-ctx.Done():
		var none T
		return none, errors.New("no answer in time")
	}
	serves := old.answer
	if k.err != nil {
		serves = old.err
	}
	if since := now().Sub(k.at); !k.at.IsZero() && since >= 0 && since < serves {
		return k.value, k.err
	}
	at := now()
	value, err := ask(ctx)
	if err != nil && ctx.Err() != nil {
		return value, err
	}
	k.value, k.err, k.at = value, err, at
	return value, err
}
