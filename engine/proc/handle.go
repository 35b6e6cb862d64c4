package proc

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// handle is a process held by a pidfd: it cannot become another process, and
// waiting for it costs no thread.
type handle struct {
	stat
	f   *os.File
	raw interface {
		Read(func(fd uintptr) bool) error
		Control(func(fd uintptr)) error
	}
}

// newHandle takes over a pidfd.
func newHandle(s stat, fd int) (*handle, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &handle{stat: s, f: f, raw: raw}, nil
}

// hold opens those of the processes that are still the same ones.
func hold(ps []stat) []*handle {
	held := make([]*handle, 0, len(ps))
	for _, s := range ps {
		fd, err := unix.PidfdOpen(s.pid, 0)
		if err != nil {
			continue
		}
		if now, err := readStat(s.pid); err != nil || now.start != s.start {
			unix.Close(fd)
			continue
		}
		if h, err := newHandle(s, fd); err == nil {
			held = append(held, h)
		}
	}
	return held
}

// identity is what makes the process this one, as a key.
func (h *handle) identity() stat { return stat{pid: h.pid, start: h.start} }

// signal sends sig. That the process is gone is no failure.
func (h *handle) signal(sig unix.Signal) {
	_ = h.raw.Control(func(fd uintptr) { _ = unix.PidfdSendSignal(int(fd), sig, nil, 0) })
}

// wait returns true when the process has ended (it may be unreaped), false
// when the deadline that was set on f passed.
func (h *handle) wait() bool {
	err := h.raw.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			n, err := unix.Poll(p, 0)
			if !errors.Is(err, unix.EINTR) {
				return n > 0
			}
		}
	})
	return err == nil
}

// until bounds every wait, also one that is under way.
func (h *handle) until(deadline time.Time) { _ = h.f.SetReadDeadline(deadline) }

func (h *handle) close() { h.f.Close() }

// awaitAll waits until all have ended and reports whether they had before the
// deadline. It closes them.
func awaitAll(hs []*handle, deadline time.Time) bool {
	all := true
	for _, h := range hs {
		h.until(deadline)
		all = h.wait() && all
		h.close()
	}
	return all
}

func pidList(ps []stat) string {
	var b strings.Builder
	for i, s := range ps {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(s.pid))
	}
	return b.String()
}
