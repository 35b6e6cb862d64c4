package services

import (
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/failover/takeover"
	"github.com/redundctl/redundctl/engine/health"
	"github.com/redundctl/redundctl/engine/meter"
	"github.com/redundctl/redundctl/engine/supervise"
)

// worst are the states of instances, the worst first: the first that one is in
// is the service's.
const worst = supervise.Errored + " " + supervise.Stopping + " " + supervise.Starting + " " + supervise.Running + " " + supervise.Stopped

// Shown says how a service does; nil: there is none of that id.
func (s *Services) Shown(id string) *api.Service {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.force == nil {
		return nil
	}
	p := s.force.Parts[id]
	if p == nil || p.Pipeline.Service == nil {
		return nil
	}
	list := s.sup.Instances(id)
	out := &api.Service{State: supervise.Stopped, PIDs: []int{}, Instances: []api.Instance{}}
	var since time.Time
	reason := s.broken[id]
	if reason != "" {
		out.State = supervise.Errored
	}
	if len(list) > 0 {
		out.State = worstOf(list)
	}
	for _, x := range list {
		out.Instances = append(out.Instances, api.Instance{State: x.State, PID: x.PID, Since: api.When(x.Since), Restarts: x.Restarts, Reason: api.Present(x.Reason)})
		out.Restarts += x.Restarts
		if x.PID != 0 {
			out.PIDs = append(out.PIDs, x.PID)
		}
		if x.State == out.State {
			since, reason = x.Since, x.Reason
		}
	}
	if w := s.watched[id]; w != nil {
		if !w.at.IsZero() {
			out.Primary = &api.Seen{Verdict: string(w.seen.Verdict), Reason: w.seen.Reason, At: api.When(w.at)}
		}
		if w.standby && len(list) == 0 {
			out.State, reason = idle(&w.state, reason, w.seen.Reason)
		}
		if w.standby && !w.state.Over() {
			out.Takeover = &api.Takeover{Since: api.When(w.state.Since), Held: w.state.Held, Reason: w.state.Reason}
		}
	}
	out.Since, out.Reason = api.When(since), api.Present(reason)
	return out
}

// idle is the state of a service in standby that does not run.
func idle(s *takeover.State, broken, seen string) (state, reason string) {
	switch {
	case broken != "":
		return supervise.Errored, broken
	case s.Phase == takeover.Yielding:
		return string(takeover.Yielding), s.Reason
	case seen == "":
		return supervise.Stopped, "nobody has looked at its primary yet"
	}
	return supervise.Stopped, "its primary: " + seen
}

func worstOf(list []supervise.Instance) string {
	for state := range strings.FieldsSeq(worst) {
		if slices.ContainsFunc(list, func(x supervise.Instance) bool { return x.State == state }) {
			return state
		}
	}
	return supervise.Stopped
}

// Judge adds what is wrong with services to what a verdict is made of.
func (s *Services) Judge(systems []health.System) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range systems {
		for j := range systems[i].Pipelines {
			p := &systems[i].Pipelines[j]
			p.Errored = s.broken[p.ID]
			for _, x := range s.sup.Instances(p.ID) {
				if x.State == supervise.Errored {
					p.Errored = x.Reason
				}
			}
			if w := s.watched[p.ID]; w != nil && w.standby && w.state.Inconclusive(policy(w.part.Pipeline.Primary)) {
				p.Unset = w.seen.Reason
			}
		}
	}
}

// WriteMetrics writes how services and their primaries do, as Prometheus reads it.
func (s *Services) WriteMetrics(w io.Writer) {
	s.mu.Lock()
	var ids []string
	verdicts := map[string]string{}
	if s.force != nil {
		ids = slices.Sorted(slices.Values(s.ids()))
		for id, x := range s.watched {
			if !x.at.IsZero() {
				verdicts[id] = string(x.seen.Verdict)
			}
		}
	}
	s.mu.Unlock()
	state := meter.Metric{Name: "redundctl_service_state", Type: "gauge", Help: "1 for the state that a service is in."}
	state.Head(w)
	var shown []*api.Service
	for _, id := range ids {
		x := s.Shown(id)
		shown = append(shown, x)
		if x != nil {
			state.Value(w, 1, "pipeline", id, "state", x.State)
		}
	}
	restarts := meter.Metric{Name: "redundctl_service_restarts_total", Type: "counter", Help: "Restarts of the processes of a service since they were first started."}
	restarts.Head(w)
	for i, x := range shown {
		if x != nil {
			restarts.Value(w, float64(x.Restarts), "pipeline", ids[i])
		}
	}
	primary := meter.Metric{Name: "redundctl_service_primary", Type: "gauge", Help: "1 for what the last look at the primary of a service showed."}
	primary.Head(w)
	for _, id := range slices.Sorted(maps.Keys(verdicts)) {
		primary.Value(w, 1, "pipeline", id, "verdict", verdicts[id])
	}
}
