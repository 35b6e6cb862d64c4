package kindtest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// mark is the variable by which what a plan started is found again.
const mark = "REDUND_KINDTEST"

// gitVerbs are the commands of git that read; asking a remote what it has is
// what GET is to HTTP. A kind whose plan needs another one adds it here, after a
// look at what it writes. Some write when they are asked to: --output and
// fsck --lost-found are refused.
const gitVerbs = "cat-file|check-attr|check-ignore|describe|diff|diff-files|diff-index|diff-tree|for-each-ref|fsck|help|log|ls-files|ls-remote|" +
	"ls-tree|merge-base|name-rev|rev-list|rev-parse|show|show-ref|status|var|verify-pack|version"

// gitAsked are commands of git that read when they are asked so.
const gitAsked = "'config --get'*|'config --list '*|'config -l '*|'symbolic-ref '*'-q HEAD '|'symbolic-ref HEAD '|'symbolic-ref '*'--short'*|" +
	"'worktree list '*|'stash list '*|'remote get-url '*|'branch --list '*|'tag --list '*"

// readers are other programs that write nothing and reach nobody.
const readers = "basename|cat|cmp|df|dirname|du|false|grep|head|id|ls|ps|pwd|readlink|realpath|stat|tail|test|true|uname|wc|which"

// gate stands in the place of every program of PATH: it notes what is started,
// lets through what only reads, and refuses the rest.
const gate = `#!/bin/sh
name=${0##*/} verdict=refused verb= rest= value= writes=
case $name in
git)
	for word do
		if [ -n "$verb" ]; then
			rest="$rest$word "
			case $verb:$word in *:--output* | fsck:--l*) writes=1 ;; esac
			continue
		fi
		if [ -n "$value" ]; then value=; continue; fi
		case $word in
		-C | -c | --git-dir | --work-tree | --namespace) value=1 ;;
		-*) ;;
		*) verb=$word ;;
		esac
	done
	case $verb in VERBS) verdict=reads ;; esac
	case "$verb $rest" in ASKED) verdict=reads ;; esac
	if [ -n "$writes" ]; then verdict=refused; fi ;;
READERS) verdict=reads ;;
esac
case "$#:$1" in 1:--version | 1:-version | 1:-v) verdict=reads ;; esac
printf '%s\n' "$verdict: $name $*" >> 'LOG'
if [ $verdict = refused ]; then
	echo "$name: refused: a dry run only reads" >&2
	exit 97
fi
PATH='REAL'
export PATH
exec "$(command -v "$name")" "$@"
`

// watch is what looks at the processes of one plan.
type watch struct {
	t     testing.TB
	token string
	log   string   // what the gates noted, a line a start
	roots []string // a process that works in one of them is the plan's
	old   map[int]bool
}

// watched makes a copy of the scope in whose PATH every program is a gate, and
// begins to watch.
func watched(t testing.TB, s *pipeline.Scope) (*watch, *pipeline.Scope) {
	t.Helper()
	dir := t.TempDir()
	w := &watch{t: t, token: rand.Text(), log: filepath.Join(dir, "log"), old: map[int]bool{}}
	for _, root := range []string{s.Root, s.Dir, s.State} {
		if real, err := filepath.EvalSymlinks(root); root != "" && err == nil {
			w.roots = append(w.roots, real)
		}
	}
	path := ""
	out := *s
	out.Env = nil
	for _, v := range s.Env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			path = p
		} else {
			out.Env = append(out.Env, v)
		}
	}
	out.Env = append(out.Env, "PATH="+filepath.Join(dir, "bin"), mark+"="+w.token)
	if err := gates(dir, w.log, path); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids(t) {
		w.old[pid] = true
	}
	return w, &out
}

// gates fills a folder with a hard link to the gate for each program of path; a
// symbolic one takes ten times as long to make.
func gates(dir, log, path string) error {
	bin, file := filepath.Join(dir, "bin"), filepath.Join(dir, "gate")
	if err := os.Mkdir(bin, 0o700); err != nil {
		return err
	}
	text := strings.NewReplacer("VERBS", gitVerbs, "ASKED", gitAsked, "READERS", readers,
		"LOG", strings.ReplaceAll(log, "'", `'\''`), "REAL", strings.ReplaceAll(path, "'", `'\''`)).Replace(gate)
	// A program that is open for writing in a child that another test has just
	// forked cannot be started.
	syscall.ForkLock.RLock()
	err := os.WriteFile(file, []byte(text), 0o700)
	syscall.ForkLock.RUnlock()
	if err != nil {
		return err
	}
	for _, d := range filepath.SplitList(path) {
		entries, err := os.ReadDir(d)
		if err != nil {
			continue // PATH names folders that are not there
		}
		for _, e := range entries {
			if err := os.Link(file, filepath.Join(bin, e.Name())); err != nil && !errors.Is(err, os.ErrExist) {
				return err
			}
		}
	}
	return nil
}

// done fails the test for what was refused and for what still runs, which it
// ends.
func (w *watch) done() {
	w.t.Helper()
	noted, err := os.ReadFile(w.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Error(err)
	}
	for line := range strings.Lines(string(noted)) {
		if what, ok := strings.CutPrefix(strings.TrimSpace(line), "refused: "); ok {
			w.t.Errorf("a dry run started %q, which may write or reach the network", what)
		}
	}
	for _, pid := range pids(w.t) {
		if w.old[pid] || !w.ours(pid) {
			continue
		}
		argv, _ := os.ReadFile(inProc(pid, "cmdline"))
		w.t.Errorf("a dry run left process %d running: %s", pid, bytes.ReplaceAll(bytes.TrimRight(argv, "\x00"), []byte{0}, []byte{' '}))
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// ours reports whether a process is the plan's: it carries the mark, or works
// in the plan's folders.
func (w *watch) ours(pid int) bool {
	if env, err := os.ReadFile(inProc(pid, "environ")); err == nil &&
		slices.ContainsFunc(bytes.Split(env, []byte{0}), func(v []byte) bool { return string(v) == mark+"="+w.token }) {
		return true
	}
	dir, err := os.Readlink(inProc(pid, "cwd"))
	return err == nil && slices.ContainsFunc(w.roots, func(root string) bool {
		return dir == root || strings.HasPrefix(dir, root+"/")
	})
}

func inProc(pid int, file string) string { return fmt.Sprintf("/proc/%d/%s", pid, file) }

// pids are the processes of this machine.
func pids(t testing.TB) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var out []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			out = append(out, pid)
		}
	}
	return out
}
