package jobs

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/github/jobs/order"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// TestBackground: a server of one step serves the next, and ends with its job.
func TestBackground(t *testing.T) {
	t.Parallel()
	s, _ := testCase{text: steps("- run: |\n    node -e \"require('http').createServer((q, r) => r.end('up')).listen(process.env.RUNNER_TEMP + '/s', () => console.log('listens'))\" &\n    echo $! > pid\n- run: |\n    while [ ! -S $RUNNER_TEMP/s ]; do sleep 0.02; done\n    node -e \"require('http').get({socketPath: process.env.RUNNER_TEMP + '/s'}, r => r.on('data', d => require('fs').appendFileSync('log', d)))\"\n    kill -0 $(cat pid)"), log: "up", shows: "| listens"}.run(t)
	pid := strings.TrimSpace(s.read("pid"))
	if alive(pid) {
		t.Errorf("process %s outlived its job", pid)
	}
}

// TestCancelled: the end of the context ends the whole tree of a step at once.
func TestCancelled(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"x.yml": steps("- run: |\n    sh -c 'echo $$ > pid; echo up; exec sleep 1000' &\n    wait\n- if: always()\n  run: echo off >> log"), "log": ""})
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	s.scope.Out = writerFunc(func(b []byte) (int, error) {
		if strings.Contains(string(b), "| up") {
			cancel(fmt.Errorf("a person said so"))
		}
		return len(b), nil
	})
	began := time.Now()
	out, err := s.run(ctx, order.Order{})
	if err == nil || err.Error() != "a person said so" || out.Values["result"] != cancelled {
		t.Errorf("%v, %v", err, out.Values)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	if alive(strings.TrimSpace(s.read("pid"))) || s.read("log") != "" {
		t.Error("something went on")
	}
}

type writerFunc func(b []byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// TestGroups: runs of one concurrency group take turns, in one run and between
// runs; a group that a run holds itself does not hold it up.
func TestGroups(t *testing.T) {
	t.Parallel()
	one := "[{run: \"test ! -e busy; touch busy; sleep 0.05; rm busy; echo x >> log\"}]"
	s, _ := testCase{text: "on: push\nconcurrency: outer\njobs:\n  a: {runs-on: ubuntu-latest, concurrency: g, steps: " + one + "}\n  b: {runs-on: ubuntu-latest, concurrency: {group: G, cancel-in-progress: true}, steps: " + one + "}\n  c: {runs-on: ubuntu-latest, concurrency: outer, steps: [{run: \"true\"}]}\n", log: "x x"}.run(t)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if _, err := s.run(t.Context(), order.Order{}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := strings.Count(s.read("log"), "x"); n != 8 {
		t.Errorf("%d runs", n)
	}
}

// TestD13 holds what the original did not: a step that fails takes its job and
// the run with it, whatever comes after it, and no secret is shown or handed on.
func TestD13(t *testing.T) {
	t.Parallel()
	s, out := testCase{text: jobsOf("a:\n  runs-on: ubuntu-latest\n  outputs: {leak: \"${{ steps.s.outputs.leak }}\", fine: \"${{ steps.s.outputs.fine }}\"}\n  steps:\n    - id: s\n      env: {T: \"${{ secrets.TOKEN }}\"}\n      run: |\n        echo \"leak=$T\" >> $GITHUB_OUTPUT; echo fine=1 >> $GITHUB_OUTPUT\n        test \"$T\" = hush-hush-secret\n    - name: Post ${{ secrets.TOKEN }}\n      run: exit 1\n    - if: always()\n      run: echo all good"), fails: "job a: step Post"}.run(t)
	if result(out, "a") != failure || out.Values["result"] != failure || outputOf(out, "a", "leak") != "" || outputOf(out, "a", "fine") != "1" {
		t.Errorf("%v", out.Values)
	}
	if !strings.Contains(s.out.String(), "the output leak is left out, for it may hold a secret") {
		t.Error(s.out.String())
	}
}

// TestStandIns holds what a kind that stands in is given, and what becomes of
// what it gives.
func TestStandIns(t *testing.T) {
	t.Parallel()
	var got []string
	var mu sync.Mutex
	s := newSite(t, map[string]string{"log": "", "x.yml": steps("- uses: actions/checkout@v4\n  with: {fetch-depth: 0, submodules: recursive}\n- id: c\n  uses: actions/cache@v4\n  with:\n    key: k-${{ github.job }}\n    path: |\n      one\n      two\n- run: echo ${{ steps.c.outputs.cache-hit }} $GIVEN >> log\n- uses: actions/upload-artifact@v4\n  with: {path: log, overwrite: maybe}\n  continue-on-error: true")})
	s.secret["GITHUB_TOKEN"] = "the-token-itself"
	for _, name := range []string{"github/checkout", "cache", "artifact/upload"} {
		s.kinds = append(s.kinds, kind.Action{
			Name: name, Secrets: map[string]string{"token": "GITHUB_TOKEN"}, Fragment: []byte(`{"properties": {"depth": {"default": 1}, "token": {}}}`),
			Build: func(with map[string]any, _ kind.Deps) (pipeline.Action, error) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, name+fmt.Sprint(with))
				return &fake{&mu, &got}, nil
			},
		})
	}
	if _, err := s.run(t.Context(), order.Order{}); err != nil {
		t.Fatalf("%v\n%s", err, s.out.String())
	}
	want := "github/checkout" + fmt.Sprint(map[string]any{"depth": 1, "fetch-depth": 0, "submodules": "recursive", "token": "the-token-itself"}) + "|ran true" +
		"|cache" + fmt.Sprint(map[string]any{"depth": 1, "key": "k-a", "path": []any{"one", "two"}, "token": "the-token-itself"}) + "|ran true|saved"
	if all := strings.Join(got, "|"); all != want {
		t.Errorf("got  %s\nwant %s", all, want)
	}
	if log := strings.TrimSpace(s.read("log")); log != "true kept" {
		t.Error(log)
	}
	if !strings.Contains(s.out.String(), "overwrite: it must be true or false") || !strings.Contains(s.out.String(), "| the kind speaks") {
		t.Error(s.out.String())
	}
}

type fake struct {
	mu  *sync.Mutex
	got *[]string
}

func (f *fake) Run(_ context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*f.got = append(*f.got, fmt.Sprintf("ran %v", strings.HasPrefix(s.Step, "step.a.")))
	_, err := io.WriteString(s.Out, "the kind speaks\n")
	return pipeline.Outputs{Values: map[string]any{"cache-hit": true}, Env: map[string]string{"GIVEN": "kept"}}, err
}

func (f *fake) Save(context.Context, *pipeline.Scope) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	*f.got = append(*f.got, "saved")
	return nil
}

func (f *fake) Plan(context.Context, *pipeline.Scope) ([]pipeline.Effect, error) { return nil, nil }

// TestTurns: jobs that check the repository out do not work in it side by side,
// and the combinations of one come in their order.
func TestTurns(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"log": "", "x.yml": jobsOf(
		"a: {runs-on: ubuntu-latest, strategy: {matrix: {v: [1, 2, 3, 4]}}, steps: [{uses: actions/checkout@v5}, {run: \"test ! -e busy; touch busy; sleep 0.05; rm busy; echo ${{ matrix.v }} >> log\"}]}\n" +
			"b: {runs-on: ubuntu-latest, steps: [{uses: actions/checkout@v5}, {run: \"test ! -e busy; touch busy; sleep 0.05; rm busy\"}]}")})
	var mu sync.Mutex
	var got []string
	s.kinds = []kind.Action{{Name: "github/checkout", Fragment: []byte(`{}`), Build: func(map[string]any, kind.Deps) (pipeline.Action, error) { return &fake{&mu, &got}, nil }}}
	if _, err := s.run(t.Context(), order.Order{}); err != nil {
		t.Errorf("%v\n%s", err, s.out.String())
	}
	if log := strings.Fields(s.read("log")); !slices.Equal(log, []string{"1", "2", "3", "4"}) {
		t.Errorf("order: %v", log)
	}
}

// alive reports whether a process runs; one that has ended and is not reaped
// does not.
func alive(pid string) bool {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

// TestMaskedNames: what a step asks to be masked is masked in the names of later
// steps and jobs too, and in what the run says of its failure.
func TestMaskedNames(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"x.yml": `on: push
jobs:
  a:
    runs-on: ubuntu-latest
    outputs: {v: "${{ steps.c.outputs.v }}"}
    steps:
      - id: c
        run: |
          echo "::add-mask::hidden-hunter"
          echo v=hidden-hunter >> "$GITHUB_OUTPUT"
      - name: With ${{ steps.c.outputs.v }}
        run: echo up; exit 3
`})
	_, err := s.run(t.Context(), order.Order{})
	if all := fmt.Sprint(err) + s.out.String(); strings.Contains(all, "hunter") || !strings.Contains(all, "With *** | up") {
		t.Error(all)
	}
}

// TestLongLine: a line that is too long to be waited for is shown in parts, and
// no secret at their edge.
func TestLongLine(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"x.yml": steps("- name: Long\n  env: {WORD: \"${{ secrets.WORD }}\"}\n  run: |\n    head -c 65530 /dev/zero | tr '\\0' x; sleep 0.2; printf '%s' ${WORD%secrets}; sleep 0.2; printf '%s' ${WORD#hunter-of-}\n    head -c 70000 /dev/zero | tr '\\0' y; echo; echo end")})
	s.secret["WORD"] = "hunter-of-secrets"
	if _, err := s.run(t.Context(), order.Order{}); err != nil {
		t.Fatal(err)
	}
	shown := s.mask(s.out.String())
	if strings.Contains(shown, "hunt") || !strings.Contains(shown, "x***y") || strings.Count(shown, "x") < 65530 || strings.Count(shown, "y") < 70000 || !strings.HasSuffix(shown, "| end\n") {
		t.Errorf("%d bytes: %.200s", len(shown), strings.Trim(strings.ReplaceAll(shown, "xxxx", ""), "x"))
	}
}
