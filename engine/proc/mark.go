package proc

import (
	"bytes"
	"math"
	"strings"

	"golang.org/x/sys/unix"
)

// A step's processes are known by two marks that children inherit.
//
// The tag is the soft limit of RLIMIT_LOCKS, which Linux has kept and ignored
// since 2.4.25. It holds the leader's pid and start time, survives exec,
// setsid, a double fork and a cleared environment, is still readable from a
// zombie, costs one system call, and names the leader even after the engine
// that started it was killed.
//
// The token stands in the environment. It covers what was forked before the
// tag was set, and the steps of an engine that runs within a step, whose
// processes carry its tags but both tokens.

// TokenVariable is the environment variable that marks a step's processes.
const TokenVariable = "REDUND_STEP_TOKEN"

const (
	tagBit   = 1 << 62
	pidBits  = 22
	tagStart = 1<<(62-pidBits) - 1
)

// makeTag is the tag of what the leader starts.
func makeTag(pid int, start uint64) uint64 {
	return tagBit | (start&tagStart)<<pidBits | uint64(pid)&(1<<pidBits-1)
}

// setTag marks a process; what it forked before stays without a tag. hard is
// its hard limit, which stays as it is.
func setTag(pid int, tag, hard uint64) {
	if hard < tag {
		return
	}
	// Without a tag the token is left; there is nothing to report.
	_ = unix.Prlimit(pid, unix.RLIMIT_LOCKS, &unix.Rlimit{Cur: tag, Max: hard}, nil)
}

// hardLimit is up to where this process, and what it starts, may be tagged.
func hardLimit() uint64 {
	var own unix.Rlimit
	if unix.Prlimit(0, unix.RLIMIT_LOCKS, nil, &own) != nil {
		return 0
	}
	return own.Max
}

// readTag is the tag of a process or thread, 0 when it has none; the error is
// ESRCH when there is no such process.
func readTag(pid int) (uint64, error) {
	var old unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_LOCKS, nil, &old); err != nil {
		return 0, err
	}
	if old.Cur == math.MaxUint64 || old.Cur&tagBit == 0 {
		return 0, nil
	}
	return old.Cur, nil
}

// hasToken reports whether the environment of a process holds the token, alone
// or within those of engines inside each other.
func hasToken(pid int, token string) bool {
	if token == "" {
		return false
	}
	env, err := readFile(procPath(pid, "environ"), make([]byte, 8<<10))
	if err != nil {
		return false
	}
	for entry := range bytes.SplitSeq(env, []byte{0}) {
		if value, ok := bytes.CutPrefix(entry, []byte(TokenVariable+"=")); ok {
			for part := range strings.SplitSeq(string(value), "/") {
				if part == token {
					return true
				}
			}
		}
	}
	return false
}
