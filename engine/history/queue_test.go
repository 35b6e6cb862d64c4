package history_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// TestChangedTellsOfOthersOnly holds that what this process writes wakes it not.
func TestChangedTellsOfOthersOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, other := open(t, dir), open(t, dir)
	ctx, cancel := context.WithCancel(context.Background())
	told, done := make(chan struct{}, 100), make(chan error, 1)
	go func() { done <- h.Changed(ctx, time.Millisecond, func() { told <- struct{}{} }) }()
	<-told // once at the beginning
	for range 20 {
		if _, err := h.Enqueue(ctx, history.Order{System: "pm2", Pipeline: "sync"}); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-told:
		t.Error("told of its own writing")
	case <-time.After(50 * time.Millisecond):
	}
	for range 3 {
		r, err := other.Enqueue(ctx, history.Order{System: "pm2", Pipeline: "sync"})
		if err != nil {
			t.Fatal(err)
		}
		<-told
		if got, err := h.Run(ctx, r.ID); err != nil || got.State != pipeline.Queued {
			t.Errorf("when it was told: %+v, %v", got, err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestTheQueueOnAFullDisk holds that nothing is half recorded: neither a
// decision of many, nor a claim.
func TestTheQueueOnAFullDisk(t *testing.T) {
	t.Parallel()
	ctx, mount := context.Background(), t.TempDir()
	if err := unix.Mount("tmpfs", mount, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("a file system of our own needs root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(mount, unix.MNT_DETACH) })
	h := open(t, filepath.Join(mount, "state"))
	waits, err := h.Enqueue(ctx, history.Order{System: "pm2", Pipeline: "sync"})
	if err != nil {
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
	var list []history.Decision
	for i := range 3000 {
		list = append(list, history.Decision{
			System: "pm2", Name: "sync", Slot: slot.Add(time.Duration(i) * time.Minute), Run: true, Reason: "scheduled", Detail: strings.Repeat("x", 500),
		})
	}
	if runs, err := h.Decide(ctx, list); !errors.Is(err, store.ErrFull) || len(runs) > 0 {
		t.Fatalf("decided on a full disk: %d, %v", len(runs), err)
	}
	for range 2000 { // what room is left in the log
		if _, err = h.Enqueue(ctx, history.Order{System: "pm2", Pipeline: "filler", Params: map[string]string{"x": strings.Repeat("x", 2000)}}); err != nil {
			break
		}
	}
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("enqueued on a full disk: %v", err)
	}
	for _, err = h.Claim(ctx, waits.ID, history.Definition{Hash: "h", Body: noise(8000)}); err == nil; {
		t.Fatal("claimed on a full disk")
	}
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("claimed on a full disk: %v", err)
	}
	if got, err := h.Run(ctx, waits.ID); err != nil || got.State != pipeline.Queued {
		t.Errorf("meanwhile: %+v, %v", got, err)
	}
	if err := os.Remove(ballast.Name()); err != nil {
		t.Fatal(err)
	}
	if r, err := h.Claim(ctx, waits.ID, history.Definition{Hash: "h", Body: noise(8000)}); err != nil || r.Fence != 1 {
		t.Errorf("claimed with room: %+v, %v", r, err)
	}
	if _, ok, err := h.LastSlot(ctx, "pm2", "sync"); ok || err != nil {
		t.Errorf("half of a decision was kept; %v", err)
	}
	if runs, err := h.Decide(ctx, list[:100]); err != nil || len(runs) != 100 || runs[0].ID == 0 {
		t.Errorf("decided with room: %d, %v", len(runs), err)
	}
}

// noise cannot be compressed.
func noise(n int) []byte {
	out, x := make([]byte, n), uint32(1)
	for i := range out {
		x = x*1664525 + 1013904223
		out[i] = byte(x >> 24)
	}
	return out
}

// TestTheQuestionsOfTheQueueUseIndexes holds that what is asked all the time
// does not grow with the history.
func TestTheQuestionsOfTheQueueUseIndexes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db, err := store.Open(ctx, store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for query, want := range map[string]string{
		"SELECT id FROM runs INDEXED BY runs_queue WHERE state = 'queued' ORDER BY priority DESC, due, id":                                    "SCAN runs USING COVERING INDEX runs_queue",
		"SELECT id, params FROM runs INDEXED BY runs_by_state WHERE state = 'queued' AND id > 5 ORDER BY id":                                  "SEARCH runs USING INDEX runs_by_state (state=? AND id>?)",
		"SELECT count(*) FROM runs INDEXED BY runs_queue WHERE state = 'queued'":                                                              "SCAN runs USING COVERING INDEX runs_queue",
		"SELECT id FROM runs INDEXED BY runs_by_state WHERE state = 'running' AND cancel IS NOT NULL AND engine = 'x' ORDER BY id":            "SEARCH runs USING INDEX runs_by_state (state=?)",
		"SELECT slot FROM slots WHERE system = 'x' AND name = 'y' AND slot <= 9 AND planned ORDER BY slot DESC LIMIT 1":                       "SEARCH slots USING PRIMARY KEY (system=? AND name=? AND slot<?)",
		"SELECT system, name FROM slots WHERE (system, name, slot) > ('x', 'y', 5) ORDER BY system, name, slot LIMIT 1":                       "SEARCH slots USING PRIMARY KEY ((system,name,slot)>(?,?,?))",
		"SELECT id FROM runs WHERE system = 'x' AND name = 'y' AND slot = 1 AND state IN ('succeeded', 'queued', 'running') ORDER BY id DESC": "SEARCH runs USING INDEX runs_by_slot (system=? AND name=? AND slot=?)",
	} {
		var got []string
		err := db.Read(ctx, func(tx *store.Tx) error {
			return tx.Query("EXPLAIN QUERY PLAN "+query, func(row store.Row) error { got = append(got, row.Text(3)); return nil })
		})
		if plan := strings.Join(got, "; "); err != nil || plan != want {
			t.Errorf("%s\n got %s, %v\nwant %s", query, plan, err, want)
		}
	}
}

// BenchmarkMillionRunsQueue is what the queue costs when the history is as
// large as it may become, and so many wait.
func BenchmarkMillionRunsQueue(b *testing.B) {
	ctx, dir := context.Background(), b.TempDir()
	past := time.Now().Add(-90 * 24 * time.Hour)
	reopen := func() *store.DB {
		db, err := store.Open(ctx, store.Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		return db
	}
	db := reopen()
	err := db.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i < 999999)
			INSERT INTO runs (system, name, "trigger", slot, state, reason, attempt, fence, engine, queued, started, finished, priority, due)
			SELECT 'system-'||(i%3), 'pipeline-'||(i%30), 'schedule', ?1 + i*7776000, 'succeeded',
				'scheduled', 1, 1, 'e', ?1 + i*7776000, ?1 + i*7776000, ?1 + i*7776000 + 1000000, 1, ?1 + i*7776000 FROM n`, past.UnixMicro())
		if err == nil {
			_, err = tx.Exec(`INSERT INTO slots (system, name, slot, fence, run, decision, reason, decided, planned)
				SELECT system, name, slot, 1, id, 'run', 'scheduled', queued, 1 FROM runs`)
		}
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil { // which brings the log home, as time does
		b.Fatal(err)
	}
	db = reopen()
	defer db.Close()
	h := history.New(db)
	defer h.Close()
	n := 0
	order := func() history.Order {
		n++
		return history.Order{System: "system-1", Pipeline: "pipeline-1", Slot: time.Now().Add(time.Duration(n) * time.Minute), Priority: history.Normal}
	}
	bench := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	bench("enqueue-claim-finish", func() error {
		r, err := h.Enqueue(ctx, order())
		if err == nil {
			r, err = h.Claim(ctx, r.ID, history.Definition{})
		}
		if r.State = pipeline.Succeeded; err == nil {
			err = h.Finish(ctx, &r)
		}
		return err
	})
	bench("cancel-asked", func() error { _, err := h.CancelAsked(ctx); return err })
	bench("last-slots", func() error { _, err := h.LastSlots(ctx); return err })
	bench("changed", func() error { _, err := db.Changed(ctx); return err })
	for _, waiting := range []int{10, 1000, 10_000} {
		var list []history.Decision
		for range waiting {
			o := order()
			list = append(list, history.Decision{System: o.System, Name: "waits", Slot: o.Slot, Run: true, Reason: "scheduled"})
		}
		runs, err := h.Decide(ctx, list)
		if err != nil {
			b.Fatal(err)
		}
		last := runs[len(runs)-1].ID
		bench(fmt.Sprintf("queue-%d", waiting), func() error { _, err := h.Queue(ctx); return err })
		bench(fmt.Sprintf("queue-after-%d", waiting), func() error { _, _, err := h.QueueAfter(ctx, last-1); return err })
	}
	bench("decide-1000", func() error {
		var list []history.Decision
		for range 1000 {
			o := order()
			list = append(list, history.Decision{System: o.System, Name: "more", Slot: o.Slot, Run: true, Reason: "scheduled"})
		}
		_, err := h.Decide(ctx, list)
		return err
	})
}
