// Package schedule turns cron expressions and intervals, with their zones and
// what daylight saving does to them, into slots.
//
// Parse reads one schedule of a pipeline; Next gives its slots one after the
// other. Start with this file; cron.go is the grammar, wall.go the search for
// a wall-clock time, zone.go what becomes of it where clocks change.
package schedule

import (
	"errors"
	"hash/fnv"
	"math/bits"
	"sort"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// The rules that errors of this package belong to.
const (
	RuleSyntax   = "cron-syntax"
	RuleRange    = "cron-range"
	RuleNever    = "cron-never"
	RuleTimezone = "timezone-unknown"
)

// Error is what is wrong with a schedule and where: Field is the key ("cron",
// "every", "timezone"), Offset and Width count bytes in its value.
type Error struct {
	Field         string
	Offset, Width int
	Rule          string   // one of the Rule constants
	Message       string   // lower case, one line, without a full stop
	Hint          string   // what to do, or ""
	More          []*Error // what is wrong with other fields of the same schedule, each once
}

// Error is the message, with the hint when there is one.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + ": " + e.Hint
}

// Schedule gives slots. It is not changed after it was parsed, but for a memory of
// the last zone offsets asked for, and is safe for concurrent use.
type Schedule struct {
	every  time.Duration // 0: cron
	cron   cron
	zone   zone
	jitter time.Duration
}

// Parse reads one schedule. The error is an *Error.
func Parse(s pipeline.Schedule) (*Schedule, error) { return new(Zones).Parse(s) }

// Parse is the function Parse, which remembers the schedules that it read and
// the time zones that it loaded: of many that are alike, each is read once. It is
// safe for concurrent use.
func (z *Zones) Parse(s pipeline.Schedule) (*Schedule, error) {
	if known, ok := z.read.Load(s); ok {
		return known.(*Schedule), nil
	}
	out, err := z.parse(s)
	if err == nil && z.count.Add(1) < mostKept {
		z.read.Store(s, out)
	}
	return out, err
}

func (z *Zones) parse(s pipeline.Schedule) (*Schedule, error) {
	loc, err := z.load(s.Timezone)
	if err != nil {
		if s.Cron != "" && s.Every == 0 {
			_, also := parseCron(s.Cron)
			err = join(err, also)
		}
		return nil, err
	}
	out := &Schedule{every: s.Every.Std(), jitter: s.Jitter.Std()}
	switch {
	case s.Cron != "" && s.Every != 0:
		return nil, &Error{Field: "every", Width: 1, Rule: RuleSyntax, Message: "a schedule has either cron or every", Hint: "write two schedules as a list"}
	case s.Every != 0 && (s.Every.Std() < time.Second || s.Every.Std()%time.Second != 0):
		return nil, &Error{Field: "every", Width: len(s.Every.String()), Rule: RuleRange, Message: "every must be whole seconds, 1s at least"}
	case s.Every != 0:
		out.zone.loc = loc
		return out, nil
	}
	if out.cron, err = parseCron(s.Cron); err != nil {
		return nil, err
	}
	out.zone = zone{loc: loc, shift: s.DST.Gap != "skip" && !out.cron.everyHour}
	out.zone.first = out.cron.everyHour || s.DST.Fold != "last"
	out.zone.second = out.cron.everyHour || s.DST.Fold == "last" || s.DST.Fold == "both"
	return out, nil
}

// join is one error of two, either of which may be nil.
func join(err, also error) error {
	var first, more *Error
	switch {
	case !errors.As(err, &first):
		return also
	case errors.As(also, &more):
		first.More = append(append(first.More, more), more.More...)
		more.More = nil
	}
	return first
}

// Next is the first slot after t, in the schedule's zone; false when there is
// none within the next 40 years.
func (s *Schedule) Next(t time.Time) (time.Time, bool) {
	if s.every > 0 {
		return s.multiple(t)
	}
	// The first whole second after t: floor, then one more.
	unix, ok := s.zone.next(&s.cron, t.Unix()+1)
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(unix, 0).In(s.zone.loc), true
}

// multiple is the first whole multiple of the interval after t, counted from
// 1970-01-01T00:00Z.
func (s *Schedule) multiple(t time.Time) (time.Time, bool) {
	step := int64(s.every / time.Second)
	return time.Unix((floor(t.Unix(), step)+1)*step, 0).In(s.zone.loc), true
}

// count is how many slots there are after one time and not after another.
func (s *Schedule) count(after, upto time.Time) int {
	if s.every > 0 {
		step := int64(s.every / time.Second)
		return max(int(floor(upto.Unix(), step)-floor(after.Unix(), step)), 0)
	}
	return s.zone.count(&s.cron, after.Unix()+1, upto.Unix()+1)
}

// newest are the last n slots after one time and not after another, of which
// there are n at least.
func (s *Schedule) newest(after, upto time.Time, n int) []time.Time {
	if n <= 0 {
		return nil
	}
	// Back from the end in strides that double, then to the second.
	low, high := after.Unix(), upto.Unix()
	near := func(back int64) bool { return s.count(time.Unix(high-back, 0), upto) >= n }
	stride := int64(1)
	for high-stride > low && !near(stride) {
		stride *= 2
	}
	least, span := stride/2, min(stride, high-low)-stride/2
	back := least + int64(sort.Search(int(span), func(i int) bool { return near(least + int64(i)) }))
	return s.first(make([]time.Time, 0, n), time.Unix(high-back, 0), n)
}

// first appends the first n slots after a time, or all that there are.
func (s *Schedule) first(out []time.Time, after time.Time, n int) []time.Time {
	for range n {
		next, ok := s.Next(after)
		if !ok {
			break
		}
		out, after = append(out, next), next
	}
	return out
}

// Period is the time from the first slot after t to the one that follows it:
// what stands for the period of a schedule that is not regular. It is 0 when
// there are no two slots.
func (s *Schedule) Period(t time.Time) time.Duration {
	a, ok := s.Next(t)
	if !ok {
		return 0
	}
	b, ok := s.Next(a)
	if !ok {
		return 0
	}
	return b.Sub(a)
}

// Shortest is the shortest time between two slots that follow each other in the
// eight days after t, of at most 500, or else between the first two; unlike
// Period it does not depend on the hour of t. It is 0 when there are no two slots.
func (s *Schedule) Shortest(t time.Time) time.Duration {
	const span, most = 8 * 24 * time.Hour, 500
	var out time.Duration
	a, ok := s.Next(t)
	for n := 0; ok && n < most; n++ {
		var b time.Time
		if b, ok = s.Next(a); !ok || out > 0 && b.Sub(t) > span {
			break
		}
		if gap := b.Sub(a); out == 0 || gap < out {
			out = gap
		}
		a = b
	}
	return out
}

// Often reports whether two of its slots may be less than an hour apart.
func (s *Schedule) Often() bool {
	if s.every > 0 {
		return s.every < time.Hour
	}
	return bits.OnesCount64(s.cron.minute) > 1 || bits.OnesCount64(s.cron.second) > 1
}

// Location is the zone that slots are given in.
func (s *Schedule) Location() *time.Location { return s.zone.loc }

// Next is the earliest slot of several schedules after t; a slot that falls
// together with another's is one. It is false when there is none.
func Next(list []*Schedule, t time.Time) (time.Time, bool) {
	var best time.Time
	found := false
	for _, s := range list {
		if n, ok := s.Next(t); ok && (!found || n.Before(best)) {
			best, found = n, true
		}
	}
	return best, found
}

// farthest is how far back Last looks.
const farthest = 10 * 366 * 24 * time.Hour

// Last is the newest slot of several schedules at or before t; false when there
// is none within ten years before.
func Last(list []*Schedule, t time.Time) (time.Time, bool) {
	var best time.Time
	found := false
	for _, s := range list {
		from := t.Add(-farthest)
		if s.count(from, t) == 0 {
			continue
		}
		for _, slot := range s.newest(from, t, 1) {
			if !slot.After(t) && (!found || slot.After(best)) {
				best, found = slot, true
			}
		}
	}
	return best, found
}

// Jitter is how long after the slot its run starts: the same for the same
// pipeline and slot on every machine, spread evenly from 0 to the schedule's
// jitter. The slot itself never moves.
func (s *Schedule) Jitter(id string, slot time.Time) time.Duration {
	if s.jitter <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id + "\x00" + pipeline.Time(slot)))
	// A last stir: neighbouring slots differ in few bits of an FNV hash.
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return time.Duration(x % (uint64(s.jitter) + 1))
}
