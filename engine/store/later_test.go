package store

import (
	"context"
	"strings"
	"testing"
)

// TestLater holds that what is to be written later is written with what comes
// next, before it and in one commit; that one fails alone; and that who waits for
// it needs nobody else.
func TestLater(t *testing.T) {
	t.Parallel()
	var told []string
	ctx, d := context.Background(), open(t, Options{Dir: t.TempDir(), Trace: func(s string) {
		told = append(told, strings.Fields(s)[0])
	}})
	bad := func(tx *Tx) error {
		_, err := tx.Exec("INSERT INTO events (at, pipeline, what, detail) VALUES (NULL, '', 'test', 'x')")
		return err
	}
	told = nil
	first, wrong, last := d.Later(insert("first")), d.Later(bad), d.Later(insert("last"))
	if first.Done() || count(t, d) != 0 {
		t.Error("it was written before anything else was")
	}
	told = nil
	if err := d.Fast(ctx, insert("next")); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(told, ","), "PRAGMA,BEGIN,INSERT,INSERT,INSERT,SAVEPOINT,INSERT,RELEASE,COMMIT"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !first.Done() || !wrong.Done() || !last.Done() || first.Wait(ctx) != nil || last.Wait(ctx) != nil {
		t.Error("it was not written with what came next")
	}
	if err := wrong.Wait(ctx); err == nil || !strings.Contains(err.Error(), "NOT NULL") {
		t.Errorf("what failed: %v", err)
	}
	var details []string
	err := d.Read(ctx, func(tx *Tx) error {
		return tx.Query("SELECT detail FROM events ORDER BY id", func(r Row) error { details = append(details, r.Text(0)); return nil })
	})
	if got := strings.Join(details, " "); err != nil || got != "first last next" {
		t.Errorf("%s, %v", got, err)
	}
	if err := d.Later(insert("alone")).Wait(ctx); err != nil || count(t, d) != 4 {
		t.Errorf("who waits: %v", err)
	}
}
