package files

import (
	"time"

	"golang.org/x/sys/unix"
)

// Stamp tells a file from the same file after a change, and from another one at
// its path. The zero value is that of no file. The time of the change finds what
// the others do not: text of the same length with its time set back.
type Stamp struct {
	device, inode     uint64
	size              int64
	modified, changed int64 // in nanoseconds
	fresh             bool  // the file had just been changed: a further change may show by nothing
}

// tick is longer than what the clock of a file system needs to go on.
const tick = int64(20 * time.Millisecond)

// StampOf looks at a path; links are followed.
func StampOf(path string) Stamp {
	var info unix.Stat_t
	if err := unix.Stat(path, &info); err != nil {
		return Stamp{}
	}
	return stampOf(&info)
}

func stampOf(info *unix.Stat_t) Stamp {
	s := Stamp{device: info.Dev, inode: info.Ino, size: info.Size, modified: info.Mtim.Nano(), changed: info.Ctim.Nano()}
	s.fresh = time.Now().UnixNano()-max(s.modified, s.changed) < tick
	return s
}

// Same reports whether a file is certainly the same: now is how it is now. What
// was not there, or had just been changed, is not known to be.
func (s Stamp) Same(now Stamp) bool {
	fresh := s.fresh
	s.fresh, now.fresh = false, false
	return s == now && !fresh && s != Stamp{}
}
