package store

import (
	"context"
	"os"
	"testing"
)

// TestChanged holds that only what others write counts, also when we wrote
// after them.
func TestChanged(t *testing.T) {
	t.Parallel()
	ctx, dir := context.Background(), t.TempDir()
	d, other := open(t, Options{Dir: dir}), open(t, Options{Dir: dir})
	changed := func(what string, want bool) {
		t.Helper()
		if got, err := d.Changed(ctx); err != nil || got != want {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
	write := func(d *DB, f func(context.Context, func(*Tx) error) error) {
		t.Helper()
		if err := f(ctx, insert("x")); err != nil {
			t.Fatal(err)
		}
	}
	changed("the first time", true)
	changed("nothing", false)
	write(d, d.Write)
	write(d, d.Fast)
	changed("our own", false)
	write(other, other.Fast)
	changed("another's", true)
	changed("told already", false)
	write(other, other.Write)
	write(d, d.Fast)
	changed("another's, then our own", true)
	changed("told already", false)
	if _, err := open(t, Options{Dir: dir, ReadOnly: true}).Changed(ctx); err == nil {
		t.Error("one that only reads has no writer to ask")
	}
}

// TestAnOlderDatabaseIsBroughtUpToDate holds that what the first version wrote
// is there after the migration, and that the tables are those of a new one.
func TestAnOlderDatabaseIsBroughtUpToDate(t *testing.T) {
	t.Parallel()
	ctx, dir := context.Background(), t.TempDir()
	if err := os.WriteFile(dir+"/"+fileName, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := connect(dir+"/"+fileName, fullMode)
	if err != nil {
		t.Fatal(err)
	}
	err = c.Exec("PRAGMA journal_mode=WAL; " + first + `; INSERT INTO schema_version VALUES (1, 1);
		INSERT INTO runs (system, name, "trigger", state, reason, attempt, fence, queued) VALUES ('a', 'b', 'manual', 'succeeded', 'manual', 1, 1, 5);
		INSERT INTO slots (system, name, slot, fence, run, decision, reason, decided) VALUES ('a', 'b', 9, 1, 1, 'run', 'manual', 5)`)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	schema := func(d *DB) (text string) {
		t.Helper()
		if err := d.Read(ctx, func(tx *Tx) error {
			return tx.Query("SELECT name, sql FROM sqlite_schema WHERE name <> 'note' ORDER BY name", func(r Row) error { text += r.Text(0) + ": " + r.Text(1) + "\n"; return nil })
		}); err != nil {
			t.Fatal(err)
		}
		return text
	}
	d := open(t, Options{Dir: dir})
	if old, fresh := schema(d), schema(open(t, Options{Dir: t.TempDir()})); old != fresh {
		t.Errorf("tables brought up to date:\n%s\nnew ones:\n%s", old, fresh)
	}
	n := 0
	if err := d.Read(ctx, func(tx *Tx) error {
		return tx.Query("SELECT 1 FROM runs JOIN slots ON slots.run = runs.id WHERE env IS NULL AND planned IS NULL AND queued = 5", func(Row) error { n++; return nil })
	}); err != nil || n != 1 {
		t.Errorf("%d runs are left, %v", n, err)
	}
}
