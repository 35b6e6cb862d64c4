package jobs

import (
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/kind/github/jobs/order"
)

func TestShells(t *testing.T) {
	t.Parallel()
	table(t, map[string]testCase{
		"unspecified has no pipefail": {text: steps("- run: |\n    false | true\n    echo on >> log\n    false\n    echo off >> log"), log: "on", fails: "step Run false | true: exit code 1"},
		"bash has pipefail":           {text: steps("- shell: bash\n  run: |\n    false | true\n    echo off >> log\n- if: failure()\n  run: echo failed >> log"), log: "failed", fails: "exit code 1"},
		"sh":                          {text: steps("- shell: sh\n  run: echo ${BASH_VERSION:-none} >> log"), log: "none"},
		"python":                      {text: steps("- shell: python\n  run: |\n    import os\n    open('log', 'a').write(os.environ['GITHUB_JOB'])"), log: "a"},
		"template":                    {text: steps("- shell: node {0}\n  run: require('fs').appendFileSync('log', 'node')"), log: "node"},
		"template with options":       {text: steps("- shell: bash -c 'source {0}' x\n  run: echo sourced >> log"), log: "sourced"},
		"windows":                     {text: steps("- shell: cmd\n  run: dir"), fails: "x.yml:6:16: it cannot run here: jobs.a.steps[0].shell: cmd is a shell of Windows"},
		"unknown":                     {text: steps("- shell: fishy\n  run: x"), fails: `"fishy" is no shell that GitHub knows`},
		"defaults of the job": {text: "on: push\ndefaults: {run: {shell: sh, working-directory: one}}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    defaults: {run: {working-directory: two}}\n    steps:\n      - run: echo ${BASH_VERSION:-sh} $(basename $PWD) >> ../log\n      - run: echo $(basename $PWD) >> ../log\n        working-directory: one\n        shell: bash\n",
			files: map[string]string{"one/x": "", "two/x": ""}, log: "sh two one"},
		"no directory":  {text: steps("- run: pwd\n  working-directory: nowhere"), fails: "nowhere"},
		"an empty file": {text: steps("- run: ''"), log: ""},
	})
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	table(t, map[string]testCase{
		"three levels": {text: "on: push\nenv: {A: w, B: w, C: w}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    env: {B: j, C: j, D: \"${{ github.job }}${{ vars.SITE }}\"}\n    steps:\n      - run: echo $A $B $C $D ${{ env.C }} >> log\n        env: {C: s}\n      - run: echo $C >> log\n",
			log: "w j s ahttps://example.com s j"},
		"files": {text: steps("- id: one\n  run: |\n    echo v=1 >> $GITHUB_OUTPUT\n    printf 'w<<E\\nx\\ny\\nE\\n' >> $GITHUB_OUTPUT\n    echo NAME=kept >> $GITHUB_ENV\n    mkdir bin; printf '#!/bin/sh\\necho tool >> log\\n' > bin/tool; chmod +x bin/tool\n    echo $PWD/bin >> $GITHUB_PATH\n    echo '# Done' >> $GITHUB_STEP_SUMMARY\n- run: |\n    tool\n    echo $NAME ${{ env.NAME }} ${{ steps.one.outputs.v }} \"${{ steps.one.outputs.w }}\" >> log"),
			log: "tool kept kept 1 x y"},
		"broken files":     {text: steps("- run: echo nonsense >> $GITHUB_OUTPUT"), fails: "GITHUB_OUTPUT: line 1: neither key=value"},
		"node options":     {text: steps("- run: echo NODE_OPTIONS=x >> $GITHUB_ENV"), fails: "NODE_OPTIONS may not be set"},
		"github's own":     {text: steps("- env: {GITHUB_JOB: mine, CI: none}\n  run: echo $GITHUB_JOB $CI $GITHUB_ACTIONS $RUNNER_OS >> log"), log: "a none true Linux"},
		"temp":             {text: steps("- run: touch $RUNNER_TEMP/x; test -e ${{ runner.temp }}/x; echo $(ls $RUNNER_TEMP) >> log"), log: "x"},
		"numbers":          {text: steps("- env: {A: 1.10, B: true, C: ~, D: \"1.10\"}\n  run: echo $A $B ${C:-none} $D >> log"), log: "1.1 true none 1.10"},
		"hashFiles":        {text: steps("- run: test -n '${{ hashFiles('x.yml') }}' && test -z '${{ hashFiles('nothing') }}' && echo ok >> log"), log: "ok"},
		"nothing inherits": {text: steps("- run: env | grep -c '^TEST_LEAK' >> log || true"), log: "0"},
	})
}

// TestOfGit holds what steps are told of the repository.
func TestOfGit(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"x.yml": steps("- run: echo $GITHUB_SHA $GITHUB_REF $GITHUB_REF_NAME $GITHUB_REPOSITORY $GITHUB_REPOSITORY_OWNER $GITHUB_EVENT_NAME $(node -p 'require(process.env.GITHUB_EVENT_PATH).schedule') > log\n- run: test $GITHUB_WORKSPACE = $PWD && test '${{ github.workspace }}' = $PWD && test '${{ github.event.repository.name }}' = site"), "log": ""})
	sha := s.git()
	if _, err := s.run(t.Context(), order.Order{}); err != nil {
		t.Fatalf("%v\n%s", err, s.out.String())
	}
	if got, want := strings.TrimSpace(s.read("log")), sha+" refs/heads/main main acme/site acme schedule 0 0 * * *"; !strings.HasPrefix(got, sha+" refs/heads/main main acme/site acme schedule") {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	table(t, map[string]testCase{
		"status functions": {text: steps("- run: exit 3\n- run: echo off >> log\n- if: always()\n  run: echo always >> log\n- if: failure()\n  run: echo failure >> log\n- if: success()\n  run: echo off >> log\n- if: cancelled()\n  run: echo off >> log\n- if: '!cancelled()'\n  run: echo not >> log\n- if: job.status == 'failure' && failure()\n  run: echo status >> log"),
			log: "always failure not status", fails: "job a: step Run exit 3: exit code 3"},
		"hidden success":     {text: steps("- run: exit 1\n  continue-on-error: true\n- id: b\n  if: \"'x' == 'x'\"\n  run: echo on >> log\n- if: steps.b.outcome == 'success'\n  run: echo outcome >> log"), log: "on outcome"},
		"continue-on-error":  {text: steps("- id: f\n  run: exit 1\n  continue-on-error: ${{ true }}\n- run: echo ${{ steps.f.outcome }} ${{ steps.f.conclusion }} >> log"), log: "failure success", shows: "failed: exit code 1 (continue-on-error)"},
		"skipped":            {text: steps("- id: s\n  if: false\n  run: exit 1\n- run: echo ${{ steps.s.outcome }} ${{ steps.s.outputs.x }}end >> log"), log: "skipped end"},
		"own env":            {text: steps("- if: env.T == 'own'\n  env: {T: own}\n  run: echo on >> log\n- if: env.T == 'own'\n  run: echo off >> log"), log: "on"},
		"with braces":        {text: steps("- if: ${{ github.event_name == 'schedule' }}\n  run: echo on >> log\n- if: github.event_name == 'push'\n  run: echo off >> log"), log: "on"},
		"text is true":       {text: steps("- if: ${{ false }} or so\n  run: echo on >> log"), log: "on"},
		"fault":              {text: steps("- if: fromJSON('x')\n  run: echo off >> log"), fails: "x.yml:6:13: if: fromJSON was given a text that is not JSON"},
		"step timeout":       {text: steps("- run: sleep 100\n  timeout-minutes: 0.004\n- if: failure()\n  run: echo after >> log"), log: "after", fails: "timed out after 240ms"},
		"job of needs":       {text: jobsOf("a: {runs-on: ubuntu-latest, steps: [{run: exit 1}]}\nb: {needs: a, runs-on: ubuntu-latest, steps: [{run: echo off >> log}]}\nc: {needs: [a, b], if: always(), runs-on: ubuntu-latest, steps: [{run: \"echo ${{ needs.a.result }} ${{ needs.b.result }} >> log\"}]}\nd: {needs: a, if: failure(), runs-on: ubuntu-latest, steps: [{run: \"touch d\"}]}\ne: {needs: c, runs-on: ubuntu-latest, steps: [{run: echo off >> log}]}"), log: "failure skipped", fails: "job a: step Run exit 1"},
		"job continues":      {text: jobsOf("a: {runs-on: ubuntu-latest, continue-on-error: true, steps: [{run: exit 1}]}\nb: {needs: a, runs-on: ubuntu-latest, steps: [{run: \"echo ${{ needs.a.result }} >> log\"}]}"), log: "success"},
		"job skipped":        {text: jobsOf("a: {if: false, runs-on: ubuntu-latest, steps: [{run: echo off >> log}]}\nb: {needs: a, runs-on: ubuntu-latest, steps: [{run: echo off >> log}]}\nc: {needs: b, if: '!failure()', runs-on: ubuntu-latest, steps: [{run: echo on >> log}]}"), log: "on"},
		"job timeout":        {text: jobsOf("a: {runs-on: ubuntu-latest, timeout-minutes: 0.005, steps: [{run: sleep 100}, {run: echo off >> log}, {if: always(), run: echo always >> log}, {if: cancelled(), run: echo cancelled >> log}, {if: failure(), run: echo off >> log}]}"), log: "always cancelled", fails: "job a: timed out after 300ms"},
		"outputs":            {text: jobsOf("a:\n  runs-on: ubuntu-latest\n  outputs: {v: \"${{ steps.s.outputs.v }}\", none: \"${{ steps.s.outputs.w }}\"}\n  steps: [{id: s, run: echo v=7 >> $GITHUB_OUTPUT}]\nb: {needs: a, runs-on: ubuntu-latest, steps: [{run: \"echo ${{ needs.a.outputs.v }}${{ needs.a.outputs.none }} >> log\"}]}"), log: "7"},
		"only one":           {text: jobsOf("a: {runs-on: ubuntu-latest, steps: [{run: echo a >> log}]}\nb: {needs: a, runs-on: ubuntu-latest, steps: [{run: echo b >> log}]}\nc: {needs: b, runs-on: ubuntu-latest, steps: [{run: echo c >> log}]}"), order: order.Order{Job: "b"}, log: "a b"},
		"services":           {text: jobsOf("a: {runs-on: ubuntu-latest, services: {db: {image: x}}, steps: [{run: echo off >> log}]}\nb: {runs-on: ubuntu-latest, steps: [{run: echo on >> log}]}"), log: "on", fails: "job a: x.yml:3:41: it cannot run here: jobs.a.services: containers"},
		"labels by matrix":   {text: jobsOf("a: {strategy: {fail-fast: false, matrix: {os: [windows-latest, ubuntu-latest]}}, runs-on: \"${{ matrix.os }}\", steps: [{run: echo on >> log}]}"), log: "on", fails: "windows-latest is Windows"},
		"remote action":      {text: steps("- run: echo before >> log\n- uses: acme/x@v1\n- run: echo off >> log"), log: "before", fails: "it cannot run here: jobs.a.steps[1].uses: acme/x@v1"},
		"circle":             {text: jobsOf("a: {needs: b, runs-on: ubuntu-latest, steps: [{run: x}]}\nb: {needs: a, runs-on: ubuntu-latest, steps: [{run: x}]}"), fails: "circle"},
		"secrets undeclared": {text: steps("- run: echo [${{ secrets.OTHER }}] >> log\n- if: secrets.OTHER == ''\n  run: echo none >> log"), log: "[] none"},
	})
}

func TestMatrix(t *testing.T) {
	t.Parallel()
	table(t, map[string]testCase{
		"product":      {text: jobsOf("a: {runs-on: ubuntu-latest, strategy: {max-parallel: 1, matrix: {os: [x, y], n: [1, 2], include: [{os: x, extra: e}, {os: z}], exclude: [{os: y, n: 2}]}}, steps: [{run: \"echo ${{ matrix.os }}${{ matrix.n }}${{ matrix.extra }} >> log\"}]}"), log: "x1e x2e y1 z"},
		"from a job":   {text: jobsOf("a:\n  runs-on: ubuntu-latest\n  outputs: {list: \"${{ steps.s.outputs.list }}\"}\n  steps: [{id: s, run: \"echo 'list=[\\\"p\\\",\\\"q\\\"]' >> $GITHUB_OUTPUT\"}]\nb: {needs: a, strategy: {max-parallel: 1, matrix: {v: \"${{ fromJSON(needs.a.outputs.list) }}\"}}, runs-on: ubuntu-latest, steps: [{run: \"echo ${{ matrix.v }}${{ strategy.job-index }}of${{ strategy.job-total }} >> log\"}]}"), log: "p0of2 q1of2"},
		"whole":        {text: jobsOf("a: {strategy: {max-parallel: 1, matrix: \"${{ fromJSON('{\\\"v\\\": [1, 2], \\\"include\\\": [{\\\"v\\\": 3}]}') }}\"}, runs-on: ubuntu-latest, steps: [{run: \"echo ${{ matrix.v }} >> log\"}]}"), log: "1 2 3"},
		"fail-fast":    {text: jobsOf("a: {strategy: {matrix: {v: [1, 2]}}, runs-on: ubuntu-latest, steps: [{run: \"if [ ${{ matrix.v }} = 1 ]; then while [ ! -e two ]; do sleep 0.02; done; exit 1; fi; touch two; sleep 100\"}, {if: cancelled(), run: \"echo ${{ matrix.v }} >> log\"}]}"), log: "2", fails: "job a (v=1): step"},
		"no fast":      {text: jobsOf("a: {strategy: {fail-fast: false, max-parallel: 1, matrix: {v: [1, 2]}}, runs-on: ubuntu-latest, steps: [{run: \"echo ${{ matrix.v }} >> log; exit ${{ matrix.v }}\"}]}"), log: "1 2", fails: "(and 1 more failed)"},
		"empty":        {text: jobsOf("a: {strategy: {matrix: {v: \"${{ fromJSON('[]') }}\"}}, runs-on: ubuntu-latest, steps: [{run: x}]}"), fails: "matrix: v has no values"},
		"no list":      {text: jobsOf("a: {strategy: {matrix: {v: \"${{ fromJSON('1') }}\"}}, runs-on: ubuntu-latest, steps: [{run: x}]}"), fails: "matrix: v is no list"},
		"given by v":   {text: jobsOf("a: {continue-on-error: \"${{ matrix.v == 1 }}\", strategy: {max-parallel: 1, matrix: {v: [1, 2]}}, runs-on: ubuntu-latest, steps: [{run: \"echo ${{ matrix.v }} >> log; exit $((2 - ${{ matrix.v }}))\"}]}"), log: "1 2"},
		"side by side": {text: jobsOf("a: {strategy: {matrix: {v: [1, 2]}}, runs-on: ubuntu-latest, steps: [{run: \"touch s${{ matrix.v }}; while [ ! -e s1 ] || [ ! -e s2 ]; do sleep 0.02; done\"}]}")},
	})
}

func TestCommands(t *testing.T) {
	t.Parallel()
	s, _ := testCase{text: steps(`- id: c
  name: Say
  run: |
    echo "::add-mask::my-own-secret"
    echo "it is my-own-secret"
    echo "::error file=a.js,line=3::it%0Abroke"
    echo "::group::Part"
    echo "::endgroup::"
    echo "::debug::hidden"
    echo "::set-output name=old::value"
    echo "::stop-commands::tok"
    echo "::error::not a command"
    echo "::tok::"
    echo "::warning::again"
    echo "::unknown::x"
    echo "::set-env name=X::y"
    printf 'no end'
- run: echo ${{ steps.c.outputs.old }} ${X:-unset} >> log`), log: "value unset"}.run(t)
	want := `a / Say | it is ***
a / Say | error: it; broke (a.js:3)
a / Say | Part
a / Say | ::error::not a command
a / Say | warning: again
a / Say | ::unknown::x
a / Say | warning: the command set-env is disabled, as on GitHub: write to the file that GITHUB_ENV or GITHUB_PATH names
a / Say | no end
`
	if got := s.out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

const greet = `name: greet
inputs: {who: {default: you}, loud: {default: "false"}}
outputs: {said: {value: "${{ steps.s.outputs.said }}"}}
runs:
  using: composite
  steps:
    - id: s
      shell: bash
      run: |
        echo "said=hello ${{ inputs.who }}" >> $GITHUB_OUTPUT
        echo "$OUTER ${{ inputs.loud }} $(basename $GITHUB_ACTION_PATH) $(basename ${{ github.action_path }})" >> log
    - if: inputs.who == 'fail'
      shell: sh
      run: exit 9
    - if: failure()
      shell: sh
      run: echo cleaned >> log
`

func TestLocalActions(t *testing.T) {
	t.Parallel()
	node := map[string]string{
		"act/action.yml": "runs: {using: node20, pre: pre.js, main: main.js, post: post.js, post-if: success()}\ninputs: {the name: {default: d}, other: {default: o}}\n",
		"act/pre.js":     "require('fs').appendFileSync('log', 'pre ')",
		"act/main.js":    "const fs = require('fs'); fs.appendFileSync('log', `main ${process.env.INPUT_THE_NAME} ${process.env['INPUT_OTHER']} `); fs.appendFileSync(process.env.GITHUB_STATE, 'k=v\\n'); fs.appendFileSync(process.env.GITHUB_OUTPUT, 'o=1\\n'); console.log('::save-state name=l::w')",
		"act/post.js":    "require('fs').appendFileSync('log', `post ${process.env.STATE_k}${process.env.STATE_l} `)",
	}
	table(t, map[string]testCase{
		"composite":       {files: map[string]string{"act/action.yml": greet}, text: steps("- id: g\n  uses: ./act\n  with: {WHO: me}\n  env: {OUTER: out}\n- run: echo \"${{ steps.g.outputs.said }}\" >> log"), log: "out false act act hello me"},
		"composite fails": {files: map[string]string{"act/action.yml": greet}, text: steps("- uses: ./act\n  with: {who: fail}\n- if: failure()\n  run: echo failed >> log"), log: "false act act cleaned failed", fails: "job a: step Run ./act: step Run exit 9: exit code 9"},
		"nested":          {files: map[string]string{"act/action.yml": greet, "outer/action.yml": "outputs: {o: {value: \"${{ steps.i.outputs.said }}\"}}\nruns: {using: composite, steps: [{id: i, uses: ./act, with: {who: \"${{ inputs.w }}\"}}]}\ninputs: {w: {required: true}}\n"}, text: steps("- id: g\n  uses: ./outer\n  with: {w: deep}\n- run: echo \"${{ steps.g.outputs.o }}\" >> log"), log: "false act act hello deep"},
		"node":            {files: node, text: steps("- id: n\n  uses: ./act\n  with: {the name: x}\n- run: echo ${{ steps.n.outputs.o }} >> log"), log: "pre main x o 1 post vw"},
		"node after fail": {files: node, text: steps("- uses: ./act\n- run: exit 1"), log: "pre main d o", fails: "exit code 1"},
		"made meanwhile":  {text: steps("- run: |\n    mkdir later\n    printf 'runs: {using: composite, steps: [{run: echo made >> log, shell: sh}]}' > later/action.yml\n- uses: ./later"), log: "made"},
		"missing":         {text: steps("- uses: ./nowhere"), fails: "nowhere/action.yml: there is no such action"},
		"docker":          {files: map[string]string{"act/action.yml": "runs: {using: docker, image: x}"}, text: steps("- uses: ./act"), fails: "act/action.yml:1:15: it cannot run here: runs.using: containers"},
		"itself":          {files: map[string]string{"act/action.yml": "runs: {using: composite, steps: [{uses: ./act}]}"}, text: steps("- uses: ./act"), fails: "actions use each other too deeply"},
		"time":            {files: map[string]string{"act/action.yml": "runs: {using: composite, steps: [{run: sleep 100, shell: sh}]}"}, text: steps("- uses: ./act\n  timeout-minutes: 0.004\n- if: failure()\n  run: echo after >> log"), log: "after", fails: "timed out after 240ms"},
	})
}

func TestReusable(t *testing.T) {
	t.Parallel()
	inner := "on:\n  workflow_call:\n    inputs: {n: {type: number, default: 2}, b: {type: boolean, required: true}}\n    secrets: {KEY: {required: false}}\n    outputs: {o: {value: \"${{ jobs.i.outputs.v }}\"}}\njobs:\n  i:\n    runs-on: ubuntu-latest\n    outputs: {v: \"${{ steps.s.outputs.v }}\"}\n    steps:\n      - id: s\n        run: |\n          echo \"v=got${{ inputs.n }}\" >> $GITHUB_OUTPUT\n          test -n \"$K\" && echo key >> log || echo none >> log\n          echo ${{ inputs.b && 'yes' || 'no' }} >> log\n        env: {K: \"${{ secrets.KEY }}\"}\n"
	files := map[string]string{".github/workflows/i.yml": inner}
	call := func(rest string) string {
		return jobsOf("a: {uses: ./.github/workflows/i.yml" + rest + "}\nb: {needs: a, runs-on: ubuntu-latest, steps: [{run: \"echo ${{ needs.a.outputs.o }} >> log\"}]}")
	}
	table(t, map[string]testCase{
		"inputs":      {files: files, text: call(", with: {b: true, n: 5}, secrets: {KEY: \"${{ secrets.TOKEN }}\"}"), log: "key yes got5"},
		"no secret":   {files: files, text: call(", with: {b: false}"), log: "none no got2"},
		"inherit":     {files: map[string]string{".github/workflows/i.yml": strings.ReplaceAll(inner, "secrets.KEY", "secrets.TOKEN")}, text: call(", with: {b: false}, secrets: inherit"), log: "key no got2"},
		"required":    {files: files, text: call(""), fails: "the input b is required"},
		"unknown":     {files: files, text: call(", with: {b: true, z: 1}"), fails: `has no input "z"`},
		"wrong type":  {files: files, text: call(", with: {b: maybe}"), fails: "neither true nor false"},
		"not called":  {files: map[string]string{".github/workflows/i.yml": "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: x}]}}"}, text: call(""), fails: "no on.workflow_call"},
		"missing":     {text: call(""), fails: "there is no workflow .github/workflows/i.yml"},
		"fails":       {files: map[string]string{".github/workflows/i.yml": "on: workflow_call\njobs: {i: {runs-on: ubuntu-latest, steps: [{run: exit 4}]}}"}, text: call(""), fails: "job a / i: step Run exit 4: exit code 4"},
		"itself":      {files: map[string]string{".github/workflows/i.yml": "on: workflow_call\njobs: {i: {uses: ./.github/workflows/i.yml}}"}, text: call(""), fails: "too deeply"},
		"in a matrix": {files: files, text: jobsOf("a: {strategy: {max-parallel: 1, matrix: {n: [7, 8]}}, uses: ./.github/workflows/i.yml, with: {b: true, n: \"${{ matrix.n }}\"}}"), log: "none yes none yes"},
	})
}

func TestInputs(t *testing.T) {
	t.Parallel()
	text := "on:\n  schedule: [{cron: \"0 0 * * *\"}]\n  workflow_dispatch:\n    inputs:\n      level: {type: choice, options: [low, high], default: low}\n      dry: {type: boolean, default: true}\n      who: {required: true}\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: \"echo ${{ inputs.level }} ${{ inputs.dry == true }} ${{ github.event.inputs.dry }} ${{ inputs.who }} >> log\"}]}}\n"
	dispatch := func(in map[string]any) order.Order { return order.Order{Event: "workflow_dispatch", Inputs: in} }
	table(t, map[string]testCase{
		"defaults": {text: text, order: dispatch(map[string]any{"who": "me"}), log: "low true true me"},
		"given":    {text: text, order: dispatch(map[string]any{"who": "me", "LEVEL": "high", "dry": false}), log: "high false false me"},
		"choice":   {text: text, order: dispatch(map[string]any{"who": "me", "level": "none"}), fails: "the input level is none of low, high"},
		"missing":  {text: text, order: dispatch(nil), fails: "the input who is required"},
		"unknown":  {text: text, order: dispatch(map[string]any{"who": "me", "x": 1}), fails: `no input "x"`},
		"schedule": {text: text, log: "false"},
		"wrong":    {text: text, order: order.Order{Inputs: map[string]any{"who": "me"}}, fails: "which only the event workflow_dispatch has"},
		"job":      {text: text, order: order.Order{Job: "nope"}, fails: `has no job "nope": it has a`},
		"file":     {text: text, order: order.Order{File: "y.yml"}, fails: "there is no workflow y.yml"},
		"broken":   {text: "a: [", fails: "x.yml:1"},
		"conflict": {text: "on: push\n<<<<<<< a\n", fails: "x.yml:2: a merge conflict"},
	})
}
