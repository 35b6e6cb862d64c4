package due

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/pipeline"
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

// TestPutOff holds that slots which could not be recorded are given again, and
// that an engine which stops does not wait for that.
func TestPutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		g, ctx := errgroup.WithContext(ctx)
		f := &force.Force{Parts: map[string]*force.Part{"pm2/a": hourly(t)}}
		timer := schedule.NewTimer(schedule.TimerOptions{})
		var failing error
		s := New(Options{
			Log: slog.New(slog.DiscardHandler), Force: func() *force.Force { return f }, Failed: func(err error) { failing = err },
			Again: func(list []schedule.Entry) { timer.Set(list...) }, Go: g.Go,
		})
		given := make(chan []schedule.Due, 1)
		g.Go(func() error { _ = timer.Run(ctx, func(d []schedule.Due) { given <- d }, nil); return nil })
		slot := time.Now()
		list := []schedule.Due{{ID: "pm2/a", Slots: []time.Time{slot}}}
		s.putOff(ctx, list, errors.New("no room"))
		s.putOff(ctx, list, errors.New("no room"))
		if failing == nil {
			t.Error("nobody is told of it")
		}
		d := <-given
		if len(d) != 1 || len(d[0].Slots) != 1 || !d[0].Slots[0].Equal(slot) || !d[0].Late || time.Since(slot) != againEvery {
			t.Errorf("after %s: %+v", time.Since(slot), d)
		}
		s.putOff(ctx, list, errors.New("no room"))
		from := time.Now()
		cancel()
		if err := g.Wait(); err != nil || time.Since(from) > 0 {
			t.Errorf("ended after %s: %v", time.Since(from), err)
		}
	})
}

// TestSkippedIsToldOnce holds that what passes unserved beyond limits.catch-up is
// told when the slots after it are recorded, however often that is tried.
func TestSkippedIsToldOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	db, err := store.Open(ctx, store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rename := func(from, to string) {
		t.Helper()
		if err := db.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec("ALTER TABLE " + from + " RENAME TO " + to)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	h := history.New(db)
	defer h.Close()
	f := &force.Force{Set: &loaded.Set{Project: &config.Project{}}, Parts: map[string]*force.Part{"pm2/a": hourly(t)}}
	g := new(errgroup.Group)
	s := New(Options{
		Log: slog.New(slog.DiscardHandler), History: h, Force: func() *force.Force { return f }, Stopped: func() map[string]time.Time { return nil },
		Decided: func(context.Context, pipeline.Run, []int64) {}, Woken: func() {}, Failed: func(error) {}, Again: func([]schedule.Entry) {}, Go: g.Go,
		Event: func(ctx context.Context, e pipeline.Event) {
			if err := h.Event(ctx, e); err != nil {
				t.Error(err)
			}
		},
	})
	told := func() []pipeline.Event {
		t.Helper()
		list, err := h.Events(ctx, history.EventFilter{What: "missed"})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	list := []schedule.Due{{ID: "pm2/a", Slots: []time.Time{time.Unix(1e9, 0)}, Skipped: 3}}
	rename("slots", "away")
	s.Take(ctx, list)
	list[0].Skipped = 1 // a slot that was given before is too many by now
	s.Take(ctx, list)
	if x := told(); len(x) != 0 {
		t.Errorf("told while nothing is recorded: %+v", x)
	}
	rename("away", "slots")
	list[0].Skipped = 0
	s.Take(ctx, list)
	s.Take(ctx, list)
	if x := told(); len(x) != 1 || !strings.HasPrefix(x[0].Detail, "4 slots before ") {
		t.Errorf("%+v", x)
	}
	cancel()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}
