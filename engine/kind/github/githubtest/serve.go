package githubtest

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// reply is an answer before it is written.
type reply struct {
	status int
	body   any // nil: none
	link   string
	read   bool // it may be answered with 304
}

func say(status int, message string) reply {
	return reply{status: status, body: map[string]any{"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status)}}
}

// serve answers one request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	at := len(s.requests)
	s.requests = append(s.requests, Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Token: token})
	f := s.fault
	faulty := (f.Hang || f.Status != 0) && strings.Contains(r.URL.Path, f.Only)
	w.Header().Set("Date", s.now().Add(s.skew).UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-GitHub-Media-Type", "github.v3; format=json")
	if faulty {
		s.done(at, f.Status)
		s.mu.Unlock()
		s.fail(w, r, f)
		return
	}
	a := s.answer(r, token)
	text, tag := encode(a, token)
	unchanged := a.read && a.status == http.StatusOK && r.Header.Get("If-None-Match") == tag
	status := a.status
	if unchanged {
		status = http.StatusNotModified
	}
	if !(unchanged && token != "") && s.left > 0 {
		s.left--
	}
	reset := s.reset
	if reset.IsZero() {
		reset = s.now().Add(s.skew + time.Hour)
	}
	h := w.Header()
	for k, v := range map[string]string{
		"X-RateLimit-Limit": strconv.Itoa(s.limit), "X-RateLimit-Remaining": strconv.Itoa(s.left), "X-RateLimit-Used": strconv.Itoa(s.limit - s.left),
		"X-RateLimit-Reset": strconv.FormatInt(reset.Unix(), 10), "X-RateLimit-Resource": "core",
	} {
		h.Set(k, v)
	}
	if a.link != "" {
		h.Set("Link", a.link)
	}
	if a.read && a.status == http.StatusOK {
		h.Set("ETag", tag)
		h.Set("Cache-Control", "private, max-age=60, s-maxage=60")
	}
	s.done(at, status)
	s.mu.Unlock()
	w.WriteHeader(status)
	if !unchanged && a.body != nil {
		_, _ = w.Write(text)
	}
}

// done keeps what a request was answered with; it may have been forgotten.
func (s *Server) done(at, status int) {
	if at < len(s.requests) {
		s.requests[at].Status = status
	}
}

// fail is an answer with a fault.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, f Fault) {
	for k, v := range f.Header {
		w.Header().Set(k, v)
	}
	if f.Hang {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		return
	}
	w.WriteHeader(f.Status)
	_, _ = io.WriteString(w, f.Body)
}

// encode is the body with its tag, which depends on who asks.
func encode(a reply, token string) ([]byte, string) {
	text, err := json.Marshal(a.body)
	if err != nil {
		text = []byte(err.Error())
	}
	return text, fmt.Sprintf(`W/"%x"`, sha256.Sum256([]byte(a.link+token+string(text))))
}

// answer is what the API says. The lock is held.
func (s *Server) answer(r *http.Request, token string) reply {
	switch {
	case s.left <= 0:
		return say(http.StatusForbidden, "API rate limit exceeded for user ID 1.")
	case s.token != "" && token != "" && token != s.token:
		return say(http.StatusUnauthorized, "Bad credentials")
	case s.token != "" && token == "":
		return say(http.StatusNotFound, "Not Found")
	case r.Method != http.MethodGet && s.token == "" && token == "":
		return say(http.StatusUnauthorized, "Requires authentication")
	case r.Method != http.MethodGet && s.token != "" && !s.writes:
		return say(http.StatusForbidden, "Resource not accessible by personal access token")
	}
	path := strings.TrimPrefix(r.URL.Path, "/api/v3") // as on an Enterprise Server
	part := strings.Split(strings.Trim(path, "/"), "/")
	if len(part) < 3 || part[0] != "repos" {
		return say(http.StatusNotFound, "Not Found")
	}
	repository, rest := part[1]+"/"+part[2], part[3:]
	if !s.knows(repository) {
		return say(http.StatusNotFound, "Not Found")
	}
	switch {
	case len(rest) == 0:
		return reply{status: http.StatusOK, read: true, body: map[string]any{
			"id": repositoryID, "full_name": repository, "default_branch": cmp.Or(s.branches[repository], "main"), "private": true,
		}}
	case len(rest) >= 2 && rest[0] == "actions" && rest[1] == "runs":
		return s.answerRuns(r, repository, rest[2:])
	case len(rest) >= 2 && rest[0] == "actions" && rest[1] == "workflows":
		return s.answerWorkflows(r, repository, rest[2:])
	}
	return say(http.StatusNotFound, "Not Found")
}

const repositoryID = 1296269

// knows reports whether there is such a repository: the usual one, and every
// one of which something is known.
func (s *Server) knows(repository string) bool {
	return strings.EqualFold(repository, Repository) || s.branches[repository] != "" ||
		slices.ContainsFunc(s.workflows, func(w *Workflow) bool { return w.Repository == repository })
}

func (s *Server) answerRuns(r *http.Request, repository string, rest []string) reply {
	if len(rest) == 0 {
		return s.list(r, repository, "")
	}
	for _, run := range s.runs {
		if run.Repository != repository || strconv.FormatInt(run.ID, 10) != rest[0] {
			continue
		}
		switch r.Method + " " + strings.Join(rest[1:], "/") {
		case "GET ":
			return reply{status: http.StatusOK, read: true, body: s.shape(*run)}
		case "POST cancel":
			if run.Status == "completed" {
				return say(http.StatusConflict, "Cannot cancel a workflow run that is completed.")
			}
			run.Status, run.Conclusion = "completed", "cancelled"
			return reply{status: http.StatusAccepted, body: map[string]any{}}
		case "POST rerun":
			if run.Status != "completed" {
				return say(http.StatusForbidden, "This workflow is already running")
			}
			s.again(run)
			return reply{status: http.StatusCreated, body: map[string]any{}}
		}
	}
	return say(http.StatusNotFound, "Not Found")
}

func (s *Server) answerWorkflows(r *http.Request, repository string, rest []string) reply {
	if len(rest) == 0 {
		var all []any
		for _, w := range s.workflows {
			if w.Repository == repository && !w.gone {
				all = append(all, shapeWorkflow(*w))
			}
		}
		return page(r, "workflows", all)
	}
	for _, w := range s.workflows {
		if w.gone || w.Repository != repository || w.File != rest[0] && strconv.FormatInt(w.ID, 10) != rest[0] {
			continue
		}
		switch r.Method + " " + strings.Join(rest[1:], "/") {
		case "GET ":
			return reply{status: http.StatusOK, read: true, body: shapeWorkflow(*w)}
		case "GET runs":
			return s.list(r, repository, w.File)
		case "PUT enable":
			w.State = "active"
			return reply{status: http.StatusNoContent}
		case "PUT disable":
			w.State = "disabled_manually"
			return reply{status: http.StatusNoContent}
		case "POST dispatches":
			return s.dispatch(r, w)
		}
	}
	return say(http.StatusNotFound, "Not Found")
}

// dispatch starts a workflow, as POST …/dispatches does.
func (s *Server) dispatch(r *http.Request, w *Workflow) reply {
	var order struct {
		Ref     string         `json:"ref"`
		Inputs  map[string]any `json:"inputs"`
		Details bool           `json:"return_run_details"`
	}
	err := json.NewDecoder(r.Body).Decode(&order)
	switch {
	case err != nil:
		return say(http.StatusBadRequest, "Problems parsing JSON")
	case order.Ref == "" || order.Ref == "no-such-branch":
		return say(http.StatusUnprocessableEntity, "No ref found for: "+order.Ref)
	case w.State != "active":
		return say(http.StatusUnprocessableEntity, "Cannot trigger a 'workflow_dispatch' on a disabled workflow")
	}
	for k, v := range order.Inputs {
		if _, ok := v.(string); !ok {
			return say(http.StatusUnprocessableEntity, "Invalid value for input '"+k+"'")
		}
	}
	run := s.add(Run{Repository: w.Repository, Workflow: w.File, Branch: order.Ref, Event: "workflow_dispatch", Inputs: order.Inputs, hidden: s.delay})
	if s.noDetails || !order.Details {
		return reply{status: http.StatusNoContent}
	}
	shape := s.shape(*run)
	return reply{status: http.StatusOK, body: map[string]any{"workflow_run_id": run.ID, "run_url": shape["url"], "html_url": shape["html_url"]}}
}

// list is a page of runs. A filter makes it come from an index that may lag.
func (s *Server) list(r *http.Request, repository, file string) reply {
	var all []Run
	for _, run := range s.runs {
		if run.hidden > 0 {
			run.hidden--
			continue
		}
		all = append(all, *run)
	}
	q := r.URL.Query()
	filters := []string{"actor", "branch", "check_suite_id", "created", "event", "head_sha", "status"}
	if s.lagging && slices.ContainsFunc(filters, q.Has) {
		all = s.lagged
	}
	var out []any
	for _, run := range all {
		if run.Repository == repository && (file == "" || run.Workflow == file) &&
			(!q.Has("event") || run.Event == q.Get("event")) && (!q.Has("branch") || run.Branch == q.Get("branch")) {
			out = append(out, s.shape(run))
		}
	}
	return page(r, "workflow_runs", out)
}

// page is one page of a list, with the links of its neighbours.
func page(r *http.Request, key string, all []any) reply {
	q := r.URL.Query()
	per, number := 30, 1
	if n, err := strconv.Atoi(q.Get("per_page")); err == nil && n > 0 {
		per = min(n, 100)
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 0 {
		number = n
	}
	from, to := min((number-1)*per, len(all)), min(number*per, len(all))
	out := reply{status: http.StatusOK, read: true, body: map[string]any{"total_count": len(all), key: append([]any{}, all[from:to]...)}}
	var links []string
	link := func(rel string, n int) {
		q.Set("page", strconv.Itoa(n))
		u := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: q.Encode()}
		links = append(links, fmt.Sprintf(`<%s>; rel=%q`, u.String(), rel))
	}
	if number > 1 {
		link("prev", number-1)
	}
	if to < len(all) {
		link("next", number+1)
		link("last", (len(all)+per-1)/per)
	}
	out.link = strings.Join(links, ", ")
	return out
}

// shape is a run as the API gives it.
func (s *Server) shape(r Run) map[string]any {
	var conclusion, previous, branch any
	if r.Branch != NoBranch {
		branch = r.Branch
	}
	if r.Conclusion != "" {
		conclusion = r.Conclusion
	}
	api := fmt.Sprintf("%s/repos/%s/actions/runs/%d", s.URL, r.Repository, r.ID)
	if r.Attempt > 1 {
		previous = fmt.Sprintf("%s/attempts/%d", api, r.Attempt-1)
	}
	path := ".github/workflows/" + r.Workflow
	if r.Ref != "" {
		path += "@" + r.Ref
	}
	head := map[string]any{"id": repositoryID, "full_name": r.Repository}
	if r.Fork {
		head = map[string]any{"id": repositoryID + 1, "full_name": "somebody/site"}
	}
	actor := map[string]any{"login": "octocat", "id": 1, "type": "User"}
	return map[string]any{
		"id": r.ID, "name": strings.TrimSuffix(r.Workflow, ".yml"), "node_id": "WFR_1", "check_suite_id": 42, "check_suite_node_id": "CS_42",
		"head_branch": branch, "head_sha": "acb5820ced9479c074f688cc328bf03f341a511d", "path": path, "run_number": 562, "run_attempt": r.Attempt,
		"referenced_workflows": []any{}, "event": r.Event, "display_title": "Update", "status": r.Status, "conclusion": conclusion,
		"workflow_id": s.workflow(r.Repository, r.Workflow).ID, "url": api, "html_url": fmt.Sprintf("https://github.com/%s/actions/runs/%d", r.Repository, r.ID),
		"pull_requests": []any{}, "created_at": stamp(r.Created), "updated_at": stamp(r.Updated), "run_started_at": stamp(r.Started),
		"actor": actor, "triggering_actor": actor, "jobs_url": api + "/jobs", "logs_url": api + "/logs", "cancel_url": api + "/cancel", "rerun_url": api + "/rerun",
		"previous_attempt_url": previous, "head_commit": nil, "repository": map[string]any{"id": repositoryID, "full_name": r.Repository}, "head_repository": head,
	}
}

func shapeWorkflow(w Workflow) map[string]any {
	return map[string]any{
		"id": w.ID, "node_id": "W_1", "name": strings.TrimSuffix(w.File, ".yml"), "path": ".github/workflows/" + w.File, "state": w.State,
		"created_at": "2026-01-08T23:48:37.000-08:00", "updated_at": "2026-01-08T23:50:21.000-08:00",
		"html_url": fmt.Sprintf("https://github.com/%s/blob/main/.github/workflows/%s", w.Repository, w.File),
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
