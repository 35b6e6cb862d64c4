package pm2

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/proc"
)

// A daemon that is killed leaves its workers running, and one that is started
// after it knows nothing of them and starts further copies. A worker is found by
// the file of its pid, which the daemon writes right after the start, by what the
// last list said, and by the marks that PM2 puts into its environment.

const (
	// startSlack is by how much a process may seem to have begun after its pid was
	// written down: clocks of files and of processes are not the same.
	startSlack = 2 * time.Second
	// environLimit bounds what is read of one environment, in bytes.
	environLimit = 1 << 20
)

// worker is a process that may be an application's.
type worker struct {
	pid     int
	written time.Time // when somebody knew it as the application's
}

// marks is what PM2 put into the environment of a worker. Those of a cluster
// have none.
type marks struct{ name, script, pidFile, home string }

// marked is a process with marks of one home.
type marked struct {
	pid  int
	name string
}

// living finds the processes of one application that live. last is what was
// known of it, scanned are the processes with marks.
func living(home, name string, last []application, scanned []marked) []int {
	candidates := fromFiles(home, name, last)
	for _, a := range last {
		if a.pid > 0 {
			candidates = append(candidates, worker{pid: a.pid, written: a.started})
		}
	}
	var out []int
	for _, c := range candidates {
		if c.is(name, last) {
			out = append(out, c.pid)
		}
	}
	for _, m := range scanned {
		if m.name == name {
			out = append(out, m.pid)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// is reports whether the process lives and is this application's rather than one
// that was given its pid later.
func (w worker) is(name string, last []application) bool {
	began, ok := began(w.pid)
	if !ok {
		return false
	}
	if m := readMarks(w.pid); m.name != "" {
		return m.name == name
	}
	// One that began before its pid was written down has had it since.
	if !w.written.IsZero() && !began.After(w.written.Add(startSlack)) {
		return true
	}
	// The clock may have been set meanwhile.
	return slices.ContainsFunc(last, func(a application) bool { return runs(w.pid, a.script) })
}

// fromFiles reads the pid files of one application.
func fromFiles(home, name string, last []application) []worker {
	var files []string
	own := regexp.MustCompile("^" + regexp.QuoteMeta(fileName(name)) + `-\d+\.pid$`)
	entries, _ := os.ReadDir(filepath.Join(home, "pids")) // no folder: no worker has been started
	for _, e := range entries {
		if own.MatchString(e.Name()) {
			files = append(files, filepath.Join(home, "pids", e.Name()))
		}
	}
	for _, a := range last {
		if filepath.IsAbs(a.pidFile) && !slices.Contains(files, a.pidFile) {
			files = append(files, a.pidFile)
		}
	}
	var out []worker
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || !info.Mode().IsRegular() || info.Size() > 32 {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
			out = append(out, worker{pid: pid, written: info.ModTime()})
		}
	}
	return out
}

// fileName is how PM2 writes the name of an application before the number of an
// instance: it puts that number in the place of one that ends the name, so api-1
// and api-2 share their files.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune(`.\-`, r)) {
			return r
		}
		return '-'
	}, name)
	return ending().ReplaceAllString(name, "")
}

var ending = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`-\d+$`) })

// scan finds the workers of a home by their marks: processes that PM2 has
// started, not what those have started and handed their environment to.
func scan(home string) []marked {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []marked
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		m := readMarks(pid)
		if m.name == "" || m.home != home && !strings.HasPrefix(m.pidFile, home+"/") || !runs(pid, m.script) {
			continue
		}
		if _, ok := began(pid); ok {
			out = append(out, marked{pid: pid, name: m.name})
		}
	}
	return out
}

// readMarks reads what PM2 put into the environment of a process; nothing where
// it put nothing, or where the process is somebody else's.
func readMarks(pid int) marks {
	env, _ := readProc(pid, "environ")
	var m marks
	var id bool
	for v := range bytes.SplitSeq(env, []byte{0}) {
		key, value, _ := bytes.Cut(v, []byte("="))
		switch string(key) {
		case "name":
			m.name = string(value)
		case "pm_exec_path":
			m.script = string(value)
		case "pm_pid_path":
			m.pidFile = string(value)
		case "PM2_HOME":
			m.home = string(value)
		case "pm_id":
			id = true
		}
	}
	if !id {
		return marks{}
	}
	return m
}

// runs reports whether a script stands in the command line of a process.
func runs(pid int, script string) bool {
	if !filepath.IsAbs(script) {
		return false
	}
	// A worker of Node names itself, with spaces where zeros were.
	line, _ := readProc(pid, "cmdline")
	for rest := line; ; {
		i := bytes.Index(rest, []byte(script))
		if i < 0 {
			return false
		}
		before, after := i == 0 || rest[i-1] == 0 || rest[i-1] == ' ', rest[i+len(script):]
		if before && (len(after) == 0 || after[0] == 0 || after[0] == ' ') {
			return true
		}
		rest = after
	}
}

func readProc(pid int, file string) ([]byte, error) {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/" + file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(io.LimitReader(f, environLimit))
	return b.Bytes(), err
}

// began is when a process began, by the clock as it is set now; not ok: it has
// ended.
func began(pid int) (at time.Time, ok bool) {
	const ticks = 100 // a second: USER_HZ is so on every machine that Go runs on
	start, err := proc.StartTime(pid)
	if err != nil {
		return time.Time{}, false
	}
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return time.Time{}, true
	}
	lived := time.Duration(up.Nano()) - time.Duration(start)*(time.Second/ticks)
	return time.Now().Add(-lived), true
}
