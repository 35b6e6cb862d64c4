package proc

import (
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// host starts a process as somebody else would, with that environment and tag.
func host(t *testing.T, token string, tag uint64) int {
	t.Helper()
	env := []string{}
	if token != "" {
		env = append(env, TokenVariable+"="+token)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := os.StartProcess("/bin/sh", []string{"sh", "-c", "echo; read x < " + fifo(t)}, &os.ProcAttr{Env: env, Files: []*os.File{nil, w}})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Kill()
		_, _ = p.Wait()
	})
	// In the middle of its exec a process shows no environment.
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if tag == 0 {
		tag = 1000 // whatever this process bears itself
	}
	setTag(p.Pid, tag, ownLimit().Max)
	if got, err := readTag(p.Pid); err != nil || got != tag && tag != 1000 {
		t.Skipf("this machine has no room for tags: %d, %v", got, err)
	}
	return p.Pid
}

// TestRemains holds what is taken for a dead engine's. A daemon of somebody
// else that hands on the environment of who asked it is none of it.
func TestRemains(t *testing.T) {
	t.Parallel()
	const dead, within, around = "1-dead", "2-within", "3-around"
	for _, c := range []struct {
		name  string
		token string
		tag   uint64
		bare  bool
		ppid  int
		want  bool
	}{
		{name: "tag and token", token: dead + "-7", tag: stepTag(engineTag(dead), 7), want: true},
		{name: "cleared environment", tag: stepTag(engineTag(dead), 7), want: true},
		{name: "forked before its tag was set", tag: engineTag(dead), want: true},
		{name: "an engine within a step", token: dead + "-7/" + within + "-1", tag: stepTag(engineTag(within), 1), want: true},
		{name: "forked within a step before its tag was set", token: around + "-7/" + dead + "-1", tag: stepTag(engineTag(around), 7), want: true},
		{name: "the step around", token: around + "-7", tag: stepTag(engineTag(around), 7)},
		{name: "of nobody's daemon", token: dead + "-7", ppid: 1},
		{name: "of another engine's daemon", token: dead + "-7", tag: stepTag(engineTag(within), 1)},
		{name: "no tags, an orphan", token: dead + "-7", bare: true, ppid: 1, want: true},
		{name: "no tags, a daemon's", token: dead + "-7", bare: true, ppid: 2},
		{name: "no mark", bare: true, ppid: 1},
		{name: "a longer name", token: dead + "-7-1", bare: true, ppid: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pid := host(t, c.token, c.tag)
			tree := &tree{engine: dead, tag: engineTag(dead), bare: c.bare}
			if got := tree.remains(stat{pid: pid, ppid: c.ppid}); got != c.want {
				t.Errorf("%v", got)
			}
		})
	}
}

// TestEnd ends all that an engine left, and neither its neighbours nor the
// process that asks for it. It is not parallel: this process bears the tag of
// the first engine that is in it.
func TestEnd(t *testing.T) {
	s, err := New(Options{Subreaper: true, Engine: engineID("end")})
	if err != nil {
		t.Fatal(err)
	}
	other, err := New(Options{Subreaper: true})
	if err != nil {
		t.Fatal(err)
	}
	if tag, err := readTag(os.Getpid()); err != nil || s.tagged && tag != s.tag || other.tagged {
		t.Errorf("this process bears %x, %v", tag, err)
	}
	wait := fifo(t)
	loop := `echo $$; while :; do read x < ` + wait + `; done`
	theirs := newLines()
	left := background(t.Context(), other, sh(loop, theirs))
	kept := theirs.pids(t, 1)
	out := newLines()
	end := background(t.Context(), s, sh(`(setsid sh -c 'trap "" TERM; `+loop+`' &); (env -i setsid /bin/sh -c '`+loop+`' &); `+loop, out))
	pids := out.pids(t, 3)
	if err := other.End(strconv.Itoa(os.Getpid()), time.Millisecond); err != nil {
		t.Error(err)
	}
	for _, pid := range append(kept, pids...) {
		if _, err := StartTime(pid); err != nil {
			t.Errorf("another engine's is ended: %v", err)
		}
	}
	if err := other.End(engineID("end"), 50*time.Millisecond); err != nil {
		t.Error(err)
	}
	if r := <-end; r.Signal != "SIGTERM" {
		t.Errorf("%+v", r)
	}
	gone(t, pids...)
	if err := other.End("", 0); err == nil {
		t.Error("an engine without a name")
	}
	if _, err := StartTime(kept[0]); err != nil {
		t.Errorf("a neighbour was ended: %v", err)
	}
	if err := s.End(other.engine, 50*time.Millisecond); err != nil {
		t.Error(err)
	}
	<-left
	gone(t, kept...)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if tag, err := readTag(os.Getpid()); err != nil || tag != 0 {
		t.Errorf("after it, this process bears %x, %v", tag, err)
	}
}

// TestTaggedAtBirth: a program has its tag when it is forked, and without one
// the engine's own. Not parallel, as TestEnd.
func TestTaggedAtBirth(t *testing.T) {
	s, err := New(Options{Subreaper: true, Engine: engineID("early")})
	if err != nil {
		t.Fatal(err)
	}
	if !s.tagged {
		t.Skip("this machine has no room for tags")
	}
	st, err := s.prepare(&Command{Argv: []string{"/bin/sh", "-c", "read x < " + fifo(t)}})
	if err != nil {
		t.Fatal(err)
	}
	s.launch(st)
	if tag, err := readTag(st.pid); st.err != nil || err != nil || tag != st.tag {
		t.Errorf("tag %x, %v, %v", tag, err, st.err)
	}
	_ = unix.Kill(st.pid, unix.SIGKILL)
	var r Result
	if err := reap(st.pid, &r); err != nil || r.Signal != "SIGKILL" {
		t.Errorf("%+v, %v", r, err)
	}
	unix.Close(st.pidfd)
	if tag, err := readTag(os.Getpid()); err != nil || tag != s.tag {
		t.Errorf("after a start, this process bears %x, %v", tag, err)
	}
	s.hard = 0
	out := newLines()
	end := background(t.Context(), s, sh(`(env -i setsid /bin/sh -c 'echo $$; read x < `+fifo(t)+`' &); read x < `+fifo(t), out))
	pids := out.pids(t, 1)
	if tag, err := readTag(pids[0]); err != nil || tag != s.tag {
		t.Errorf("tag %x, %v", tag, err)
	}
	if err := s.End(s.engine, 0); err != nil {
		t.Error(err)
	}
	<-end
	if p, err := readStat(pids[0]); err == nil && !p.dead() {
		t.Errorf("%+v", p)
	}
	reapOrphan(pids[0]) // it came home to us, and not to an engine that asks for it later
	s.hard = ownLimit().Max
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	one, two := engineTag("1-a"), engineTag("1-b")
	seen := map[uint64]string{}
	for _, tag := range []uint64{one, two, stepTag(one, 1), stepTag(one, 2), stepTag(two, 1), stepTag(one, seqMask-1)} {
		if seen[tag] != "" || tag&tagBit == 0 || tagOf(unix.Rlimit{Cur: tag}) != tag {
			t.Errorf("%x", tag)
		}
		seen[tag] = strconv.FormatUint(tag, 16)
	}
	for _, seq := range []uint64{seqMask, seqMask + 1, 1 << 40} {
		if tag := stepTag(one, seq); tag == one || tag&^seqMask != one {
			t.Errorf("number %d: %x", seq, tag)
		}
	}
	for token, want := range map[string]string{"1-a-7": "1-a", "x": "", "": "", "-": ""} {
		if got := engineOf(token); got != want {
			t.Errorf("%q: %q", token, got)
		}
	}
}

// engineID is an engine's id that no test which runs at the same time has: End
// ends what bears it, wherever it runs.
func engineID(name string) string { return strconv.Itoa(os.Getpid()) + "-" + name }
