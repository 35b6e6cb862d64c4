package schedule

import (
	"slices"
	"time"
)

// item is an Entry at work.
type item struct {
	id     string
	list   []*Schedule
	spread time.Duration // the longest jitter of list
	after  time.Time     // slots up to here were given
	due    time.Time     // when the next is given
	index  int           // in the queue; -1: not there
}

func newItem(e Entry, now time.Time) *item {
	it := &item{id: e.ID, list: slices.Clone(e.Schedules), after: e.After.Round(0), index: -1}
	if e.After.IsZero() {
		it.after = now
	}
	for _, s := range it.list {
		it.spread = max(it.spread, s.jitter)
	}
	return it
}

// next is the first slot after t and when it is due by its own jitter: the
// shortest, of schedules that fall together.
func (it *item) next(t time.Time) (slot, due time.Time, ok bool) {
	for _, s := range it.list {
		n, found := s.Next(t)
		if !found || ok && n.After(slot) {
			continue
		}
		at := n
		if s.jitter > 0 {
			at = n.Add(s.Jitter(it.id, n))
		}
		if !ok || n.Before(slot) || at.Before(due) {
			slot, due = n, at
		}
		ok = true
	}
	return slot, due, ok
}

// plan finds when the next slot is given: when its jitter ends, or that of a
// later slot, if that is earlier. It is false when there are no more slots.
func (it *item) plan() bool {
	slot, due, ok := it.next(it.after)
	for n := 0; ok && n < ahead && slot.Before(due); n++ {
		next, at, more := it.next(slot)
		if !more {
			break
		}
		if at.Before(due) {
			due = at
		}
		slot = next
	}
	it.due = due
	return ok
}

// take appends what is to be given now.
func (it *item) take(out []Due, now time.Time, most int) []Due {
	for _, part := range [...]struct {
		upto time.Time
		late bool
	}{{it.upto(now.Add(-late - 1)), true}, {it.upto(now), false}} {
		if !part.upto.After(it.after) || part.late && it.due.After(now.Add(-late-1)) {
			continue // as nearly always: nothing is late, for the first of them is not
		}
		if slots, skipped := it.slots(part.upto, most); len(slots) > 0 {
			out = append(out, Due{ID: it.id, Slots: slots, Skipped: skipped, Late: part.late})
		}
		it.after = part.upto
	}
	return out
}

// upto is a time up to which all slots are due at an instant.
func (it *item) upto(at time.Time) time.Time {
	if it.spread == 0 {
		return at
	}
	// Slots before this one's beginning are due whatever their jitter.
	out := at.Add(-it.spread)
	if out.Before(it.after) {
		out = it.after
	}
	for slot, due, ok := it.next(out); ok && !slot.After(at); slot, due, ok = it.next(slot) {
		if !due.After(at) {
			out = slot
		}
	}
	return out
}

// slots are those after the last one given, up to a time: the newest, and how
// many others there are.
func (it *item) slots(upto time.Time, most int) (list []time.Time, others int) {
	total := 0
	for _, s := range it.list {
		n := s.count(it.after, upto)
		total += n
		if n > most {
			list = append(list, s.newest(it.after, upto, most)...)
		} else {
			list = s.first(list, it.after, n) // all of them: no search for where they begin
		}
	}
	if len(it.list) > 1 {
		slices.SortStableFunc(list, time.Time.Compare)
		all := len(list)
		list = slices.CompactFunc(list, time.Time.Equal)
		total -= all - len(list)
	}
	if len(list) > most {
		list = slices.Clone(list[len(list)-most:])
	}
	return list, min(total-len(list), skipped)
}
