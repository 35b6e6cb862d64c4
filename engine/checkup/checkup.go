// Package checkup looks after the health of an engine: it checks each system at
// its interval and whenever something has changed, and says what came of it.
package checkup

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/health"
)

const (
	// settle is how long after a change it is looked, so that many are one.
	settle = 50 * time.Millisecond
	// least is the time between two looks that changes ask for, and share how many
	// times as long as a look took.
	least = time.Second
	share = 50
)

// Intervals say how often it is checked.
type Intervals struct {
	All     time.Duration // of the whole
	Systems map[string]time.Duration
}

// Options are what a checkup asks and tells. No field may be nil; they are
// called one at a time.
type Options struct {
	Every func() Intervals // those of now
	// Check performs a check of everything. What it could not read is part of the
	// verdict.
	Check func(ctx context.Context) (api.Status, api.Health)
	// Verdict is told when the verdict over a system, or over the whole ("")
	// differs from the one before, which is "" at first.
	Verdict func(ctx context.Context, v Verdict)
	// Checked is told of every check, after the verdicts.
	Checked func(ctx context.Context, s api.Status, h api.Health)
	// Beat is called at the interval of the whole, after a check.
	Beat func(ctx context.Context, h api.Health)
}

// Verdict is what became of a system, "" for the whole.
type Verdict struct {
	System  string
	Was, Is string
	Checks  []api.Check
}

// Checkup checks one engine. Its methods may be called from several goroutines.
type Checkup struct {
	o    Options
	wake chan struct{} // holds one token

	mu     sync.Mutex
	health api.Health // the last one; no Status: none yet

	// What only the goroutine of Run uses.
	due     map[string]time.Time // by system, "" for the whole
	verdict map[string]string    // the last one that was told
}

// New gives a checkup that has not looked yet.
func New(o Options) *Checkup {
	return &Checkup{o: o, wake: make(chan struct{}, 1), due: map[string]time.Time{}, verdict: map[string]string{}}
}

// Wake has it look soon, since something has changed.
func (c *Checkup) Wake() {
	select {
	case c.wake <- struct{}{}:
	default: // it is told already
	}
}

// Last gives the verdicts of the last check, and false before the first.
func (c *Checkup) Last() (api.Health, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.health, c.health.Status != ""
}

// Run checks until ctx is done. It may be called once.
func (c *Checkup) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var soonest time.Time // when a change is looked at
	asked := false        // somebody said that something has changed
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
			if !asked {
				asked = true
				timer.Reset(min(c.wait(time.Now()), max(settle, time.Until(soonest))))
			}
			continue
		case <-timer.C:
		}
		now := time.Now()
		c.check(ctx, now, asked)
		soonest, asked = now.Add(max(least, share*time.Since(now))), false
		timer.Reset(c.wait(time.Now()))
	}
}

// wait is how long nothing is due.
func (c *Checkup) wait(now time.Time) time.Duration {
	every := c.o.Every()
	next := c.next("", every.All, now)
	for name, d := range every.Systems {
		next = min(next, c.next(name, d, now))
	}
	return max(next, time.Millisecond)
}

// next is when one is due. An interval that became shorter holds at once.
func (c *Checkup) next(name string, every time.Duration, now time.Time) time.Duration {
	at, known := c.due[name]
	if !known || at.After(now.Add(every)) {
		at = now.Add(every)
		c.due[name] = at
	}
	return at.Sub(now)
}

// check looks at everything, and tells the verdicts over the systems that are
// due; all are when something has changed, and at first.
func (c *Checkup) check(ctx context.Context, now time.Time, changed bool) {
	first := len(c.due) == 0
	every := c.o.Every()
	beat := c.pass("", every.All, now)
	due := map[string]bool{}
	for name, d := range every.Systems {
		if c.pass(name, d, now) || changed || first {
			due[name] = true
		}
	}
	maps.DeleteFunc(c.due, func(name string, _ time.Time) bool {
		_, there := every.Systems[name]
		return name != "" && !there
	})
	status, all := c.o.Check(ctx)
	if ctx.Err() != nil {
		return
	}
	all = c.take(all, due)
	c.tell(ctx, all)
	for i := range status.Systems {
		s := &status.Systems[i]
		if at := slices.IndexFunc(all.Systems, func(x api.SystemHealth) bool { return x.Name == s.Name }); at >= 0 {
			s.Health = all.Systems[at].Status
		}
	}
	c.o.Checked(ctx, status, all)
	if beat || first {
		c.o.Beat(ctx, all)
	}
}

// pass reports whether something is due, and sets when it is next.
func (c *Checkup) pass(name string, every time.Duration, now time.Time) bool {
	at, known := c.due[name]
	if known && at.After(now) {
		return false
	}
	c.due[name] = now.Add(every)
	return known
}

// take keeps the verdicts over systems that are not due as they were.
func (c *Checkup) take(h api.Health, due map[string]bool) api.Health {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := api.Health{Status: health.Healthy, Systems: make([]api.SystemHealth, 0, len(h.Systems))}
	for _, s := range h.Systems {
		i := slices.IndexFunc(c.health.Systems, func(x api.SystemHealth) bool { return x.Name == s.Name })
		if i >= 0 && !due[s.Name] {
			s = c.health.Systems[i]
		}
		out.Systems = append(out.Systems, s)
		out.Status = health.Worse(out.Status, s.Status)
	}
	if len(h.Systems) == 0 {
		out.Status = h.Status
	}
	c.health = out
	return out
}

// tell tells the verdicts that differ, the whole's last.
func (c *Checkup) tell(ctx context.Context, h api.Health) {
	differs := func(v Verdict) {
		if v.Was = c.verdict[v.System]; v.Was == v.Is {
			return
		}
		c.verdict[v.System] = v.Is
		c.o.Verdict(ctx, v)
	}
	for _, s := range h.Systems {
		differs(Verdict{System: s.Name, Is: s.Status, Checks: s.Checks})
	}
	differs(Verdict{Is: h.Status})
}
