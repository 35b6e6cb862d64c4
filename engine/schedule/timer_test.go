package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/redundctl/redundctl/engine/pipeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a wall clock that a test can set; the bubble's clock is the
// monotonic one.
type clock struct {
	mu  sync.Mutex
	off time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off)
}

func (c *clock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off += d
}

// bench is a running timer of a bubble, and a line for all that it told.
type bench struct {
	*Timer
	clock clock
	mu    sync.Mutex // of told
	told  []string
	work  func([]Due) // called by fire; nil: nothing
}

// run starts a timer; its wall clock shows start, which is RFC 3339.
func run(t *testing.T, start string, most int) *bench {
	t.Helper()
	b := &bench{}
	b.clock.jump(time.Until(at(t, start)))
	b.Timer = NewTimer(TimerOptions{Most: most, Now: b.clock.now})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- b.Run(ctx, func(list []Due) {
			for _, d := range list {
				b.tell(b.line(d))
			}
			if b.work != nil {
				b.work(list)
			}
		}, func(j Jump) {
			b.tell(fmt.Sprintf("jump %s %s", j.From.UTC().Format("15:04:05"), j.To.UTC().Format("15:04:05")))
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
	synctest.Wait()
	return b
}

// line is a Due as "time: ID slots", with all that is not usual behind it.
func (b *bench) line(d Due) string {
	s := b.clock.now().UTC().Format("15:04:05") + ": " + d.ID
	for _, slot := range d.Slots {
		s += " " + slot.UTC().Format("15:04:05")
	}
	if d.Skipped > 0 {
		s += " skipped " + strconv.Itoa(d.Skipped)
	}
	if d.Late {
		s += " late"
	}
	return s
}

func (b *bench) tell(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = append(b.told, line)
}

// pass lets time pass, and gives what was told.
func (b *bench) pass(d time.Duration) string {
	<-time.After(d)
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	out := strings.Join(b.told, "\n")
	b.told = nil
	return out
}

func at(t testing.TB, s string) time.Time {
	t.Helper()
	out, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func every(t testing.TB, step, jitter time.Duration) *Schedule {
	t.Helper()
	s, err := Parse(pipeline.Schedule{Every: pipeline.Duration(step), Jitter: pipeline.Duration(jitter)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func same(t *testing.T, got string, want ...string) {
	t.Helper()
	if w := strings.Join(want, "\n"); got != w {
		t.Errorf("told:\n%s\nwant:\n%s", got, w)
	}
}

func TestTimerGivesSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t, "2027-01-04T09:59:58.5Z", 0)
		same(t, b.pass(5*time.Second)) // without entries
		b.Set(Entry{ID: "a", Schedules: []*Schedule{parse(t, "* * * * *")}},
			Entry{ID: "b", Schedules: []*Schedule{parse(t, "*/2 * * * *"), every(t, time.Minute, 0)}},
			Entry{ID: "never", Schedules: nil})
		same(t, b.pass(2*time.Minute),
			"10:01:00: a 10:01:00", "10:01:00: b 10:01:00", "10:02:00: a 10:02:00", "10:02:00: b 10:02:00")
		b.Remove("a", "nobody")
		b.Set(Entry{ID: "b", Schedules: []*Schedule{parse(t, "30 10 * * *")}})
		same(t, b.pass(30*time.Minute), "10:30:00: b 10:30:00")
	})
}

func TestTimerGivesWhatWasDueAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t, "2027-01-04T09:00:00Z", 0)
		var sizes []int
		b.work = func(list []Due) { sizes = append(sizes, len(list)) }
		var all []Entry
		for i := range 500 {
			all = append(all, Entry{ID: strconv.Itoa(i), Schedules: []*Schedule{parse(t, "@hourly")}})
		}
		b.Set(all...)
		b.pass(time.Hour)
		if !slices.Equal(sizes, []int{500}) {
			t.Errorf("fire was given %v", sizes)
		}
	})
}

func TestTimerCatchesUp(t *testing.T) {
	for _, c := range []struct {
		name, after string
		list        []string
		want        string
	}{
		{"one", "2027-01-04T09:00:00Z", []string{"30 9 * * *"}, "10:00:00: a 09:30:00 late"},
		{"the last slot itself is not given again", "2027-01-04T09:30:00Z", []string{"30 9 * * *"}, ""},
		{"newest", "2027-01-04T08:00:00Z", []string{"*/10 * * * *"}, "10:00:00: a 09:30:00 09:40:00 09:50:00 skipped 8 late\n10:00:00: a 10:00:00"},
		{"two schedules, one slot in both", "2027-01-04T09:00:00Z", []string{"*/20 9 * * *", "*/30 9 * * *"}, "10:00:00: a 09:20:00 09:30:00 09:40:00 late"},
		{"two schedules, the newest of both", "2027-01-04T08:00:00Z", []string{"*/20 9 * * *", "*/30 9 * * *"}, "10:00:00: a 09:20:00 09:30:00 09:40:00 skipped 1 late"},
		{"a second ago", "2027-01-04T09:59:00Z", []string{"59 59 9 * * *", "58 59 9 * * *"}, "10:00:00: a 09:59:58 late\n10:00:00: a 09:59:59"},
		{"years", "2017-01-04T09:00:00Z", []string{"0 9 4 * *"}, "10:00:00: a 09:00:00 09:00:00 09:00:00 skipped 117 late"},
		{"capped", "1990-01-04T09:00:00Z", []string{"* * * * *"}, "10:00:00: a 09:57:00 09:58:00 09:59:00 skipped 1000000 late\n10:00:00: a 10:00:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := run(t, "2027-01-04T10:00:00Z", 3)
				e := Entry{ID: "a", After: at(t, c.after)}
				for _, x := range c.list {
					e.Schedules = append(e.Schedules, parse(t, x))
				}
				b.Set(e)
				same(t, b.pass(0), c.want)
			})
		})
	}
}

func TestTimerJumps(t *testing.T) {
	t.Run("forward", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := run(t, "2027-01-04T10:00:30Z", 0)
			b.Set(Entry{ID: "a", Schedules: []*Schedule{parse(t, "*/20 * * * *")}})
			b.pass(time.Second)
			b.clock.jump(time.Hour)
			same(t, b.pass(time.Second), "jump 10:00:32 11:00:32", "11:00:32: a 10:20:00 10:40:00 11:00:00 late")
			same(t, b.pass(20*time.Minute), "11:20:00: a 11:20:00")
		})
	})
	t.Run("with another limit since", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := run(t, "2027-01-04T10:00:30Z", 0)
			b.Set(Entry{ID: "a", Schedules: []*Schedule{parse(t, "*/20 * * * *")}})
			b.Limit(2)
			b.pass(time.Second)
			b.clock.jump(time.Hour)
			same(t, b.pass(time.Second), "jump 10:00:32 11:00:32", "11:00:32: a 10:40:00 11:00:00 skipped 1 late")
		})
	})
	t.Run("back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := run(t, "2027-01-04T10:59:30Z", 0)
			b.Set(Entry{ID: "a", Schedules: []*Schedule{parse(t, "0 * * * *")}})
			same(t, b.pass(time.Minute), "11:00:00: a 11:00:00")
			b.clock.jump(-time.Hour)
			// 11:00 comes again and is not given again.
			same(t, b.pass(2*time.Hour), "jump 11:00:31 10:00:31", "12:00:00: a 12:00:00")
			// Set anew, it goes on after its After.
			b.clock.jump(-2 * time.Hour)
			b.pass(time.Second)
			b.Set(Entry{ID: "a", Schedules: []*Schedule{parse(t, "0 * * * *")}})
			same(t, b.pass(time.Hour), "11:00:00: a 11:00:00")
		})
	})
	t.Run("just onto a slot", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := run(t, "2027-01-04T10:30:00Z", 0)
			b.Set(Entry{ID: "a", Schedules: []*Schedule{parse(t, "*/15 * * * *")}})
			b.pass(time.Second)
			b.clock.jump(30*time.Minute - 2*time.Second + 500*time.Millisecond)
			same(t, b.pass(time.Second), "jump 10:30:02 11:00:00", "11:00:00: a 10:45:00 late", "11:00:00: a 11:00:00")
		})
	})
	t.Run("too small to tell", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := run(t, "2027-01-04T10:59:50Z", 0)
			b.Set(Entry{ID: "a", Schedules: []*Schedule{parse(t, "0 * * * *")}})
			b.clock.jump(1900 * time.Millisecond)
			same(t, b.pass(9*time.Second), "11:00:00: a 11:00:00")
		})
	})
	t.Run("while fire is busy", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := run(t, "2027-01-04T10:59:50Z", 0)
			b.work = once(func() {
				<-time.After(90 * time.Second)
				b.clock.jump(time.Hour)
			})
			b.Set(Entry{ID: "a", Schedules: []*Schedule{parse(t, "* * * * *")}})
			same(t, b.pass(101*time.Second), "11:00:00: a 11:00:00", "jump 11:01:30 12:01:30",
				"12:01:30: a "+minutes("11:01", 61)+" late")
		})
	})
}

// once is the work of the first call alone.
func once(f func()) func([]Due) {
	var first sync.Once
	return func([]Due) { first.Do(f) }
}

// minutes are n full minutes from a first one on.
func minutes(first string, n int) string {
	from, _ := time.Parse("15:04", first)
	var out []string
	for i := range n {
		out = append(out, from.Add(time.Duration(i)*time.Minute).Format("15:04:05"))
	}
	return strings.Join(out, " ")
}

// A machine that sleeps stops its monotonic clock, a process that is stopped
// does not: both are one jump. The bubble cannot stop a process, so its waking
// late is read off the two readings themselves.
func TestTimerSleeps(t *testing.T) {
	c := &clock{}
	timer := NewTimer(TimerOptions{Now: c.now})
	for _, x := range []struct {
		name                   string
		wall, elapsed, planned time.Duration
		jump                   time.Duration
	}{
		{"as planned", time.Second, time.Second, time.Second, 0},
		{"woken before", 100 * time.Millisecond, 100 * time.Millisecond, time.Second, 0},
		{"a little late", 2900 * time.Millisecond, 2900 * time.Millisecond, time.Second, 0},
		{"the machine slept", time.Hour + time.Second, time.Second, time.Second, time.Hour},
		{"the process was stopped", time.Hour + time.Second, time.Hour + time.Second, time.Second, time.Hour},
		{"stopped, and the clock went on for less", time.Minute, time.Hour, time.Second, 59 * time.Second},
		{"set back", -time.Hour, time.Second, time.Second, -time.Hour - time.Second},
		{"fire was busy", time.Hour, time.Hour, 1 << 62, 0},
	} {
		now := timer.look()
		last := reading{now.wall.Add(-x.wall), now.elapsed - x.elapsed}
		var got []Jump
		timer.after(last, x.planned, func(j Jump) { got = append(got, j) })
		switch {
		case x.jump == 0 && len(got) > 0:
			t.Errorf("%s: %v", x.name, got)
		case x.jump != 0 && (len(got) != 1 || (got[0].To.Sub(got[0].From)-x.jump).Abs() > time.Second):
			t.Errorf("%s: %v", x.name, got)
		}
	}
}

func TestTimerFollowsDaylightSaving(t *testing.T) {
	berlin := func(t *testing.T, gap, fold string) *Schedule {
		s, err := Parse(pipeline.Schedule{Cron: "30 2 * * *", Timezone: "Europe/Berlin", DST: pipeline.DST{Gap: gap, Fold: fold}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, c := range []struct{ start, gap, fold, want string }{
		{"2027-03-28T00:00:00Z", "shift", "first", "01:00:00: a 01:00:00"},
		{"2027-03-28T00:00:00Z", "skip", "first", ""},
		{"2027-10-31T00:00:00Z", "shift", "first", "00:30:00: a 00:30:00"},
		{"2027-10-31T00:00:00Z", "shift", "last", "01:30:00: a 01:30:00"},
		{"2027-10-31T00:00:00Z", "shift", "both", "00:30:00: a 00:30:00\n01:30:00: a 01:30:00"},
	} {
		t.Run(c.start[:10]+c.gap+c.fold, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := run(t, c.start, 0)
				b.Set(Entry{ID: "a", Schedules: []*Schedule{berlin(t, c.gap, c.fold)}})
				same(t, b.pass(6*time.Hour), c.want)
			})
		})
	}
}

// Every slot is given once, in order, not before its time and not after the
// end of its jitter.
func TestTimerJitter(t *testing.T) {
	for _, list := range [][]time.Duration{{time.Minute, 30 * time.Second}, {time.Minute, time.Hour}, {time.Second, time.Hour},
		{time.Hour, 2 * time.Hour, time.Minute, 0}, {time.Minute, 0, time.Minute, time.Hour}} {
		t.Run(fmt.Sprint(list), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := "2027-01-04T10:00:00Z"
				b := run(t, start, 1_000_000)
				e := Entry{ID: "a"}
				for i := 0; i < len(list); i += 2 {
					e.Schedules = append(e.Schedules, every(t, list[i], list[i+1]))
				}
				last, calls, own := at(t, start), 0, 0
				b.work = func(got []Due) {
					calls++
					for _, d := range got {
						if d.Late || d.Skipped > 0 {
							t.Errorf("%+v", d)
						}
						for _, slot := range d.Slots {
							next, _ := Next(e.Schedules, last)
							_, due, _ := newItem(e, last).next(last)
							if !slot.Equal(next) {
								t.Fatalf("given %v after %v", slot, last)
							}
							if now := b.clock.now(); now.Before(slot) || now.After(due) {
								t.Errorf("%v is given at %v, due %v", slot, now, due)
							} else if now.Equal(due) {
								own++
							}
							last = slot
						}
					}
				}
				b.Set(e)
				b.pass(6 * time.Hour)
				if passed := last.Sub(at(t, start)); passed < 4*time.Hour || calls < 4 || own < calls {
					t.Errorf("%d calls, %d slots at their own time, the last at %v", calls, own, passed)
				}
				if len(list) == 4 && list[2] == list[0] && calls < 360 {
					t.Errorf("slots that fall together wait for the longer jitter: %d calls", calls)
				}
				if list[1] == 30*time.Second && own != calls {
					t.Errorf("%d of %d slots are at slot + jitter", own, calls)
				}
			})
		})
	}
}

// A slot that passed while nobody looked still waits for its jitter, and is
// given at once when that has ended.
func TestTimerLateWithJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := every(t, time.Hour, 30*time.Minute)
		id, waits := "", time.Duration(0)
		for i := 0; waits < time.Minute || waits > 25*time.Minute; i++ {
			id = strconv.Itoa(i)
			waits = s.Jitter(id, at(t, "2027-01-04T10:00:00Z"))
		}
		b := run(t, "2027-01-04T10:00:10Z", 0)
		b.Set(Entry{ID: id, Schedules: []*Schedule{s}, After: at(t, "2027-01-04T08:00:00Z")})
		same(t, b.pass(0), "10:00:10: "+id+" 09:00:00 late")
		start := at(t, "2027-01-04T10:00:00Z").Add(waits).Format("15:04:05")
		same(t, b.pass(30*time.Minute), start+": "+id+" 10:00:00")
	})
}

func TestTimerLateWhenFireWasBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t, "2027-01-04T10:00:30Z", 0)
		b.work = once(func() { <-time.After(130 * time.Second) })
		b.Set(Entry{ID: "a", Schedules: []*Schedule{parse(t, "* * * * *")}})
		same(t, b.pass(4*time.Minute), "10:01:00: a 10:01:00", "10:03:10: a 10:02:00 10:03:00 late", "10:04:00: a 10:04:00")
	})
}

func TestTimerEntriesChangeInsideFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t, "2027-01-04T10:00:30Z", 0)
		b.work = func(list []Due) {
			if list[0].ID == "a" {
				b.Remove("a")
				b.Set(Entry{ID: "b", Schedules: []*Schedule{parse(t, "* * * * *")}})
			}
		}
		b.Set(Entry{ID: "a", Schedules: []*Schedule{parse(t, "* * * * *")}})
		same(t, b.pass(2*time.Minute), "10:01:00: a 10:01:00", "10:02:00: b 10:02:00")
	})
}

func TestTimerRunsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t, "2027-01-04T10:00:30Z", 0)
		if err := b.Run(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "already") {
			t.Errorf("a second Run: %v", err)
		}
	})
}

func TestTimerRace(t *testing.T) {
	timer := NewTimer(TimerOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	var given sync.Map
	enough := make(chan struct{}, 1)
	var all sync.WaitGroup
	all.Go(func() {
		timer.Run(ctx, func(list []Due) {
			for _, d := range list {
				for _, s := range d.Slots {
					if _, twice := given.LoadOrStore(d.ID+s.String(), true); twice && strings.HasPrefix(d.ID, "stays") {
						t.Errorf("%s %v is given twice", d.ID, s)
					}
				}
			}
			select {
			case enough <- struct{}{}:
			default:
			}
		}, nil)
	})
	s := []*Schedule{every(t, time.Second, 500*time.Millisecond)}
	timer.Set(Entry{ID: "stays", Schedules: s, After: time.Now().Add(-time.Minute)})
	for g := range 4 {
		all.Go(func() {
			for i := range 300 {
				id := strconv.Itoa((g*7 + i) % 50)
				timer.Set(Entry{ID: id, Schedules: s, After: time.Now().Add(-time.Duration(i) * time.Second)})
				timer.Remove(strconv.Itoa(i % 50))
			}
		})
	}
	<-enough
	cancel()
	all.Wait()
}
