package cleanup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/redundctl/redundctl/engine/config/settings"
	"github.com/redundctl/redundctl/engine/console/repeat"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/logs"
	"github.com/redundctl/redundctl/engine/logs/records"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const day = 24 * time.Hour

// life is an engine in a year that passes in seconds: what it records is what
// an engine records, by the history and the logs themselves.
type life struct {
	t       *testing.T
	dir     string
	each    time.Duration // between the slots of its pipelines
	db      *store.DB
	history *history.History
	logs    *logs.Dir
	repeats *repeat.Handler
	log     *slog.Logger
	end     func()
	runs    int
}

// begin starts the engine, with retention beside it.
func (l *life) begin() {
	var err error
	if l.db, err = store.Open(l.t.Context(), store.Options{Dir: l.dir}); err != nil {
		l.t.Fatal(err)
	}
	l.history = history.New(l.db)
	if l.logs, err = logs.Open(filepath.Join(l.dir, "logs"), logs.Options{MaxSize: 32 << 10, Compress: true, MaxAge: 30 * day}); err != nil {
		l.t.Fatal(err)
	}
	to := records.New(l.logs)
	to.Set(records.Levels{Systems: map[string]slog.Level{"pm2": slog.LevelInfo, "web": slog.LevelInfo}})
	l.repeats = repeat.New(to, time.Minute)
	l.log = slog.New(l.repeats)
	ctx, cancel := context.WithCancel(l.t.Context())
	done := make(chan struct{})
	keep := settings.Retention{Runs: pipeline.Duration(90 * day), Logs: pipeline.Duration(30 * day), Reports: pipeline.Duration(90 * day)}
	go func() {
		defer close(done)
		again(ctx, 8*time.Hour, l.log, func() Place { // an hour costs more, and shows no more
			return Place{State: l.dir, History: l.history, Logs: l.logs, Keep: keep}
		})
	}()
	l.end = func() { cancel(); <-done }
}

// stop ends the engine, and gives how much its state directory holds.
func (l *life) stop() int64 {
	l.end()
	l.repeats.Close()
	l.check(errors.Join(l.logs.Close(), l.history.Close(), l.db.Close()))
	var all int64
	l.check(filepath.WalkDir(l.dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().IsRegular() {
			all += info.Size()
		}
		return err
	}))
	return all
}

func (l *life) check(err error) {
	if err != nil {
		l.t.Helper()
		l.t.Fatal(err)
	}
}

// file writes a file as of now.
func (l *life) file(path string, size int) {
	path = filepath.Join(l.dir, path)
	l.check(os.MkdirAll(filepath.Dir(path), 0o700))
	l.check(os.WriteFile(path, make([]byte, size), 0o600))
	l.check(os.Chtimes(path, time.Now(), time.Now()))
	l.check(os.Chtimes(filepath.Dir(path), time.Now(), time.Now()))
}

// slots decides one slot of each pipeline and runs what is to run.
func (l *life) slots(names ...string) {
	ctx, now := l.t.Context(), time.Now()
	var list []history.Decision
	for i, name := range names {
		d := history.Decision{System: []string{"pm2", "web"}[i%2], Name: name, Slot: now, Run: true, Trigger: "schedule", Reason: "scheduled", Due: now}
		// A pipeline is edited once a week.
		d.Definition = history.Definition{Hash: fmt.Sprint(name, now.Unix()/int64(7*day/time.Second)), File: name + ".yaml", Body: make([]byte, 900)}
		if name == "off" {
			d.Run, d.Reason = false, "disabled"
		}
		list = append(list, d)
	}
	runs, err := l.history.Decide(ctx, list)
	l.check(err)
	for i, r := range runs {
		if r.State == pipeline.Queued {
			l.run(r.ID, list[i].Definition, pipeline.Succeeded)
		}
	}
}

func (l *life) run(id int64, d history.Definition, state pipeline.State) {
	ctx := l.t.Context()
	r, err := l.history.Claim(ctx, id, d)
	l.check(err)
	name := r.System + "/" + r.Pipeline
	l.log.Info("run started", "run", r.ID, "pipeline", name)
	l.runs++
	if r.Pipeline == "fails" && l.runs%3 == 0 {
		state = pipeline.Failed
		l.check(l.history.Event(ctx, pipeline.Event{Run: r.ID, Pipeline: name, What: "retry", Detail: "attempt 2 of 2"}))
	}
	lines := l.logs.Writer(r.System).Run(r.ID, name)
	for n, id := range []string{"build", "publish"} {
		s := pipeline.StepRecord{Run: r.ID, Index: n, ID: id, Uses: "run", State: pipeline.Running, Attempts: 1, Started: time.Now()}
		l.check(l.history.StartStep(ctx, &s))
		for i := range 10 {
			lines.Line(time.Now(), id, fmt.Sprintf("line %d of the output of run %d, which is as long as lines are", i, r.ID))
		}
		s.State, s.Finished, s.Outputs = state, time.Now(), map[string]any{"answer": l.runs}
		l.check(l.history.EndStep(ctx, &s))
	}
	if r.State, r.Finished = state, time.Now(); state == pipeline.Failed {
		r.Error = "step publish: exit code 1"
	}
	l.log.Info("run ended", "run", r.ID, "pipeline", name, "state", r.State, "error", r.Error)
	l.check(errors.Join(lines.Flush(), l.history.Finish(ctx, &r)))
}

// daily is what comes about now and then: a health report, a mistake that is
// saved, an artifact.
func (l *life) daily(n int) {
	if n%3 > 0 {
		return
	}
	ctx := l.t.Context()
	l.file(fmt.Sprintf("reports/health-%s.json", time.Now().UTC().Format("20060102T150405Z")), 3000)
	l.file("reports/status.json", 5000)
	l.check(l.history.Event(ctx, pipeline.Event{What: "reload-rejected", Detail: fmt.Sprintf(`pipelines/pm2/a.yaml:3:1: unknown key "schedul%d"`, n)}))
	l.log.Error("a file is rejected; its last good form, if there is one, stays in force", "file", "pipelines/pm2/a.yaml", "line", 3)
	list, err := l.history.Runs(ctx, history.Filter{Limit: 1})
	l.check(err)
	l.file(filepath.Join("artifacts", strconv.FormatInt(list[0].ID, 10), "page.html"), 2000)
}

// pass lets some days pass.
func (l *life) pass(days int) {
	for d := range days {
		for end := time.Now().Add(day); time.Now().Before(end); {
			l.slots("fails", "a", "b", "c", "off")
			for range 3 {
				l.log.Warn("the primary cannot be asked", "pipeline", "web/a", "error", "no route")
			}
			time.Sleep(l.each) //nolint:forbidigo // of the bubble
		}
		l.daily(d)
	}
}

// TestD15DiskUseReachesAPlateau lives a year, with a restart every quarter, and
// holds that the state directory does not grow any more once retention has
// something to remove; nor is anything missing that is still needed.
func TestD15DiskUseReachesAPlateau(t *testing.T) {
	t.Parallel()
	dir, each := t.TempDir(), 8*time.Hour
	if shm, err := os.MkdirTemp("/dev/shm", "redundctl-year-"); err == nil { // what is looked at are sizes, not a disk
		dir = filepath.Join(shm, "state")
		t.Cleanup(func() { os.RemoveAll(shm) })
	}
	if minutes, err := strconv.Atoi(os.Getenv("REDUND_YEAR_EVERY")); err == nil && minutes > 0 {
		each = time.Duration(minutes) * time.Minute
	}
	synctest.Test(t, func(t *testing.T) {
		l := &life{t: t, dir: dir, each: each}
		l.begin()
		l.slots("yearly")
		long, err := l.history.Decide(t.Context(), []history.Decision{{System: "pm2", Name: "long", Slot: time.Now(), Run: true, Trigger: "schedule", Reason: "scheduled"}})
		l.check(err)
		var sizes []int64
		for range 4 {
			l.pass(91)
			sizes = append(sizes, l.stop())
			l.begin()
		}
		t.Logf("%d runs; KiB after months 3, 6, 9 and 12: %d %d %d %d", l.runs, sizes[0]>>10, sizes[1]>>10, sizes[2]>>10, sizes[3]>>10)
		least, most := min(sizes[1], sizes[2], sizes[3]), max(sizes[1], sizes[2], sizes[3])
		if most*100 > least*110 || sizes[3]*100 > sizes[1]*105 {
			t.Errorf("the state directory grows: %v bytes after each quarter", sizes)
		}
		l.needed(long[0].ID)
		l.stop()
	})
}

// needed holds that what is needed has outlived it all.
func (l *life) needed(waits int64) {
	ctx := l.t.Context()
	last, _, _, err := l.history.LastRuns(ctx)
	l.check(err)
	slots, err := l.history.LastSlots(ctx)
	l.check(err)
	for _, id := range []string{"pm2/yearly", "web/a", "pm2/fails"} {
		if last[id].ID == 0 || slots[id].IsZero() {
			l.t.Errorf("%s: the last run is %+v, the last slot %s", id, last[id], slots[id])
		}
	}
	if d, ok, err := l.history.Definition(ctx, last["pm2/yearly"].Hash); !ok || err != nil {
		l.t.Errorf("the definition of the last run is gone: %+v, %v", d, err)
	}
	q, err := l.history.Queue(ctx)
	l.check(err)
	if len(q) != 1 || q[0].ID != waits {
		l.t.Errorf("what waits is %+v", q)
	}
	oldest, err := l.history.Runs(ctx, history.Filter{Limit: 1_000_000})
	l.check(err)
	for _, r := range oldest {
		if r.Pipeline != "yearly" && r.ID != waits && time.Since(r.Queued) > 91*day {
			l.t.Errorf("run %d of %s is still there", r.ID, r.Queued)
			break
		}
	}
}
