package record

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/store"
)

// TestKeep holds that a record which finds no room is tried again until there
// is some, also after a cancellation for a while, and that other errors are
// told at once.
func TestKeep(t *testing.T) {
	t.Parallel()
	full := fmt.Errorf("the disk is full: %w", store.ErrFull)
	other := errors.New("other")
	for _, c := range []struct {
		name   string
		fails  int // so many times with err
		err    error
		cancel time.Duration
		want   error
		took   time.Duration
	}{
		{"there is room", 0, full, 0, nil, 0},
		{"room comes", 90, full, 0, nil, 90 * tryAgain},
		{"room comes after a cancellation", 5, full, time.Second, nil, 5 * tryAgain},
		{"no room comes after a cancellation", 1 << 20, full, 90 * time.Second, store.ErrFull, 90*time.Second + lastTries},
		{"another error", 1, other, 0, other, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.cancel > 0 {
					time.AfterFunc(c.cancel, cancel)
				}
				told, tries := 0, 0
				r := &Recorder{Log: slog.New(slog.DiscardHandler), Note: func(string, ...any) { told++ }, Done: ctx.Done(), Left: make(chan struct{})}
				from := time.Now()
				err := r.keep(context.WithoutCancel(ctx), "it", func(context.Context) error {
					if tries++; tries <= c.fails {
						return c.err
					}
					return nil
				})
				if !errors.Is(err, c.want) || time.Since(from) != c.took || told > 1 {
					t.Errorf("%v after %s, told %d times; want %v after %s", err, time.Since(from), told, c.want, c.took)
				}
			})
		})
	}
}

// TestSomebodyWaits holds that a run in the foreground waits for room once, and
// says so once: not for each of its records.
func TestSomebodyWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		told := 0
		r := &Recorder{Log: slog.New(slog.DiscardHandler), Note: func(string, ...any) { told++ }, Done: t.Context().Done()}
		var err error
		write := func(context.Context) error { return err }
		keep := func(want error, took time.Duration) {
			t.Helper()
			from := time.Now()
			if got := r.keep(t.Context(), "it", write); !errors.Is(got, want) || time.Since(from) != took {
				t.Errorf("%v after %s; want %v after %s", got, time.Since(from), want, took)
			}
		}
		err = fmt.Errorf("the disk is full: %w", store.ErrFull)
		keep(store.ErrFull, somebodyWaits)
		keep(store.ErrFull, 0)
		keep(store.ErrFull, 0)
		if told != 1 {
			t.Errorf("told %d times", told)
		}
		err = nil
		keep(nil, 0)
		err = fmt.Errorf("the disk is full: %w", store.ErrFull)
		keep(store.ErrFull, somebodyWaits)
	})
}

// TestFinishInsists holds that an engine tries the end of a run again, whatever
// keeps it from being written and also after a cancellation, until it is
// written, another process has the run, or the engine leaves it.
func TestFinishInsists(t *testing.T) {
	t.Parallel()
	busy, full := fmt.Errorf("busy: %w", store.ErrBusy), fmt.Errorf("the disk is full: %w", store.ErrFull)
	for _, c := range []struct {
		name  string
		fails []error // then it is written
		leave time.Duration
		want  error
		took  time.Duration
	}{
		{"at once", nil, 0, nil, 0},
		{"another process writes", []error{busy, busy, busy}, 0, nil, 3 * tryAgain},
		{"no room for long after a cancellation", slices.Repeat([]error{full}, 90), 0, nil, 90 * tryAgain},
		{"overtaken", []error{busy, history.ErrOvertaken}, 0, history.ErrOvertaken, tryAgain},
		{"the engine leaves it", slices.Repeat([]error{busy}, 90), 2500 * time.Millisecond, ErrLeft, 2500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				left, told, tries := make(chan struct{}), 0, 0
				if c.leave > 0 {
					time.AfterFunc(c.leave, func() { close(left) })
				}
				r := &Recorder{Log: slog.New(slog.DiscardHandler), Note: func(string, ...any) { told++ }, Done: ctx.Done(), Left: left}
				from := time.Now()
				err := r.insist(context.WithoutCancel(ctx), "it", func(context.Context) error {
					if tries++; tries <= len(c.fails) {
						return c.fails[tries-1]
					}
					return nil
				})
				if !errors.Is(err, c.want) || time.Since(from) != c.took || told > 1 {
					t.Errorf("%v after %s, told %d times; want %v after %s", err, time.Since(from), told, c.want, c.took)
				}
			})
		})
	}
}
