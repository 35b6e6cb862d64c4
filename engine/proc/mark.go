package proc

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A step's processes are known by two marks that children inherit. Both name
// the engine and the step, so that what a killed engine left is found without
// any record of its steps.
//
// The tag is the soft limit of RLIMIT_LOCKS, which Linux has kept and ignored
// since 2.4.25. It survives exec, setsid, a double fork and a cleared
// environment, is still readable from a zombie, and costs two system calls. A
// program of our own bears it while it forks, so that the step has it from its
// first moment, and else the engine's, which so is on all that it ever starts.
// A host must not be changed like that: there the tag is set a moment after
// the exec.
//
// The token stands in the environment. It covers what was forked in that
// moment, and the steps of an engine that runs within a step, whose processes
// carry its tags but both tokens.

// TokenVariable is the environment variable that marks a step's processes.
const TokenVariable = "REDUND_STEP_TOKEN"

const (
	tagBit = 1 << 62
	// seqBits is how much of a tag tells the steps of one engine apart; the
	// engine's own has zero there.
	seqBits = 26
	seqMask = 1<<seqBits - 1
)

// engineTag is the tag of an engine itself.
func engineTag(engine string) uint64 {
	sum := sha256.Sum256([]byte(engine))
	return tagBit | binary.BigEndian.Uint64(sum[:])%tagBit&^seqMask
}

// stepTag is the tag of what an engine starts as its seq'th program.
func stepTag(engine, seq uint64) uint64 { return engine | seq%seqMask + 1 }

// setTag marks a process; what it forked before stays as it is. hard is its
// hard limit, which stays too.
func setTag(pid int, tag, hard uint64) {
	if hard < tag {
		return
	}
	// Without a tag the token is left; there is nothing to report.
	_ = unix.Prlimit(pid, unix.RLIMIT_LOCKS, &unix.Rlimit{Cur: tag, Max: hard}, nil)
}

// ownLimit is the limit that this process has and what it starts inherits.
func ownLimit() unix.Rlimit {
	var own unix.Rlimit
	if unix.Prlimit(0, unix.RLIMIT_LOCKS, nil, &own) != nil {
		return unix.Rlimit{}
	}
	return own
}

// readTag is the tag of a process or thread, 0 when it has none; the error is
// ESRCH when there is no such process.
func readTag(pid int) (uint64, error) {
	var old unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_LOCKS, nil, &old); err != nil {
		return 0, err
	}
	return tagOf(old), nil
}

func tagOf(l unix.Rlimit) uint64 {
	if l.Cur == math.MaxUint64 || l.Cur&tagBit == 0 {
		return 0
	}
	return l.Cur
}

// tokens are those in the environment of a process: of the step that it
// belongs to, after those of steps that this one runs within.
func tokens(pid int) []string {
	env, err := readFile(procPath(pid, "environ"), make([]byte, 8<<10))
	if err != nil {
		return nil
	}
	for entry := range bytes.SplitSeq(env, []byte{0}) {
		if value, ok := bytes.CutPrefix(entry, []byte(TokenVariable+"=")); ok {
			return strings.Split(string(value), "/")
		}
	}
	return nil
}

// hasToken reports whether the environment of a process holds the token.
func hasToken(pid int, token string) bool {
	return token != "" && slices.Contains(tokens(pid), token)
}

// engineOf is the engine that a token names.
func engineOf(token string) string { return token[:max(strings.LastIndexByte(token, '-'), 0)] }
