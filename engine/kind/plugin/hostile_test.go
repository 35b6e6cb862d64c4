package plugin

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

// build makes the action of a plugin that is this shell script, and what it
// works in.
func build(t *testing.T, script string) (*action, *pipeline.Scope) {
	t.Helper()
	p, err := proc.New(proc.Options{Subreaper: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "script"), []byte(script+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := filepath.Abs("testdata/plugin.sh")
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(map[string]string{"x": file}, "/", "")("x").Build(map[string]any{}, kind.Deps{Proc: p})
	if err != nil {
		t.Fatal(err)
	}
	return a.(*action), &pipeline.Scope{
		Dir: dir, Env: []string{"PATH=" + os.Getenv("PATH")},
		Mask: func(s string) string { return strings.ReplaceAll(s, "hush", "***") },
	}
}

// TestHangingPlan: a dry run waits for a plugin only so long, whatever the
// plugin does with the signal, and what it started goes with it.
func TestHangingPlan(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"silent":        `exec sleep 60`,
		"deaf":          `trap '' TERM; while :; do sleep 60; done`,
		"after results": `echo '{"type":"result","ok":true}'; exec sleep 60`,
		"child":         `sleep 60 & echo $! > child; wait`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, s := build(t, script)
			a.planLimit, a.planGrace = 300*time.Millisecond, 100*time.Millisecond
			began := time.Now()
			_, err := a.Plan(t.Context(), s)
			const want = "plugin x did not answer within 300ms: a plan says what a run would do, and leaves the work to it"
			if err == nil || err.Error() != want {
				t.Errorf("%v", err)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestPlanLimit: the bound is there without being asked for, and a run has none
// but its step's timeout.
func TestPlanLimit(t *testing.T) {
	t.Parallel()
	a, s := build(t, `case "$(cat)" in *'"op":"run"'*) sleep 0.5 ;; esac; echo '{"type":"result","ok":true}'`)
	if a.planLimit != 10*time.Second {
		t.Errorf("a plan may take %s", a.planLimit)
	}
	a.planLimit = time.Millisecond
	if _, err := a.Run(t.Context(), s); err != nil {
		t.Errorf("a run was bounded like a plan: %v", err)
	}
}

// TestCancelledPlan: who cancels hears of that, not of the bound.
func TestCancelledPlan(t *testing.T) {
	t.Parallel()
	a, s := build(t, `echo '{"type":"effect","text":"begun"}'; exec sleep 60`)
	reason := errors.New("somebody cancelled")
	ctx, cancel := context.WithCancelCause(t.Context())
	s.Mask = func(text string) string { cancel(reason); return text }
	if _, err := a.Plan(ctx, s); !errors.Is(err, reason) {
		t.Error(err)
	}
}

// TestBadAnswers: each way of not answering is one clear line, in a plan and
// in a run.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		`echo "hello hush"`:           `line 1 of its answer: not a JSON object: "hello ***"; text for people belongs to its standard error`,
		`head -c 100 /dev/zero; echo`: `line 1 of its answer: not a JSON object: "\x00\x00`,
		`echo '[1]'`:                  `not a JSON object: "[1]"`,
		`echo '{"type":"log"'`:        `not a JSON object: "{\"type\":\"log\""`,
		`i=0; while [ $i -lt 45 ]; do printf "hush+"; i=$((i+1)); done; echo`: `"***+***+***`,
		`exit 0`:        `plugin x ended without a result: its last line must be {"type": "result", "ok": true}`,
		`exit 4`:        "exit code 4: it gave no result",
		`kill -SEGV $$`: "ended by SIGSEGV: it gave no result",
		`kill -KILL $$`: "ended by SIGKILL: it gave no result",
		`echo '{"type":"result","ok":true}'; exit 3`:                  "exit code 3",
		`echo '{"type":"result","ok":true}'; echo '{"type":"log"}'`:   "line 2 of its answer: something follows the result",
		`echo '{"type":"result","ok":true}'; printf '{"type":"log"}'`: "line 2 of its answer: something follows the result",
		`echo '{"type":"result","ok":false}'`:                         "the plugin says that it failed",
		`printf '{"type":"resu'`:                                      "line 1 of its answer: not a JSON object",
		`head -c 3000000 /dev/zero | tr '\0' x; exec sleep 60`:        "line 1 of its answer: it is over 2 MiB",
		`yes '{"type":"log"}'; :`:                                     "plugin x: line ",
	} {
		t.Run(script[:min(len(script), 30)], func(t *testing.T) {
			t.Parallel()
			a, s := build(t, script)
			_, run := a.Run(t.Context(), s)
			a.planLimit = time.Minute
			effects, plan := a.Plan(t.Context(), s)
			for op, err := range map[string]error{"run": run, "plan": plan} {
				if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hush") || len(err.Error()) > 500 {
					t.Errorf("%s: %v, want %q", op, err, want)
				}
			}
			// A run records the exit code; a plan has no other place to say whose
			// it was.
			if plan != nil && !strings.Contains(plan.Error(), "plugin x") && want != "the plugin says that it failed" || len(effects) > 0 {
				t.Errorf("plan: %v, %v", effects, plan)
			}
		})
	}
}

// TestFlood: what is never read to its end is bounded, and what came too fast is
// said to be lost rather than called garbage.
func TestFlood(t *testing.T) {
	t.Parallel()
	a, s := build(t, `mkfifo full
echo '{"type":"log"}'
yes '{"type":"log","text":"x"}' | head -c 4000000
echo > full
echo; echo '{"type":"result","ok":true}'`)
	s.Out = &blocked{until: filepath.Join(s.Dir, "full")}
	_, err := a.Run(t.Context(), s)
	if err == nil || !strings.Contains(err.Error(), "faster than it could be read") {
		t.Error(err)
	}
	ans := &answer{scope: s, stop: func(error) {}}
	for line := []byte("{\"type\":\"effect\"}\n" + strings.Repeat(" ", 1<<20) + "\n"); ans.err == nil && ans.total < 2*answerLimit; {
		ans.Write(line)
	}
	if ans.err == nil || !strings.Contains(ans.err.Error(), "over 64 MiB in all") {
		t.Error(ans.err)
	}
}

// blocked takes its first text only when somebody has written to a pipe.
type blocked struct{ until string }

func (b *blocked) Write(text []byte) (int, error) {
	if b.until != "" {
		_, err := os.ReadFile(b.until)
		if b.until = ""; err != nil {
			return 0, err
		}
	}
	return len(text), nil
}

// TestExitIsKept: the run's error is the exit that the history records.
func TestExitIsKept(t *testing.T) {
	t.Parallel()
	a, s := build(t, `echo '{"type":"result","ok":false,"error":"no luck"}'; exit 4`)
	_, err := a.Run(t.Context(), s)
	var exit *pipeline.Exit
	if !errors.As(err, &exit) || exit.Code != 4 || exit.Reason != "no luck" {
		t.Errorf("%#v", err)
	}
}

// TestLastLineWithoutEnd: a result is one though no line feed follows it.
func TestLastLineWithoutEnd(t *testing.T) {
	t.Parallel()
	a, s := build(t, `printf '{"type":"effect","text":"would"}\n{"type":"result","ok":true}'`)
	effects, err := a.Plan(t.Context(), s)
	if err != nil || len(effects) != 1 || effects[0] != "would" {
		t.Errorf("%v, %v", effects, err)
	}
}

// TestFirstMistake: what a plugin did wrong first is told, not what became of
// the rest of its answer.
func TestFirstMistake(t *testing.T) {
	t.Parallel()
	var cause error
	a := &answer{scope: &pipeline.Scope{Mask: func(s string) string { return s }}, stop: func(err error) { cause = err }}
	for _, text := range []string{"hello\n", "\n[7" + leftOut} {
		if n, err := a.Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if a.err == nil || !strings.HasPrefix(a.err.Error(), "not a JSON object") || !errors.Is(cause, a.err) {
		t.Errorf("%v, %v", a.err, cause)
	}
}
