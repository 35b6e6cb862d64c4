package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/checkup"
	"github.com/redundctl/redundctl/engine/health"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/news"
	"github.com/redundctl/redundctl/engine/outbox"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/reports"
	"github.com/redundctl/redundctl/engine/secret"
	"github.com/redundctl/redundctl/engine/seen"
	"github.com/redundctl/redundctl/engine/status"
	"github.com/redundctl/redundctl/engine/store"
)

// mostEvents is how many are kept in memory while they cannot be recorded.
const mostEvents = 100

// care is what looks after the health of a server.
type care struct {
	checkup *checkup.Checkup
	ping    *checkup.Ping
	outbox  *outbox.Outbox

	seen     seen.Seen        // by the last check; only the checkup uses it and what follows
	woken    bool             // the queue was, since it last moved
	events   []pipeline.Event // that could not be recorded yet
	verdicts reports.Verdicts
}

// newCare opens the outbox and makes the checkup.
func (s *server) newCare(ctx context.Context) (err error) {
	s.care.ping = checkup.NewPing(s.http, func() (string, error) {
		p := s.now().Set.Project
		address, _, err := loaded.Resolve(p, s.host, p.Config.Health.Ping)
		return address, err
	}, s.log)
	s.care.checkup = checkup.New(checkup.Options{
		Every: s.intervals, Check: s.check, Verdict: s.verdict, Checked: s.checked,
		Beat: func(ctx context.Context, h api.Health) {
			if h.Status != health.Unhealthy {
				s.parts.Go(func() error { s.care.ping.Send(ctx); return nil })
			}
		},
	})
	s.care.outbox, err = outbox.Open(ctx, s.db, outbox.Options{
		Audience: func() outbox.Audience {
			n := s.now().Set.Project.Config.Notify
			return outbox.Audience{Services: n.Services, On: n.On}
		},
		Resolve: func(service string) (string, error) {
			url, _, err := loaded.Resolve(s.now().Set.Project, s.host, service)
			return url, err
		},
		Send: func(ctx context.Context, url string, m kind.Message) error {
			if send := s.now().Set.Kinds.Send; send != nil {
				return send(ctx, url, m)
			}
			return errors.New("this program knows no services")
		},
		Mask: func(text string) string { return secret.NewMasker(s.now().Set.Hidden...).Mask(text) },
		Log:  s.log, Failed: func(err error) { s.failed("outbox", err) },
	})
	return err
}

// intervals are those of redund.yaml.
func (s *server) intervals() checkup.Intervals {
	f := s.now()
	c := f.Set.Project.Config
	out := checkup.Intervals{All: c.Health.Every.Std(), Systems: map[string]time.Duration{}}
	for _, name := range f.Systems(*s.how()) {
		if out.Systems[name] = c.Systems[name].Health.Every.Std(); out.Systems[name] <= 0 {
			out.Systems[name] = out.All
		}
	}
	return out
}

// Status says what the engine does now, with the verdict over what is known of
// it; NotServing when it does not serve.
func (e *Engine) Status(ctx context.Context) (api.Status, error) {
	s := e.serving.Load()
	if s == nil {
		return api.Status{}, NotServing
	}
	x := s.read(ctx)
	if x.Err != nil {
		return api.Status{}, x.Err
	}
	return s.status(&x, s.health(&x)), nil
}

func (s *server) status(x *seen.Seen, h api.Health) api.Status {
	f := s.now()
	host, _ := os.Hostname() // "" where the system does not say
	return status.Of(&status.Facts{
		Now: time.Now(), Force: f, Systems: f.Systems(*s.how()), Stopped: s.stopped(), Service: s.kept.Shown, Proved: s.drills.Proved(),
		Active: x.Active, Last: x.Last, Failed: x.Failed, Health: h, Restart: f.Restart(s.o.Project),
		Engine: api.EngineInfo{
			Version: s.o.Serve.Version, PID: os.Getpid(), Started: api.When(s.started), Environment: api.Present(f.Set.Project.Config.Environment), Host: host,
			Given: api.Given{Only: append([]string{}, s.o.Serve.Only...), Drain: s.o.Serve.Drain.String(), Environment: api.Present(s.o.Serve.Environment)},
		},
	})
}

// Health gives the verdicts of the last check, which is no older than the
// interval; NotServing when the engine does not serve.
func (e *Engine) Health(ctx context.Context) (api.Health, error) {
	s := e.serving.Load()
	if s == nil {
		return api.Health{}, NotServing
	}
	if h, ok := s.care.checkup.Last(); ok {
		return h, nil
	}
	return e.CheckHealth(ctx)
}

// CheckHealth checks the engine and its systems now; NotServing when it does
// not serve.
func (e *Engine) CheckHealth(ctx context.Context) (api.Health, error) {
	s := e.serving.Load()
	if s == nil {
		return api.Health{}, NotServing
	}
	s.probe(ctx)
	x := s.read(ctx)
	if err := ctx.Err(); err != nil {
		return api.Health{}, err
	}
	h := s.health(&x)
	if last, ok := s.care.checkup.Last(); !ok || health.Differs(&last, &h) {
		s.care.checkup.Wake() // what came of it is told and recorded
	}
	return h, nil
}

// read reads what is needed of the history.
func (s *server) read(ctx context.Context) seen.Seen {
	x := seen.Read(ctx, s.history, s.now())
	if ctx.Err() == nil {
		s.failed("health", x.Err)
	}
	return x
}

// probe sees whether the history can be written, once in a while.
func (s *server) probe(ctx context.Context) {
	s.mu.Lock()
	soon := time.Since(s.probed) < againEvery
	if !soon {
		s.probed = time.Now()
	}
	s.mu.Unlock()
	if soon {
		return
	}
	if err := s.db.Probe(ctx); ctx.Err() == nil {
		s.failed("probe", err)
		if err == nil {
			s.writes()
		}
	}
}

// writes is told that the history can be written. Who could not before may not
// try again: the run may be gone, or over, and its slots removed.
func (s *server) writes() {
	s.failed("runs", nil)
	s.failed("records", nil)
	if s.slots.PutOff() == 0 {
		s.failed("schedules", nil)
	}
}

// health gathers what the verdict is made of.
func (s *server) health(was *seen.Seen) api.Health {
	f := s.now()
	x := health.Facts{Now: time.Now(), Failing: s.trouble.Writing(), Unread: cmp.Or(was.Err, s.trouble.Reading()), Logs: s.logs.Failing()}
	x.Waiting, x.Oldest = s.queue.Waiting()
	s.mu.Lock()
	x.Jump = s.jumped
	s.mu.Unlock()
	if free, err := store.Free(f.Set.Project.State); err == nil {
		x.Free = &free
	}
	stuck := map[string]time.Time{}
	for _, l := range s.overdue.Late(x.Now) {
		stuck[l.Pipeline] = l.Began
	}
	x.Systems = was.Systems(f, f.Systems(*s.how()), &seen.Now{Stuck: stuck, Probes: s.standby.Probes()})
	s.kept.Judge(x.Systems)
	return health.Of(&x)
}

// check is one check of the checkup.
func (s *server) check(ctx context.Context) (api.Status, api.Health) {
	s.probe(ctx)
	x := s.read(ctx)
	s.care.seen = x
	h := s.health(&x)
	return s.status(&x, h), h
}

// verdict leaves the trace of one that changed.
func (s *server) verdict(_ context.Context, v checkup.Verdict) {
	if v.Was == "" && v.Is == health.Healthy {
		return // as it should be, from the start
	}
	detail := news.Reasons(v.Checks)
	if v.System == "" {
		h, _ := s.care.checkup.Last()
		s.care.verdicts.Add(time.Now(), h)
		s.log.Info("health", "status", v.Is, "was", v.Was)
		return
	}
	s.log.Info("health", "system", v.System, "status", v.Is, "was", v.Was, "reason", detail)
	if len(s.care.events) == mostEvents {
		s.care.events = s.care.events[1:]
	}
	s.care.events = append(s.care.events, pipeline.Event{At: time.Now(), Pipeline: v.System, What: v.Is, Detail: detail})
}

func (s *server) reports() reports.Dir { return reports.In(s.now().Set.Project.State) }

// checked takes up what a check found: it is written for other tools, people
// are told, and what can be mended is.
func (s *server) checked(ctx context.Context, st api.Status, h api.Health) {
	now := time.Now()
	s.failed("reports", errors.Join(s.care.verdicts.Write(s.reports()), s.reports().Write(now, &st, &h)))
	for len(s.care.events) > 0 && s.history.Event(ctx, s.care.events[0]) == nil {
		s.care.events = s.care.events[1:]
	}
	f := s.now()
	x := &news.Facts{Force: f, Last: s.care.seen.Ended, Health: h, Rejected: f.Rejected}
	for _, c := range news.Lasting(x) {
		s.care.outbox.Raise(ctx, c)
	}
	for _, key := range s.care.outbox.Lasting() {
		if over, text := news.Over(x, key); over {
			s.care.outbox.Settle(ctx, key, text)
		}
	}
	if f.Set.Project.Config.Health.Recover {
		s.mend(ctx, now)
	}
}

// mend acts on the one thing that failed. A run that waits for room on the disk
// is not stuck, and its result would be lost.
func (s *server) mend(ctx context.Context, now time.Time) {
	for id, l := range s.overdue.Late(now) {
		if s.trouble.Writing() != nil || !s.overdue.End(id) {
			continue
		}
		line := fmt.Sprintf("run %d goes on since %s, past its time, and is ended", id, pipeline.Time(l.Began))
		s.log.Warn(line, "pipeline", l.Pipeline)
		s.event(ctx, pipeline.Event{Run: id, Pipeline: l.Pipeline, What: "stuck", Detail: line})
	}
	n, oldest := s.queue.Waiting()
	if n == 0 || now.Sub(oldest) <= health.OldQueue || len(s.queue.Active()) > 0 {
		s.care.woken = false
		return
	}
	s.queue.Wake()
	if !s.care.woken {
		s.care.woken = true
		s.log.Warn("the queue does not move and was woken", "waiting", n)
		s.event(ctx, pipeline.Event{What: "queue-woken", Detail: fmt.Sprintf("%d runs wait and none goes on", n)})
	}
}

// told tells of the end of a run, as far as it is the last attempt.
func (s *server) told(ctx context.Context, r pipeline.Run, again bool) {
	switch {
	case r.Trigger == "drill" && !again:
		s.drills.Ended(ctx, r)
	case r.State.Bad() && !again:
		s.care.outbox.Raise(ctx, news.Failed(r))
	case r.State == pipeline.Succeeded:
		key, text := news.Recovered(r)
		s.care.outbox.Settle(ctx, key, text)
	}
	s.care.checkup.Wake()
}
