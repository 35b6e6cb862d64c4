package schedule

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// TestTake goes from one slot to the next on a clock of its own: each slot of each
// entry is given once, at its jitter, in order and never late.
func TestTake(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	from := at(t, "2026-03-20T00:00:00Z")
	end := from.AddDate(0, 0, 20)
	timer := NewTimer(TimerOptions{Now: func() time.Time { return from }})
	want := map[string]time.Duration{} // by entry and slot, its jitter
	for i := range 40 {
		id := fmt.Sprint(i)
		p := pipeline.Schedule{
			Cron: fmt.Sprintf("%d */%d * * *", r.IntN(60), 1+r.IntN(6)), Timezone: []string{"UTC", "Europe/Berlin"}[i%2],
			DST: pipeline.DST{Gap: "shift", Fold: "both"}, Jitter: pipeline.Duration(i%5) * pipeline.Duration(time.Minute),
		}
		s, err := Parse(p)
		if err != nil {
			t.Fatal(err)
		}
		timer.Set(Entry{ID: id, Schedules: []*Schedule{s}, After: from.Add(-1)})
		for slot, ok := s.Next(from.Add(-1)); ok && slot.Before(end); slot, ok = s.Next(slot) {
			want[id+" "+pipeline.Time(slot)] = s.Jitter(id, slot)
		}
	}
	due, next := timer.Take(from.Add(-1))
	if len(due) > 0 {
		t.Fatalf("%+v was given before its time", due)
	}
	for now := next; now.Before(end.Add(5 * time.Minute)); now = next {
		if due, next = timer.Take(now); len(due) == 0 || !next.After(now) {
			t.Fatalf("%s: gave %+v, then %s", now, due, next)
		}
		for _, d := range due {
			if len(d.Slots) != 1 || d.Late || d.Skipped > 0 {
				t.Fatalf("%s: %+v", now, d)
			}
			key := d.ID + " " + pipeline.Time(d.Slots[0])
			if jitter, ok := want[key]; ok && now.Sub(d.Slots[0]) != jitter || !ok && d.Slots[0].Before(end) {
				t.Errorf("%s was given %s after, want %s (%v)", key, now.Sub(d.Slots[0]), jitter, ok)
			}
			delete(want, key)
		}
	}
	if len(want) > 0 {
		t.Errorf("%d slots were not given, as %v", len(want), want)
	}
	if _, next := NewTimer(TimerOptions{}).Take(from); !next.IsZero() {
		t.Errorf("a timer without entries gives something at %s", next)
	}
}
