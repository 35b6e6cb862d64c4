package workflow

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/github/standin"
)

func parse(t testing.TB, text string) *File {
	t.Helper()
	f, err := Parse("x.yml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const every = `name: All
run-name: of ${{ github.actor }}
on:
  schedule: [{cron: "0 0 * * *", timezone: Europe/Berlin}]
  push: {branches: [main], paths: [src/**]}
  workflow_dispatch: {inputs: {level: {type: choice, options: [a, b], default: a}}}
  workflow_call: {inputs: {n: {type: number, default: 1}}, secrets: {key: {required: true}}, outputs: {o: {value: "${{ jobs.a.outputs.x }}"}}}
permissions: {contents: read}
env: {A: 1.50, B: "1.50"}
defaults: {run: {shell: bash, working-directory: sub}}
concurrency: {group: g, cancel-in-progress: true}
jobs:
  a:
    name: First
    runs-on: ubuntu-latest
    if: github.event_name != 'push'
    permissions: write-all
    environment: {name: production, url: "https://x"}
    concurrency: one
    outputs: {x: "${{ steps.s.outputs.v }}"}
    env: {C: x}
    defaults: {run: {shell: sh}}
    timeout-minutes: 0.5
    continue-on-error: true
    strategy:
      fail-fast: false
      max-parallel: 2
      matrix: {os: [x, y], n: [1, 2], include: [{os: z}], exclude: [{os: x, n: 1}]}
    steps:
      - id: s
        name: Step
        if: always()
        run: echo ${{ secrets.one }}
        shell: python
        working-directory: deep
        env: {D: "${{ secrets['TWO'] }}"}
        continue-on-error: true
        timeout-minutes: 3
      - uses: actions/checkout@v4
        with: {fetch-depth: 0, lfs: true, nonsense: 1}
      - uses: ./act
        with: {in: x}
      - uses: docker://alpine
        with: {args: x, entrypoint: y}
      - uses: acme/thing@v1
  b:
    needs: a
    uses: ./.github/workflows/other.yml
    with: {n: 2}
    secrets: {key: "${{ secrets.THREE }}"}
  c:
    uses: acme/site/.github/workflows/x.yml@main
    secrets: inherit
  d:
    runs-on: {group: big, labels: [windows-latest]}
    container: node:20
    services: {db: {image: postgres}}
    snapshot: my-image
    steps: [{run: "", shell: cmd}]
`

// TestEveryKey holds what becomes of each key of the syntax, in order.
func TestEveryKey(t *testing.T) {
	t.Parallel()
	f := parse(t, every)
	got := map[string]kind.Support{}
	last := 0
	for _, c := range f.Constructs {
		if c.Line < last || c.Line == 0 || c.Column == 0 || c.File != "x.yml" || (c.Note == "") != (c.Support == kind.Exact) {
			t.Errorf("%+v after line %d", c, last)
		}
		last = c.Line
		got[c.Key] = c.Support
	}
	const e, a, u = kind.Exact, kind.Approximated, kind.Unsupported
	for key, want := range map[string]kind.Support{
		"name": e, "run-name": a, "on.schedule": e, "on.schedule.timezone": e, "on.push": a, "on.push.branches": a, "on.push.paths": a, "on.workflow_dispatch": e,
		"on.workflow_dispatch.inputs": e, "on.workflow_call": e, "on.workflow_call.inputs": e, "on.workflow_call.secrets": e, "on.workflow_call.outputs": e,
		"permissions": a, "env": e, "defaults.run.shell": e, "defaults.run.working-directory": e, "concurrency": a, "concurrency.cancel-in-progress": a,
		"jobs.a.name": e, "jobs.a.runs-on": a, "jobs.a.if": e, "jobs.a.permissions": a, "jobs.a.environment": a, "jobs.a.concurrency": a, "jobs.a.outputs": e, "jobs.a.env": e,
		"jobs.a.defaults.run.shell": e, "jobs.a.timeout-minutes": e, "jobs.a.continue-on-error": e, "jobs.a.strategy.fail-fast": e, "jobs.a.strategy.max-parallel": e,
		"jobs.a.strategy.matrix": e, "jobs.a.strategy.matrix.include": e, "jobs.a.strategy.matrix.exclude": e,
		"jobs.a.steps[0].id": e, "jobs.a.steps[0].name": e, "jobs.a.steps[0].if": e, "jobs.a.steps[0].run": e, "jobs.a.steps[0].shell": e, "jobs.a.steps[0].working-directory": e,
		"jobs.a.steps[0].env": e, "jobs.a.steps[0].continue-on-error": e, "jobs.a.steps[0].timeout-minutes": e, "jobs.a.steps[1].uses": a, "jobs.a.steps[1].with.fetch-depth": e,
		"jobs.a.steps[1].with.lfs": a, "jobs.a.steps[1].with.nonsense": u, "jobs.a.steps[2].uses": e, "jobs.a.steps[2].with": e, "jobs.a.steps[3].uses": u,
		"jobs.a.steps[3].with.args": u, "jobs.a.steps[3].with.entrypoint": u, "jobs.a.steps[4].uses": u, "jobs.b.needs": e, "jobs.b.uses": e, "jobs.b.with": e, "jobs.b.secrets": e,
		"jobs.c.uses": u, "jobs.c.secrets": e, "jobs.d.runs-on": u, "jobs.d.container": u, "jobs.d.services": u, "jobs.d.snapshot": a, "jobs.d.steps[0].run": e, "jobs.d.steps[0].shell": u,
	} {
		if got[key] != want {
			t.Errorf("%s is %q, not %s", key, got[key], want)
		}
		delete(got, key)
	}
	for key, s := range got {
		t.Errorf("%s is %s, and nobody expects it", key, s)
	}
	if s := fmt.Sprint(f.Secrets); s != "[ONE THREE TWO]" || f.AllSecrets {
		t.Error(s)
	}
}

// TestWords holds what becomes of values.
func TestWords(t *testing.T) {
	t.Parallel()
	f := parse(t, every)
	a := f.Jobs[0]
	if len(f.Jobs) != 4 || a.ID != "a" || f.Jobs[3].ID != "d" || !a.Tree() || a.Combinations() != 5 {
		t.Errorf("%+v", a)
	}
	if f.Env.Vars[0].Value.Value != "1.5" || f.Env.Vars[1].Value.Value != "1.50" {
		t.Errorf("%+v", f.Env)
	}
	if s := fmt.Sprint(a.Matrix.Axes[0].Name, a.Matrix.Axes[0].Values, a.Matrix.Axes[1].Name, a.Matrix.Axes[1].Values, a.Matrix.Include.List, a.Matrix.Exclude.List); s != "os[x y]n[1 2] [map[os:z]] [map[n:1 os:x]]" {
		t.Error(s)
	}
	if a.Timeout.Value != "0.5" || a.Continue.Value != "true" || a.FailFast.Value != "false" || a.MaxParallel.Value != "2" {
		t.Errorf("%+v", a)
	}
	k := a.Steps[1].Keys
	if len(k) != 1 || k[0].Name != "fetch-depth" || k[0].Value.Value != "0" || k[0].Form != standin.AsNumber {
		t.Errorf("%+v", k)
	}
	if f.Call == nil || fmt.Sprint(f.Call.Secrets) != "[key]" || f.Call.Inputs[0].Type != "number" || f.Inputs[0].Options[1] != "b" {
		t.Errorf("%+v %+v", f.Call, f.Inputs)
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"1.50": "1.5", "0x1F": "31", "1e3": "1000", "True": "true", "FALSE": "false", "~": "", "null": "", "1.2.3": "1.2.3", "v1": "v1", "-5": "-5", "": "", "+": "+", "e5": "e5", ".5": "0.5",
		"12345678901234567890": "12345678901234567890", "yes": "yes", "2026-01-01": "2026-01-01", "a": "a", "-": "-",
	} {
		if got := plain(in); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
	for in, want := range map[string]any{"20": 20.0, "3.10": "3.10", "true": true, "x": "x", "": "", "null": nil} {
		if got := typed(in); got != want {
			t.Errorf("%q: %#v, not %#v", in, got, want)
		}
	}
}

// TestRefused holds that each text which is no workflow has a place.
func TestRefused(t *testing.T) {
	t.Parallel()
	bomb := "a: &a [1]\n"
	for i := range 10 {
		bomb += fmt.Sprintf("%c: &%c [%s*%c]\n", 'b'+i, 'b'+i, strings.Repeat(fmt.Sprintf("*%c, ", 'a'+i), 9), 'a'+i)
	}
	for text, want := range map[string]string{
		"a: [": "x.yml:1", "\x00": "NUL", strings.Repeat("#", MaxSize+1): "more than 1 MiB", bomb: "100,000",
		"on: push\njobs: {}\n": "no jobs", "\tx": "x.yml:1", "on: push\n>>>>>>> x\n": "x.yml:2: a merge conflict",
		"? [a]\n: b\n": "x.yml:1", "--- a\n--- b\n": "x.yml:", "%": "x.yml:", "!!binary x": "x.yml:",
	} {
		_, err := Parse("x.yml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "x.yml") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"steps: [{run: echo}], runs_on: x":                                  `unexpected key "runs_on"`,
		"runs-on: ubuntu-latest, steps: [{run: \"${{ nope( }}\"}]":          "x.yml:3",
		"runs-on: ubuntu-latest, if: \"a b\", steps: [{run: x}]":            "unexpected",
		"runs-on: ubuntu-latest, needs: [z], steps: [{run: x}]":             `needs "z", which is no job`,
		"runs-on: ubuntu-latest, steps: [{id: i, run: x}, {id: I, run: x}]": "the id I",
		"runs-on: ubuntu-latest, steps: [{run: x, uses: y}]":                "x.yml:3",
		"runs-on: ubuntu-latest, timeout-minutes: soon, steps: [{run: x}]":  "x.yml:3",
		"runs-on: ubuntu-latest, steps: [{run: x, env: {<<: {A: b}}}]":      "merge key",
	} {
		f, err := Parse("x.yml", []byte("on: push\njobs:\n  a: {"+text+"}\n"))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		found := false
		for i := range f.Faults {
			found = found || strings.Contains(f.Faults[i].Error(), want)
		}
		if !found {
			t.Errorf("%s: %+v", text, f.Faults)
		}
	}
}

const composite = `name: Greet
inputs: {who: {default: you, required: true}}
outputs: {said: {value: "${{ steps.s.outputs.v }}"}}
runs:
  using: composite
  steps:
    - id: s
      if: inputs.who != ''
      run: echo ${{ inputs.who }}
      shell: bash
      env: {A: 1.0}
      working-directory: x
      continue-on-error: true
    - uses: ./other
      with: {a: b}
    - uses: acme/gone@v1
`

func TestAction(t *testing.T) {
	t.Parallel()
	a, err := ParseAction("act/action.yml", []byte(composite))
	if err != nil {
		t.Fatal(err)
	}
	s := a.Steps[0]
	if a.Dir != "act" || len(a.Steps) != 3 || s.ID != "s" || s.Line != 7 || s.Env.Vars[0].Value.Value != "1" || s.Continue.Value != "true" || a.Inputs[0].Default.Value != "you" || a.Outputs[0].Name != "said" {
		t.Errorf("%+v", a)
	}
	if a.Steps[1].With[0].Value.Value != "b" || a.Steps[2].Cannot.Line != 16 {
		t.Errorf("%+v %+v", a.Steps[1], a.Steps[2])
	}
	for text, want := range map[string]string{
		"a: [": "action.yml", "- x": "no mapping", "name: x": "no runs", "runs: {using: composite}": "no steps", "runs: {using: node20}": "no main", "runs: {}": "using", "": "no mapping",
		"runs: {using: composite, steps: [x]}": "step 1", "runs: {using: composite, steps: 5}": "no steps",
	} {
		if _, err := ParseAction("action.yml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, want := range map[string]string{"runs: {using: docker, image: x}": "containers", "runs: {using: wasm}": "wasm is nothing"} {
		if a, err := ParseAction("action.yml", []byte(text)); err != nil || !strings.Contains(a.Cannot.Text, want) {
			t.Errorf("%q: %+v %v", text, a, err)
		}
	}
}

// FuzzWorkflow holds that no text ends the reader, and that what it says has a
// place in one line.
func FuzzWorkflow(f *testing.F) {
	f.Add([]byte(every))
	f.Add([]byte(composite))
	f.Add([]byte("on: push\njobs: {a: {strategy: {matrix: '${{ fromJSON(x) }}'}, steps: [{uses: ./a, with: {args: 1}}, {}]}}\n"))
	f.Add([]byte("a: &a [*a, *a]\nb: &b [*a]\njobs: *b\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if x, err := Parse("x.yml", text); err == nil {
			for _, c := range x.Constructs {
				if c.Key == "" || strings.Contains(c.Note, "\n") || c.Line < 0 {
					t.Errorf("%+v", c)
				}
			}
			for _, j := range x.Jobs {
				if j.Combinations() < 0 || j.Label() == "" && j.ID != "" {
					t.Errorf("%+v", j)
				}
			}
		} else if !strings.HasPrefix(err.Error(), "x.yml") {
			t.Error(err)
		}
		if _, err := ParseAction("action.yml", text); err != nil && !strings.HasPrefix(err.Error(), "action.yml") {
			t.Error(err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse("x.yml", []byte(every)); err != nil {
			b.Fatal(err)
		}
	}
}
