package store

import (
	"context"
	"sync"
	"testing"
	"time"
)

// TestLogTellsOfChanges holds when a look at the file is enough.
func TestLogTellsOfChanges(t *testing.T) {
	at := time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)
	old := at.Add(-time.Hour)
	before := &logState{size: 4096, modified: old, at: at}
	for name, x := range map[string]struct {
		before, now *logState
		same        bool
	}{
		"nothing":                  {before, &logState{4096, old, at.Add(50 * time.Millisecond)}, true},
		"nobody has looked":        {nil, &logState{4096, old, at}, false},
		"it grew":                  {before, &logState{8192, old, at.Add(50 * time.Millisecond)}, false},
		"it was written anew":      {before, &logState{4096, at, at.Add(50 * time.Millisecond)}, false},
		"written a moment before":  {&logState{4096, at.Add(-time.Millisecond), at}, &logState{4096, at.Add(-time.Millisecond), at.Add(50 * time.Millisecond)}, false},
		"a clock that went back":   {&logState{4096, at.Add(time.Hour), at}, &logState{4096, at.Add(time.Hour), at.Add(50 * time.Millisecond)}, false},
		"trusted for long already": {before, &logState{4096, old, at.Add(2 * time.Second)}, false},
	} {
		if got := x.now.same(x.before); got != x.same {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestOneWaitForAll holds that those who write at the same time share a commit,
// whether or not it must survive a power cut, and fail alone.
func TestOneWaitForAll(t *testing.T) {
	d := open(t, Options{Dir: t.TempDir()})
	ctx := context.Background()
	if err := d.Write(ctx, func(tx *Tx) error { _, err := tx.Exec("CREATE TABLE shared (n INTEGER UNIQUE)"); return err }); err != nil {
		t.Fatal(err)
	}
	<-d.writing // nobody gets a turn until all wait
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		write := d.Write
		if i%2 == 0 {
			write = d.Fast
		}
		wg.Go(func() {
			errs[i] = write(ctx, func(tx *Tx) error { _, err := tx.Exec("INSERT INTO shared VALUES (?)", i/7); return err })
		})
	}
	for {
		d.queueMu.Lock()
		n := len(d.queue)
		d.queueMu.Unlock()
		if n == len(errs) {
			break
		}
		<-time.After(time.Millisecond)
	}
	d.writing <- struct{}{}
	wg.Wait()
	good, rows := 0, int64(0)
	for _, err := range errs {
		if err == nil {
			good++
		}
	}
	if err := d.Read(ctx, func(tx *Tx) error {
		return tx.Query("SELECT count(*) FROM shared", func(r Row) error { rows = r.Int(0); return nil })
	}); err != nil {
		t.Fatal(err)
	}
	if good != 2 || rows != 2 { // 0 once, 1 once
		t.Errorf("%d succeeded, %d rows: %v", good, rows, errs)
	}
	if d.mode != fullMode {
		t.Errorf("written with %s, though some must survive a power cut", d.mode)
	}
}
