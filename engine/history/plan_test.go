package history_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/history/retention"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// TestQuestionsDoNotScan asks what commands and a serving engine ask, and holds
// of each statement that the database finds its rows by an index: what it costs
// then does not grow with what lies behind.
func TestQuestionsDoNotScan(t *testing.T) {
	t.Parallel()
	ctx, week := context.Background(), time.Now().Add(-7*24*time.Hour)
	var asked []string
	db, err := store.Open(ctx, store.Options{Dir: t.TempDir(), Trace: func(s string) {
		if !slices.Contains(asked, s) {
			asked = append(asked, s)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	h := history.New(db)
	fill(t, h)
	asked = nil
	for name, ask := range map[string]func() error{
		"ActiveRuns": func() error { _, err := h.ActiveRuns(ctx); return err },
		"LastRuns":   func() error { _, _, _, err := h.LastRuns(ctx); return err },
		"Before": func() error {
			_, _, err := h.Before(ctx, pipeline.Run{ID: 9, System: "pm2", Pipeline: "a"})
			return err
		},
		"LastSlots":  func() error { _, err := h.LastSlots(ctx); return err },
		"Missed":     func() error { _, err := h.Missed(ctx, week); return err },
		"Pulse":      func() error { _, err := h.Pulse(ctx); return err },
		"Queue":      func() error { _, err := h.Queue(ctx); return err },
		"QueueAfter": func() error { _, _, err := h.QueueAfter(ctx, 1); return err },
		"Cancel":     func() error { _, err := h.CancelAsked(ctx); return err },
		"Rescue":     func() error { _, err := h.Rescue(ctx, func(string) error { return nil }); return err },
		"Summary":    func() error { _, err := h.Summary(ctx, week, time.Now()); return err },
		"Run":        func() error { _, err := h.Steps(ctx, 1); return err },
		"Slot":       func() error { _, _, err := h.ActiveSlot(ctx, "pm2", "a", week); return err },
		"Events":     func() error { _, err := h.EventsAfter(ctx, 1, 10); return err },
		"EventsOf":   func() error { _, err := h.Events(ctx, history.EventFilter{Run: 1}); return err },
		"Runs":       func() error { _, err := h.Runs(ctx, history.Filter{}); return err },
		"RunsSince":  func() error { _, err := h.Runs(ctx, history.Filter{Since: week}); return err },
		"RunsFailed": func() error {
			_, err := h.Runs(ctx, history.Filter{Since: week, States: []pipeline.State{pipeline.Failed}})
			return err
		},
		"RunsOf": func() error { _, err := h.Runs(ctx, history.Filter{System: "pm2", Name: "a", Since: week}); return err },
		"Begin": func() error {
			return h.Begin(ctx, &pipeline.Run{System: "pm2", Pipeline: "b", Slot: week}, history.Definition{Hash: "x", Body: []byte("{}")})
		},
		"Prune": func() error { _, err := h.Prune(ctx, retention.Options{Before: time.Now().Add(time.Hour)}); return err },
	} {
		if err := ask(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(asked) < 30 {
		t.Errorf("only %d statements were asked", len(asked))
	}
	for _, s := range asked {
		for _, step := range plan(t, db, s) {
			if scans(step, s) {
				t.Errorf("%s\n  in %s", step, s)
			}
		}
	}
}

// fill records something of everything.
func fill(t *testing.T, h *history.History) {
	t.Helper()
	ctx := context.Background()
	d := history.Definition{Hash: "h", Body: []byte("{}")}
	for n := range 3 {
		runs, err := h.Decide(ctx, []history.Decision{
			{System: "pm2", Name: "a", Slot: time.Now().Add(time.Duration(n-9) * time.Hour), Run: n < 2, Trigger: "schedule", Reason: "missed", Definition: d, Detail: "x"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			continue
		}
		r, err := h.Claim(ctx, runs[0].ID, d)
		if err != nil {
			t.Fatal(err)
		}
		r.State = pipeline.Failed
		if err := h.Finish(ctx, &r); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Event(ctx, pipeline.Event{What: "started"}); err != nil {
		t.Fatal(err)
	}
}

// plan is how the database would find the rows of a statement.
func plan(t *testing.T, db *store.DB, statement string) (steps []string) {
	t.Helper()
	word, _, _ := strings.Cut(strings.TrimSpace(statement), " ")
	if !slices.Contains([]string{"SELECT", "WITH", "UPDATE", "DELETE", "INSERT"}, word) {
		return nil
	}
	err := db.Read(context.Background(), func(tx *store.Tx) error {
		return tx.Query("EXPLAIN QUERY PLAN "+statement, func(row store.Row) error {
			steps = append(steps, row.Text(3))
			return nil
		})
	})
	if err != nil {
		t.Errorf("%v: %s", err, statement)
	}
	return steps
}

// scans reports whether a step of a plan looks at more rows the longer the
// history is, or sorts them.
func scans(step, statement string) bool {
	for _, few := range []struct{ step, statement string }{
		{"SCAN runs", "WHERE 1 ORDER BY id DESC LIMIT ?"}, // ends with the page
		{"SCAN runs USING COVERING INDEX runs_tally", "ORDER BY system, name LIMIT 1)"},
		{"SCAN runs USING INDEX runs_queue", ""}, // of those that wait alone
		{"SCAN runs USING COVERING INDEX runs_queue", ""},
		{"USE TEMP B-TREE FOR ORDER BY", "state IN ('queued', 'running') ORDER BY id"},
	} {
		if step == few.step && strings.Contains(statement, few.statement) {
			return false
		}
	}
	table, scan := strings.CutPrefix(step, "SCAN ")
	table, _, _ = strings.Cut(table, " ")
	switch {
	case scan && slices.Contains([]string{"named", "ended", "(subquery-1)", "CONSTANT", "5", "json_each", "pragma_page_count", "pragma_freelist_count"}, table):
		return false // made for the statement
	case scan && slices.Contains([]string{"loaded", "engines", "parts", "definitions", "heartbeats"}, table):
		return false // they do not grow with what ran
	}
	// The pipelines of a system are not to be found by a walk over its runs.
	return scan || strings.HasSuffix(step, "(system>?)") || strings.HasPrefix(step, "USE TEMP B-TREE FOR ORDER BY")
}
