package store

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestTheStateDirectory(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	at := func(name string) string { return filepath.Join(base, name) }
	wide := at("wide")
	if err := os.Mkdir(wide, 0o755); err != nil {
		t.Fatal(err)
	}
	open(t, Options{Dir: wide})
	open(t, Options{Dir: at("deep/er/state")})
	for _, dir := range []string{wide, at("deep/er/state")} {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: mode %v, %v", dir, info.Mode(), err)
		}
		if text, err := os.ReadFile(filepath.Join(dir, ".gitignore")); string(text) != "*\n" {
			t.Errorf("%s: .gitignore holds %q, %v", dir, text, err)
		}
		if info, err := os.Stat(filepath.Join(dir, "redund.db")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: the database: %v, %v", dir, info.Mode(), err)
		}
	}
	if err := os.Symlink(wide, at("link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := map[string]string{"link": "is a link", "file": "is a file"}
	if os.Geteuid() == 0 {
		if err := os.Mkdir(at("foreign"), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(at("foreign"), 65534, 65534); err != nil {
			t.Fatal(err)
		}
		bad["foreign"] = "belongs to user 65534"
	}
	for name, want := range bad {
		for _, readOnly := range []bool{true, false} {
			_, err := Open(context.Background(), Options{Dir: at(name), ReadOnly: readOnly})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, read only %v: got %v, want %q", name, readOnly, err, want)
			}
		}
	}
}

func TestNetworkFileSystemsAreKnown(t *testing.T) {
	t.Parallel()
	for number, want := range map[int64]string{0x6969: "nfs", 0xff534d42: "smb", int64(int32(-0xacb2be)): "smb", 0xfe534d42: "smb", 0x00c36400: "ceph", 0xef53: "", 0x01021994: "", 0x01021997: ""} {
		if got, fuse := networkName(number); got != want || fuse {
			t.Errorf("%#x: got %q, want %q", number, got, want)
		}
	}
	if _, fuse := networkName(0x65735546); !fuse {
		t.Error("fuse is not known")
	}
	const mounts = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /mnt/far\040away rw,nosuid - fuse.sshfs host:/ rw
31 30 0:41 / /mnt/far\040away/near rw,nosuid - fuse.ntfs-3g /dev/sdb rw
`
	for path, want := range map[string]string{"/home": "", "/mnt/far away": "fuse.sshfs", "/mnt/far away/x": "fuse.sshfs", "/mnt/far away/near/x": "", "/mnt/far awayer": ""} {
		if got := networkMount(mounts, path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestADamagedDatabaseIsLeftAlone(t *testing.T) {
	t.Parallel()
	whole := t.TempDir()
	d, err := Open(context.Background(), Options{Dir: whole})
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	good, err := os.ReadFile(filepath.Join(whole, "redund.db"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"other file": []byte(strings.Repeat("not a database\n", 1000)),
		"short":      []byte("x"),
		"torn":       good[:len(good)/3],
		"overwritten": append(append(append([]byte{}, good[:100]...),
			bytes.Repeat([]byte{0xa5}, 8000)...), good[8100:]...),
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "redund.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, readOnly := range []bool{true, false} {
			_, err := Open(context.Background(), Options{Dir: dir, ReadOnly: readOnly})
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "was left as it is") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s, read only %v: got %v", name, readOnly, err)
			}
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(after, content) {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// tiny gives a directory on a file system of its own, or skips the test.
func tiny(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a file system of our own needs root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// fill writes a file until nothing more fits, and gives what makes room again.
func fill(t *testing.T, dir string) (room func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for n := 64 << 10; n > 0; {
		if _, err := f.Write(make([]byte, n)); err != nil {
			n /= 2
		}
	}
	return func() {
		os.Remove(f.Name())
		// A child that another test has forked holds the file until its exec.
		var st unix.Statfs_t
		for unix.Statfs(dir, &st) == nil && st.Bavail*uint64(st.Bsize) < 256<<10 {
			runtime.Gosched()
		}
	}
}

// TestAFullDisk holds that nothing acknowledged is lost, that the same
// connection goes on when there is room, and what is said meanwhile.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	ctx, mount := context.Background(), tiny(t, "2m")
	d := open(t, Options{Dir: filepath.Join(mount, "state")})
	text := strings.Repeat("x", 3000)
	said := 0
	for _, f := range []func(context.Context, func(*Tx) error) error{d.Write, d.Fast} {
		if err := f(ctx, insert(text)); err != nil {
			t.Fatal(err)
		}
		said++
		room := fill(t, mount)
		var err error
		for range 1000 {
			if err = f(ctx, insert(text)); err != nil {
				break
			}
			said++
		}
		if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "free some space") {
			t.Fatalf("on a full disk: %v", err)
		}
		if n := count(t, d); n != said {
			t.Errorf("%d rows were recorded, %d are there", said, n)
		}
		room()
		if err := f(ctx, insert(text)); err != nil {
			t.Errorf("with room again: %v", err)
		}
		said++
	}
	if n := count(t, d); n != said {
		t.Errorf("%d rows were recorded, %d are there", said, n)
	}
}

// TestAColdOpenOnAFullDisk holds that who finds the database closed, or left by
// a process that was killed, reads it all the same, and that nothing changes.
func TestAColdOpenOnAFullDisk(t *testing.T) {
	t.Parallel()
	mount := tiny(t, "2m")
	dir, killed := filepath.Join(mount, "state"), filepath.Join(mount, "killed")
	d, err := Open(context.Background(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Write(context.Background(), insert("x")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(killed, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"redund.db", "redund.db-wal"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(killed, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(killed, "redund.db-wal"))
	if err != nil || len(log) == 0 {
		t.Fatalf("there is nothing in the log: %v", err)
	}
	room := fill(t, mount)
	for _, o := range []Options{{Dir: dir}, {Dir: killed}, {Dir: filepath.Join(mount, "new")}} {
		d, err := Open(context.Background(), o)
		if err == nil {
			err = d.Write(context.Background(), insert("y"))
			d.Close()
		}
		if !errors.Is(err, ErrFull) {
			t.Errorf("%+v: got %v", o, err)
		}
	}
	for _, dir := range []string{dir, killed} {
		d, err := Open(context.Background(), Options{Dir: dir, ReadOnly: true})
		if err != nil {
			t.Errorf("reading %s: %v", dir, err)
			continue
		}
		var wg sync.WaitGroup
		for range 5 { // more than one connection could serve at once
			wg.Go(func() {
				if n := count(t, d); n != 1 {
					t.Errorf("%s: %d rows can be read, want 1", dir, n)
				}
			})
		}
		wg.Wait()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if after, err := os.ReadFile(filepath.Join(killed, "redund.db-wal")); err != nil || !bytes.Equal(log, after) {
		t.Errorf("reading has changed the log: %v", err)
	}
	// Who reads keeps nobody out for long.
	reader, err := Open(context.Background(), Options{Dir: dir, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	room()
	time.AfterFunc(100*time.Millisecond, func() { reader.Close() })
	if n := count(t, open(t, Options{Dir: dir})); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
	if n := count(t, open(t, Options{Dir: killed})); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
	open(t, Options{Dir: filepath.Join(mount, "new")})
}

func TestADirectoryThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if os.Geteuid() == 0 {
		dir = tiny(t, "1m")
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Skip(err)
		}
	} else if err := os.Chmod(dir, 0o500); err != nil { //nolint:gosec // a directory
		t.Fatal(err)
	}
	_, err := Open(context.Background(), Options{Dir: filepath.Join(dir, "state")})
	if err == nil || !strings.Contains(err.Error(), "writable") {
		t.Errorf("got %v", err)
	}
	if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, unix.EROFS) {
		t.Errorf("the cause is lost: %v", err)
	}
}

// TestThePagesRunOut is the full disk where no file system can be mounted.
func TestThePagesRunOut(t *testing.T) {
	t.Parallel()
	ctx, d := context.Background(), open(t, Options{Dir: t.TempDir()})
	if err := d.Fast(ctx, insert("first")); err != nil {
		t.Fatal(err)
	}
	if err := d.pen.Exec("PRAGMA max_page_count=1"); err != nil { // not below what there is
		t.Fatal(err)
	}
	var err error
	said := 1
	for range 100 {
		if err = d.Fast(ctx, insert(strings.Repeat("x", 3000))); err != nil {
			break
		}
		said++
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
	if err := d.pen.Exec("PRAGMA max_page_count=100000"); err != nil {
		t.Fatal(err)
	}
	if err := d.Fast(ctx, insert("after")); err != nil {
		t.Error(err)
	}
	if n := count(t, d); n != said+1 {
		t.Errorf("%d rows, want %d", n, said+1)
	}
}
