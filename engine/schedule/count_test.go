package schedule

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// Counting and searching back agree with walking, in every zone and across
// every change of its clocks.
func TestCountAgreesWithWalking(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Cairo", "Pacific/Apia", "Asia/Kathmandu", "Africa/Casablanca"}
	exprs := []string{"* * * * *", "30 2 * * *", "*/30 0-3 * * *", "15 * * * *", "0 0 * * *", "0 0 29 2 *", "5 1-3 */2 * 1-5", "10 2 13 * 5", "20,40 * 2 * * *", "30 2 * 3,10 0"}
	for n := range 3000 {
		ps := pipeline.Schedule{Cron: exprs[r.IntN(len(exprs))], Timezone: zones[r.IntN(len(zones))],
			DST: pipeline.DST{Gap: []string{"shift", "skip"}[r.IntN(2)], Fold: []string{"first", "last", "both"}[r.IntN(3)]}}
		if n%10 == 0 {
			ps = pipeline.Schedule{Every: pipeline.Duration(time.Duration(1+r.IntN(90000)) * time.Second)}
		}
		s, err := Parse(ps)
		if err != nil {
			t.Fatal(err)
		}
		after := time.Unix(-10*365*day+r.Int64N(80*365*day), r.Int64N(1e9))
		upto := after.Add(time.Duration(r.Int64N(int64(10 * 24 * time.Hour))))
		if n%3 == 0 {
			// Around a change of the clock, where there is one.
			if _, end := after.In(s.Location()).ZoneBounds(); !end.IsZero() {
				after = end.Add(-time.Duration(r.Int64N(int64(5 * time.Hour))))
				upto = end.Add(time.Duration(r.Int64N(int64(5 * time.Hour))))
			}
		}
		var want []time.Time
		for slot, ok := s.Next(after); ok && !slot.After(upto); slot, ok = s.Next(slot) {
			want = append(want, slot)
		}
		if got := s.count(after, upto); got != len(want) {
			t.Fatalf("%+v: %d slots in (%v, %v], counted %d", ps, len(want), after, upto, got)
		}
		if k := min(len(want), 1+r.IntN(20)); !slices.EqualFunc(s.newest(after, upto, k), want[len(want)-k:], time.Time.Equal) {
			t.Fatalf("%+v: the newest %d in (%v, %v] are %v, not %v", ps, k, after, upto, s.newest(after, upto, k), want[len(want)-k:])
		}
	}
}

// One look of a timer with 10,000 entries that are not due.
func BenchmarkTimerIdle(b *testing.B) {
	timer, now := many(b, 10_000), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if len(timer.take(now)) > 0 {
			b.Fatal("due")
		}
		timer.wait(now)
	}
}

// 10,000 entries that are due at once.
func BenchmarkTimerBurst(b *testing.B) {
	timer, now := many(b, 10_000), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Hour)
		if len(timer.take(now)) < 10_000 {
			b.Fatal("not due")
		}
	}
}

// 10,000 entries of each minute after a month of absence.
func BenchmarkTimerMonth(b *testing.B) {
	s := []*Schedule{parse(b, "* * * * *")}
	for b.Loop() {
		timer, now := NewTimer(TimerOptions{Most: 1}), time.Now()
		for i := range 10_000 {
			timer.Set(Entry{ID: strconv.Itoa(i), Schedules: s, After: now.AddDate(0, -1, 0)})
		}
		if len(timer.take(now)) < 10_000 {
			b.Fatal("not due")
		}
	}
}

func many(b *testing.B, n int) *Timer {
	timer := NewTimer(TimerOptions{Most: 10})
	s := []*Schedule{parse(b, "@hourly")}
	for i := range n {
		timer.Set(Entry{ID: strconv.Itoa(i), Schedules: s})
	}
	return timer
}
