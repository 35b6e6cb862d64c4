package logs

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTailFollowsThroughRotations holds that `tail -F`, which people have, sees
// every line of a log that is rotated and compressed under it.
func TestTailFollowsThroughRotations(t *testing.T) {
	t.Parallel()
	tail, err := exec.LookPath("tail")
	if err != nil {
		t.Skip("tail is not installed")
	}
	d := open(t, t.TempDir(), Options{MaxSize: 2000, Compress: true})
	w := d.Writer("pm2")
	put := func(text string) { w.Run(1, "p/q").Line(time.Now(), "s", text); flush(t, w) }
	put("begin")
	c := exec.Command(tail, "-n", "+1", "-F", w.path)
	c.Env = append(os.Environ(), "LC_ALL=C")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	seen := make(chan string, 1000)
	go func() {
		defer close(seen)
		for s := bufio.NewScanner(out); s.Scan(); {
			_, text, _ := strings.Cut(s.Text(), bar)
			seen <- text
		}
	}()
	next := func(want string) {
		t.Helper()
		select {
		case got := <-seen:
			if got != want {
				t.Fatalf("tail shows %q, not %q", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("tail does not show %q", want)
		}
	}
	next("begin")
	for i := range 150 {
		text := fmt.Sprint("line ", i)
		put(text)
		next(text) // it looks now and then; what is rotated twice meanwhile nobody could follow
	}
	if files, err := d.rotated("pm2"); err != nil || len(files) < 3 {
		t.Errorf("%v, %v", files, err)
	}
}

// TestOldFilesGoByWhomeverRotates has several processes write and rotate a log
// with files of long ago beside it: those go, and no others.
func TestOldFilesGoByWhomeverRotates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stamp := func(ago time.Duration) string {
		return filepath.Join(dir, "pm2-"+time.Now().UTC().Add(-ago).Format(rotatedStamp)+".log")
	}
	old, young := []string{stamp(50 * time.Hour), stamp(49*time.Hour) + ".gz"}, stamp(40*time.Hour)
	for _, path := range append(old, young) {
		if err := os.WriteFile(path, []byte("x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var all []*exec.Cmd
	for range 3 {
		c, _ := start(t, "some", dir)
		all = append(all, c)
	}
	for _, c := range all {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	for _, path := range old {
		if exists(path) || exists(path+".gz") {
			t.Errorf("%s is still there", filepath.Base(path))
		}
	}
	if _, err := os.Stat(young + ".gz"); err != nil {
		t.Errorf("a young one is gone: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*.tmp")); err != nil || len(left) > 0 {
		t.Errorf("unfinished: %v, %v", left, err)
	}
}

// TestFailingIsToldUntilItIsMended puts a folder in the place of one file.
func TestFailingIsToldUntilItIsMended(t *testing.T) {
	t.Parallel()
	d := open(t, t.TempDir(), Options{})
	for _, name := range []string{"pm2", "web"} {
		if err := os.Mkdir(d.Writer(name).path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Failing(); err != nil {
		t.Errorf("nothing was written, and it fails: %v", err)
	}
	for range 3 {
		d.Writer("pm2").Run(1, "p/q").Line(at, "s", "x")
		if err := d.Writer("pm2").Flush(); err == nil {
			t.Error("written into a folder")
		}
	}
	if err := d.Failing(); err == nil || !strings.Contains(err.Error(), "3 lines of ") || strings.Contains(err.Error(), "web") {
		t.Errorf("got %v", err)
	}
	if err := errors.Join(os.Remove(d.Writer("pm2").path), os.Remove(d.Writer("web").path)); err != nil {
		t.Fatal(err)
	}
	d.Writer("pm2").Run(1, "p/q").Line(at, "s", "y")
	flush(t, d.Writer("pm2"))
	if err := d.Failing(); err != nil {
		t.Errorf("mended, and it fails: %v", err)
	}
}
