package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// child is what a process started by a test does.
func child(role string) error {
	ctx := context.Background()
	d, err := Open(ctx, Options{Dir: os.Getenv("STORE_TEST_DIR"), ReadOnly: role == "look"})
	if err != nil {
		return err
	}
	defer d.Close()
	switch role {
	case "open":
		return d.Write(ctx, insert("child"))
	case "look": // again and again, until there is something
		for d.empty {
			if d, err = Open(ctx, Options{Dir: os.Getenv("STORE_TEST_DIR"), ReadOnly: true}); err != nil {
				return err
			}
		}
		return d.Close()
	case "lease":
		if _, err := d.Lease("child"); err != nil {
			return err
		}
		fmt.Println("ready")
		forever()
		return nil
	case "busy": // without end
		for n := 1; ; n++ {
			if err := d.Fast(ctx, insert("busy")); err != nil {
				return err
			}
			fmt.Println(n)
		}
	case "greedy": // writes without end, and without a pause between
		for range 4 {
			go func() {
				for d.Fast(ctx, insert("greedy")) == nil {
				}
			}()
		}
		fmt.Println("ready")
		forever()
		return nil
	case "hold": // the write lock, for ever
		return d.Write(ctx, func(tx *Tx) error {
			if err := insert("held")(tx); err != nil {
				return err
			}
			fmt.Println("ready")
			forever()
			return nil
		})
	}
	return fmt.Errorf("no role %s", role)
}

// forever waits to be killed. A select without cases would be taken for a
// deadlock, which ends the program, unless another goroutine waits for signals.
func forever() {
	c := make(chan os.Signal, 1)
	signal.Notify(c)
	for range c {
	}
}

func start(t *testing.T, role, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^$")
	c.Env = append(os.Environ(), "STORE_TEST_ROLE="+role, "STORE_TEST_DIR="+dir)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	return c, bufio.NewScanner(out)
}

// TestProcessesThatBeginTogether holds that the tables are made once, whoever
// comes first.
func TestProcessesThatBeginTogether(t *testing.T) {
	t.Parallel()
	for range 3 {
		dir := t.TempDir()
		const processes = 6
		var all []*exec.Cmd
		for range processes {
			c, _ := start(t, "open", dir)
			all = append(all, c)
		}
		for _, c := range all {
			if err := c.Wait(); err != nil {
				t.Errorf("one of them: %v", err)
			}
		}
		if n := count(t, open(t, Options{Dir: dir})); n != processes {
			t.Errorf("%d rows, want %d", n, processes)
		}
	}
}

// TestProcessesThatBeginAgain holds that a database that was removed is made
// anew by processes that begin together, and that neither these nor readers
// take it for one that has lost what it held while it is being made.
func TestProcessesThatBeginAgain(t *testing.T) {
	t.Parallel()
	for range 3 {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, leases), 0o700); err != nil {
			t.Fatal(err)
		}
		const processes = 4
		var all []*exec.Cmd
		for range processes {
			reader, _ := start(t, "look", dir)
			writer, _ := start(t, "open", dir)
			all = append(all, reader, writer)
		}
		for _, c := range all {
			if err := c.Wait(); err != nil {
				t.Errorf("one of them: %v", err)
			}
		}
		if n := count(t, open(t, Options{Dir: dir})); n != processes {
			t.Errorf("%d rows, want %d", n, processes)
		}
	}
}

// TestAReaderWaitsForTheMaker holds that an empty file is not judged while
// another process makes the database.
func TestAReaderWaitsForTheMaker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, leases), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, fileName)
	release, err := lockFile(context.Background(), path+".lock", os.O_CREATE|os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	for _, readOnly := range []bool{true, false} {
		if _, err := Open(ctx, Options{Dir: dir, ReadOnly: readOnly}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("read only %v: judged while it was being made: %v", readOnly, err)
		}
	}
	release()
	for _, readOnly := range []bool{true, false} {
		if _, err := Open(context.Background(), Options{Dir: dir, ReadOnly: readOnly}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("read only %v: nobody made it: %v", readOnly, err)
		}
	}
}

// TestAKilledProcessLosesNothing holds that what Fast reported is there after
// kill -9, and that the next process goes on at once.
func TestAKilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, lines := start(t, "busy", dir)
	said := 0
	for lines.Scan() {
		said, _ = strconv.Atoi(lines.Text())
		if said == 300 {
			_ = c.Process.Kill()
		}
	}
	d := open(t, Options{Dir: dir})
	if n := count(t, d); n < said || said < 300 {
		t.Errorf("%d rows were recorded, %d are there", said, n)
	}
	if err := d.Write(context.Background(), insert("after")); err != nil {
		t.Error(err)
	}
}

// TestABusyProcessStarvesNobody holds that a process that writes without end
// leaves room for others.
func TestABusyProcessStarvesNobody(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, lines := start(t, "greedy", dir)
	lines.Scan()
	d := open(t, Options{Dir: dir})
	worst := time.Duration(0)
	for range 40 {
		began := time.Now()
		if err := d.Fast(context.Background(), insert("me too")); err != nil {
			t.Fatal(err)
		}
		worst = max(worst, time.Since(began))
	}
	t.Logf("longest wait: %s", worst)
	if worst > 2*time.Second {
		t.Errorf("a write waited %s", worst)
	}
}

// TestALeaseEndsWithItsProcess holds the truth about who is alive.
func TestALeaseEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := open(t, Options{Dir: dir})
	if d.Alive("child") || d.Alive("../child") {
		t.Error("alive before it was born")
	}
	c, lines := start(t, "lease", dir)
	lines.Scan()
	for range 100 {
		if !d.Alive("child") {
			t.Fatal("not seen as alive")
		}
	}
	if err := d.Sweep(); err != nil || !d.Alive("child") {
		t.Errorf("swept away alive: %v", err)
	}
	_ = c.Process.Signal(unix.SIGSTOP)
	if !d.Alive("child") {
		t.Error("a process that stands still is not dead")
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	if d.Alive("child") {
		t.Error("alive after its death")
	}
	if err := d.Sweep(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir + "/engines"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestALeaseOfOurOwn(t *testing.T) {
	t.Parallel()
	d := open(t, Options{Dir: t.TempDir()})
	l, err := d.Lease("me")
	if err != nil {
		t.Fatal(err)
	}
	if !d.Alive("me") {
		t.Error("not alive in its own process")
	}
	if err := l.Release(); err != nil || d.Alive("me") {
		t.Errorf("alive after it was given back; %v", err)
	}
	if _, err := d.Lease("../me"); err == nil {
		t.Error("a lease outside the directory was given")
	}
}

// TestTheWaitForAnotherProcessEnds holds that who cannot have the lock is told.
func TestTheWaitForAnotherProcessEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, lines := start(t, "hold", dir)
	lines.Scan()
	d := open(t, Options{Dir: dir})
	err := make(chan error, 1)
	go func() { err <- d.Fast(context.Background(), insert("waiting")) }()
	select {
	case e := <-err:
		t.Fatalf("did not wait: %v", e)
	case <-time.After(100 * time.Millisecond):
	}
	_ = c.Process.Kill()
	if e := <-err; e != nil {
		t.Errorf("after the holder died: %v", e)
	}
}
