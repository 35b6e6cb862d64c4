package schedule

import (
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	_ "time/tzdata" // zones are known on machines without a database of their own
)

// horizon bounds the search for a slot: 40 years hold every date there is,
// the 29th of February on a given weekday included.
const horizon = 40 * 366 * day

// zone maps wall-clock times to instants by what daylight saving does there.
type zone struct {
	loc *time.Location
	// shift moves what a gap leaves out to the first instant after it; first
	// and second say which occurrences of a repeated time count.
	shift, first, second bool
	last                 atomic.Pointer[period]
}

// period is a stretch of time with one offset, [start, end) in seconds, and
// the offsets before and after it.
type period struct {
	start, end            int64
	offset, before, after int64
}

// next is the first slot at or after the instant from.
func (z *zone) next(c *cron, from int64) (int64, bool) {
	for limit := from + horizon; from < limit; {
		p := z.period(from)
		if z.shifted(c, p, from) {
			return p.start, true
		}
		if w, ok := c.next(z.window(p, from, limit)); ok {
			return w - p.offset, true
		}
		from = p.end
	}
	return 0, false
}

// count is how many slots there are in [from, to).
func (z *zone) count(c *cron, from, to int64) int {
	n := 0
	for from < to {
		p := z.period(from)
		wall, end := z.window(p, from, to)
		n += c.count(wall, end)
		if z.shifted(c, p, from) && c.count(wall, min(wall+1, end)) == 0 {
			n++
		}
		from = p.end
	}
	return n
}

// shifted reports whether there is a slot at from because the clock went forward
// there: one for all that was left out.
func (z *zone) shifted(c *cron, p *period, from int64) bool {
	if from != p.start || p.offset <= p.before || !z.shift {
		return false
	}
	_, ok := c.next(p.start+p.before, p.start+p.offset)
	return ok
}

// window is the part of [from, limit) that lies in p, as wall-clock times that
// are slots when they match.
func (z *zone) window(p *period, from, limit int64) (wall, to int64) {
	wall, to = from+p.offset, min(p.end, limit)+p.offset
	if !z.second && p.before > p.offset {
		wall = max(wall, p.start+p.before) // these were here before the clock went back
	}
	if !z.first && p.after < p.offset {
		to = min(to, p.end+p.after) // these will come again
	}
	return wall, to
}

// period finds the offset in force at an instant. The last one is kept: slots
// are asked for in order, and beyond the years that the database lists each
// question to it is a computation.
func (z *zone) period(at int64) *period {
	if p := z.last.Load(); p != nil && p.start <= at && at < p.end {
		return p
	}
	t := time.Unix(at, 0).In(z.loc)
	p := &period{start: math.MinInt64 / 2, end: math.MaxInt64 / 2}
	p.offset = offset(t)
	p.before, p.after = p.offset, p.offset
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		p.start, p.before = start.Unix(), offset(start.Add(-1))
	}
	if !end.IsZero() {
		p.end, p.after = end.Unix(), offset(end)
	}
	if p.end <= at {
		// Beyond the years that the database lists, ZoneBounds lets every year
		// end after 365 days: on the last one of a leap year the end has passed.
		p.end += day
		p.after = offset(time.Unix(p.end, 0).In(z.loc))
	}
	z.last.Store(p)
	return p
}

func offset(t time.Time) int64 {
	_, o := t.Zone()
	return int64(o)
}

// mostKept is how many different schedules are remembered.
const mostKept = 10_000

// Zones are the schedules and time zones that were asked for, so that each is
// read once. The zero value is ready for use.
type Zones struct {
	read  sync.Map // of pipeline.Schedule to *Schedule
	count atomic.Int64
	mu    sync.Mutex
	known map[string]*time.Location // nil: there is no such zone
}

// load finds a zone by its name; "" is UTC. The error is an *Error.
func (z *Zones) load(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	loc, ok := z.known[name]
	if !ok {
		// "Local" would be another zone on each machine.
		if name != "Local" {
			if found, err := time.LoadLocation(name); err == nil {
				loc = found
			}
		}
		if z.known == nil {
			z.known = map[string]*time.Location{}
		}
		z.known[name] = loc
	}
	if loc == nil {
		return nil, &Error{Field: "timezone", Width: len(name), Rule: RuleTimezone, Message: "the time zone " + quote(name) + " is not known", Hint: zoneHint(name)}
	}
	return loc, nil
}

func quote(s string) string { return `"` + s + `"` }

// cities are zones that people name by half; a zone has more than its city.
const cities = "Africa/Cairo Africa/Casablanca Africa/Johannesburg Africa/Lagos Africa/Nairobi America/Argentina/Buenos_Aires America/Bogota " +
	"America/Chicago America/Denver America/Halifax America/Los_Angeles America/Mexico_City America/New_York America/Phoenix America/Sao_Paulo " +
	"America/Toronto America/Vancouver Asia/Bangkok Asia/Dubai Asia/Hong_Kong Asia/Istanbul Asia/Jakarta Asia/Jerusalem Asia/Karachi " +
	"Asia/Kathmandu Asia/Kolkata Asia/Manila Asia/Seoul Asia/Shanghai Asia/Singapore Asia/Tehran Asia/Tokyo Australia/Brisbane " +
	"Australia/Melbourne Australia/Sydney Europe/Amsterdam Europe/Athens Europe/Berlin Europe/Brussels Europe/Budapest Europe/Copenhagen " +
	"Europe/Dublin Europe/Helsinki Europe/Istanbul Europe/Kyiv Europe/Lisbon Europe/London Europe/Madrid Europe/Moscow Europe/Oslo " +
	"Europe/Paris Europe/Prague Europe/Rome Europe/Stockholm Europe/Vienna Europe/Warsaw Europe/Zurich Pacific/Auckland Pacific/Honolulu"

// zoneHint finds the zone that was meant by a city alone or in another case.
func zoneHint(name string) string {
	want := strings.ToLower(strings.ReplaceAll(strings.TrimSpace(name), " ", "_"))
	for _, z := range strings.Fields(cities) {
		if lower := strings.ToLower(z); lower == want || want != "" && strings.HasSuffix(lower, "/"+want) {
			return "did you mean " + z + "?"
		}
	}
	return "write a name of the IANA database, such as Europe/Berlin"
}
