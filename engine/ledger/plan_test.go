package ledger_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/store"
)

// TestStoriesDoNotScan holds that what a story and a run ask of the ledger is
// found by an index: each run asks it before it begins.
func TestStoriesDoNotScan(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	var asked []string
	db, err := store.Open(ctx, store.Options{Dir: t.TempDir(), Trace: func(s string) { asked = append(asked, s) }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	l := ledger.New(db)
	if _, err := l.Open(ctx, nil); err != nil {
		t.Fatal(err)
	}
	asked = nil
	for name, ask := range map[string]func() error{
		"Newest":  func() error { _, err := l.Newest(ctx, "pm2", "a"); return err },
		"Runs":    func() error { _, err := l.Runs(ctx, "pm2", "a", time.Now()); return err },
		"Story":   func() error { _, err := l.Story(ctx, "pm2/a", time.Now()); return err },
		"Witness": func() error { _, err := l.Witness(ctx, 7); return err },
		"Drilled": func() error { _, _, err := l.Drilled(ctx); return err },
		"Learned": func() error { _, _, err := l.Learned(ctx, "pm2/a"); return err },
	} {
		if err := ask(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, s := range asked {
		if !strings.HasPrefix(s, "SELECT") {
			continue
		}
		err := db.Read(ctx, func(tx *store.Tx) error {
			return tx.Query("EXPLAIN QUERY PLAN "+s, func(row store.Row) error {
				step := row.Text(3)
				if strings.HasSuffix(step, "(rowid<?)") || strings.HasPrefix(step, "SCAN ") && step != "SCAN (subquery-2)" && step != "SCAN CONSTANT ROW" {
					t.Errorf("%s\n  in %s", step, s)
				}
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	}
	if len(asked) < 6 {
		t.Errorf("only %d statements were asked", len(asked))
	}
}
