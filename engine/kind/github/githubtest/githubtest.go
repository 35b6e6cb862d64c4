// Package githubtest is a GitHub for tests, on loopback: the few calls that
// redundctl makes, in the shapes of GitHub's OpenAPI description (2022-11-28),
// with its ETags, pages, limits and faults. Point api-url at URL.
//
//	hub := githubtest.New(t)
//	id := hub.AddRun(githubtest.Run{Workflow: "nightly.yml", Created: slot})
//	hub.SetConclusion(id, "success")
package githubtest

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Repository is the one that a Run without another belongs to.
const Repository = "acme/site"

// Server is the stand-in. Its zero value is not useful. All methods may be
// called from several goroutines, while it serves.
type Server struct {
	URL string // the api-url

	t    testing.TB
	http *httptest.Server

	mu        sync.Mutex
	now       func() time.Time
	skew      time.Duration
	token     string // "": everybody may
	writes    bool   // the token may write
	limit     int
	left      int
	reset     time.Time
	fault     Fault
	noDetails bool
	delay     int // lists that pass before a dispatched run is listed
	lagging   bool
	lagged    []Run // what filtered lists show while they lag
	branches  map[string]string
	runs      []*Run
	workflows []*Workflow
	requests  []Request
	next      int64
}

// Run is one run of a workflow. Only Workflow must be given.
type Run struct {
	ID         int64
	Repository string // default Repository
	Workflow   string // its file name; it is made when it is not there
	Ref        string // what stands behind the path as @ref; "": nothing
	Branch     string // default main; NoBranch: none is said
	Event      string // default schedule
	Status     string // default queued, with a conclusion completed
	Conclusion string
	Attempt    int       // default 1
	Created    time.Time // default now
	Started    time.Time // default Created
	Updated    time.Time // default Created
	Fork       bool      // its commit lies in another repository
	Inputs     map[string]any

	hidden int // lists that pass before it is shown
}

// NoBranch is the branch of a run of which GitHub says null.
const NoBranch = "null"

// Workflow is one workflow file.
type Workflow struct {
	ID         int64
	Repository string
	File       string
	State      string // active

	gone bool
}

// Request is one that was made.
type Request struct {
	Method string
	Path   string // below the api-url
	Query  string
	Token  string // that was sent
	Status int    // of the answer; 0: it has none yet
}

// Fault is what a request gets in place of an answer. The zero value is none.
type Fault struct {
	Only   string // part of the path; "": all
	Status int
	Header map[string]string
	Body   string
	Hang   bool // no answer until the asker or the test gives up
}

// New starts one that ends with the test.
func New(t testing.TB) *Server {
	s := &Server{t: t, now: time.Now, limit: 5000, left: 5000, next: 1000, branches: map[string]string{}}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	s.URL = s.http.URL
	t.Cleanup(s.http.Close)
	return s
}

// Client is a client for it that leaves no connections behind.
func (s *Server) Client() *http.Client { return s.http.Client() }

// with changes the state under the lock.
func (s *Server) with(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// Clock sets the clock of the API; default time.Now.
func (s *Server) Clock(now func() time.Time) { s.with(func() { s.now = now }) }

// Skew sets the clock of the API ahead of that.
func (s *Server) Skew(d time.Duration) { s.with(func() { s.skew = d }) }

// Token makes the API ask for this token. writes: it may dispatch, cancel and
// so on; else these are answered with 403.
func (s *Server) Token(token string, writes bool) {
	s.with(func() { s.token, s.writes = token, writes })
}

// Limit leaves so many requests until reset. A 304 costs none with a token.
func (s *Server) Limit(left int, reset time.Time) { s.with(func() { s.left, s.reset = left, reset }) }

// Fail answers with a fault until Heal.
func (s *Server) Fail(f Fault) { s.with(func() { s.fault = f }) }

// Heal ends faults.
func (s *Server) Heal() { s.with(func() { s.fault = Fault{} }) }

// NoDetails makes dispatches answer 204, as before 2026 and on older Enterprise
// Servers; the run is listed only after as many lists.
func (s *Server) NoDetails(lists int) { s.with(func() { s.noDetails, s.delay = true, lists }) }

// Lag freezes what filtered lists show.
func (s *Server) Lag() {
	s.with(func() {
		s.lagging, s.lagged = true, nil
		for _, r := range s.runs {
			s.lagged = append(s.lagged, *r)
		}
	})
}

// SetBranch sets the default branch of a repository; default main.
func (s *Server) SetBranch(repository, branch string) {
	s.with(func() { s.branches[repository] = branch })
}

// AddWorkflow adds a workflow, or changes its state.
func (s *Server) AddWorkflow(file, state string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.workflow(Repository, file)
	w.State = state
	return w.ID
}

// RemoveWorkflow takes a workflow out of the list; its runs stay.
func (s *Server) RemoveWorkflow(file string) {
	s.with(func() { s.workflow(Repository, file).gone = true })
}

// workflow finds a workflow, or makes it.
func (s *Server) workflow(repository, file string) *Workflow {
	for _, w := range s.workflows {
		if w.Repository == repository && w.File == file {
			return w
		}
	}
	s.next++
	w := &Workflow{ID: s.next, Repository: repository, File: file, State: "active"}
	s.workflows = append(s.workflows, w)
	return w
}

// AddRun adds a run and gives its id.
func (s *Server) AddRun(r Run) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(r).ID
}

func (s *Server) add(r Run) *Run {
	r.Repository, r.Branch, r.Event = cmp.Or(r.Repository, Repository), cmp.Or(r.Branch, "main"), cmp.Or(r.Event, "schedule")
	if r.Conclusion != "" {
		r.Status = cmp.Or(r.Status, "completed")
	}
	r.Status, r.Attempt = cmp.Or(r.Status, "queued"), cmp.Or(r.Attempt, 1)
	if r.Created.IsZero() {
		r.Created = s.now()
	}
	r.Created = r.Created.UTC().Truncate(time.Second)
	if r.Started.IsZero() {
		r.Started = r.Created
	}
	if r.Updated.IsZero() {
		r.Updated = r.Created
	}
	s.workflow(r.Repository, r.Workflow)
	if s.next++; r.ID == 0 {
		r.ID = s.next
	}
	s.runs = append(s.runs, &r)
	slices.SortStableFunc(s.runs, func(a, b *Run) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID)) })
	return &r
}

// change changes one run.
func (s *Server) change(id int64, change func(*Run)) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.runs {
		if r.ID == id {
			change(r)
			r.Updated = s.now().UTC().Truncate(time.Second)
			return
		}
	}
	s.t.Errorf("there is no run %d", id)
}

// SetStatus brings a run to a status: queued, in_progress, waiting…
func (s *Server) SetStatus(id int64, status string) {
	s.change(id, func(r *Run) { r.Status, r.Conclusion = status, "" })
}

// SetConclusion ends a run.
func (s *Server) SetConclusion(id int64, conclusion string) {
	s.change(id, func(r *Run) { r.Status, r.Conclusion = "completed", conclusion })
}

// Rerun starts a run again, as a person does: it keeps its id and creation.
func (s *Server) Rerun(id int64) { s.change(id, s.again) }

func (s *Server) again(r *Run) {
	r.Attempt++
	r.Status, r.Conclusion, r.Started = "queued", "", s.now().UTC().Truncate(time.Second)
}

// RunOf gives a run as it is.
func (s *Server) RunOf(id int64) (Run, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.runs {
		if r.ID == id {
			return *r, true
		}
	}
	return Run{}, false
}

// State is that of a workflow.
func (s *Server) State(file string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.workflow(Repository, file).State
}

// Requests are those that were made, in order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Count is how many requests were answered with a status (0: any) whose method
// and path hold a text.
func (s *Server) Count(status int, part string) int {
	n := 0
	for _, r := range s.Requests() {
		if (status == 0 || r.Status == status) && strings.Contains(fmt.Sprintf("%s %s?%s", r.Method, r.Path, r.Query), part) {
			n++
		}
	}
	return n
}

// Forget forgets the requests that were made.
func (s *Server) Forget() { s.with(func() { s.requests = nil }) }
