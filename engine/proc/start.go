package proc

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/proc/drain"
)

// start is one program on its way to be one.
type start struct {
	path  string
	argv  []string
	attr  syscall.ProcAttr
	sinks []*drain.Sink
	child []int // descriptors that are only the child's
	token string
	bare  bool // it bears no mark
	kept  bool // a Left has what it left running

	ready chan struct{} // the thread has done its part
	pid   int
	pidfd int
	tag   uint64
	err   error
}

// fork makes the process; the Spawner's thread may be the one that must.
func (st *start) fork() {
	st.attr.Sys.PidFD = &st.pidfd
	st.pid, st.err = syscall.ForkExec(st.path, st.argv, &st.attr)
}

// hold makes sure that the process is held by a descriptor, which alone makes it
// safe to signal it.
func (st *start) hold() {
	if st.err != nil || st.pidfd >= 0 {
		return
	}
	if st.pidfd, st.err = unix.PidfdOpen(st.pid, 0); st.err != nil {
		st.undo()
	}
}

// undo ends what was started and cannot be watched.
func (st *start) undo() {
	_ = unix.Kill(-st.pid, unix.SIGKILL)
	var r Result
	_ = reap(st.pid, &r)
	if st.pidfd >= 0 {
		unix.Close(st.pidfd)
		st.pidfd = -1
	}
}

// prepare finds the program and opens what it is given.
func (s *Spawner) prepare(c *Command) (*start, error) {
	path, err := c.find()
	if err != nil {
		return nil, err
	}
	st := &start{path: path, argv: c.Argv, ready: make(chan struct{}, 1), pidfd: -1, bare: c.Lasting}
	seq := s.seq.Add(1)
	st.tag = stepTag(s.tag, seq)
	st.token = s.engine + "-" + strconv.FormatUint(seq, 10)
	var mark []string
	switch outer := os.Getenv(TokenVariable); {
	case outer == "" && !st.bare:
		mark = []string{TokenVariable + "=" + st.token}
	case !st.bare:
		mark = []string{TokenVariable + "=" + outer + "/" + st.token}
	case outer != "": // it lasts as long as the step around us
		mark = []string{TokenVariable + "=" + outer}
	}
	env := make([]string, 0, len(c.Env)+1)
	for _, entry := range c.Env {
		if !strings.HasPrefix(entry, TokenVariable+"=") {
			env = append(env, entry)
		}
	}
	null := s.null.Fd()
	st.attr = syscall.ProcAttr{
		Dir:   c.Dir,
		Env:   append(env, mark...),
		Files: []uintptr{null, null, null},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL},
	}
	if err := s.open(st, c); err != nil {
		st.closeChildEnds()
		st.abandon()
		return nil, c.diagnose(path, err)
	}
	return st, nil
}

// open makes the pipes and the file of standard input.
func (s *Spawner) open(st *start, c *Command) error {
	if c.Stdin != nil {
		fd, err := inMemory(c.Stdin)
		if err != nil {
			return err
		}
		st.child = append(st.child, fd)
		st.attr.Files[0] = uintptr(fd)
	}
	for i, w := range []io.Writer{c.Out, c.Err, c.Third} {
		if i == 1 && w == nil {
			st.attr.Files[2] = st.attr.Files[1]
			continue
		}
		if w == nil {
			continue
		}
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			return err
		}
		st.child = append(st.child, p[1])
		if i == 2 {
			st.attr.Files = append(st.attr.Files, uintptr(p[1]))
		} else {
			st.attr.Files[i+1] = uintptr(p[1])
		}
		// Our end alone: a program must find its output to block.
		if _, err := unix.FcntlInt(uintptr(p[0]), unix.F_SETFL, unix.O_NONBLOCK); err != nil {
			unix.Close(p[0])
			return err
		}
		st.sinks = append(st.sinks, drain.New(p[0], w, &s.buffers))
	}
	return nil
}

// inMemory is a file without a name that holds text: no goroutine has to feed
// it, and a program that does not read it does no harm.
func inMemory(text []byte) (int, error) {
	fd, err := unix.MemfdCreate("stdin", unix.MFD_CLOEXEC)
	if err != nil {
		return 0, err
	}
	for done := 0; done < len(text); {
		n, err := unix.Pwrite(fd, text[done:], int64(done))
		if err != nil && !errors.Is(err, unix.EINTR) {
			unix.Close(fd)
			return 0, err
		}
		done += max(n, 0)
	}
	return fd, nil
}

func (st *start) closeChildEnds() {
	for _, fd := range st.child {
		unix.Close(fd)
	}
	st.child = nil
}

// abandon closes our ends of what no sink reads.
func (st *start) abandon() {
	for _, k := range st.sinks {
		k.Abandon()
	}
}

func (c *Command) name() string {
	if c.Path != "" {
		return c.Path
	}
	if len(c.Argv) > 0 {
		return c.Argv[0]
	}
	return "a program without a name"
}

var errNoProgram = errors.New("no program is named")

// find gives the file to execute. A name without a slash is looked up in the
// PATH of the command's own environment; relative entries start at its
// directory.
func (c *Command) find() (string, error) {
	if len(c.Argv) == 0 || c.name() == "" {
		return "", &StartError{Path: "a program", Err: errNoProgram, Hint: "name one"}
	}
	if c.Path != "" || strings.Contains(c.Argv[0], "/") {
		return c.name(), nil
	}
	list, ok := Variable(c.Env, "PATH")
	if !ok {
		list = "/usr/local/bin:/usr/bin:/bin"
	}
	var unfit string
	for _, dir := range filepath.SplitList(list) {
		if dir == "" {
			continue
		}
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(c.Dir, dir)
		}
		file := filepath.Join(dir, c.Argv[0])
		if !filepath.IsAbs(file) {
			var err error
			if file, err = filepath.Abs(file); err != nil {
				continue
			}
		}
		info, err := os.Stat(file)
		if err != nil || info.IsDir() {
			continue
		}
		if unix.Access(file, unix.X_OK) == nil {
			return file, nil
		}
		unfit = file
	}
	if unfit != "" {
		return "", c.diagnose(unfit, unix.EACCES)
	}
	return "", &StartError{Path: c.Argv[0], Err: errNotFound,
		Hint: "install it, or add its folder to the PATH that the step is given"}
}

// Variable is the value of a variable in an environment, KEY=VALUE, as a program
// would see it: the last one. It is false when there is none.
func Variable(env []string, name string) (string, bool) {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], name+"="); ok {
			return v, true
		}
	}
	return "", false
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
