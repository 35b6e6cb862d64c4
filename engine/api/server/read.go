package server

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/meter"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/story"
)

func (s *Server) getStatus(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	if err := only(r.URL.Query()); err != nil {
		return 0, nil, err
	}
	st, err := s.e.Status(r.Context())
	return http.StatusOK, st, err
}

func (s *Server) getHealth(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	q := r.URL.Query()
	if err := only(q, "system"); err != nil {
		return 0, nil, err
	}
	h, err := s.e.CheckHealth(r.Context())
	name := q.Get("system")
	if err != nil || name == "" {
		return http.StatusOK, h, err
	}
	for _, x := range h.Systems {
		if x.Name == name {
			return http.StatusOK, api.Health{Status: x.Status, Systems: []api.SystemHealth{x}}, nil
		}
	}
	return 0, nil, &refusal{http.StatusNotFound, "there is no system " + brief(name), "redundctl status lists those that there are"}
}

func (s *Server) getPlan(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	if err := only(r.URL.Query()); err != nil {
		return 0, nil, err
	}
	p, err := s.e.Changes(r.Context())
	return http.StatusOK, p, err
}

func (s *Server) getList(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	if err := only(r.URL.Query()); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, s.e.List(), nil
}

func states() []string {
	return []string{"queued", "running", "succeeded", "failed", "timed-out", "cancelled", "skipped"}
}

// mostRuns is how many runs one answer has at most.
const mostRuns = 10000

func (s *Server) getRuns(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	q := r.URL.Query()
	if err := only(q, "name", "since", "state", "n", "before"); err != nil {
		return 0, nil, err
	}
	var f history.Filter
	var err error
	var n, before int64
	if n, err = number(q, "n", 50, mostRuns); err == nil && n == 0 {
		err = wrong("", "n is a number from 1")
	}
	if err == nil {
		before, err = number(q, "before", 0, 1<<62)
	}
	if err == nil && q.Has("since") {
		f.Since, err = since(q.Get("since"), time.Now())
	}
	if err == nil && q.Has("name") {
		f.System, f.Name, err = s.recorded(q.Get("name"))
	}
	if err != nil {
		return 0, nil, err
	}
	f.Limit, f.Before = int(n), before
	if x := q.Get("state"); q.Has("state") {
		if !slices.Contains(states(), x) {
			return 0, nil, wrong("", "state is one of %s, not %s", strings.Join(states(), ", "), brief(x))
		}
		f.States = []pipeline.State{pipeline.State(x)}
	}
	runs, err := s.records.Runs(r.Context(), f)
	if err != nil {
		return 0, nil, err
	}
	if name := q.Get("name"); len(runs) == 0 && name != "" && !s.written(name) {
		ever, err := s.records.Runs(r.Context(), history.Filter{System: f.System, Name: f.Name, Limit: 1})
		if err != nil {
			return 0, nil, err
		}
		if len(ever) == 0 {
			return 0, nil, unknown(name)
		}
	}
	out := make([]api.Run, 0, len(runs))
	for _, x := range runs {
		out = append(out, api.Of(x))
	}
	return http.StatusOK, out, nil
}

func unknown(name string) error {
	return &refusal{http.StatusNotFound, "there is no pipeline or system " + brief(name), "redundctl list shows those that there are"}
}

// recorded is what a name means in the history, where pipelines that are gone
// are known too.
func (s *Server) recorded(name string) (system, pipe string, err error) {
	p := s.e.Project()
	if found := p.Find(name); len(found) == 1 {
		return found[0].System, found[0].Name, nil
	} else if len(found) > 1 {
		var ids []string
		for _, x := range found {
			ids = append(ids, x.ID())
		}
		return "", "", wrong("write one of them", "the name %s means %s", brief(name), strings.Join(ids, " and "))
	}
	if system, pipe, ok := strings.Cut(name, "/"); ok {
		return system, pipe, nil
	}
	if _, ok := p.Config.Systems[name]; ok {
		return name, "", nil
	}
	return "", name, nil
}

// written reports whether the project's files know a name.
func (s *Server) written(name string) bool {
	p := s.e.Project()
	_, system := p.Config.Systems[name]
	return system || len(p.Find(name)) > 0 || len(p.Rejected(name)) > 0
}

func (s *Server) getRun(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	if err := only(r.URL.Query()); err != nil {
		return 0, nil, err
	}
	id, err := runID(r)
	if err != nil {
		return 0, nil, err
	}
	run, err := s.records.Run(r.Context(), id)
	if err != nil {
		return 0, nil, err
	}
	steps, err := s.records.Steps(r.Context(), id)
	if err != nil {
		return 0, nil, err
	}
	primary, err := story.Primary(r.Context(), s.records.Ledger, id)
	return http.StatusOK, api.Show(run, steps, primary), err
}

func runID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, wrong("redundctl runs lists them", "a run is a number, not %s", brief(r.PathValue("id")))
	}
	return id, nil
}

// only refuses questions that nobody would answer.
func only(q url.Values, keys ...string) error {
	for _, k := range slices.Sorted(maps.Keys(q)) {
		if !slices.Contains(keys, k) {
			return wrong("docs/reference/openapi.yaml describes the request", "nothing is known of %s", brief(k))
		}
		if len(q[k]) > 1 {
			return wrong("", "%s is given more than once", k)
		}
	}
	return nil
}

func number(q url.Values, key string, none, most int64) (int64, error) {
	if !q.Has(key) {
		return none, nil
	}
	n, err := strconv.ParseInt(q.Get(key), 10, 64)
	if err != nil || n < 0 || n > most {
		return 0, wrong("", "%s is a number from 0 to %d, not %s", key, most, brief(q.Get(key)))
	}
	return n, nil
}

func flag(q url.Values, key string) (bool, error) {
	if !q.Has(key) {
		return false, nil
	}
	b, err := strconv.ParseBool(q.Get(key))
	if err != nil {
		return false, wrong("", "%s is true or false, not %s", key, brief(q.Get(key)))
	}
	return b, nil
}

// since reads a time: RFC 3339, a date, or how long ago.
func since(s string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	d, err := pipeline.ParseDuration(s)
	if err != nil {
		return time.Time{}, wrong("", "%s is neither a time as 2027-03-28T00:00:00Z, nor a date, nor a length of time as 24h or 7d", brief(s))
	}
	return now.Add(-d.Std()), nil
}

// verdict is what /healthz says, kept for a moment: everybody may ask for it.
type verdict struct {
	s  *Server
	mu sync.Mutex
	at time.Time
	h  api.Alive
}

const verdictFor = time.Second

func (v *verdict) get(ctx context.Context) api.Alive {
	v.mu.Lock()
	defer v.mu.Unlock()
	if time.Since(v.at) < verdictFor {
		return v.h
	}
	h, err := v.s.e.CheckHealth(ctx)
	v.h.Status = h.Status
	switch {
	case ctx.Err() != nil:
		return api.Alive{Status: "unhealthy"}
	case err != nil && v.serving():
		v.h.Status = "unhealthy"
	case err != nil:
		v.h.Status = "stopped"
	}
	v.at = time.Now()
	return v.h
}

func (v *verdict) serving() bool {
	_, ok := v.s.e.Gauges()
	return ok
}

func (s *Server) healthz(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	a := s.alive.get(r.Context())
	if a.Status == "healthy" || a.Status == "degraded" {
		return http.StatusOK, a, nil
	}
	return http.StatusServiceUnavailable, a, nil
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) (int, any, error) {
	g, ok := s.e.Gauges()
	active, err := s.records.ActiveRuns(r.Context())
	if err != nil {
		return 0, nil, err
	}
	var b bytes.Buffer
	meter.Gauge(&b, "redundctl_up", "1: the engine serves.", one(ok))
	if ok {
		age := 0.0
		if g.Waiting > 0 && !g.Oldest.IsZero() {
			age = max(time.Since(g.Oldest).Seconds(), 0)
		}
		meter.Gauge(&b, "redundctl_queue_age_seconds", "How long the oldest run that is due has waited.", age)
		meter.Gauge(&b, "redundctl_pipelines", "Pipelines in force.", float64(g.Loaded))
		meter.Gauge(&b, "redundctl_reload_generation", "Grows with each set that is put in force.", float64(g.Generation))
		meter.Gauge(&b, "redundctl_reload_rejected_files", "Files that are not in force because of a mistake.", float64(g.Rejected))
	}
	health := meter.Metric{Name: "redundctl_health", Type: "gauge", Help: "1 for the verdict that holds."}
	health.Head(&b)
	now := s.alive.get(r.Context()).Status
	for _, x := range []string{"healthy", "degraded", "unhealthy"} {
		health.Value(&b, one(x == now), "status", x)
	}
	for _, p := range s.e.Project().Pipelines { // what is 0 is told too
		if _, ok := active[p.ID()]; !ok {
			active[p.ID()] = history.Active{}
		}
	}
	activeRuns(&b, active)
	probes, err := s.records.Ledger.Probes(r.Context())
	if err != nil {
		return 0, nil, err
	}
	primary := meter.Metric{Name: "redundctl_primary", Type: "gauge", Help: "1 for what the last look at the primary of a pipeline said."}
	primary.Head(&b)
	for _, p := range s.e.Project().Pipelines {
		if x, ok := probes[p.ID()]; ok && p.Primary != nil {
			primary.Value(&b, 1, "system", p.System, "pipeline", p.Name, "verdict", string(x.Verdict))
		}
	}
	s.e.WriteMetrics(&b)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.o.Limits.Write))
	_, _ = w.Write(b.Bytes())
	return 0, nil, nil
}

// activeRuns writes how many runs go on and wait, by system.
func activeRuns(b *bytes.Buffer, active map[string]history.Active) {
	by := map[[2]string]int{}
	for id, a := range active {
		system, _, _ := strings.Cut(id, "/")
		by[[2]string{system, "running"}] += len(a.Running)
		by[[2]string{system, "queued"}] += a.Queued
	}
	m := meter.Metric{Name: "redundctl_runs_active", Type: "gauge", Help: "Runs that have not ended, by state."}
	m.Head(b)
	keys := slices.SortedFunc(maps.Keys(by), func(x, y [2]string) int { return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1])) })
	for _, k := range keys {
		m.Value(b, float64(by[k]), "system", k[0], "state", k[1])
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

var errGone = errors.New("the caller has gone")
