package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Check reports what is wrong with a state directory, without making or
// changing anything; one that is missing is not wrong.
func Check(dir string) error {
	if err := prepareDir(dir, true); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// prepareDir makes sure that the state directory is ours alone and on a disk
// of this machine. Unless it is only read, it is made when missing.
func prepareDir(dir string, readOnly bool) error {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) && !readOnly {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("the state directory cannot be made: %w: make %s writable, or set `state:` in redund.yaml to a directory that is",
				err, filepath.Dir(dir))
		}
		info, err = os.Lstat(dir)
	}
	if err != nil {
		return fmt.Errorf("the state directory cannot be read: %w: say state: in redund.yaml to have another", err)
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("the state directory %s is a link: it must be a directory itself; set `state:` in redund.yaml to where the link leads", dir)
	case !info.IsDir():
		return fmt.Errorf("the state directory %s is a file: move it away", dir)
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && int(s.Uid) != os.Geteuid() {
		return fmt.Errorf("the state directory %s belongs to user %d, and this is user %d: run as that user, or set `state:` in redund.yaml to a directory of your own",
			dir, s.Uid, os.Geteuid())
	}
	if name, err := networkOf(dir); err != nil {
		return err
	} else if name != "" {
		return fmt.Errorf("the state directory %s is on a network file system (%s), where locks do not hold: set `state:` in redund.yaml to a directory on a local disk",
			dir, name)
	}
	if readOnly {
		return nil
	}
	if info.Mode().Perm() != 0o700 {
		if err := os.Chmod(dir, 0o700); err != nil {
			return fmt.Errorf("the mode of the state directory cannot be set: %w", err)
		}
	}
	return ignore(filepath.Join(dir, ".gitignore"))
}

// ignore keeps the directory out of git; a file that is there is left alone.
func ignore(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		_, err = f.WriteString("*\n")
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		os.Remove(path)
		return explain(path, err)
	}
	return nil
}

// Free is how many bytes we may still write where dir lies.
func Free(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// networkOf gives the name of the network file system that dir is on, or "".
func networkOf(dir string) (string, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return "", fmt.Errorf("the file system of %s cannot be told: %w", dir, err)
	}
	name, fuse := networkName(s.Type)
	if !fuse {
		return name, nil
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", nil //nolint:nilerr // FUSE without /proc: not known to be a network
	}
	resolved, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", fmt.Errorf("the file system of %s cannot be told: %w", dir, err)
	}
	return networkMount(string(mounts), resolved), nil
}

// networkName knows file systems by their number in statfs(2); fuse: it is one
// of many that share a number.
func networkName(number int64) (name string, fuse bool) {
	switch uint32(number) {
	case unix.NFS_SUPER_MAGIC:
		return "nfs", false
	case unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC:
		return "smb", false
	case unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC:
		return "afs", false
	case unix.CODA_SUPER_MAGIC:
		return "coda", false
	case unix.CEPH_SUPER_MAGIC:
		return "ceph", false
	case 0x0bd00bd0:
		return "lustre", false
	case unix.FUSE_SUPER_MAGIC:
		return "", true
	}
	return "", false
}

// networkMount gives the type of the mount that holds path when it is one of
// the FUSE file systems that reach over a network, or "".
func networkMount(mountinfo, path string) string {
	best, kind := "", ""
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(rest) == 0 {
			continue
		}
		at := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4])
		inside := path == at || strings.HasPrefix(path, strings.TrimSuffix(at, "/")+"/")
		if inside && len(at) >= len(best) {
			best, kind = at, rest[0]
		}
	}
	switch strings.TrimPrefix(kind, "fuse.") {
	case "sshfs", "glusterfs", "ceph", "ceph-fuse", "rclone", "s3fs", "davfs", "davfs2", "curlftpfs", "smbnetfs", "gcsfuse", "mfs", "juicefs":
		return kind
	}
	return ""
}

// lockFile opens a file and waits for its lock; the first result gives it back.
func lockFile(ctx context.Context, path string, flag int) (func(), error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := flock(f, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		}
	}
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
