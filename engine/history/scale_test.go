package history_test

import (
	"context"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/history/retention"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// BenchmarkMillionRuns is what people wait for when the history is as large as
// it may become: 1,000,000 runs of 90 days in 30 pipelines of 3 systems.
func BenchmarkMillionRuns(b *testing.B) {
	ctx, until := context.Background(), time.Now()
	db, err := store.Open(ctx, store.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	err = db.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i < 999999)
			INSERT INTO runs (system, name, "trigger", slot, state, reason, attempt, fence, engine, queued, started, finished)
			SELECT 'system-'||(i%3), 'pipeline-'||(i%30), iif(i%20=0, 'failover', 'schedule'), ?1 + i*7776000, iif(i%50=0, 'failed', 'succeeded'),
				'scheduled', 1, 1, 'e', ?1 + i*7776000, ?1 + i*7776000, ?1 + i*7776000 + 1000000 FROM n`,
			until.Add(-90*24*time.Hour).UnixMicro())
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	h := history.New(db)
	week := until.Add(-7 * 24 * time.Hour)
	for name, f := range map[string]history.Filter{
		"runs":            {},
		"since":           {Since: week},
		"since-failed":    {Since: week, States: []pipeline.State{pipeline.Failed, pipeline.TimedOut}},
		"since-cancelled": {Since: week, States: []pipeline.State{pipeline.Cancelled}},
		"pipeline":        {System: "system-1", Name: "pipeline-1", Since: week},
		"no-such-system":  {System: "none", Since: week},
		"name-only":       {Name: "none", Since: week},
		"page":            {Before: 500_000, Since: until.Add(-80 * 24 * time.Hour)},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := h.Runs(ctx, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("summary", func(b *testing.B) {
		for b.Loop() {
			if _, err := h.Summary(ctx, week, until); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("prune-dry", func(b *testing.B) {
		for b.Loop() {
			if _, err := h.Prune(ctx, retention.Options{Before: week, Dry: true}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
