package outbox

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// office is an outbox with services that do as the test says.
type office struct {
	mu   sync.Mutex
	got  []string // service: title: text
	down map[string]bool
	hang map[string]chan struct{}
	to   Audience
	log  bytes.Buffer
}

func (f *office) options() Options {
	return Options{
		Audience: func() Audience { f.mu.Lock(); defer f.mu.Unlock(); return f.to },
		Resolve:  func(s string) (string, error) { return s + "/token-0123456789", nil },
		Send: func(ctx context.Context, url string, m kind.Message) error {
			f.mu.Lock()
			name, hang := strings.TrimSuffix(url, "/token-0123456789"), f.hang[url]
			down := f.down[name]
			f.mu.Unlock()
			if hang != nil {
				select {
				case <-hang:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			if down {
				return errors.New("no answer of " + url)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.got = append(f.got, name+": "+m.Title+": "+m.Text)
			return nil
		},
		Mask: func(s string) string { return strings.ReplaceAll(s, "token-0123456789", "***") },
		Log:  slog.New(slog.NewTextHandler(&locked{f}, nil)), Failed: func(error) {},
	}
}

type locked struct{ f *office }

func (l *locked) Write(p []byte) (int, error) {
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	return l.f.log.Write(p)
}

func (f *office) has(want ...string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	got, w := slices.Sorted(slices.Values(f.got)), slices.Sorted(slices.Values(want))
	return slices.Equal(got, w)
}

func database(t *testing.T, dir string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// run lets an outbox deliver; the function ends it and closes the database.
func run(t *testing.T, dir string, f *office) (*Outbox, func()) {
	t.Helper()
	db := database(t, dir)
	b, err := Open(t.Context(), db, f.options())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); b.Run(ctx) }()
	end := sync.OnceFunc(func() {
		cancel()
		<-ended
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return b, end
}

func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if so() {
			return
		}
		<-time.After(2 * time.Millisecond)
	}
	t.Fatal(what + " did not come to pass")
}

func all() []string { return []string{"failure", "recovered", "unhealthy"} }

func TestAConditionIsToldOnceWhileItLasts(t *testing.T) {
	t.Parallel()
	dir, f := t.TempDir(), &office{to: Audience{Services: []string{"a"}, On: all()}}
	b, end := run(t, dir, f)
	c := Condition{Key: "failure x", What: "failure", Text: "x\nfailed, token-0123456789"}
	for range 3 {
		b.Raise(t.Context(), c)
	}
	b.Raise(t.Context(), Condition{Key: "failover x", What: "failover", Text: "nobody wants to know"})
	b.Settle(t.Context(), "failure y", "y was never told")
	first := "a: redundctl: failure: x failed, ***"
	until(t, "one message", func() bool { return f.has(first) && b.Waiting() == 0 })
	end()
	// Another engine goes on.
	b, _ = run(t, dir, f)
	b.Raise(t.Context(), c)
	c.Detail = "another"
	b.Raise(t.Context(), c)
	until(t, "what differs", func() bool { return f.has(first, first) })
	b.Settle(t.Context(), c.Key, "x is well")
	b.Settle(t.Context(), c.Key, "x is well")
	until(t, "the recovery", func() bool { return f.has(first, first, "a: redundctl: recovered: x is well") && b.Waiting() == 0 })
	b.Raise(t.Context(), c)
	until(t, "the next failure", func() bool { return f.has(first, first, first, "a: redundctl: recovered: x is well") })
}

func TestAFailingServiceHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	dir, hang := t.TempDir(), make(chan struct{})
	f := &office{
		to: Audience{Services: []string{"down", "hangs", "good"}, On: all()}, down: map[string]bool{"down": true},
		hang: map[string]chan struct{}{"hangs/token-0123456789": hang},
	}
	b, end := run(t, dir, f)
	b.Raise(t.Context(), Condition{Key: "failure 1", What: "failure", Text: "one"})
	until(t, "the first at the good one", func() bool { return f.has("good: redundctl: failure: one") })
	b.Raise(t.Context(), Condition{Key: "failure 2", What: "failure", Text: "two"})
	until(t, "the second at the good one", func() bool { return f.has("good: redundctl: failure: one", "good: redundctl: failure: two") })
	close(hang)
	until(t, "the one that hung", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return len(f.got) == 4 })
	end()
	f.mu.Lock()
	if log := f.log.String(); strings.Contains(log, "0123456789") || strings.Count(log, "could not be delivered") != 1 {
		t.Errorf("not once, or with a secret: %s", log)
	}
	f.got, f.down = nil, nil
	f.mu.Unlock()
	// What waited arrives after the restart, as one.
	b, end = run(t, dir, f)
	until(t, "what waited", func() bool {
		return f.has("down: redundctl: 2 messages: failure: one\nfailure: two") && b.Waiting() == 0
	})
	end()
	for _, name := range []string{"redund.db", "redund.db-wal"} {
		if text, _ := os.ReadFile(filepath.Join(dir, name)); bytes.Contains(text, []byte("0123456789")) {
			t.Error(name + " holds a secret")
		}
	}
}

func TestOldMessagesAndThoseOfNobodyAreGivenUp(t *testing.T) {
	t.Parallel()
	dir, f := t.TempDir(), &office{to: Audience{Services: []string{"down", "gone"}, On: all()}, down: map[string]bool{"down": true, "gone": true}}
	b, end := run(t, dir, f)
	b.Raise(t.Context(), Condition{Key: "failure 1", What: "failure", Text: "one"})
	end()
	db := database(t, dir)
	err := db.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec("UPDATE outbox SET made = ?, due = 0", time.Now().Add(-mostAge-time.Second).UnixMicro())
		return err
	})
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	b, end = run(t, dir, f)
	until(t, "the end of the old ones", func() bool { return b.Waiting() == 0 })
	b.Raise(t.Context(), Condition{Key: "failure 2", What: "failure", Text: "two"})
	f.mu.Lock()
	f.to.Services = []string{"down"}
	f.mu.Unlock()
	b.Wake()
	until(t, "the end of that for nobody", func() bool { return b.Waiting() == 1 })
	end()
	f.mu.Lock()
	defer f.mu.Unlock()
	if log := f.log.String(); !strings.Contains(log, "did not take it within 3 days") || !strings.Contains(log, "not named in notify.services any more") {
		t.Error(log)
	}
}

// TestAFullDiskKeepsNobodyUninformed holds that people are told of a full disk,
// and that what could not be written is when there is room.
func TestAFullDiskKeepsNobodyUninformed(t *testing.T) {
	t.Parallel()
	mount := t.TempDir()
	if err := unix.Mount("tmpfs", mount, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("no file system can be mounted here: ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(mount, unix.MNT_DETACH) })
	dir, f := filepath.Join(mount, "state"), &office{to: Audience{Services: []string{"a", "down"}, On: all()}, down: map[string]bool{"down": true}}
	b, end := run(t, dir, f)
	ballast, err := os.Create(filepath.Join(mount, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = ballast.Write(make([]byte, 4096))
	}
	for i := range 400 { // what room the log of the database has is used up
		b.Raise(t.Context(), Condition{Key: "unhealthy " + strings.Repeat("x", 200) + string(rune(i+'0')), What: "unhealthy", Text: "disk"})
	}
	b.mu.Lock()
	unsaved := len(b.unsaved)
	b.mu.Unlock()
	if unsaved == 0 {
		t.Fatal("the disk is not full")
	}
	until(t, "a message of the full disk", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return len(f.got) > 0 })
	if err := errors.Join(ballast.Truncate(0), ballast.Close()); err != nil {
		t.Fatal(err)
	}
	until(t, "all is written", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.unsaved) == 0 })
	n := b.Waiting()
	end()
	if b, _ = run(t, dir, f); len(b.Lasting()) != 400 || n < 400 {
		t.Errorf("%d conditions are kept, %d messages waited", len(b.Lasting()), n)
	}
}

// TestWhatIsWrittenTwice holds that messages are kept also when some of them
// stand in the database already, as after a commit of which nobody knows whether
// it came to pass.
func TestWhatIsWrittenTwice(t *testing.T) {
	t.Parallel()
	dir, f := t.TempDir(), &office{to: Audience{Services: []string{"a"}, On: all()}}
	db := database(t, dir)
	defer db.Close()
	o := f.options()
	var failed error
	o.Failed = func(err error) { failed = err }
	b, err := Open(t.Context(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	b.Raise(t.Context(), Condition{Key: "failure x", What: "failure", Text: "x failed"})
	b.mu.Lock()
	b.last-- // what is made next is written as what was made last
	b.mu.Unlock()
	b.Raise(t.Context(), Condition{Key: "failure y", What: "failure", Text: "y failed"})
	if failed != nil {
		t.Errorf("%v", failed)
	}
	if again, err := Open(t.Context(), db, o); err != nil || again.Waiting() != 1 || len(again.Lasting()) != 2 {
		t.Errorf("%d wait, %q last, %v", again.Waiting(), again.Lasting(), err)
	}
}
