// Package lock makes sure that one process at a time has a file. The kernel
// gives it back however the process ends.
package lock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Held is the error of Take when a process has the file.
type Held struct{ PID int } // 0: it has not said yet

// Error says which process has it.
func (h *Held) Error() string { return fmt.Sprintf("process %d has the lock", h.PID) }

// Engine is the file that the engine of a state directory has for as long as it
// uses it.
func Engine(state string) string { return filepath.Join(state, "engine.lock") }

// freeEvery is how often Free looks.
const freeEvery = 10 * time.Millisecond

// Free waits until no process has the file.
func Free(ctx context.Context, path string) error {
	tick := time.NewTicker(freeEvery)
	defer tick.Stop()
	for {
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
			f.Close()
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Take takes a file until it is closed or the process ends, and writes the pid
// into it for others to read. The error is a *Held when somebody has it.
func Take(path string) (io.Closer, error) {
	for end := time.Now().Add(patience); ; {
		f, err := take(path)
		if by := new(Held); !errors.As(err, &by) || by.PID == 0 || unix.Kill(by.PID, 0) != unix.ESRCH || time.Now().After(end) {
			return f, err
		}
		<-time.After(patience / 200)
	}
}

// patience is how long a lock may be held in the name of a process that is not
// there: what it was about to start when it was killed shares the file until it
// runs another program.
const patience = time.Second

func take(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the lock cannot be opened: %w: make its folder one that you can write", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		b, _ := io.ReadAll(io.LimitReader(f, 20)) // what cannot be read names nobody
		f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("locking %s: %w: put the state directory on a disk of this machine", path, err)
		}
		pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
		return nil, &Held{PID: pid}
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("writing %s: %w", path, err), f.Close())
	}
	return f, nil
}
