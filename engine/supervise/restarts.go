package supervise

import (
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// window is how long a restart that counts is remembered.
const window = 15 * time.Minute

// leastLife is how long a process must have lived, whatever min-uptime says, for
// its restart to come at once: one that ends as soon as it begins would take the
// whole machine.
const leastLife = time.Second

// ended is how one process of a service ended.
type ended struct {
	failed bool          // not with exit code 0
	lived  time.Duration // 0: it was not ready in time
	forced bool          // it was ended to be started anew, whatever the policy says
}

// next is what follows.
type next struct {
	again   bool
	wait    time.Duration // before it is started again
	errored bool          // it is not, until somebody sees to it
}

// restarts remembers how often one process of a service was started again. The
// zero value remembers nothing.
type restarts struct {
	counted []time.Time // of the last 15 minutes
	row     int         // short lives, one after the other
}

// after says what follows an end.
func (r *restarts) after(p pipeline.Restart, e ended, now time.Time) next {
	switch {
	case e.forced || p.Policy == "always":
	case p.Policy == "on-failure" && e.failed:
	default:
		return next{errored: e.failed}
	}
	for len(r.counted) > 0 && now.Sub(r.counted[0]) >= window {
		r.counted = r.counted[1:]
	}
	if e.lived < p.MinUptime.Std() {
		if len(r.counted) >= p.MaxRestarts {
			return next{errored: true}
		}
		r.counted = append(r.counted, now)
	}
	if e.lived >= max(p.MinUptime.Std(), leastLife) {
		r.row = 0
		return next{again: true}
	}
	r.row++
	return next{again: true, wait: delay(p, r.row)}
}

// delay is the pause before the n'th restart in a row: none before the first, and
// then one that doubles.
func delay(p pipeline.Restart, n int) time.Duration {
	if n <= 1 {
		return 0
	}
	out, most := p.Delay.Std(), p.MaxDelay.Std()
	for range n - 2 {
		if out *= 2; out >= most {
			break
		}
	}
	return min(out, most)
}
