// Package primaries takes what primaries say themselves: that they began and are
// done, and the question whether a late run of theirs may still go on.
package primaries

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/decide"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/probes"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/engine/standby"
	"github.com/redundctl/redundctl/engine/tokens"
)

// mostBody is how much of what a heartbeat brings is kept as evidence, in bytes.
const mostBody = 4 << 10

// ahead is how much earlier than a slot a primary may call that names it: its
// clock may run before ours.
const ahead = time.Minute

// Primaries answers them. Its fields are set before it is used; it may be used
// from several goroutines.
type Primaries struct {
	Force   func() *force.Force
	Stopped func() map[string]time.Time
	Ledger  *ledger.Ledger
	Standby *standby.Watch
	Tokens  *tokens.Store
	Host    func(name string) (string, bool) // the environment of the engine
}

// part gives the pipeline that is meant.
func (x *Primaries) part(id string) (*force.Force, *force.Part, error) {
	f := x.Force()
	p := f.Parts[id]
	if p == nil || p.Pipeline.Primary == nil {
		return nil, nil, fmt.Errorf("%w: %s", api.ErrNoPipeline, id)
	}
	return f, p, nil
}

// Heartbeat records what a primary said, as heard now, and has it looked at.
// What is repeated changes nothing. The error may be api.ErrNoPipeline or
// api.ErrBadSlot.
func (x *Primaries) Heartbeat(ctx context.Context, id string, b pipeline.Heartbeat) error {
	f, p, err := x.part(id)
	if err != nil {
		return err
	}
	if !b.Slot.IsZero() {
		if err := isSlot(p, b.Slot, b.At.Add(ahead)); err != nil {
			return err
		}
	}
	known, err := probes.Secrets(f.SetOf(p), p.Pipeline, x.Host)
	if err != nil {
		return err
	}
	b.Body = probes.Masker(f.SetOf(p), known).Mask(b.Body)
	if len(b.Body) > mostBody {
		b.Body = strings.ToValidUTF8(b.Body[:mostBody], "")
	}
	first, err := x.Ledger.Beat(ctx, id, b)
	if first {
		x.Standby.Nudge(id)
	}
	return err
}

// Claim answers whether a run of the primary may serve its slot. Its errors are
// those of Heartbeat.
func (x *Primaries) Claim(ctx context.Context, id string, a api.ClaimAsk) (api.Claim, error) {
	f, p, err := x.part(id)
	if err != nil {
		return api.Claim{}, err
	}
	if !decide.Asks(f, p, f.Halted(p, x.Stopped())) {
		return api.Claim{}, fmt.Errorf("%w: the backup does not stand by, so there is nothing to claim: it is disabled or stopped, or its mode is another one", api.ErrBadSlot)
	}
	if a.Slot.IsZero() {
		var ok bool
		if a.Slot, ok = schedule.Last(p.Schedules, a.Created); !ok {
			return api.Claim{}, fmt.Errorf("%w up to %s", api.ErrBadSlot, pipeline.Time(a.Created))
		}
	}
	if err := isSlot(p, a.Slot, time.Now()); err != nil {
		return api.Claim{}, err
	}
	s := ledger.Slot{System: p.Pipeline.System, Name: p.Pipeline.Name, At: a.Slot, Next: decide.After(p, a.Slot)}
	policy, err := x.Standby.Policy(ctx, p.Pipeline, &s)
	if err != nil {
		return api.Claim{}, err
	}
	g, err := x.Ledger.Claim(ctx, ledger.Ask{System: s.System, Name: s.Name, Slot: s.At, Next: s.Next, Since: p.Since, Run: a.Run, For: policy.StallAfter})
	if err != nil {
		return api.Claim{}, err
	}
	if g.Late {
		s.Late = time.Since(s.At)
		x.Standby.CameLate(ctx, s)
	}
	if g.Granted {
		if is, ok, err := x.Ledger.Slot(ctx, s.System, s.Name, s.At); err == nil && ok && is.Decision == "" {
			x.Standby.Add([]ledger.Slot{is})
		}
	}
	return api.Claim{Slot: pipeline.Time(a.Slot), Granted: g.Granted, Fence: g.Fence, Until: api.When(g.Until), Why: g.Why}, nil
}

// isSlot holds that a pipeline has such a slot, and that its time has come.
func isSlot(p *force.Part, slot, now time.Time) error {
	if next, ok := schedule.Next(p.Schedules, slot.Add(-time.Second)); !ok || !next.Equal(slot) {
		last, _ := schedule.Last(p.Schedules, slot)
		return fmt.Errorf("%w: %s is none of %s; the one before it is %s", api.ErrBadSlot, pipeline.Time(slot), p.Pipeline.ID(), pipeline.Time(last))
	}
	if slot.After(now) {
		return fmt.Errorf("%w yet: %s of %s is still to come", api.ErrBadSlot, pipeline.Time(slot), p.Pipeline.ID())
	}
	return nil
}

// MakeTokens makes the tokens of pipelines with a primary as they come into force,
// so that they are there when a primary is set up: now, and whenever something
// comes out of changed, until ctx is done. failed is told of those that cannot be
// made.
func (x *Primaries) MakeTokens(ctx context.Context, changed <-chan struct{}, failed func(id string, err error)) {
	for {
		for id, p := range x.Force().Parts {
			if p.Pipeline.Primary == nil {
				continue
			}
			if _, _, err := x.PrimaryToken(id); err != nil {
				failed(id, err)
			}
			if ctx.Err() != nil {
				return
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// PrimaryToken is what opens the heartbeats and claims of a pipeline and nothing
// else: what its primary says, or one that is made and kept. It is not known when
// there is no such pipeline with a primary.
func (x *Primaries) PrimaryToken(id string) (token string, known bool, err error) {
	f, p, err := x.part(id)
	if err != nil {
		return "", false, nil //nolint:nilerr // that there is none is the answer
	}
	set := f.SetOf(p)
	k, ok := set.Kinds.Primary(p.Pipeline.Primary.Kind)
	if written, _ := p.Pipeline.Primary.With[k.Opens].(string); ok && k.Opens != "" && written != "" {
		token, err = probes.Text(set, p.Pipeline, written, x.Host)
		return token, true, err
	}
	token, err = x.Tokens.Token(id)
	return token, true, err
}
