package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// lookBack is how long before a slot the start of a run is looked for whose end
// alone came after it.
const lookBack = 7 * 24 * time.Hour

// ahead is how much earlier than a slot the calls are read: the clock of a
// primary that names the slot may run before ours.
const ahead = time.Minute

// beats is the probe of a primary that calls.
type beats struct {
	of       func(ctx context.Context, since time.Time) ([]pipeline.Heartbeat, error)
	pipeline string        // system/name
	recent   time.Duration // how long a service may be silent
	heard    bool          // there was one, whenever
	served   pipeline.Reading
	slot     time.Time // the one that served is of; zero: none
}

func buildBeats(_ map[string]any, d kind.PrimaryDeps) (pipeline.Probe, error) {
	if d.Heartbeats == nil {
		return nil, errors.New("heartbeats are kept by a serving engine alone")
	}
	return &beats{of: d.Heartbeats, pipeline: d.Pipeline.ID(), recent: recent(d.Pipeline)}, nil
}

// Probe reads what the primary has called. It costs one small read: only an end
// whose start is not among the calls since the slot makes it look further back.
func (p *beats) Probe(ctx context.Context, w pipeline.Window) (pipeline.Reading, error) {
	if w.Slot.IsZero() {
		return p.service(ctx, time.Now())
	}
	if p.slot.Equal(w.Slot) {
		return p.served, nil // a success stays one
	}
	list, err := p.since(ctx, w.Slot.Add(-ahead))
	if err != nil {
		return pipeline.Reading{}, err
	}
	r := best(runs(list), w)
	if r != nil && !r.whole && r.slot.IsZero() || r == nil && w.Run != "" {
		if list, err = p.since(ctx, w.Slot.Add(-lookBack)); err != nil {
			return pipeline.Reading{}, err
		}
		r = best(runs(list), w)
	}
	if r == nil {
		return p.silent(ctx, w.Slot)
	}
	out := r.reading()
	if out.Verdict == pipeline.Delivered {
		p.served, p.slot = out, w.Slot
	}
	return out, nil
}

func (p *beats) since(ctx context.Context, t time.Time) ([]pipeline.Heartbeat, error) {
	list, err := p.of(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("the heartbeats cannot be read: %w", err)
	}
	p.heard = p.heard || len(list) > 0
	return list, nil
}

// silent is the reading where no run belongs to a slot. That nothing came means
// something only where something came before.
func (p *beats) silent(ctx context.Context, slot time.Time) (pipeline.Reading, error) {
	if err := p.ever(ctx, slot); err != nil {
		return pipeline.Reading{}, err
	}
	if !p.heard {
		return p.never(), nil
	}
	return pipeline.Reading{
		Verdict: pipeline.Nothing, Reason: "no heartbeat for the slot",
		Evidence: map[string]any{"heard": "nothing for " + instant(slot)},
	}, nil
}

// ever finds out whether a heartbeat ever came.
func (p *beats) ever(ctx context.Context, now time.Time) error {
	for _, since := range []time.Time{now.Add(-lookBack), {}} {
		if p.heard {
			return nil
		}
		if _, err := p.since(ctx, since); err != nil {
			return err
		}
	}
	return nil
}

func (p *beats) never() pipeline.Reading {
	return pipeline.Reading{
		Verdict: pipeline.Unknown, Refused: true,
		Reason:   "no heartbeat was ever received: let the primary call POST /api/v1/heartbeats/" + p.pipeline + " when it starts and is done",
		Evidence: map[string]any{"heard": "never"},
	}
}

// service is the reading of a primary without slots, which calls again and
// again while it lives: it is up when its newest call is recent and tells of no
// failure.
func (p *beats) service(ctx context.Context, now time.Time) (pipeline.Reading, error) {
	list, err := p.since(ctx, now.Add(-p.recent))
	if err == nil && len(list) == 0 {
		list, err = p.since(ctx, now.Add(-lookBack))
	}
	if err != nil {
		return pipeline.Reading{}, err
	}
	if len(list) == 0 {
		if err := p.ever(ctx, now); err != nil {
			return pipeline.Reading{}, err
		}
		if !p.heard {
			return p.never(), nil
		}
		return pipeline.Reading{
			Verdict: pipeline.Down, Reason: "no heartbeat within a week",
			Evidence: map[string]any{"heard": "nothing within a week"},
		}, nil
	}
	last := list[len(list)-1]
	out := pipeline.Reading{Verdict: pipeline.Up, Run: last.Run, Evidence: evidence(last.State, last.Run, last.At, last.Body)}
	switch silence := now.Sub(last.At); {
	case last.State == failed:
		out.Verdict, out.Reason = pipeline.Down, "it said itself that it failed"
	case silence > p.recent:
		out.Verdict, out.Reason = pipeline.Down, fmt.Sprintf("its last heartbeat came %s ago, and %s is the most", silence.Round(time.Second), p.recent)
	default:
		out.Reason = fmt.Sprintf("its last heartbeat came %s ago", silence.Round(time.Second))
	}
	return out, nil
}

// reading is what a run says of its slot.
func (r *run) reading() pipeline.Reading {
	out := pipeline.Reading{Run: r.id, Began: r.began, Ended: r.ended, Evidence: evidence(r.state, r.id, r.latest, r.body)}
	switch r.state {
	case succeeded:
		out.Verdict, out.Reason = pipeline.Delivered, "it said that it succeeded, at "+instant(r.ended)
	case failed:
		out.Verdict, out.Reason = pipeline.NotDelivered, "it said that it failed, at "+instant(r.ended)
		if r.lost {
			out.Reason = "it started again, at " + instant(r.ended) + ", without having said how the run before ended"
		}
	default:
		out.Verdict, out.Reason = pipeline.UnderWay, "it said that it started, at "+instant(r.began)
	}
	return out
}

// evidence is one call as it is kept with a slot.
func evidence(state, id string, at time.Time, body string) map[string]any {
	out := map[string]any{"state": state, "at": instant(at)}
	if id != "" {
		out["rid"] = id
	}
	if body != "" {
		out["body"] = body
	}
	return out
}
