// Package group is the concurrency groups of workflows: what has one holds it on
// this machine, by a lock on a file that goes with its process.
package group

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// look is how often a concurrency group that others have is asked for.
const look = 100 * time.Millisecond

// Hold waits until nothing else on this machine has the group of this
// repository, and holds it until the function that it gives is called. say is
// told when it must wait. The error is that ctx is done, or that no lock can be
// had.
func Hold(ctx context.Context, repository, name string, say func(string)) (func(), error) {
	f, err := open(repository, strings.ToLower(name)) // GitHub's groups know no letter case
	if err != nil {
		return nil, fmt.Errorf("the concurrency group %q cannot be held: %w", name, err)
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for told := false; ; {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			f.Close()
			return nil, fmt.Errorf("the concurrency group %q cannot be held: %w", name, err)
		case !told:
			say("waits for the concurrency group " + name + ", which something else on this machine has")
			told = true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.Close()
			return nil, context.Cause(ctx)
		}
	}
}

// open opens the file that stands for a group: in a directory that is ours
// alone, by a name that tells nothing.
func open(repository, name string) (*os.File, error) {
	if real, err := filepath.EvalSymlinks(repository); err == nil {
		repository = real
	}
	dir := filepath.Join(os.TempDir(), ".redund-groups-"+strconv.Itoa(os.Getuid()))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || !ok || int(st.Uid) != os.Getuid() || info.Mode().Perm() != 0o700 {
		return nil, fmt.Errorf("%s is not a directory of ours alone: remove it, or set TMPDIR to another one", dir)
	}
	sum := sha256.Sum256([]byte(repository + "\x00" + name))
	return os.OpenFile(filepath.Join(dir, hex.EncodeToString(sum[:16])), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
}
