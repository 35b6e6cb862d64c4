package engine_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// field is a project under an engine that serves it.
type field struct {
	*testing.T
	p *config.Project
	e *engine.Engine
}

func watched(t *testing.T, files map[string]string) *field {
	p := project(t, files)
	f := &field{t, p, serve(t, p)}
	f.watches()
	return f
}

// watches waits until saves are seen.
func (f *field) watches() {
	f.Helper()
	n := 0
	until(f.T, "the watch", func() bool {
		n++
		f.write("pipelines/pm2/probe.yaml", form("probe", fmt.Sprint(n)))
		<-time.After(100 * time.Millisecond)
		return f.category("probe") != ""
	})
	f.remove("pipelines/pm2/probe.yaml")
	until(f.T, "the end of the probe", func() bool { return f.category("probe") == "" })
}

// form is a pipeline whose category tells its forms apart.
func form(name, category string) string {
	return fmt.Sprintf("version: 1\nname: %s\nsystem: pm2\ncategory: %q\ndescription: %q\nsteps: [{exec: ['true']}]\n", name, category, category)
}

func (f *field) at(name string) string { return filepath.Join(f.p.Root, name) }

func (f *field) write(name, text string) { f.Helper(); save(f.T, f.p, name, text) }

func (f *field) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *field) remove(name string) { f.Helper(); f.must(os.RemoveAll(f.at(name))) }

func (f *field) rename(from, to string) {
	f.Helper()
	f.must(os.MkdirAll(filepath.Dir(f.at(to)), 0o700))
	f.must(os.Rename(f.at(from), f.at(to)))
}

func (f *field) command(name string, args ...string) {
	f.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = f.p.Root
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "HOME="+f.p.Root)
	if out, err := cmd.CombinedOutput(); err != nil {
		f.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// category is that of the form in force; "": there is no such pipeline.
func (f *field) category(name string) string {
	for _, x := range f.e.List() {
		if x.Name == name && x.Category != nil {
			return *x.Category
		}
	}
	return ""
}

func (f *field) holds(name, category string) {
	f.Helper()
	until(f.T, name+" as "+category, func() bool { return f.category(name) == category })
}

func (f *field) reload() api.Reload {
	f.Helper()
	st, err := f.e.Status(f.Context())
	f.must(err)
	return st.Reload
}

func (f *field) events(what string) (list []pipeline.Event) {
	f.Helper()
	all, err := f.e.Records().Events(f.Context(), history.EventFilter{What: what})
	f.must(err)
	for _, x := range all {
		if x.Pipeline != "pm2/probe" {
			list = append(list, x)
		}
	}
	return list
}

// typed is what is given to a program once it has shown something since the
// last of it: a program that still draws may drop keys that come too early.
type typed struct{ shown, keys string }

// terminal gives keys to a program on a terminal of its own, and waits for its
// end.
func (f *field) terminal(keys []typed, name string, args ...string) {
	f.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = f.p.Root
	cmd.Env = append(os.Environ(), "TERM=xterm", "HOME="+f.p.Root)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	f.must(err)
	defer tty.Close()
	var mu sync.Mutex
	var shown strings.Builder
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		buf := make([]byte, 4096)
		for {
			n, err := tty.Read(buf)
			if err != nil {
				return
			}
			mu.Lock()
			shown.Write(buf[:n])
			mu.Unlock()
		}
	}()
	for _, k := range keys {
		until(f.T, fmt.Sprintf("%s, that shows %q,", name, k.shown), func() bool {
			mu.Lock()
			defer mu.Unlock()
			if shown.Len() == 0 || !strings.Contains(shown.String(), k.shown) {
				return false
			}
			shown.Reset()
			return true
		})
		_, err = io.WriteString(tty, k.keys)
		f.must(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err = <-done:
	case <-time.After(20 * time.Second):
		_ = cmd.Process.Kill()
		f.Fatalf("%s does not end", name)
	}
	_ = tty.Close()
	<-drained
	if err != nil {
		f.Errorf("%s: %v", name, err)
	}
}

// nano puts another text in the place of one, everywhere, and saves.
func (f *field) nano(was, to string, args ...string) {
	f.Helper()
	f.terminal([]typed{
		{"", "\x1c"}, {"Search (to replace)", was + "\r"}, {"Replace with", to + "\r"}, {"instance", "A"},
		{"occurrence", "\x0f"}, {"to Write", "\r"}, {"rote", "\x18"},
	}, "nano", args...)
}

// TestWaysOfSaving holds that one save is one generation and nothing else,
// however a program writes. Programs that this machine does not have are not
// driven: their way of writing is played here for each all the same.
func TestWaysOfSaving(t *testing.T) {
	f := watched(t, map[string]string{"pipelines/pm2/a.yaml": form("a", "first"), "pipelines/pm2/b.yaml": form("b", "other")})
	const name = "pipelines/pm2/a.yaml"
	vim := func(more string) func(string, string) {
		return func(_, to string) {
			keys := fmt.Sprintf(":%%s/\\(category\\|description\\): .*/\\1: \"%s\"/\r:wq\r", to)
			f.terminal([]typed{{"", keys}}, "vim", "-u", "NONE", "-N", "--cmd", "set "+more, name)
		}
	}
	ways := []struct {
		name, program string
		do            func(text, to string)
	}{
		{"in place", "", func(text, _ string) { f.write(name, text) }},
		{"write and rename", "", func(text, _ string) { f.write("pipelines/pm2/.a.new", text); f.rename("pipelines/pm2/.a.new", name) }},
		{"write beside and rename", "", func(text, _ string) { f.write("pipelines/pm2/a.tmp", text); f.rename("pipelines/pm2/a.tmp", name) }},
		{"as vim: a backup by rename", "", func(text, _ string) {
			f.write("pipelines/pm2/.a.yaml.swp", "swap")
			f.write("pipelines/pm2/4913", "")
			f.remove("pipelines/pm2/4913")
			f.rename(name, name+"~")
			f.write(name, text)
			f.remove(name + "~")
			f.remove("pipelines/pm2/.a.yaml.swp")
		}},
		{"as nano: a lock beside, cut and written", "", func(text, _ string) {
			f.write("pipelines/pm2/.a.yaml.swp", "lock")
			f.must(os.Truncate(f.at(name), 0))
			f.write(name, text)
			f.remove("pipelines/pm2/.a.yaml.swp")
		}},
		{"cut, and written in parts", "", func(text, _ string) {
			w, err := os.Create(f.at(name))
			f.must(err)
			for part := range slices.Chunk([]byte(text), 20) {
				_, err := w.Write(part)
				f.must(err)
			}
			f.must(w.Close())
		}},
		{"deleted and made anew", "", func(text, _ string) { f.remove(name); f.write(name, text) }},
		{"sed -i", "sed", func(_, to string) {
			f.command("sed", "-i", "-E", `s/(category|description): .*/\1: "`+to+`"/`, name)
		}},
		{"vim", "vim", vim("nobackup")},
		{"vim with backupcopy=no", "vim", vim("backup backupcopy=no")},
		{"vim with backupcopy=yes", "vim", vim("backup backupcopy=yes")},
		{"nano", "nano", func(_, to string) {
			// Search and replace: all after "category" of both lines is one text.
			f.nano(f.category("a"), to, "--ignorercfiles", name)
		}},
		{"nano with a backup", "nano", func(_, to string) {
			f.nano(f.category("a"), to, "--ignorercfiles", "--backup", name)
		}},
		{"cp", "cp", func(text, _ string) { f.write("new", text); f.command("cp", "new", name) }},
		{"mv", "mv", func(text, _ string) { f.write("new", text); f.command("mv", "new", name) }},
	}
	for i, way := range ways {
		if way.program != "" {
			if _, err := exec.LookPath(way.program); err != nil {
				t.Logf("%s is not on this machine: not driven", way.program)
				continue
			}
		}
		before, to := f.reload().Generation, fmt.Sprintf("way%d", i)
		way.do(form("a", to), to)
		until(t, "a save as "+way.name, func() bool { return f.category("a") == to })
		if r := f.reload(); r.Generation != before+1 || len(r.Rejected) != 0 || r.Loaded != 2 {
			t.Errorf("%s: %d generations, %+v", way.name, r.Generation-before, r)
		}
	}
	for _, what := range []string{"removed", "reload-rejected"} {
		if list := f.events(what); len(list) > 0 {
			t.Errorf("%+v", list)
		}
	}
}

// TestCheckoutIsOneGeneration changes 300 files with git.
func TestCheckoutIsOneGeneration(t *testing.T) {
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("pipelines/pm2/%d/p%d.yaml", i%7, i)] = form(fmt.Sprintf("p%d", i), "one")
	}
	f := watched(t, files)
	git := func(args ...string) {
		t.Helper()
		f.command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
	}
	git("init", "-q", "-b", "one")
	git("add", "pipelines")
	git("commit", "-qm", "one")
	git("checkout", "-qb", "two")
	for name, text := range files {
		f.write(name, strings.ReplaceAll(text, "one", "two"))
	}
	f.remove("pipelines/pm2/0/p0.yaml")
	f.write("pipelines/pm2/new.yaml", form("new", "two"))
	f.holds("p299", "two")
	until(t, "the removal", func() bool { return f.category("p0") == "" })
	git("add", "-A", "pipelines")
	git("commit", "-qm", "two")
	before := f.reload().Generation
	began := time.Now()
	git("checkout", "-q", "one")
	took := time.Since(began)
	until(t, "all of the checkout", func() bool {
		return !slices.ContainsFunc(f.e.List(), func(x api.Listed) bool { return x.Name != "new" && *x.Category != "one" })
	})
	r := f.reload()
	if n := r.Generation - before; n != 1 && took < time.Second {
		t.Errorf("%d generations; git took %s", n, took)
	}
	until(t, "the removals", func() bool {
		return f.category("new") == "" && f.category("p0") == "one" && len(f.events("removed")) == 2
	})
}

// TestSwappedFolders replaces all files at once, as a deployment does.
func TestSwappedFolders(t *testing.T) {
	f := watched(t, map[string]string{
		"pipelines/pm2/a.yaml": form("a", "first"), "v2/pm2/a.yaml": form("a", "by-rename"), "v3/pm2/a.yaml": form("a", "by-link"), "v4/pm2/a.yaml": form("a", "by-next-link"),
	})
	f.rename("pipelines", "v1")
	f.rename("v2", "pipelines")
	f.holds("a", "by-rename")
	f.rename("pipelines", "v2")
	f.must(os.Symlink("v3", f.at("pipelines")))
	f.holds("a", "by-link")
	f.must(os.Symlink("v4", f.at("next")))
	f.rename("next", "pipelines")
	f.holds("a", "by-next-link")
	f.write("v4/pm2/a.yaml", form("a", "behind-the-link"))
	f.holds("a", "behind-the-link")
	if list := f.events("removed"); len(list) > 0 {
		t.Errorf("%+v", list)
	}
}

// TestGone holds when a removal counts, that it holds up nothing else, and that
// a move is none.
func TestGone(t *testing.T) {
	f := watched(t, map[string]string{
		"pipelines/pm2/a.yaml": form("a", "x"), "pipelines/pm2/b.yaml": form("b", "x"), "pipelines/pm2/sub/c.yaml": form("c", "x"), "pipelines/pm2/d.yaml": form("d", "x"),
	})
	// A move holds at once, of a file and of a folder.
	before := f.reload().Generation
	f.rename("pipelines/pm2/a.yaml", "pipelines/pm2/other.yaml")
	f.rename("pipelines/pm2/sub", "pipelines/pm2/renamed")
	until(t, "both moves", func() bool {
		n := 0
		for _, x := range f.e.List() {
			if x.File == "pipelines/pm2/other.yaml" || x.File == "pipelines/pm2/renamed/c.yaml" {
				n++
			}
		}
		return n == 2
	})
	if list := f.events("removed"); len(list) > 0 || f.reload().Generation > before+2 {
		t.Errorf("%+v, %+v", list, f.reload())
	}
	// A removal waits for a second, and another save does not.
	gone := time.Now()
	f.remove("pipelines/pm2/b.yaml")
	until(t, "the wait", func() bool { l := f.reload().Last; return l != nil && l.Outcome == "waiting" })
	f.write("pipelines/pm2/d.yaml", form("d", "meanwhile"))
	f.holds("d", "meanwhile")
	if took := time.Since(gone); took < time.Second && f.category("b") != "x" {
		t.Errorf("removed after %s", took)
	}
	until(t, "the removal", func() bool { return f.category("b") == "" && len(f.events("removed")) == 1 })
	if list := f.events("removed"); list[0].At.Sub(gone) < time.Second {
		t.Errorf("removed %s after it went: %+v", list[0].At.Sub(gone), list)
	}
	// What comes back meanwhile was never gone.
	f.remove("pipelines/pm2/d.yaml")
	until(t, "the wait", func() bool { l := f.reload().Last; return l != nil && l.Outcome == "waiting" })
	f.write("pipelines/pm2/d.yaml", form("d", "back"))
	f.holds("d", "back")
	// While git is at work none counts.
	f.write(".git/index.lock", "")
	gone = time.Now()
	f.rename("pipelines/pm2/renamed/c.yaml", "out.yaml")
	until(t, "two seconds under the lock", func() bool { return time.Since(gone) > 2500*time.Millisecond })
	if f.category("c") != "x" {
		t.Error("a removal counts while git is at work")
	}
	f.remove(".git/index.lock")
	until(t, "the removal", func() bool { return f.category("c") == "" && len(f.events("removed")) == 2 })
}

// TestNewFoldersAndActions holds that all that says what a pipeline is takes
// hold when it is saved: new folders, actions that several use, env files.
func TestNewFoldersAndActions(t *testing.T) {
	uses := func(name string) string {
		return fmt.Sprintf("version: 1\nname: %s\nsystem: pm2\ncategory: x\nsteps: [{uses: ./actions/it.yaml}]\n", name)
	}
	f := watched(t, map[string]string{
		"pipelines/pm2/a.yaml": uses("a"), "pipelines/pm2/b.yaml": uses("b"), "actions/it.yaml": "kind: action\nsteps: [{exec: ['true']}]\n",
	})
	f.write("pipelines/pm2/deep/er/c.yaml", form("c", "new"))
	f.holds("c", "new")
	f.write("actions/it.yaml", "kind: action\noops: 1\nsteps: [{exec: ['true']}]\n")
	until(t, "the mistake in the action", func() bool {
		r := f.reload()
		return len(r.Rejected) == 1 && r.Rejected[0].File == "actions/it.yaml" && r.Rejected[0].Line == 2 && r.Last.Read == 2
	})
	if f.category("a") != "x" || f.category("b") != "x" {
		t.Error("what uses a broken action is not in force")
	}
	f.write("actions/it.yaml", "kind: action\nsteps: [{exec: ['true']}]\n")
	until(t, "the end of it", func() bool { return len(f.reload().Rejected) == 0 })
}

// TestTrace holds what a save leaves: in the status, the log and the events.
func TestTrace(t *testing.T) {
	f := watched(t, map[string]string{"pipelines/pm2/a.yaml": form("a", "x"), "redund.yaml": "version: 1\n"})
	f.write("pipelines/pm2/a.yaml", form("a", "y"))
	f.holds("a", "y")
	last := f.reload().Last
	if last.Outcome != "in-force" || last.Files != 1 || last.Read != 1 || len(last.Changed) != 1 || strings.Join(last.Changed[0].Keys, " ") != "category description" ||
		last.QuietMS < 40 || last.ForceMS <= 0 || last.ParseMS <= 0 || last.CheckMS <= 0 || last.Seen == nil || last.At == nil {
		t.Errorf("%+v", last)
	}
	f.write("pipelines/pm2/a.yaml", form("a", "y")+"# a remark\n")
	until(t, "a save that changes nothing", func() bool { return f.reload().Last.Outcome == "unchanged" })
	f.write("redund.yaml", "version: 1\nobserv: true\n")
	until(t, "a mistake", func() bool {
		l := f.reload().Last
		return l.Outcome == "rejected" && len(l.Rejected) == 1 && l.Rejected[0].Line == 2
	})
	f.write("redund.yaml", "version: 1\nobserve: true\n")
	until(t, "the end of it", func() bool { return f.reload().Last.Outcome == "in-force" })
	// On a busy machine a file may be seen while it is being written, too.
	until(t, "the last event", func() bool {
		in, rejected := 0, 0
		for _, x := range f.events("saved") {
			in += strings.Count(x.Detail, "in-force: ")
			rejected += strings.Count(x.Detail, "rejected: ")
		}
		return in > 0 && rejected > 0 && len(f.events("reload-rejected")) > 0
	})
	var details []string
	for _, x := range f.events("saved") {
		details = append(details, x.Detail)
	}
	all := strings.Join(details, "\n")
	var log []byte
	until(t, "the last line of the log", func() bool { // lines are written a moment later
		var err error
		log, err = os.ReadFile(filepath.Join(f.p.State, "logs", "engine.log"))
		f.must(err)
		return strings.Contains(string(log), "outcome=rejected")
	})
	for in, want := range map[string][]string{
		all:         {"in-force: changed pm2/a (category description); 1 files seen, 1 read", "unchanged: 1 files seen", "rejected: rejected redund.yaml:2:1;"},
		string(log): {"files were saved", "outcome=in-force", "outcome=rejected", "quiet-ms=", "force-ms=", "redund.yaml"},
	} {
		for _, w := range want {
			if !strings.Contains(in, w) {
				t.Errorf("%q is not in\n%s", w, in)
			}
		}
	}
}

// TestD19SaveChangesTheSchedule saves twenty times under pipelines that are due
// each second: they miss none, and a changed schedule holds without a restart.
func TestD19SaveChangesTheSchedule(t *testing.T) {
	due := func(name, more string) string { return form(name, more) + "schedule: {every: 1s}\noverlap: allow\n" }
	f := watched(t, map[string]string{"pipelines/pm2/a.yaml": due("a", "x"), "pipelines/pm2/b.yaml": due("b", "x"), "pipelines/pm2/c.yaml": form("c", "x")})
	first := time.Now()
	for i := range 20 {
		f.write("pipelines/pm2/a.yaml", due("a", fmt.Sprint(i)))
		f.holds("a", fmt.Sprint(i))
		f.write("pipelines/pm2/c.yaml", form("c", fmt.Sprint(i)))
		<-time.After(150 * time.Millisecond)
	}
	f.write("pipelines/pm2/c.yaml", due("c", "scheduled"))
	f.holds("c", "scheduled")
	saved := time.Now()
	until(t, "a slot of what had no schedule", func() bool {
		return slices.ContainsFunc(runs(t, f.p), func(r pipeline.Run) bool { return r.Pipeline == "c" })
	})
	if took := time.Since(saved); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	slots := map[string]map[int64]int{"a": {}, "b": {}, "c": {}}
	last := int64(0)
	for _, r := range runs(t, f.p) {
		slots[r.Pipeline][r.Slot.Unix()]++
		last = max(last, r.Slot.Unix())
	}
	for _, name := range []string{"a", "b"} {
		for at := first.Unix() + 1; at < last; at++ {
			if slots[name][at] != 1 {
				t.Errorf("%s: the slot %s was decided %d times", name, time.Unix(at, 0).UTC(), slots[name][at])
			}
		}
	}
}
