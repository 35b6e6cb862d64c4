package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// stat is what /proc/PID/stat says of a process, as far as we ask.
type stat struct {
	pid, ppid, pgrp, session int
	state                    byte
	threads                  int
	start                    uint64 // clock ticks since boot
	rss                      int64  // bytes resident
}

// dead reports whether the process has ended and only waits to be reaped. One
// whose first thread has ended lives on in the others.
func (s stat) dead() bool { return (s.state == 'Z' || s.state == 'X') && s.threads <= 1 }

// readFile reads a file of /proc into buf without the cost of an os.File.
func readFile(path string, buf []byte) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n := 0
	for {
		m, err := unix.Read(fd, buf[n:])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, err
		case m == 0:
			return buf[:n], nil
		}
		if n += m; n == len(buf) {
			buf = append(buf, make([]byte, len(buf))...)
		}
	}
}

func procPath(pid int, name string) string {
	return "/proc/" + strconv.Itoa(pid) + "/" + name
}

func readStat(pid int) (stat, error) {
	fd, err := unix.Open(procPath(pid, "stat"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return stat{}, err
	}
	defer unix.Close(fd)
	// The kernel gives all of it at once, and the fields that we ask for are
	// among the first 600 bytes.
	var buf [1024]byte
	for {
		n, err := unix.Read(fd, buf[:])
		if err == nil {
			return parseStat(pid, buf[:n])
		}
		if !errors.Is(err, unix.EINTR) {
			return stat{}, err
		}
	}
}

// parseStat reads the fields behind the name, which may itself hold spaces
// and parentheses.
func parseStat(pid int, b []byte) (stat, error) {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 || i+3 >= len(b) {
		return stat{}, fmt.Errorf("/proc/%d/stat: unknown form", pid)
	}
	s := stat{pid: pid, state: b[i+2]}
	field := 3
	for rest := b[i+3:]; len(rest) > 0 && field < 24; {
		rest = rest[1:]
		word := rest
		if end := bytes.IndexByte(rest, ' '); end >= 0 {
			word = rest[:end]
		}
		rest = rest[len(word):]
		field++
		switch field {
		case 4:
			s.ppid = number(word)
		case 5:
			s.pgrp = number(word)
		case 6:
			s.session = number(word)
		case 20:
			s.threads = number(word)
		case 22:
			s.start = uint64(number(word))
		case 24:
			s.rss = int64(number(word)) * int64(os.Getpagesize())
		}
	}
	if field < 24 {
		return stat{}, fmt.Errorf("/proc/%d/stat: %d fields", pid, field)
	}
	return s, nil
}

// number reads digits; the fields we ask for are never negative.
func number(b []byte) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return n
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// allProcesses reads every process that there is.
func allProcesses() ([]stat, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	all := make([]stat, 0, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		s, err := readStat(pid)
		switch {
		case err == nil:
			all = append(all, s)
		case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM):
			return nil, err // any other says that it has ended, or is hidden from us
		}
	}
	return all, nil
}

// StartTime is when a process started, in clock ticks since boot. With its pid
// it names the process for as long as the machine is up.
func StartTime(pid int) (uint64, error) {
	s, err := readStat(pid)
	if err != nil {
		return 0, fmt.Errorf("process %d: %w", pid, err)
	}
	if s.dead() {
		return 0, fmt.Errorf("process %d: %w", pid, unix.ESRCH)
	}
	return s.start, nil
}

// pss is the memory of a process with shared pages counted in proportion, or
// rss where the kernel does not say.
func (s stat) pss() int64 {
	var buf [2048]byte
	b, err := readFile(procPath(s.pid, "smaps_rollup"), buf[:])
	if err != nil {
		return s.rss
	}
	_, after, ok := bytes.Cut(b, []byte("\nPss:"))
	if !ok {
		return s.rss
	}
	return int64(number(bytes.TrimLeft(after, " \t"))) << 10
}

// cursor reads which pid the kernel gave out last.
type cursor struct {
	fd     int
	pidMax int
}

// newCursor opens /proc/loadavg, if it is the kernel's own and not a
// container's imitation.
func newCursor() *cursor {
	var fs unix.Statfs_t
	fd, err := unix.Open("/proc/loadavg", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	var buf [32]byte
	limit, err := readFile("/proc/sys/kernel/pid_max", buf[:])
	if err != nil || unix.Fstatfs(fd, &fs) != nil || fs.Type != unix.PROC_SUPER_MAGIC {
		unix.Close(fd)
		return nil
	}
	return &cursor{fd: fd, pidMax: number(limit)}
}

// last is the pid that was given out last, 0 when it cannot be told.
func (c *cursor) last() int {
	var buf [128]byte
	n, err := unix.Pread(c.fd, buf[:], 0)
	if err != nil {
		return 0
	}
	b := bytes.TrimRight(buf[:n], "\n")
	return number(b[bytes.LastIndexByte(b, ' ')+1:])
}
