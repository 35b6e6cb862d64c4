package saved

import "time"

// A file must be gone for Gone before it counts as removed; while git is at
// work, for longer, but a lock that a killed git left ends that.
const (
	Gone     = time.Second
	goneMost = 10 * time.Second
)

// Leaving is what is gone, and may come back in a moment. It is used by one
// goroutine at a time.
type Leaving struct {
	since map[string]time.Time
}

// Of is told all that is gone now, and gives what cannot count as removed yet.
// held reports whether more is about to come.
func (l *Leaving) Of(gone []string, now time.Time, held func() bool) (stay []string) {
	before := l.since
	l.since = make(map[string]time.Time, len(gone))
	holds, known := false, false
	for _, id := range gone {
		first, ok := before[id]
		if !ok {
			first = now
		}
		l.since[id] = first // also of what does not stay: when that fails, it has not come back
		age := now.Sub(first)
		if age >= Gone && age < goneMost && !known {
			holds, known = held(), true
		}
		if age < Gone || age < goneMost && holds {
			stay = append(stay, id)
		}
	}
	return stay
}
