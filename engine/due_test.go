package engine

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redundctl/redundctl/engine/checkup"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/due"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/logging"
	"github.com/redundctl/redundctl/engine/logs"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/queue"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/engine/store"
)

// hourly is a part with a slot at each full hour.
func hourly(t *testing.T) *force.Part {
	t.Helper()
	var zones schedule.Zones
	p := &pipeline.Pipeline{System: "pm2", Name: "a", Schedule: []pipeline.Schedule{{Cron: "0 * * * *", Timezone: "UTC"}}}
	s, err := zones.Parse(p.Schedule[0])
	if err != nil {
		t.Fatal(err)
	}
	return &force.Part{Pipeline: p, Schedules: []*schedule.Schedule{s}}
}

// TestWritesAgain holds that trouble is over when the history can be written
// again, also where nobody is about to try what failed.
func TestWritesAgain(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := &server{
		Engine: &Engine{log: slog.New(slog.DiscardHandler), db: db},
		care:   care{checkup: checkup.New(checkup.Options{})},
	}
	gone, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	s.slots = due.New(due.Options{History: history.New(gone), Failed: func(error) {}, Go: func(func() error) {}, Force: s.now, Stopped: s.stopped})
	s.slots.Take(t.Context(), []schedule.Due{{ID: "pm2/a", Slots: []time.Time{time.Now()}}})
	for _, who := range []string{"probe", "records", "runs", "schedules"} {
		s.failed(who, errors.New("no room"))
	}
	s.probe(t.Context())
	if s.trouble.Writing() == nil {
		t.Error("over, with slots that are to be given again")
	}
	s.slots.Forget("pm2/a")
	s.probed = time.Time{}
	s.probe(t.Context())
	if err := s.trouble.Writing(); err != nil {
		t.Error(err)
	}
}

// TestLimitOfWhatIsCaughtUp holds that limits.catch-up of a file that was saved
// counts from then on.
func TestLimitOfWhatIsCaughtUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		part := hourly(t)
		set := &loaded.Set{Project: &config.Project{}}
		set.Project.Config.Limits.CatchUp = 2
		dir, err := logs.Open(t.TempDir(), logs.Options{})
		if err != nil {
			t.Fatal(err)
		}
		e := &Engine{written: logging.New(&set.Project.Config, logging.Options{Dir: dir})}
		defer e.written.Close()
		s := &server{Engine: e, timer: schedule.NewTimer(schedule.TimerOptions{}), queue: queue.New(nil, queue.Options{})}
		s.timer.Set(schedule.Entry{ID: "pm2/a", Schedules: part.Schedules, After: time.Now().Add(-5 * time.Hour)})
		s.enforce(&force.Force{Set: set, Parts: map[string]*force.Part{"pm2/a": part}})
		ctx, cancel := context.WithCancel(t.Context())
		var given []schedule.Due
		_ = s.timer.Run(ctx, func(d []schedule.Due) { given = d; cancel() }, nil)
		if len(given) == 0 || len(given[0].Slots) != 2 || given[0].Skipped == 0 {
			t.Errorf("%+v", given)
		}
	})
}

// TestEntries holds where schedules go on: after what is decided, and after no
// time to come, as a clock that was ahead left it.
func TestEntries(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, c := range []struct {
		name              string
		since, last, want time.Duration // from now; 0: none
	}{
		{"never decided", -time.Hour, 0, -time.Hour},
		{"decided since", -2 * time.Hour, -time.Hour, -time.Hour},
		{"decided before it came back", -time.Hour, -2 * time.Hour, -time.Hour},
		{"the clock was ahead", time.Hour, -2 * time.Hour, -2 * time.Hour},
		{"the clock was ahead, and nothing is decided", time.Hour, 0, 0},
	} {
		at := func(d time.Duration) time.Time {
			if d == 0 {
				return time.Time{}
			}
			return now.Add(d)
		}
		p := hourly(t)
		p.Since = at(c.since)
		last := map[string]time.Time{}
		if c.last != 0 {
			last["pm2/a"] = at(c.last)
		}
		got := (&force.Force{Parts: map[string]*force.Part{"pm2/a": p}}).Entries(last, time.Now())
		if len(got) != 1 || !got[0].After.Equal(at(c.want)) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
