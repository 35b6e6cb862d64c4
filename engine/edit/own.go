package edit

import (
	"errors"
	"os"
	"syscall"
)

// own gives a file the owner that the one before it had; who may not do that
// owns it.
func own(f *os.File, info os.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if err := f.Chown(int(st.Uid), int(st.Gid)); err != nil && !errors.Is(err, os.ErrPermission) {
		return err
	}
	return nil
}
