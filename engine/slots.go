package engine

import (
	"context"
	"strings"

	"github.com/redundctl/redundctl/engine/drill"
	"github.com/redundctl/redundctl/engine/due"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/news"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/primaries"
	"github.com/redundctl/redundctl/engine/probes"
	"github.com/redundctl/redundctl/engine/queue"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/engine/standby"
)

// newSlots makes what takes the slots that the timer gives.
func (s *server) newSlots() *due.Slots {
	return due.New(due.Options{
		History: s.history, Log: s.log, Force: s.now, Stopped: s.stopped, Open: s.standby.Open, Woken: s.queue.Wake,
		Decided: s.decided, Event: s.event, Again: func(list []schedule.Entry) { s.timer.Set(list...) },
		Failed: func(err error) { s.failed("schedules", err) }, Go: func(f func() error) { s.parts.Go(f) },
	})
}

// decided takes up a decision that was recorded.
func (s *server) decided(ctx context.Context, r pipeline.Run, ends []int64) {
	s.meter.Decided(r.State == pipeline.Queued, r.Reason)
	if r.State != pipeline.Queued {
		return
	}
	s.standby.Replaced(r)
	for _, id := range ends {
		// It stands in the history too: the next engine must not go on with it.
		if _, err := s.Cancel(ctx, id, "by the slot "+pipeline.Time(r.Slot)); err != nil {
			s.log.Warn("that a run is cancelled could not be recorded", "run", id, "error", err)
			s.queue.Cancel(id) // it is ended all the same
		}
	}
}

// newStandby makes what asks primaries about slots.
func (s *server) newStandby() *standby.Watch {
	return standby.New(standby.Options{
		Ledger: s.ledger, History: s.history, Log: s.log, Force: s.now, Stopped: s.stopped, Serves: s.how().Serves,
		Build: func(f *force.Force, p *force.Part, before *probes.Primary) (*probes.Primary, error) {
			return probes.Build(f.SetOf(p), p.Pipeline, s.probing.After(before))
		},
		Decided: func(ctx context.Context, r pipeline.Run, ends []int64) {
			s.decided(ctx, r, ends)
			if r.State == pipeline.Queued {
				s.care.outbox.Raise(ctx, news.Failover(r))
				s.queue.Wake()
			} else if strings.HasSuffix(r.Reason, "-succeeded") || r.Reason == "dispatched" || r.Reason == "claimed-by-primary" {
				key, text := news.Delivered(r.System + "/" + r.Pipeline)
				s.care.outbox.Settle(ctx, key, text)
			}
			s.care.checkup.Wake()
		},
		Late: func(ctx context.Context, x ledger.Slot) {
			s.meter.Late(x.System)
			s.care.outbox.Raise(ctx, news.Late(&x))
		},
		Blind: func(ctx context.Context, id string, r pipeline.Reading) { s.care.outbox.Raise(ctx, news.Blind(id, r)) },
		Known: func(ctx context.Context, id string, r pipeline.Reading) {
			key, text := news.Known(id, r)
			s.care.outbox.Settle(ctx, key, text)
			s.care.checkup.Wake()
		},
		Failed: func(err error) { s.failed("standby", err) },
	})
}

// newDrills makes what proves backups.
func (s *server) newDrills() *drill.Drills {
	return drill.New(drill.Options{
		History: s.history, Ledger: s.ledger, Worker: &s.worker, Log: s.log, Force: s.now, Stopped: s.stopped, Woken: s.queue.Wake,
		Failed: func(err error) { s.failed("drills", err) },
		Told: func(ctx context.Context, id, why string) {
			if why != "" {
				s.care.outbox.Raise(ctx, news.Drill(id, why))
			} else {
				key, text := news.Proved(id)
				s.care.outbox.Settle(ctx, key, text)
			}
			s.care.checkup.Wake()
		},
	})
}

// lastLook asks the primary once more, right before the first step of a run
// that takes its place. The error says that the run does not begin now.
func (s *server) lastLook(ctx context.Context, w *history.Queued) error {
	after, err := s.standby.LastLook(ctx, w)
	if err == nil && !after.IsZero() {
		return &queue.Later{At: after}
	}
	return err
}

// Primaries takes what primaries say themselves; nil while the engine does not
// serve.
func (e *Engine) Primaries() *primaries.Primaries {
	if s := e.serving.Load(); s != nil {
		return &s.primaries
	}
	return nil
}
