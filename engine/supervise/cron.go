package supervise

import (
	"time"

	"github.com/redundctl/redundctl/engine/schedule"
)

// farthest is how far ahead a timer is set: one that is set for hours comes late
// when the clock was set, or the machine slept.
const farthest = time.Minute

// cron tells when the next slot of a schedule is there.
type cron struct {
	schedule *schedule.Schedule // nil: there are none
	slot     time.Time
	timer    *time.Timer
}

func newCron(s *schedule.Schedule) *cron {
	c := &cron{schedule: s}
	if s != nil {
		c.aim(time.Now())
	}
	return c
}

// aim sets the timer for the first slot after now.
func (c *cron) aim(now time.Time) {
	slot, ok := c.schedule.Next(now)
	if !ok {
		c.schedule = nil
		return
	}
	c.slot, c.timer = slot, time.NewTimer(min(slot.Sub(now), farthest))
}

// due is received from when the slot may be there; passed tells whether it is.
func (c *cron) due() <-chan time.Time {
	if c.timer == nil {
		return nil
	}
	return c.timer.C
}

// passed reports whether the slot is there, and goes on to the next.
func (c *cron) passed() bool {
	now := time.Now().Round(0) // by the clock on the wall
	if now.Before(c.slot) {
		c.timer.Reset(min(c.slot.Sub(now), farthest))
		return false
	}
	c.timer = nil
	c.aim(now)
	return true
}

func (c *cron) stop() {
	if c.timer != nil {
		c.timer.Stop()
	}
}
