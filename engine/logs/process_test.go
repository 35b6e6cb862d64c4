package logs

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const linesEach = 3000

// child appends to one log, as several processes do at once.
func child(role string) error {
	d, err := Open(os.Getenv("LOGS_TEST_DIR"), Options{MaxSize: 8 << 10, Compress: true, MaxAge: 48 * time.Hour})
	if err != nil {
		return err
	}
	s := d.Writer("pm2").Run(int64(os.Getpid()), "p/q")
	step := s.Step("s")
	for i := 0; role == "endless" || i < linesEach; i++ {
		if _, err := fmt.Fprintf(step, "%d %s\n", i, strings.Repeat("x", i%200)); err != nil {
			return err
		}
		if i%7 == 0 {
			if err := s.Flush(); err != nil {
				return err
			}
			if role == "endless" {
				fmt.Println(i)
			}
		}
	}
	if err := step.Close(); err != nil {
		return err
	}
	return d.Close()
}

func start(t *testing.T, role, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^$")
	c.Env = append(os.Environ(), "LOGS_TEST_ROLE="+role, "LOGS_TEST_DIR="+dir)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	return c, bufio.NewScanner(out)
}

// TestSeveralProcessesWriteOneLog holds that every line is there once, whole,
// and in its process's order, through rotations by all of them.
func TestSeveralProcessesWriteOneLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const processes = 4
	var all []*exec.Cmd
	for range processes {
		c, _ := start(t, "some", dir)
		all = append(all, c)
	}
	for _, c := range all {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	d := open(t, dir, Options{})
	files, err := d.rotated("pm2")
	if err != nil || len(files) < 50 {
		t.Errorf("%d rotated files, %v", len(files), err)
	}
	next, n := map[int64]int{}, 0
	for _, l := range read(t, d, Query{Name: "pm2"}) {
		n++
		if want := fmt.Sprintf("%d %s", next[l.Run], strings.Repeat("x", next[l.Run]%200)); l.Text != want {
			t.Fatalf("line %d of process %d is %q", next[l.Run], l.Run, l.Text)
		}
		next[l.Run]++
	}
	if n != processes*linesEach || len(next) != processes {
		t.Errorf("%d lines of %d processes", n, len(next))
	}
}

// TestAKilledProcessLeavesWholeLines holds that what was flushed before kill -9
// is there, and that nothing is torn.
func TestAKilledProcessLeavesWholeLines(t *testing.T) {
	t.Parallel()
	for range 3 {
		dir := t.TempDir()
		c, lines := start(t, "endless", dir)
		said := 0
		for lines.Scan() {
			if said, _ = strconv.Atoi(lines.Text()); said == 700 {
				_ = c.Process.Kill()
			}
		}
		_ = c.Wait()
		d := open(t, dir, Options{Compress: true})
		d.Writer("pm2").Run(1, "p/q").Line(time.Now(), "s", "next")
		flush(t, d.Writer("pm2"))
		got := read(t, d, Query{Name: "pm2"})
		if len(got) < said+2 {
			t.Fatalf("%d lines were flushed, %d are there", said+1, len(got)-1)
		}
		for i, l := range got[:len(got)-1] {
			if l.Text != fmt.Sprintf("%d %s", i, strings.Repeat("x", i%200)) {
				t.Fatalf("line %d is %q", i, l.Text)
			}
		}
		raw, err := os.ReadFile(filepath.Join(dir, "pm2.log"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(raw) {
			if _, ok := parse("pm2", bytes.TrimSuffix(line, []byte("\n"))); !ok {
				t.Errorf("in the file: %q", line)
			}
		}
	}
}
