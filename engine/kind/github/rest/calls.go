package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Run is one run of a workflow, as far as it is looked at. Created is that of
// its first attempt: a re-run keeps it, and its id.
type Run struct {
	ID         int64     `json:"id"`
	Workflow   int64     `json:"workflow_id"`
	Path       string    `json:"path"` // may end in @ref
	Branch     string    `json:"head_branch"`
	Event      string    `json:"event"`
	Status     string    `json:"status"`
	Conclusion string    `json:"conclusion"` // "" until it is completed
	Attempt    int       `json:"run_attempt"`
	Created    time.Time `json:"created_at"`
	Started    time.Time `json:"run_started_at"` // of this attempt
	Updated    time.Time `json:"updated_at"`
	Page       string    `json:"html_url"`
	Repository place     `json:"repository"`
	Head       place     `json:"head_repository"` // where its commit lies: a fork's pull request has another
}

type place struct {
	ID int64 `json:"id"`
}

// Own reports whether the commit of the run lies in the repository itself.
func (r *Run) Own() bool {
	return r.Head.ID == 0 || r.Repository.ID == 0 || r.Head.ID == r.Repository.ID
}

// tidy makes what was said fit to be shown and kept.
func (r *Run) tidy(c *Client) {
	for _, text := range []*string{&r.Path, &r.Branch, &r.Event, &r.Status, &r.Conclusion, &r.Page} {
		*text = c.clean(*text)
	}
}

// sound reports whether it is a run at all, and not what something else said.
func (r *Run) sound() bool { return r.ID > 0 && !r.Created.IsZero() && r.Status != "" }

// Workflow is one workflow file. State is active, deleted, disabled_fork,
// disabled_inactivity or disabled_manually.
type Workflow struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Path  string `json:"path"`
	State string `json:"state"`
	Page  string `json:"html_url"`
}

func (w *Workflow) tidy(c *Client) {
	for _, text := range []*string{&w.Name, &w.Path, &w.State, &w.Page} {
		*text = c.clean(*text)
	}
}

// some is a list of a page, which holds no more than that: a short text could
// else become a list that fills the memory.
type some[T any] []T

// UnmarshalJSON reads the list.
func (s *some[T]) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if begin, err := d.Token(); err != nil || begin != json.Delim('[') {
		return errors.New("it is no list")
	}
	*s = some[T]{}
	for d.More() {
		var v T
		if err := d.Decode(&v); err != nil {
			return err
		}
		if *s = append(*s, v); len(*s) > PerPage {
			return fmt.Errorf("it has more than %d entries", PerPage)
		}
	}
	return nil
}

// Repository is the path of a repository, owner/name.
type Repository string

// Parse reads owner/name.
func Parse(name string) (Repository, error) {
	owner, repo, ok := strings.Cut(name, "/")
	for _, part := range []string{owner, repo} {
		if !ok || part == "" || part == "." || part == ".." || strings.Contains(part, "/") {
			return "", fmt.Errorf("repository %q is not owner/name", name)
		}
	}
	return Repository(name), nil
}

func (r Repository) path(rest ...string) string {
	owner, repo, _ := strings.Cut(string(r), "/")
	p := "/repos/" + url.PathEscape(owner) + "/" + url.PathEscape(repo)
	for _, part := range rest {
		p += "/" + url.PathEscape(part)
	}
	return p
}

// PerPage is how many runs or workflows one request gives at most.
const PerPage = 100

// Page asks for one page of a list.
type Page struct {
	Workflow string // "": of the whole repository; else its file name or id
	Number   int    // from 1
	ETag     string // of what is known
}

// Runs gives one page of runs, newest first. It filters nothing: GitHub
// answers filtered lists from an index that lags.
func (c *Client) Runs(ctx context.Context, r Repository, p Page) ([]Run, Answer, error) {
	var list struct {
		Total int        `json:"total_count"`
		Runs  *some[Run] `json:"workflow_runs"`
	}
	q := call{method: http.MethodGet, path: r.path("actions", "runs"), query: "per_page=" + strconv.Itoa(PerPage), etag: p.ETag, into: &list}
	if p.Workflow != "" {
		q.path = r.path("actions", "workflows", p.Workflow, "runs")
	}
	if p.Number > 1 {
		q.query += "&page=" + strconv.Itoa(p.Number)
	}
	a, err := c.do(ctx, q)
	switch {
	case err != nil || a.Unchanged():
		return nil, a, err
	case list.Runs == nil:
		return nil, a, c.garbage(q)
	}
	for i := range *list.Runs {
		if !(*list.Runs)[i].sound() {
			return nil, a, c.garbage(q)
		}
		(*list.Runs)[i].tidy(c)
	}
	if len(*list.Runs) == PerPage && list.Total > PerPage*max(p.Number, 1) {
		a.Next = true // where something between has dropped the header
	}
	return *list.Runs, a, nil
}

// Run gives one run.
func (c *Client) Run(ctx context.Context, r Repository, id int64) (Run, Answer, error) {
	var run Run
	q := call{method: http.MethodGet, path: r.path("actions", "runs", strconv.FormatInt(id, 10)), into: &run}
	a, err := c.do(ctx, q)
	if err == nil && (!run.sound() || run.ID != id) {
		err = c.garbage(q)
	}
	run.tidy(c)
	return run, a, err
}

// Branch gives the default branch.
func (c *Client) Branch(ctx context.Context, r Repository) (string, error) {
	var repo struct {
		Branch string `json:"default_branch"`
	}
	q := call{method: http.MethodGet, path: r.path(), into: &repo}
	_, err := c.do(ctx, q)
	if err == nil && repo.Branch == "" {
		err = c.garbage(q)
	}
	return c.clean(repo.Branch), err
}

// Workflows gives one page of the workflows, and whether there are more.
func (c *Client) Workflows(ctx context.Context, r Repository, number int) ([]Workflow, bool, error) {
	var list struct {
		Workflows *some[Workflow] `json:"workflows"`
	}
	q := call{method: http.MethodGet, path: r.path("actions", "workflows"), query: fmt.Sprintf("per_page=%d&page=%d", PerPage, number), into: &list}
	a, err := c.do(ctx, q)
	if err == nil && list.Workflows == nil {
		err = c.garbage(q)
	}
	if err != nil {
		return nil, false, err
	}
	for i := range *list.Workflows {
		(*list.Workflows)[i].tidy(c)
	}
	return *list.Workflows, a.Next, nil
}

// Workflow gives one workflow by its file name or id.
func (c *Client) Workflow(ctx context.Context, r Repository, workflow string) (Workflow, error) {
	var w Workflow
	q := call{method: http.MethodGet, path: r.path("actions", "workflows", workflow), into: &w}
	_, err := c.do(ctx, q)
	if err == nil && w.State == "" {
		err = c.garbage(q)
	}
	w.tidy(c)
	return w, err
}

// garbage is the error of an answer that is JSON and nothing of GitHub's.
func (c *Client) garbage(q call) error {
	return &Error{Text: c.doing(q) + ": the answer is not what GitHub answers: check api-url, and what stands between"}
}

// Order is a workflow_dispatch.
type Order struct {
	Workflow string // its file name or id
	Ref      string // a branch or a tag
	Inputs   map[string]any
}

// Path is where an order is sent to.
func (o Order) Path(r Repository) string {
	return r.path("actions", "workflows", o.Workflow, "dispatches")
}

// Dispatched is the run that an order made. ID is 0 when the API did not say.
type Dispatched struct {
	ID   int64  `json:"workflow_run_id"`
	Page string `json:"html_url"`
}

// Dispatch starts a workflow.
func (c *Client) Dispatch(ctx context.Context, r Repository, o Order) (Dispatched, Answer, error) {
	type order struct {
		Ref     string         `json:"ref"`
		Inputs  map[string]any `json:"inputs,omitempty"`
		Details bool           `json:"return_run_details,omitempty"`
	}
	var d Dispatched
	q := call{method: http.MethodPost, path: o.Path(r), body: order{o.Ref, o.Inputs, true}, into: &d}
	a, err := c.do(ctx, q)
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusUnprocessableEntity && strings.Contains(e.Text, "return_run_details") {
		q.body = order{o.Ref, o.Inputs, false} // an Enterprise Server that does not know it yet
		a, err = c.do(ctx, q)
	}
	d.Page = c.clean(d.Page)
	return d, a, err
}

// Rerun starts a run again. It keeps its id, and counts one attempt more.
func (c *Client) Rerun(ctx context.Context, r Repository, id int64) error {
	_, err := c.do(ctx, call{method: http.MethodPost, path: RunPath(r, id, "rerun")})
	return err
}

// Cancel asks for the end of a run. ended reports that it has ended already.
func (c *Client) Cancel(ctx context.Context, r Repository, id int64) (ended bool, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: RunPath(r, id, "cancel")})
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusConflict {
		return true, nil
	}
	return false, err
}

// RunPath is where a run is told what to do: rerun or cancel.
func RunPath(r Repository, id int64, what string) string {
	return r.path("actions", "runs", strconv.FormatInt(id, 10), what)
}

// Switch enables or disables a workflow.
func (c *Client) Switch(ctx context.Context, r Repository, workflow, what string) error {
	_, err := c.do(ctx, call{method: http.MethodPut, path: SwitchPath(r, workflow, what)})
	return err
}

// SwitchPath is where a workflow is told enable or disable.
func SwitchPath(r Repository, workflow, what string) string {
	return r.path("actions", "workflows", workflow, what)
}
