// Package spare gives memory back that an engine has needed for a moment: its
// start and each reload read many files, and then it waits for hours.
package spare

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// After the start first goes by before memory is given back; then it is looked at
// every so often, and given back if that is worth the work.
const (
	first = 2 * time.Second
	every = time.Minute
	worth = 4 << 20 // bytes
)

// Keep gives memory back, until ctx is done.
func Keep(ctx context.Context) {
	t := time.NewTimer(first)
	defer t.Stop()
	for begun := false; ; begun = true {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if !begun && os.Getenv("GOGC") == "" {
			debug.SetGCPercent(100) // the start had it at more
		}
		if !begun || free() > worth {
			give()
		}
		t.Reset(every)
	}
}

// give gives back what is free, and the program itself but for what is used of it
// from now on: the kernel still has that, and it is not read from the disk again.
func give() {
	debug.FreeOSMemory()
	maps, err := os.ReadFile("/proc/self/maps")
	self, bad := os.Readlink("/proc/self/exe")
	if err != nil || bad != nil {
		return
	}
	for from, to := range program(string(maps), self) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED) // refused: nothing is lost
	}
}

// program gives the ranges of memory in which the file of the program lies that
// nobody can have changed.
func program(maps, self string) map[uintptr]uintptr {
	out := map[uintptr]uintptr{}
	for line := range strings.Lines(maps) {
		// 00400000-00d67000 r-xp 00000000 fe:00 1234  /usr/local/bin/redundctl
		f := strings.Fields(line)
		if len(f) < 6 || strings.Join(f[5:], " ") != self || strings.Contains(f[1], "w") {
			continue
		}
		a, b, _ := strings.Cut(f[0], "-")
		from, err := strconv.ParseUint(a, 16, 64)
		to, bad := strconv.ParseUint(b, 16, 64)
		if err == nil && bad == nil && from < to {
			out[uintptr(from)] = uintptr(to)
		}
	}
	return out
}

// free is how much memory holds nothing and was not given back.
func free() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m) // runtime/metrics has an init that every start would pay for
	return m.HeapIdle - m.HeapReleased
}
