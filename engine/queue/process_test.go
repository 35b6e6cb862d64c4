package queue_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/queue"
	"github.com/redundctl/redundctl/engine/store"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("QUEUE_TEST_DIR"); dir != "" {
		if err := child(dir, os.Getenv("QUEUE_TEST_ROLE")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // the child of a test
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// child is an engine: it starts what waits, eight at a time, and tells which.
// What it claims to hold never ends.
func child(dir, role string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, store.Options{Dir: dir})
	if err != nil {
		return err
	}
	h := history.New(db)
	fmt.Println("ready")
	var mu sync.Mutex
	q := queue.New(h, queue.Options{Limits: queue.Limits{Total: 8}, Start: func(ctx context.Context, q history.Queued) error {
		r, err := h.Claim(ctx, q.ID, history.Definition{})
		if err != nil {
			return err
		}
		mu.Lock()
		fmt.Println(r.ID)
		mu.Unlock()
		if role == "hold" {
			<-ctx.Done()
		}
		r.State = pipeline.Succeeded
		return h.Finish(ctx, &r)
	}})
	go func() { _ = h.Changed(ctx, time.Millisecond, q.Wake) }()
	return q.Run(ctx)
}

// engine starts a child and waits until it is ready.
func engine(t *testing.T, role, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^$")
	c.Env = append(os.Environ(), "QUEUE_TEST_ROLE="+role, "QUEUE_TEST_DIR="+dir)
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
	if !lines.Scan() {
		t.Fatal("the child ended")
	}
	return c, lines
}

func enqueue(t testing.TB, h *history.History, o history.Order) pipeline.Run {
	t.Helper()
	o.System, o.Pipeline = "pm2", "sync"
	r, err := h.Enqueue(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestTwoEngines holds that two processes with a queue each, told of the same
// runs at the same time, claim each of them once.
func TestTwoEngines(t *testing.T) {
	t.Parallel()
	const runs = 150
	dir := t.TempDir()
	h := open(t, dir)
	claimed := make(chan int64, 10*runs)
	var children []*exec.Cmd
	var wg sync.WaitGroup
	for range 2 {
		c, lines := engine(t, "run", dir)
		children = append(children, c)
		wg.Go(func() {
			for lines.Scan() {
				id, _ := strconv.ParseInt(lines.Text(), 10, 64)
				claimed <- id
			}
		})
	}
	for range runs {
		enqueue(t, h, history.Order{})
	}
	seen := map[int64]int{}
	for len(seen) < runs {
		select {
		case id := <-claimed:
			seen[id]++
		case <-time.After(30 * time.Second):
			t.Fatalf("%d of %d were claimed", len(seen), runs)
		}
	}
	for _, c := range children {
		_ = c.Process.Kill()
	}
	wg.Wait()
	close(claimed)
	for id := range claimed {
		seen[id]++
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("run %d was claimed %d times", id, n)
		}
	}
}

// TestAKilledEngine holds what is left when an engine is killed with -9 while
// it holds claims: these read as interrupted and can be claimed anew under a
// higher fence, what waited still waits, and another engine goes on with it.
func TestAKilledEngine(t *testing.T) {
	t.Parallel()
	ctx, dir := context.Background(), t.TempDir()
	h := open(t, dir)
	var all []int64
	for i := range 12 {
		all = append(all, enqueue(t, h, history.Order{Slot: time.Unix(int64(i)*60, 0)}).ID)
	}
	c, lines := engine(t, "hold", dir)
	var held []int64
	for len(held) < 8 && lines.Scan() {
		id, _ := strconv.ParseInt(lines.Text(), 10, 64)
		held = append(held, id)
	}
	slices.Sort(held)
	if !slices.Equal(held, all[:8]) {
		t.Fatalf("it holds %v of %v", held, all)
	}
	before, err := h.Run(ctx, held[2])
	if err != nil {
		t.Fatal(err)
	}
	if ids, err := h.Rescue(ctx, func(string) error { return nil }); err != nil || len(ids) > 0 {
		t.Errorf("rescued from the living: %v, %v", ids, err)
	}
	if state, err := h.Cancel(ctx, held[0], "test"); err != nil || state != pipeline.Running {
		t.Errorf("cancelled while it runs: %s, %v", state, err)
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	if state, err := h.Cancel(ctx, held[1], "test"); err != nil || state != pipeline.Failed {
		t.Errorf("cancelled when it was dead: %s, %v", state, err)
	}
	if asked, err := h.CancelAsked(ctx); err != nil || len(asked) > 0 {
		t.Errorf("asked of us: %v, %v", asked, err)
	}
	ids, err := h.Rescue(ctx, func(string) error { return nil })
	if err != nil || !slices.Equal(ids, held) {
		t.Errorf("rescued %v, %v", ids, err)
	}
	dead, err := h.Run(ctx, held[2])
	if err != nil || dead.State != pipeline.Failed || dead.Error != history.Interrupted {
		t.Errorf("rescued as %+v, %v", dead, err)
	}
	retry := enqueue(t, h, history.Order{Slot: dead.Slot, Attempt: 2, Trigger: "retry", Priority: history.High})
	r, err := h.Claim(ctx, retry.ID, history.Definition{})
	if err != nil || r.Fence <= before.Fence {
		t.Errorf("its slot: %+v, %v", r, err)
	}
	_, lines = engine(t, "hold", dir)
	for range 4 {
		lines.Scan()
		id, _ := strconv.ParseInt(lines.Text(), 10, 64)
		if held = append(held, id); id <= all[7] {
			t.Errorf("run %d was claimed again", id)
		}
	}
}

// TestAFullDiskHoldsRunsUp holds that what cannot be claimed for want of room
// waits, is tried again, and runs when there is room.
func TestAFullDiskHoldsRunsUp(t *testing.T) {
	t.Parallel()
	mount := t.TempDir()
	if err := unix.Mount("tmpfs", mount, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("a file system of our own needs root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(mount, unix.MNT_DETACH) })
	h := open(t, filepath.Join(mount, "state"))
	r := enqueue(t, h, history.Order{})
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
	for range 2000 {
		o := history.Order{System: "pm2", Pipeline: "filler", Due: time.Now().Add(time.Hour), Params: map[string]string{"x": strings.Repeat("x", 2000)}}
		if _, err = h.Enqueue(context.Background(), o); err != nil {
			break
		}
	}
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("enqueued on a full disk: %v", err)
	}
	claims := make(chan error, 100)
	q := queue.New(h, queue.Options{Start: func(ctx context.Context, q history.Queued) error {
		_, err := h.Claim(ctx, q.ID, history.Definition{Hash: "h", Body: []byte(strings.Repeat("{", 1000))})
		claims <- err
		return err
	}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	if err := <-claims; !errors.Is(err, store.ErrFull) {
		t.Errorf("claimed on a full disk: %v", err)
	}
	os.Remove(ballast.Name())
	for err := range claims {
		if err == nil {
			break
		} else if !errors.Is(err, store.ErrFull) {
			t.Error(err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got, err := h.Run(context.Background(), r.ID); err != nil || got.State != pipeline.Running {
		t.Errorf("%+v, %v", got, err)
	}
}

// BenchmarkEnqueueToStart is the time from when a run was recorded until it is
// started and until it is claimed: told in the process, and by another one that
// a look at the database each 5 ms finds.
func BenchmarkEnqueueToStart(b *testing.B) {
	for name, told := range map[string]bool{"woken": true, "looked": false} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			h := open(b, dir)
			started, claimed := make(chan time.Time, 1), make(chan time.Time, 1)
			q := queue.New(h, queue.Options{Start: func(ctx context.Context, q history.Queued) error {
				started <- time.Now()
				_, err := h.Claim(ctx, q.ID, history.Definition{})
				claimed <- time.Now()
				return err
			}})
			from, wake := open(b, dir), func() {}
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			defer wg.Wait()
			defer cancel()
			wg.Go(func() { _ = q.Run(ctx) })
			if told {
				from, wake = h, q.Wake
			} else {
				wg.Go(func() { _ = h.Changed(ctx, 5*time.Millisecond, q.Wake) })
			}
			var toStart, toClaim []time.Duration
			for b.Loop() {
				enqueue(b, from, history.Order{})
				recorded := time.Now()
				wake()
				toStart = append(toStart, (<-started).Sub(recorded))
				toClaim = append(toClaim, (<-claimed).Sub(recorded))
			}
			for what, all := range map[string][]time.Duration{"start": toStart, "claim": toClaim} {
				slices.Sort(all)
				b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-us-to-"+what)
				b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-us-to-"+what)
			}
		})
	}
}
