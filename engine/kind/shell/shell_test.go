package shell

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func run(t *testing.T, with map[string]any) (pipeline.Outputs, string, error) {
	t.Helper()
	p, err := proc.New(proc.Options{Subreaper: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	k := Kinds()[0]
	if with["exec"] != nil {
		k = Kinds()[1]
	}
	a, err := k.Build(with, kind.Deps{Proc: p})
	if err != nil {
		return pipeline.Outputs{}, "", err
	}
	var out bytes.Buffer
	temp := t.TempDir()
	o, err := a.Run(t.Context(), &pipeline.Scope{
		Dir: t.TempDir(), Temp: temp, Env: []string{"PATH=" + os.Getenv("PATH")}, Out: &out,
		Mask: func(s string) string { return s },
	})
	left, _ := os.ReadDir(temp)
	for _, d := range left { // an empty one may wait for the next step
		if info, err := d.Info(); err != nil || !strings.HasPrefix(d.Name(), handed) || info.Size() > 0 {
			t.Errorf("%s was left: %v", d.Name(), err)
		}
	}
	return o, out.String(), err
}

// TestD3StepEnds: only what succeeded is a success.
func TestD3StepEnds(t *testing.T) {
	t.Parallel()
	var exit *pipeline.Exit
	if _, _, err := run(t, map[string]any{"run": "exit 3"}); !errors.As(err, &exit) || exit.Code != 3 {
		t.Error(err)
	}
	if _, _, err := run(t, map[string]any{"run": "kill -9 $$"}); !errors.As(err, &exit) || exit.Signal != "SIGKILL" {
		t.Error(err)
	}
	if _, _, err := run(t, map[string]any{"run": "false | true; echo no"}); !errors.As(err, &exit) || exit.Code != 1 {
		t.Error(err)
	}
	var start *proc.StartError
	if _, _, err := run(t, map[string]any{"exec": []any{"no-such-program"}}); !errors.As(err, &start) {
		t.Error(err)
	}
}

// TestReasonOfTheProgram: a program that fails says why by its output `error`;
// one that succeeds or is killed does not.
func TestReasonOfTheProgram(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		`echo "error=2 broken links" >> "$REDUND_OUTPUT"; exit 1`: "exit code 1: 2 broken links",
		`echo "error= " >> "$REDUND_OUTPUT"; exit 1`:              "exit code 1",
		`echo "error=no" >> "$REDUND_OUTPUT"; kill -9 $$`:         "ended by SIGKILL",
		`echo "error=no" >> "$REDUND_OUTPUT"`:                     "",
	} {
		o, _, err := run(t, map[string]any{"run": script})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want || o.Values["error"] == nil {
			t.Errorf("%s: %q, want %q; outputs %v", script, got, want, o.Values)
		}
	}
}

func TestOutputsAndScriptNotInArgv(t *testing.T) {
	t.Parallel()
	o, out, err := run(t, map[string]any{"run": `echo "a=b=c" >> "$REDUND_OUTPUT"
printf 'm<<END\none\ntwo\nEND\n' >> "$REDUND_OUTPUT"
echo "X=1" >> "$REDUND_ENV"; echo REDUND_FENCE=9 >> "$REDUND_ENV"; tr '\0' ' ' < /proc/$$/cmdline`})
	if err != nil || o.Values["a"] != "b=c" || o.Values["m"] != "one\ntwo" || o.Env["X"] != "1" || len(o.Env) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
	if strings.Contains(out, "REDUND_OUTPUT") {
		t.Errorf("the script is in argv: %s", out)
	}
}

func TestFileErrorsNameTheLine(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		`printf 'a=1\n\nbad\n' >> "$REDUND_OUTPUT"`:    "line 3",
		`printf 'a<<E\nx\n' >> "$REDUND_OUTPUT"`:       "line 1: the block has no end",
		`echo NODE_OPTIONS=-r >> "$REDUND_ENV"`:        "NODE_OPTIONS",
		`rm "$REDUND_OUTPUT"; mkfifo "$REDUND_OUTPUT"`: "no longer a file",
	} {
		if _, _, err := run(t, map[string]any{"run": script}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", script, err)
		}
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	o, _, err := run(t, map[string]any{"run": `{ printf 'a='; head -c 2000000 /dev/zero | tr '\0' x; echo; } >> "$REDUND_OUTPUT"`})
	if s, _ := o.Values["a"].(string); err != nil || !o.Truncated || len(s) != 1<<20 {
		t.Errorf("%d bytes, %v, %v", len(s), o.Truncated, err)
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	a, err := Kinds()[0].Build(map[string]any{"run": "echo hush\n", "shell": "sh"}, kind.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.Plan(context.Background(), &pipeline.Scope{Mask: func(s string) string { return strings.ReplaceAll(s, "hush", "***") }})
	if err != nil || len(got) != 2 || got[0] != "runs this script with sh -e:" || got[1] != "  echo ***" {
		t.Errorf("%q, %v", got, err)
	}
}
