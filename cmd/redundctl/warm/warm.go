// Package warm makes the program start faster: it asks the kernel for the memory
// that the other packages are about to be initialised in as one piece. Page by
// page, the first two MiB of the heap are 500 faults, a quarter of what `version`
// takes; as one huge page they are one.
//
// It has to be initialised before the packages that allocate. Go initialises in
// the order of import paths what has nothing left to wait for, and this package
// waits for next to nothing; a test holds that it comes before them.
package warm

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// size is that of a huge page, and of what the heap begins with: the runtime
// takes 4 MiB from the system at once.
const size = 2 << 20

var _ = heap()

// heap asks for the part of the heap that small values lie in. A kernel that
// cannot do it (collapse came with Linux 6.1, populate with 5.14) refuses, and
// nothing is lost.
func heap() bool {
	lies := uintptr(unsafe.Pointer(new([64]byte))) &^ (size - 1)
	for _, advice := range []uintptr{unix.MADV_COLLAPSE, unix.MADV_POPULATE_WRITE} {
		if _, _, errno := unix.RawSyscall(unix.SYS_MADVISE, lies, size, advice); errno == 0 {
			return true
		}
	}
	return false
}
