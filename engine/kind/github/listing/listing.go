// Package listing is what is known of one repository of GitHub: its runs, its
// default branch and its workflows, asked for once for all who want to know.
package listing

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine/kind/github/rest"
)

// Repository is shared by all probes of one repository with one token. It is
// safe for concurrent use: who asks meanwhile waits for the same answer, with a
// deadline of his own.
type Repository struct {
	Client *rest.Client
	Name   rest.Repository
	now    func() time.Time

	all       *feed
	branch    *kept[string]
	workflows *kept[[]rest.Workflow]

	mu    sync.Mutex
	feeds map[string]*feed        // of one workflow alone
	runs  map[int64]*kept[Looked] // of runs that were asked for alone
	files map[string]*kept[rest.Workflow]
}

// New makes a Repository of which nothing is known.
func New(c *rest.Client, name rest.Repository, now func() time.Time) *Repository {
	return &Repository{
		Client: c, Name: name, now: now,
		all: newFeed(""), branch: newKept[string](), workflows: newKept[[]rest.Workflow](),
		feeds: map[string]*feed{}, runs: map[int64]*kept[Looked]{}, files: map[string]*kept[rest.Workflow]{},
	}
}

// How long answers serve that seldom change, and errors instead of them.
const (
	branchFor   = time.Hour
	workflowFor = 15 * time.Minute
	missingFor  = 5 * time.Minute
	errorFor    = 30 * time.Second
)

// branchTime is how long an answer is waited for that most can do without.
const branchTime = 5 * time.Second

// Branch is the default branch.
func (r *Repository) Branch(ctx context.Context) (string, error) {
	return r.branch.get(ctx, r.now, age{branchFor, errorFor}, func(ctx context.Context) (string, error) {
		ctx, stop := context.WithTimeout(ctx, branchTime)
		defer stop()
		return r.Client.Branch(ctx, r.Name)
	})
}

// workflowPages bounds how many pages of workflows are read, and workflowTime
// how long that takes: who asks has his answer already, and wants to know why.
const (
	workflowPages = 10
	workflowTime  = 3 * time.Second
)

// Workflow is the workflow that key, a file name or an id, names; nil: there is
// none. What is said may be a quarter of an hour old.
func (r *Repository) Workflow(ctx context.Context, key string) (*rest.Workflow, error) {
	all, err := r.workflows.get(ctx, r.now, age{workflowFor, errorFor}, func(ctx context.Context) ([]rest.Workflow, error) {
		ctx, stop := context.WithTimeout(ctx, workflowTime)
		defer stop()
		var all []rest.Workflow
		for n := 1; n <= workflowPages; n++ {
			page, more, err := r.Client.Workflows(ctx, r.Name, n)
			if err != nil {
				return nil, err
			}
			if all = append(all, page...); !more {
				break
			}
		}
		return all, nil
	})
	if err != nil {
		return nil, err
	}
	for i := range all {
		if Names(key, all[i].ID, all[i].Path) {
			return &all[i], nil
		}
	}
	w, err := of(r, r.files, key).get(ctx, r.now, age{workflowFor, missingFor}, func(ctx context.Context) (rest.Workflow, error) {
		ctx, stop := context.WithTimeout(ctx, workflowTime)
		defer stop()
		return r.Client.Workflow(ctx, r.Name, File(key))
	})
	if missing(err) {
		return nil, nil
	}
	return &w, err
}

// Looked is a run that was asked for alone.
type Looked struct {
	Run  rest.Run
	Skew time.Duration
}

// Run is one run, by its id. An answer serves for as long as fresh says.
func (r *Repository) Run(ctx context.Context, id int64, fresh time.Duration) (Looked, error) {
	return of(r, r.runs, id).get(ctx, r.now, age{max(fresh, r.Client.Pace()), fresh}, func(ctx context.Context) (Looked, error) {
		run, a, err := r.Client.Run(ctx, r.Name, id)
		return Looked{run, a.Skew()}, err
	})
}

// keptRuns bounds how many runs are known that were asked for alone.
const keptRuns = 1000

// of is what is kept for a key.
func of[K comparable, T any](r *Repository, m map[K]*kept[T], key K) *kept[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := m[key]
	if !ok {
		if len(m) >= keptRuns {
			clear(m)
		}
		k = newKept[T]()
		m[key] = k
	}
	return k
}

// Names reports whether key, the file name or the id of a workflow, means the
// one with this id and path, which may end in @ref.
func Names(key string, id int64, path string) bool {
	if n, err := strconv.ParseInt(key, 10, 64); err == nil {
		return n == id
	}
	path, _, _ = strings.Cut(path, "@")
	return path == key || path == workflows+key
}

const workflows = ".github/workflows/"

// File is how the API wants a workflow named: by its file name or its id.
func File(key string) string { return key[strings.LastIndex(key, "/")+1:] }

// newest orders runs, the newest first.
func newest(a, b rest.Run) int {
	return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
}

// merge puts a page of the newest runs before those that were known. What was
// known counts only where the page reaches it: between the two nothing may be
// missing. joined reports that it did.
func merge(page, known []rest.Run) (all []rest.Run, joined bool) {
	slices.SortStableFunc(page, newest)
	page = slices.CompactFunc(page, func(a, b rest.Run) bool { return a.ID == b.ID })
	ids := make(map[int64]bool, len(page))
	for i := range page {
		ids[page[i].ID] = true
	}
	all = page
	for i := range known {
		switch {
		case ids[known[i].ID]:
			joined = true
		case len(page) > 0 && newest(known[i], page[len(page)-1]) > 0:
			all = append(all, known[i])
		}
	}
	if !joined {
		return page, false
	}
	return all, true
}
