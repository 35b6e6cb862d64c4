package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if role := os.Getenv("LOGS_TEST_ROLE"); role != "" {
		if err := child(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // the child of a test
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, dir string, o Options) *Dir {
	t.Helper()
	d, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func read(t testing.TB, d *Dir, q Query) (lines []Line) {
	t.Helper()
	if err := d.Read(context.Background(), q, func(l Line) error { lines = append(lines, l); return nil }); err != nil {
		t.Fatal(err)
	}
	return lines
}

func texts(lines []Line) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.Text
	}
	return out
}

func flush(t testing.TB, f interface{ Flush() error }) {
	t.Helper()
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
}

var at = time.Date(2026, 11, 24, 8, 13, 15, 123_000_000, time.UTC)

func TestLinesComeBackAsTheyWent(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "deep", "logs")
	d := open(t, dir, Options{})
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("to open it made the directory: %v", err)
	}
	if lines := read(t, d, Query{}); lines != nil {
		t.Errorf("nothing was written, and there is %v", lines)
	}
	w := d.Writer("pm2")
	s := w.Run(12, "pm2/git-sync")
	s.Line(at, "sync", "one | two + three")
	s.Line(at.Add(time.Second), "test (os=a)", "")
	w.Run(13, "pm2/other").Line(at.Add(2*time.Second), "", "x")
	flush(t, s)
	want := []Line{
		{At: at, Name: "pm2", Run: 12, Pipeline: "pm2/git-sync", Step: "sync", Text: "one | two + three"},
		{At: at.Add(time.Second), Name: "pm2", Run: 12, Pipeline: "pm2/git-sync", Step: "test_(os=a)"},
		{At: at.Add(2 * time.Second), Name: "pm2", Run: 13, Pipeline: "pm2/other", Step: "-", Text: "x"},
	}
	if got := read(t, d, Query{Name: "pm2"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "pm2.log"))
	if err != nil || !strings.HasPrefix(string(raw), "2026-11-24T08:13:15.123Z run=12 pm2/git-sync sync | one | two + three\n") {
		t.Errorf("the file holds %q, %v", raw, err)
	}
	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "pm2.log"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	d := open(t, t.TempDir(), Options{MaxSize: 200}) // a few lines a file
	for i := range 20 {
		s := d.Writer([]string{"pm2", "netlify"}[i%2]).Run(int64(i%4+1), fmt.Sprint("p/", i%4))
		s.Line(at.Add(time.Duration(i)*time.Second), fmt.Sprint("s", i%5), fmt.Sprint(i))
		flush(t, s)
	}
	if _, err := d.Writer("engine").Write([]byte("started\nready\n")); err != nil {
		t.Fatal(err)
	}
	flush(t, d.Writer("engine"))
	for name, c := range map[string]struct {
		q    Query
		want []string
	}{
		"name":         {Query{Name: "netlify", Limit: 3}, []string{"15", "17", "19"}},
		"run":          {Query{Run: 3}, []string{"2", "6", "10", "14", "18"}},
		"pipeline":     {Query{Pipeline: "p/0", Limit: 2}, []string{"12", "16"}},
		"step":         {Query{Step: "s3"}, []string{"3", "8", "13", "18"}},
		"step and run": {Query{Run: 3, Step: "s3"}, []string{"18"}},
		"since":        {Query{Since: at.Add(18 * time.Second), Name: "pm2"}, []string{"18"}},
		"last of all":  {Query{Limit: 4}, []string{"18", "19", "started", "ready"}},
		"last, by run": {Query{Limit: 1, Run: 1}, []string{"16"}},
		"no such name": {Query{Name: "none"}, []string{}},
		"outside":      {Query{Name: "../pm2"}, []string{}},
	} {
		if got := texts(read(t, d, c.q)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	all := texts(read(t, d, Query{}))
	if len(all) != 22 || all[0] != "0" || all[19] != "19" {
		t.Errorf("all, in order of time: %q", all)
	}
	stop := errors.New("stop")
	n := 0
	if err := d.Read(context.Background(), Query{}, func(Line) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("a reader that fails: %v after %d", err, n)
	}
}

func TestPipedOutput(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 3<<19) // 3 MiB
	for name, c := range map[string]struct {
		pieces []string
		want   []string
	}{
		"pieces":    {[]string{"a", "b\nc", "\n", "\n\nd"}, []string{"ab", "c", "", "", "d"}},
		"crlf":      {[]string{"a\r\nb\r", "\nc\rd\n"}, []string{"a", "b", `c\x0dd`}},
		"control":   {[]string{"\x1b[31mred\x00\x07\ttab\u009b\u202e\u2028\n"}, []string{`\x1b[31mred\x00\x07` + "\t" + `tab\u009b\u202e\u2028`}},
		"not utf-8": {[]string{"a\xff\xc3\n\xe2\x82\n"}, []string{`a\xff\xc3`, `\xe2\x82`}},
		"letters":   {[]string{"日本 ü 👩‍💻\n"}, []string{"日本 ü 👩‍💻"}},
		"no end":    {[]string{"last"}, []string{"last"}},
		"nothing":   {nil, []string{}},
		"long":      {[]string{long[:1<<20+1], long[1<<20+1:], "\nnext\n"}, []string{long, "next"}},
		"at once":   {[]string{long + "\nnext"}, []string{long, "next"}},
	} {
		d := open(t, t.TempDir(), Options{})
		s := d.Writer("pm2").Run(1, "p/q").Step("s")
		for _, p := range c.pieces {
			if n, err := s.Write([]byte(p)); n != len(p) || err != nil {
				t.Errorf("%s: %d, %v", name, n, err)
			}
		}
		if held := cap(s.(*stepWriter).rest) + cap(s.(*stepWriter).w.held); held > 4<<20 {
			t.Errorf("%s: %d bytes are held", name, held)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		got := []string{}
		for _, l := range read(t, d, Query{}) {
			if len(l.Text) > 4*maxText {
				t.Errorf("%s: a line of %d bytes", name, len(l.Text))
			}
			if l.Continued {
				got[len(got)-1] += l.Text
			} else {
				got = append(got, l.Text)
			}
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %.100q, want %.100q", name, got, c.want)
		}
	}
}

// TestALineIsSeenSoon holds that a line does not wait for the next one.
func TestALineIsSeenSoon(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := open(t, dir, Options{})
		s := d.Writer("pm2").Run(1, "p/q").Step("s")
		fmt.Fprintln(s, "hello")
		if lines := read(t, d, Query{}); len(lines) != 0 {
			t.Errorf("written at once: %v", lines)
		}
		<-time.After(flushDelay + time.Millisecond)
		if lines := read(t, d, Query{}); len(lines) != 1 {
			t.Errorf("not written after %s", flushDelay)
		}
	})
}

func TestWhatADeadProcessLeftOfALineIsCutAway(t *testing.T) {
	t.Parallel()
	d := open(t, t.TempDir(), Options{})
	path := filepath.Join(d.path, "pm2.log")
	whole := Line{At: at, Run: 1, Pipeline: "p/q", Step: "s", Text: "whole"}.String() + "\n"
	for _, torn := range []string{"2026-11-24T08:1", whole[:len(whole)-1], strings.Repeat("x", 3*flushSize)} {
		if err := os.WriteFile(path, []byte(whole+torn), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := texts(read(t, d, Query{})); !reflect.DeepEqual(got, []string{"whole"}) {
			t.Errorf("before: %.100q", got)
		}
		d.Writer("pm2").Run(1, "p/q").Line(at, "s", "next")
		flush(t, d.Writer("pm2"))
		if got := texts(read(t, d, Query{})); !reflect.DeepEqual(got, []string{"whole", "next"}) {
			t.Errorf("after: %.100q", got)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, err := Open(dir, Options{MaxSize: 1000, Compress: true, MaxAge: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	old := "pm2-" + time.Now().UTC().Add(-2*time.Hour).Format(rotatedStamp) + ".log.gz"
	if err := os.WriteFile(filepath.Join(dir, old), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if names, err := d.Prune(time.Now(), true); err != nil || !reflect.DeepEqual(names, []string{old}) {
		t.Errorf("would be removed: %v, %v", names, err)
	}
	for i := range 100 {
		d.Writer("pm2").Run(1, "p/q").Line(time.Now(), "s", fmt.Sprint(i))
		flush(t, d.Writer("pm2"))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := d.files()
	if err != nil || len(files) < 5 {
		t.Errorf("%v, %v", files, err)
	}
	for _, f := range files {
		info, err := os.Stat(filepath.Join(dir, f))
		if err != nil || info.Mode().Perm() != 0o600 || info.Size() > 1000 {
			t.Errorf("%s: %v, %v", f, info, err)
		}
		if f != "pm2.log" && !strings.HasSuffix(f, ".gz") || f == old {
			t.Errorf("%s is still there", f)
		}
	}
	lines := read(t, d, Query{})
	if len(lines) != 100 || lines[0].Text != "0" || lines[99].Text != "99" {
		t.Errorf("%d lines, %v", len(lines), texts(lines))
	}
	if got := texts(read(t, d, Query{Name: "pm2", Limit: 40})); len(got) != 40 || got[0] != "60" {
		t.Errorf("the last: %v", got)
	}
	later := time.Now().Add(2 * time.Hour)
	if names, err := d.Prune(later, false); err != nil || len(names) != len(files)-1 {
		t.Errorf("removed %v, %v", names, err)
	}
}

// TestACompressionThatWasKilled holds that a file which is there plain and
// compressed is read once, and that the next process ends the work.
func TestACompressionThatWasKilled(t *testing.T) {
	t.Parallel()
	d := open(t, t.TempDir(), Options{Compress: true})
	d.Writer("pm2").Run(1, "p/q").Line(at, "s", "once")
	flush(t, d.Writer("pm2"))
	path := filepath.Join(d.path, "pm2-"+at.Format(rotatedStamp)+".log")
	text, err := os.ReadFile(filepath.Join(d.path, "pm2.log"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Rename(filepath.Join(d.path, "pm2.log"), path), compress(path), os.WriteFile(path, text, 0o600)); err != nil {
		t.Fatal(err)
	}
	if got := texts(read(t, d, Query{})); !reflect.DeepEqual(got, []string{"once"}) {
		t.Errorf("got %q", got)
	}
	if err := d.tidy("pm2", at); err != nil || exists(path) || !exists(path+".gz") {
		t.Errorf("not ended: %v", err)
	}
	if got := texts(read(t, d, Query{})); !reflect.DeepEqual(got, []string{"once"}) {
		t.Errorf("got %q", got)
	}
}

// TestFollow holds that a reader that follows sees every line once, through
// rotations and compression, and logs that come later.
func TestFollow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"pm2", ""} {
		synctest.Test(t, func(t *testing.T) {
			sub := filepath.Join(dir, "x"+name)
			d := open(t, sub, Options{MaxSize: 400, Compress: true})
			put := func(i int) {
				d.Writer("pm2").Run(1, "p/q").Line(time.Now(), "s", fmt.Sprint(i))
				flush(t, d.Writer("pm2"))
			}
			const past, total = 10, 200
			for i := range past {
				put(i)
			}
			ctx, cancel := context.WithCancel(context.Background())
			var mu sync.Mutex
			var got []string
			done := make(chan error)
			go func() {
				done <- d.Read(ctx, Query{Name: name, Limit: 5, Follow: true}, func(l Line) error {
					mu.Lock()
					defer mu.Unlock()
					got = append(got, l.Text)
					return nil
				})
			}()
			synctest.Wait()
			for i := past; i < total; i++ {
				put(i)
				<-time.After(time.Duration(i%50) * 7 * time.Millisecond)
			}
			<-time.After(2 * pollEvery)
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			var want []string
			for i := past - 5; i < total; i++ {
				want = append(want, fmt.Sprint(i))
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%q: got %v", name, got)
			}
		})
	}
}

func TestAFullDiskCostsLinesAndSaysSo(t *testing.T) {
	t.Parallel()
	mount := t.TempDir()
	if err := unix.Mount("tmpfs", mount, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a file system of our own needs root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(mount, unix.MNT_DETACH) })
	d := open(t, mount, Options{})
	ballast := filepath.Join(mount, "ballast")
	w := d.Writer("pm2")
	s := w.Run(1, "p/q")
	s.Line(at, "s", "first")
	flush(t, s)
	_ = os.WriteFile(ballast, make([]byte, 1<<20), 0o600)
	step := s.Step("s")
	for range 100 {
		if _, err := step.Write([]byte(strings.Repeat("x", 999) + "\n")); err != nil {
			t.Errorf("a step was stopped: %v", err)
		}
	}
	if err := step.Close(); !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "lost") {
		t.Errorf("got %v", err)
	}
	if raw, err := os.ReadFile(w.path); err != nil || !bytes.HasSuffix(raw, []byte("\n")) {
		t.Errorf("half a line is left: %.100q, %v", raw[max(0, len(raw)-100):], err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.Line(at, "s", "after")
	flush(t, s)
	got := texts(read(t, d, Query{}))
	if n := len(got); n < 3 || got[0] != "first" || got[n-1] != "after" || !strings.Contains(got[n-2], "lines were lost here") {
		t.Errorf("got %.300q", got)
	}
}

func TestALinkIsNotFollowed(t *testing.T) {
	t.Parallel()
	d := open(t, t.TempDir(), Options{})
	other := filepath.Join(t.TempDir(), "other")
	if err := os.Symlink(other, filepath.Join(d.path, "pm2.log")); err != nil {
		t.Fatal(err)
	}
	d.Writer("pm2").Run(1, "p/q").Line(at, "s", "x")
	if err := d.Writer("pm2").Flush(); err == nil {
		t.Error("written through a link")
	}
	if exists(other) {
		t.Error("the link's target was made")
	}
}

func FuzzLine(f *testing.F) {
	f.Add("pm2/sync", "step", []byte("text\x1b | \xff"))
	f.Fuzz(func(t *testing.T, pipeline, step string, text []byte) {
		line := Line{At: at, Name: "n", Run: 7, Pipeline: word(pipeline), Step: word(step), Text: string(clean(nil, text))}
		if strings.ContainsAny(line.String(), "\n\r\x1b\x00") {
			t.Errorf("%q", line.String())
		}
		if got, ok := parse("n", []byte(line.String())); !ok || got != line {
			t.Errorf("%q: got %+v, %v", line.String(), got, ok)
		}
	})
}

func BenchmarkPipedOutput(b *testing.B) {
	d := open(b, b.TempDir(), Options{Compress: true})
	s := d.Writer("pm2").Run(1, "pm2/git-sync").Step("build")
	piece := bytes.Repeat([]byte("some output of a usual length, as a compiler or a test run prints it again\n"), 400)
	b.SetBytes(int64(len(piece)))
	for b.Loop() {
		if _, err := s.Write(piece); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

var _ io.Writer = (*Writer)(nil)
