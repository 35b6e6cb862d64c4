package failover

import (
	"slices"
	"time"
)

// enough is how many runs of a primary must be known before its own history
// says what is usual, and usual is what counts until then.
const (
	enough = 20
	usual  = 30 * time.Minute
)

// Auto is the grace of `grace: auto`: the p99 of how late the primary was, and
// until that is known half an hour or a quarter of the period, the longer one.
// It is never more than a period, nor less than the time between two looks.
func Auto(late []time.Duration, period, every time.Duration) time.Duration {
	grace := max(usual, period/4)
	if len(late) >= enough {
		grace = max(p99(late), every)
	}
	if period > 0 {
		grace = min(grace, period)
	}
	return grace
}

// Short reports whether a grace that a file says is below the p99 of how late
// the primary was, and gives that; false while too few of its runs are known.
func Short(grace time.Duration, late []time.Duration) (usually time.Duration, short bool) {
	if len(late) < enough {
		return 0, false
	}
	usually = p99(late)
	return usually, grace < usually
}

// Stall is how long the primary's run may take where nothing says so: twice the
// p99 of how long it took, and until that is known the other value, the
// pipeline's own time.
func Stall(took []time.Duration, other time.Duration) time.Duration {
	if len(took) < enough {
		return other
	}
	return max(2*p99(took), time.Minute)
}

// p99 is the smallest value that 99 of 100 do not exceed.
func p99(list []time.Duration) time.Duration {
	if !slices.IsSorted(list) {
		list = slices.Sorted(slices.Values(list))
	}
	return list[(len(list)*99+99)/100-1]
}
