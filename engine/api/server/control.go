package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/pipeline"
)

func by(r *http.Request) string { return peerOf(r.Context()).Name() }

// control prepares for an action: it takes no parameters but its body, and goes
// on when the caller does not wait for the end of it, but not beyond the end of
// the server.
func (s *Server) control(w http.ResponseWriter, r *http.Request, body any) (context.Context, context.CancelFunc, error) {
	err := only(r.URL.Query())
	if err == nil {
		err = read(w, r, body)
	}
	ctx, cancel := context.WithTimeout(s.base, s.o.Limits.Write)
	return ctx, cancel, err
}

// note leaves an event of what somebody asked of the whole engine.
func (s *Server) note(ctx context.Context, what, detail string) error {
	return s.records.Event(ctx, pipeline.Event{What: what, Detail: detail})
}

func (s *Server) postRun(w http.ResponseWriter, r *http.Request) (int, any, error) {
	var q api.RunRequest
	ctx, cancel, err := s.control(w, r, &q)
	defer cancel()
	if err != nil {
		return 0, nil, err
	}
	if q.Pipeline == "" {
		return 0, nil, wrong("", "pipeline is missing: name the one that is to run")
	}
	x := engine.RunRequest{Params: q.Params, Env: q.Env}
	if q.Slot != nil {
		if x.Slot, err = time.Parse(time.RFC3339, *q.Slot); err != nil {
			return 0, nil, wrong("", "slot: %s is no time as 2027-03-28T00:00:00Z", brief(*q.Slot))
		}
	}
	run, err := s.e.Trigger(ctx, q.Pipeline, by(r), x)
	return http.StatusAccepted, api.Of(run), err
}

func (s *Server) postCancel(w http.ResponseWriter, r *http.Request) (int, any, error) {
	ctx, cancel, err := s.control(w, r, &struct{}{})
	defer cancel()
	id, bad := runID(r)
	if err = errors.Join(err, bad); err != nil {
		return 0, nil, err
	}
	before, err := s.records.Run(ctx, id)
	if err != nil {
		return 0, nil, err
	}
	out := api.Cancelled{Asked: !before.State.Done()}
	if out.Asked {
		if _, err := s.e.Cancel(ctx, id, by(r)); err != nil {
			return 0, nil, err
		}
	}
	after, err := s.records.Run(ctx, id)
	out.Run = api.Of(after)
	return http.StatusOK, out, err
}

func (s *Server) postRetry(w http.ResponseWriter, r *http.Request) (int, any, error) {
	ctx, cancel, err := s.control(w, r, &struct{}{})
	defer cancel()
	id, bad := runID(r)
	if err = errors.Join(err, bad); err != nil {
		return 0, nil, err
	}
	run, err := s.e.Retry(ctx, id, by(r))
	return http.StatusAccepted, api.Of(run), err
}

// postPart starts and stops a system or a pipeline; a bare name may stand for
// either.
func (s *Server) postPart(w http.ResponseWriter, r *http.Request) (int, any, error) {
	ctx, cancel, err := s.control(w, r, &struct{}{})
	defer cancel()
	if err != nil {
		return 0, nil, err
	}
	name := r.PathValue("system")
	if pipe := r.PathValue("name"); pipe != "" {
		name += "/" + pipe
	}
	var turn func(ctx context.Context, name, by string) error
	switch action := r.PathValue("action"); action {
	case "stop":
		turn = s.e.StopPart
	case "start":
		turn = s.e.StartPart
	case "restart":
		turn = s.e.RestartPart
	case "takeover":
		turn = s.e.Takeover
	case "failback":
		turn = s.e.Failback
	default:
		return 0, nil, &refusal{http.StatusNotFound, "a part cannot be told " + brief(action), "the actions are start, stop, restart, takeover and failback"}
	}
	err = turn(ctx, name, by(r))
	if usage := new(engine.UsageError); errors.As(err, &usage) {
		return 0, nil, &refusal{http.StatusNotFound, usage.Message, "redundctl status lists what there is"}
	}
	if err != nil {
		return 0, nil, err
	}
	out, err := s.turned(ctx, name)
	return http.StatusOK, out, err
}

// turned gives the state of a part.
func (s *Server) turned(ctx context.Context, name string) (api.Turned, error) {
	st, err := s.e.Status(ctx)
	if err != nil {
		return api.Turned{}, err
	}
	for _, x := range st.Systems {
		if x.Name == name {
			return api.Turned{Name: name, State: x.State}, nil
		}
	}
	// A pipeline may be meant by more than its name.
	if found := s.e.Project().Find(name); len(found) == 1 {
		name = found[0].ID()
	}
	for _, x := range st.Parts {
		if x.System+"/"+x.Name == name || x.Name == name {
			return api.Turned{Name: x.System + "/" + x.Name, State: x.State}, nil
		}
	}
	return api.Turned{}, unknown(name)
}

func (s *Server) postStop(w http.ResponseWriter, r *http.Request) (int, any, error) {
	var q api.StopRequest
	ctx, cancel, err := s.control(w, r, &q)
	defer cancel()
	if err != nil {
		return 0, nil, err
	}
	if s.o.Stop == nil {
		return 0, nil, &refusal{http.StatusConflict, "this engine is part of another program", "stop that program"}
	}
	how := ""
	switch {
	case q.Force && q.Drain != nil:
		return 0, nil, wrong("leave one of them out", "drain and force exclude each other")
	case q.Force:
		s.e.SetDrain(0)
		how = ", at once"
	case q.Drain != nil:
		d, err := pipeline.ParseDuration(*q.Drain)
		if err != nil {
			return 0, nil, wrong("", "drain: %s is no length of time as 5s", brief(*q.Drain))
		}
		s.e.SetDrain(d.Std())
		how = ", runs may take " + d.String()
	}
	st, err := s.e.Status(ctx)
	if err != nil {
		return 0, nil, err
	}
	// On a full disk there is no event, and the engine must end nevertheless.
	if err := s.note(ctx, "engine-stop", fmt.Sprintf("by %s%s", by(r), how)); err != nil {
		s.log.Warn("an event could not be recorded", "event", "engine-stop", "error", err)
	}
	s.log.Info("asked to stop", "by", by(r))
	s.answer(w, http.StatusAccepted, st.Engine)
	_ = http.NewResponseController(w).Flush()
	s.o.Stop()
	return 0, nil, nil
}

func (s *Server) postReload(w http.ResponseWriter, r *http.Request) (int, any, error) {
	ctx, cancel, err := s.control(w, r, &struct{}{})
	defer cancel()
	if err != nil {
		return 0, nil, err
	}
	if err := s.note(ctx, "reload", "by "+by(r)); err != nil {
		return 0, nil, err
	}
	if err := s.e.Reload(ctx); err != nil {
		return 0, nil, err
	}
	st, err := s.e.Status(ctx)
	return http.StatusOK, st.Reload, err
}
