package history_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/history/historytest"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("HISTORY_TEST_DIR"); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // the child of a test
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// child runs a pipeline with a slot, step after step without end.
func child(dir string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, store.Options{Dir: dir})
	if err != nil {
		return err
	}
	h := history.New(db)
	r := pipeline.Run{System: "pm2", Pipeline: "sync", Slot: slot}
	if err := h.Begin(ctx, &r, history.Definition{}); err != nil {
		return err
	}
	for i := 0; ; i++ {
		s := pipeline.StepRecord{Run: r.ID, Index: i, ID: fmt.Sprint("s", i), Uses: "run", State: pipeline.Running}
		if err := h.StartStep(ctx, &s); err != nil {
			return err
		}
		s.State = pipeline.Succeeded
		if err := h.EndStep(ctx, &s); err != nil {
			return err
		}
		fmt.Println(i)
	}
}

var slot = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t testing.TB, dir string) *history.History {
	t.Helper()
	db, err := store.Open(context.Background(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	h := history.New(db)
	t.Cleanup(func() {
		if err := errors.Join(h.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	historytest.Exercise(t, func(t *testing.T) *history.History { return open(t, t.TempDir()) })
}

func TestAMissingDatabaseIsAnEmptyHistory(t *testing.T) {
	t.Parallel()
	db, err := store.Open(context.Background(), store.Options{Dir: filepath.Join(t.TempDir(), "none"), ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	h := history.New(db)
	if runs, err := h.Runs(context.Background(), history.Filter{}); err != nil || runs == nil || len(runs) != 0 {
		t.Errorf("%v, %v", runs, err)
	}
	if _, err := h.Run(context.Background(), 1); !errors.Is(err, history.ErrNoRun) {
		t.Error(err)
	}
	if _, err := h.Steps(context.Background(), 1); !errors.Is(err, history.ErrNoRun) {
		t.Error(err)
	}
}

// TestAKilledRun holds what others see of a run while its process lives and
// after kill -9, and that all steps it had reported are there.
func TestAKilledRun(t *testing.T) {
	t.Parallel()
	ctx, dir := context.Background(), t.TempDir()
	c := exec.Command(os.Args[0], "-test.run=^$")
	c.Env = append(os.Environ(), "HISTORY_TEST_DIR="+dir)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	lines := bufio.NewScanner(out)
	lines.Scan()
	h := open(t, dir)
	r := alive(t, h)
	said := 1
	for lines.Scan() {
		if said++; said == 100 {
			if err := c.Process.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = c.Wait()

	runs, err := h.Runs(ctx, history.Filter{States: []pipeline.State{pipeline.Failed}})
	if err != nil || len(runs) != 1 || runs[0].State != pipeline.Failed || runs[0].Error != history.Interrupted {
		t.Errorf("unrescued, as failed: %+v, %v", runs, err)
	}
	if runs, err := h.Runs(ctx, history.Filter{States: []pipeline.State{pipeline.Running}}); err != nil || len(runs) != 0 {
		t.Errorf("unrescued, as running: %+v, %v", runs, err)
	}
	steps, err := h.Steps(ctx, r.ID)
	if err != nil || len(steps) < said {
		t.Fatalf("%d steps were reported, %d are there; %v", said, len(steps), err)
	}
	for i, s := range steps {
		if last := i == len(steps)-1; s.State != pipeline.Succeeded && (!last || s.State != pipeline.Failed || s.Error != history.Interrupted) {
			t.Errorf("step %d: %+v", i, s)
		}
	}
	if s, err := h.Summary(ctx, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)); err != nil || len(s.Systems) != 1 || s.Systems[0].Failed != 1 {
		t.Errorf("summary: %+v, %v", s, err)
	}
	rescue(t, h, r)
}

// alive holds that a run is seen as running by another process, and its slot as taken.
func alive(t *testing.T, h *history.History) pipeline.Run {
	t.Helper()
	ctx := context.Background()
	runs, err := h.Runs(ctx, history.Filter{States: []pipeline.State{pipeline.Running}})
	if err != nil || len(runs) != 1 {
		t.Fatalf("running: %+v, %v", runs, err)
	}
	if ids, err := h.Rescue(ctx, func(string) error { return nil }); err != nil || len(ids) != 0 {
		t.Fatalf("rescued from the living: %v, %v", ids, err)
	}
	var taken *history.SlotTaken
	if err := h.Begin(ctx, &pipeline.Run{System: "pm2", Pipeline: "sync", Slot: slot}, history.Definition{}); !errors.As(err, &taken) {
		t.Errorf("a slot another process serves: %v", err)
	}
	return runs[0]
}

// rescue holds that the slot of a dead process can be taken, and that its end
// is written once.
func rescue(t *testing.T, h *history.History, dead pipeline.Run) {
	t.Helper()
	ctx := context.Background()
	asked := ""
	ids, err := h.Rescue(ctx, func(engine string) error { asked = engine; return errors.New("not ended") })
	if err != nil || len(ids) != 0 || asked == "" {
		t.Errorf("rescued %v, though what %q left could not be ended: %v", ids, asked, err)
	}
	runs, err := h.Runs(ctx, history.Filter{States: []pipeline.State{pipeline.Failed}})
	if err != nil || len(runs) != 1 || runs[0].Error != history.Interrupted {
		t.Errorf("left for the next time, as failed: %+v, %v", runs, err)
	}
	ids, err = h.Rescue(ctx, func(engine string) error {
		if engine != asked {
			t.Errorf("%q was asked for, then %q", asked, engine)
		}
		return nil
	})
	if err != nil || len(ids) != 1 || ids[0] != dead.ID {
		t.Errorf("rescued %v, %v", ids, err)
	}
	if ids, err := h.Rescue(ctx, func(string) error { return nil }); err != nil || len(ids) != 0 {
		t.Errorf("rescued twice: %v, %v", ids, err)
	}
	got, err := h.Run(ctx, dead.ID)
	if err != nil || got.State != pipeline.Failed || got.Error != history.Interrupted || got.Finished.IsZero() {
		t.Errorf("rescued as %+v, %v", got, err)
	}
	next := pipeline.Run{System: "pm2", Pipeline: "sync", Slot: slot}
	if err := h.Begin(ctx, &next, history.Definition{}); err != nil || next.Fence <= dead.Fence {
		t.Errorf("the slot of the dead: %+v, %v", next, err)
	}
}

// TestFinishOnAFullDisk holds that the end of a run is not lost: it fails, and
// succeeds when there is room.
func TestFinishOnAFullDisk(t *testing.T) {
	t.Parallel()
	ctx, mount := context.Background(), t.TempDir()
	if err := unix.Mount("tmpfs", mount, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("a file system of our own needs root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(mount, unix.MNT_DETACH) })
	h := open(t, filepath.Join(mount, "state"))
	r := pipeline.Run{System: "pm2", Pipeline: "sync"}
	if err := h.Begin(ctx, &r, history.Definition{}); err != nil {
		t.Fatal(err)
	}
	ballast, err := os.Create(filepath.Join(mount, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	for n := 64 << 10; n > 0; {
		if _, err := ballast.Write(make([]byte, n)); err != nil {
			n /= 2
		}
	}
	ballast.Close()
	said := 0
	for i := range 2000 {
		s := pipeline.StepRecord{Run: r.ID, Index: i, ID: "x", State: pipeline.Succeeded, Error: strings.Repeat("x", 2000)}
		if err = h.EndStep(ctx, &s); err != nil {
			break
		}
		said++
	}
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("a step on a full disk: %v", err)
	}
	r.State = pipeline.Succeeded
	if err := h.Finish(ctx, &r); !errors.Is(err, store.ErrFull) {
		t.Fatalf("the end on a full disk: %v", err)
	}
	if got, err := h.Run(ctx, r.ID); err != nil || got.State != pipeline.Running {
		t.Errorf("meanwhile: %+v, %v", got, err)
	}
	if err := os.Remove(ballast.Name()); err != nil {
		t.Fatal(err)
	}
	if err := h.Finish(ctx, &r); err != nil {
		t.Fatalf("the end with room: %v", err)
	}
	got, err := h.Run(ctx, r.ID)
	if err != nil || got != r {
		t.Errorf("in the end: %+v, %v", got, err)
	}
	if steps, err := h.Steps(ctx, r.ID); err != nil || len(steps) != said {
		t.Errorf("%d steps were recorded, %d are there; %v", said, len(steps), err)
	}
}

// TestWhoWasOvertakenWritesNothing holds the fence: a process that was thought
// dead, and whose run another has taken, changes nothing any more.
func TestWhoWasOvertakenWritesNothing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, taking := range map[string]string{
		"claimed anew": "UPDATE runs SET fence = fence + 1",
		"by another":   "UPDATE runs SET engine = 'another'",
		"ended":        "UPDATE runs SET state = 'failed'",
	} {
		db, err := store.Open(ctx, store.Options{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		h := history.New(db)
		r := pipeline.Run{System: "pm2", Pipeline: "sync"}
		if err := h.Begin(ctx, &r, history.Definition{}); err != nil {
			t.Fatal(err)
		}
		if err := db.Write(ctx, func(tx *store.Tx) error { _, err := tx.Exec(taking); return err }); err != nil {
			t.Fatal(err)
		}
		if err := h.StartStep(ctx, &pipeline.StepRecord{Run: r.ID, ID: "x", State: pipeline.Running}); !errors.Is(err, history.ErrOvertaken) {
			t.Errorf("%s: a step: %v", name, err)
		}
		r.State = pipeline.Succeeded
		if err := h.Finish(ctx, &r); !errors.Is(err, history.ErrOvertaken) {
			t.Errorf("%s: the end: %v", name, err)
		}
		if steps, err := h.Steps(ctx, r.ID); err != nil || len(steps) != 0 {
			t.Errorf("%s: %v, %v", name, steps, err)
		}
		if err := errors.Join(h.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestAStepIsSmall holds the size of what a step leaves behind, with the
// write-ahead log, while the run still goes on.
func TestAStepIsSmall(t *testing.T) {
	t.Parallel()
	const steps = 20_000 // so many that it does not matter how full the log is just then, of up to 4 MB
	dir := t.TempDir()
	h := open(t, dir)
	r := pipeline.Run{System: "pm2", Pipeline: "sync"}
	if err := h.Begin(context.Background(), &r, history.Definition{}); err != nil {
		t.Fatal(err)
	}
	before := size(t, dir)
	for i := range steps {
		runStep(t, h, r.ID, i)
	}
	if each := (size(t, dir) - before) / steps; each > 300 {
		t.Errorf("%d bytes a step", each)
	} else {
		t.Logf("%d bytes a step", each)
	}
}

func runStep(t testing.TB, h *history.History, run int64, i int) {
	t.Helper()
	code := 0
	s := pipeline.StepRecord{
		Run: run, Index: i, ID: fmt.Sprintf("step-%d", i), Uses: "run", State: pipeline.Running, Attempts: 1,
		Started: time.Now(),
	}
	if err := h.StartStep(context.Background(), &s); err != nil {
		t.Fatal(err)
	}
	s.State, s.ExitCode, s.Finished = pipeline.Succeeded, &code, time.Now()
	if err := h.EndStep(context.Background(), &s); err != nil {
		t.Fatal(err)
	}
}

func size(t *testing.T, dir string) (n int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "redund.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			n += info.Size()
		}
	}
	return n
}

// BenchmarkStep is what StartStep and EndStep cost together.
func BenchmarkStep(b *testing.B) {
	h := open(b, b.TempDir())
	r := pipeline.Run{System: "pm2", Pipeline: "sync"}
	if err := h.Begin(context.Background(), &r, history.Definition{}); err != nil {
		b.Fatal(err)
	}
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	i := 0
	for b.Loop() {
		runStep(b, h, r.ID, i)
		i++
	}
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(cpu)/float64(i)/1000, "cpu-us/op")
}
