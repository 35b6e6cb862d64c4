package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/pipeline"
)

const head = "version: 1\nname: sync\n"

// TestPlaces holds where problems stand, what they say, and that one mistake
// gives one message.
func TestPlaces(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string // "line:column rule: part of the message or hint"
	}{
		"misspelt key":             {head + "steps:\n  - rnu: echo\n", []string{`4:5 unknown-key: did you mean "run"?`}},
		"misspelt required key":    {"version: 1\nnam: sync\nsteps:\n  - run: echo\n", []string{`2:1 unknown-key: did you mean "name"?`}},
		"two mistakes":             {head + "overlap: never\nconcurrency: 0\nsteps:\n  - run: echo\n", []string{"3:10 enum: must be one of", "4:14 min: "}},
		"inside a folded string":   {head + "steps:\n  - env:\n      A: >-\n        one\n        ${{ params.nope }}\n    run: echo\n", []string{"7:20 unknown-param: nope"}},
		"inside a quoted string":   {head + "steps:\n  - env: {A: \"é \\u00e9 ${{ pipeline.nmae }}\"}\n    run: echo\n", []string{"4:37 unknown-field: did you mean name?"}},
		"misspelt need":            {head + "steps:\n  - {id: a, needs: [], run: echo}\n  - {needs: [b], env: {A: \"${{ steps.a.outcome }}\"}, run: echo}\n", []string{`5:14 unknown-need: there is no step "b"`}},
		"needs itself":             {head + "steps:\n  - {id: a, needs: [a], run: echo}\n", []string{"4:21 cycle: needs itself"}},
		"circle in order":          {head + "steps:\n  - {id: a, needs: [c], run: echo}\n  - {id: b, needs: [a], run: echo}\n  - {id: c, needs: [b], run: echo}\n", []string{"4:13 cycle: a → c → b → a"}},
		"schedule in a list":       {head + "schedule:\n  - every: 15m\n  - cron: \"0 24 * * *\"\nsteps:\n  - run: echo\n", []string{"5:14 cron-range: "}},
		"drill":                    {head + "drill: {cron: \"61 * * * *\", dry-run: true}\nsteps:\n  - run: echo\n", []string{"3:16 cron-range: "}},
		"cron restart":             {head + "service:\n  run: echo\n  cron-restart: \"* * *\"\n", []string{"5:22 cron-syntax: five fields"}},
		"primary in a script":      {head + "primary: {heartbeat: {}}\nsteps:\n  - run: echo ${{ primary.verdict }}\n", []string{"5:19 shell-injection: env: {VERDICT: ${{ primary.verdict }}}"}},
		"undeclared secret":        {head + "secrets: []\nsteps:\n  - {env: {T: \"${{ secrets.T }}\"}, run: echo}\n", []string{"5:28 undeclared-secret: declare it"}},
		"status function in env":   {head + "steps:\n  - {env: {T: \"${{ failure() }}\"}, run: echo}\n", []string{"4:20 unknown-function: "}},
		"handlers see steps":       {head + "steps:\n  - {id: a, run: echo}\nalways:\n  - {if: steps.a.outcome == 'failed', run: echo}\n", nil},
		"keys of the user's own":   {head + "x-note: {any: [thing]}\nsteps:\n  - {x-why: because, run: echo}\n", nil},
		"matrix":                   {head + "steps:\n  - {matrix: {os: [a]}, env: {A: \"${{ matrix.osx }}\"}, run: echo}\n", []string{"4:46 unknown-field: did you mean os?"}},
		"unknown kind":             {head + "steps:\n  - {uses: htpp}\n", []string{`4:12 enum: did you mean "http"?`}},
		"yaml before all the rest": {head + "overlap: never\noverlap: skip\n", []string{"4:1 duplicate-key: "}},
		"not a mapping":            {"- a\n", []string{"1:1 type: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := load(t, write(t, c.text), "")
			var got []string
			for _, x := range p.Problems {
				got = append(got, fmt.Sprintf("%d:%d %s: %s; %s", x.Line, x.Column, x.Rule, x.Message, x.Hint))
			}
			ok := len(got) == len(c.want)
			for i := 0; ok && i < len(got); i++ {
				place, part, _ := strings.Cut(c.want[i], ": ")
				ok = strings.HasPrefix(got[i], place+":") && strings.Contains(got[i], part)
			}
			if !ok {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestDefaults holds what is not written.
func TestDefaults(t *testing.T) {
	t.Parallel()
	root := write(t, "-- redund.yaml --\nsystems: {pm2: {order: 3}, cron: {mode: replacement}}\n"+
		"-- pipelines/pm2/a.yaml --\nname: a\nsteps:\n  - run: echo\n  - uses: http\n    with: {url: https://example.com}\n"+
		"-- pipelines/github-actions/deep/b.yml --\nname: b\nprimary: {github-workflow: {repository: a/b, workflow: c.yml}}\nsteps: [{run: echo}]\n"+
		"-- pipelines/cron/c.yaml --\nname: c\nprimary: {heartbeat: {}}\nservice: {run: echo}\n"+
		"-- pipelines/pm2/.hidden.yaml --\nnonsense\n-- pipelines/pm2/readme.txt --\nnonsense\n")
	p := load(t, root, "")
	if len(p.Problems) != 0 || len(p.Pipelines) != 3 {
		t.Fatalf("%d pipelines, %+v", len(p.Pipelines), p.Problems)
	}
	c, b, a := p.Pipelines[0], p.Pipelines[1], p.Pipelines[2]
	if a.ID() != "pm2/a" || a.Mode != pipeline.Alongside || a.Concurrency != 1 || a.Timeout.Std() != time.Hour || a.Overlap != "skip" || !a.Enabled ||
		a.Steps[0].ID != "step-1" || a.Steps[0].Kind != "run" || a.Steps[1].With["method"] != "GET" {
		t.Errorf("%+v", a)
	}
	if b.ID() != "github-actions/b" || b.Mode != pipeline.Standby || !b.Grace.Auto || b.Primary.Kind != "github-workflow" || b.Primary.OnUnknown != "run" ||
		b.Primary.Every.Std() != time.Minute || b.Primary.With["workflow"] != "c.yml" {
		t.Errorf("%+v, %+v", b, b.Primary)
	}
	if c.Mode != pipeline.Replacement || c.Primary.OnUnknown != "skip" || c.Grace.For.Std() != 15*time.Minute {
		t.Errorf("%+v", c)
	}
	s := p.Config.Systems
	if s["pm2"].Concurrency != 2 || s["pm2"].Order != 3 || s["pm2"].Health.Every.Std() != 5*time.Minute || s["netlify-functions"].Concurrency != 5 || !s["cron"].Enabled {
		t.Errorf("%+v", s)
	}
}

// TestEnvironments holds that an environment may set keys of the project and
// of single pipelines.
func TestEnvironments(t *testing.T) {
	t.Parallel()
	root := write(t, "-- redund.yaml --\nvars: {site: https://example.com, keep: 1}\nenvironments:\n  staging:\n    vars: {site: https://staging.example.com}\n"+
		"    pipelines:\n      a: {enabled: false, mode: alongside, schedule: {every: 1h}, params: {n: 7}}\n"+
		"-- pipelines/pm2/a.yaml --\nname: a\nparams: {n: {type: integer, default: 1}}\nschedule: {cron: \"0 1 * * *\"}\nsteps: [{run: echo}]\n")
	p := load(t, root, "staging")
	if len(p.Problems) != 0 {
		t.Fatalf("%+v", p.Problems)
	}
	a := p.Pipelines[0]
	if a.Enabled || a.Schedule[0].Every.Std() != time.Hour || fmt.Sprint(a.Params["n"].Default) != "7" ||
		p.Config.Vars["site"] != "https://staging.example.com" || p.Config.Vars["keep"] == nil {
		t.Errorf("%+v, %+v", a, p.Config.Vars)
	}
	if p := load(t, root, ""); !p.Pipelines[0].Enabled || fmt.Sprint(p.Pipelines[0].Params["n"].Default) != "1" {
		t.Errorf("production is %+v", p.Pipelines[0])
	}
}

// TestNames holds what a name means.
func TestNames(t *testing.T) {
	t.Parallel()
	p := load(t, write(t, "-- pipelines/pm2/marketing-sync.yaml --\nname: marketing-sync\nsteps: [{run: echo}]\n"+
		"-- pipelines/pm2/build.yaml --\nname: build\nsteps: [{run: echo}]\n-- pipelines/github-actions/build.yaml --\nname: build\nsteps: [{run: echo}]\n"+
		"-- pipelines/pm2/broken.yaml --\nname: broken\nsteps: []\nnope: 1\n"), "")
	for name, want := range map[string]int{
		"marketing-sync": 1, "marketingSync": 1, "pm2/marketing-sync": 1, "pm2/marketingSync": 1, "build": 2, "pm2/build": 1,
		"githubActions/build": 1, "github-actions/marketing-sync": 0, "nobody": 0, "broken": 0,
	} {
		if got := p.Find(name); len(got) != want {
			t.Errorf("%s means %d pipelines, want %d", name, len(got), want)
		}
	}
	if len(p.Rejected("broken")) == 0 {
		t.Error("the file of a broken pipeline is not known by its name")
	}
}

// TestLinks holds that links are followed, and a file that is reached twice is
// read once, by its first path.
func TestLinks(t *testing.T) {
	t.Parallel()
	root := write(t, "-- pipelines/pm2/b.yaml --\nname: b\nsteps: [{run: echo}]\n-- other/c.yaml --\nname: c\nsystem: pm2\nsteps: [{run: echo}]\n")
	for link, to := range map[string]string{"pipelines/pm2/a.yaml": "b.yaml", "pipelines/pm2/loop": "..", "pipelines/pm2/more": "../../other"} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	p := load(t, root, "")
	if len(p.Problems) != 0 || len(p.Pipelines) != 2 || p.Pipelines[0].File != "pipelines/pm2/a.yaml" || p.Pipelines[1].File != "pipelines/pm2/more/c.yaml" {
		t.Errorf("%+v, %+v", p.Pipelines, p.Problems)
	}
}

// TestFiles holds what is counted as checked: a folder that holds nothing shows.
func TestFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text  string
		paths []string
		want  int
	}{
		"all":                     {"-- redund.yaml --\nversion: 1\n-- pipelines/pm2/a.yaml --\nname: a\nsteps: [{run: echo}]\n", nil, 2},
		"one":                     {"-- redund.yaml --\nversion: 1\n-- pipelines/pm2/a.yaml --\nname: a\nsteps: [{run: echo}]\n", []string{"pipelines/pm2/a.yaml"}, 1},
		"a folder with nothing":   {"-- redund.yaml --\nversion: 1\n-- pipelines/pm2/a.txt --\n", []string{"pipelines"}, 0},
		"the project file":        {"-- redund.yaml --\nversion: 1\n-- pipelines/pm2/a.yaml --\nname: a\nsteps: [{run: echo}]\n", []string{"redund.yaml"}, 1},
		"the project file, wrong": {"-- redund.yaml --\nversio: 1\n-- pipelines/pm2/a.yaml --\nname: a\nsteps: [{run: echo}]\n", []string{"pipelines"}, 2},
		"the project's folder":    {"-- redund.yaml --\nversion: 1\n-- pipelines/pm2/a.yaml --\nname: a\nsteps: [{run: echo}]\n", []string{"."}, 2},
		"no project file":         {"-- pipelines/pm2/a.txt --\n", nil, 0},
	} {
		root := write(t, c.text)
		var paths []string
		for _, p := range c.paths {
			paths = append(paths, filepath.Join(root, p))
		}
		p := config.Load(t.Context(), config.Options{Dir: root, Kinds: builtin.Kinds(), Env: environ, Paths: paths})
		if p.Files != c.want {
			t.Errorf("%s: %d files, want %d; %+v", name, p.Files, c.want, p.Problems)
		}
	}
}

// TestLarge holds that what is long but right, or wrong in a large way, costs
// less than the five seconds that any input may.
func TestLarge(t *testing.T) { // not beside others: what they compute would count
	many := func(n int, step func(i int) string) string {
		var b strings.Builder
		b.WriteString(head + "steps:\n")
		for i := range n {
			b.WriteString("  - " + step(i) + "\n")
		}
		return b.String()
	}
	repeat := func(n int, line func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(line(i))
		}
		return b.String()
	}
	bomb := "x-a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := range 8 {
		bomb += fmt.Sprintf("x-%c: &%c [%s]\n", 'b'+i, 'b'+i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", 'a'+i), 9), ","))
	}
	const step = "steps: [{run: echo}]\n"
	for name, c := range map[string]struct {
		text     string
		problems int
	}{
		"chain":  {many(10000, func(i int) string { return fmt.Sprintf("{id: s%d, needs: [%s], run: echo}", i, before(i)) }), 0},
		"circle": {many(10000, func(i int) string { return fmt.Sprintf("{id: s%d, needs: [s%d], run: echo}", i, (i+1)%10000) }), 1},
		"conditions over a chain": {many(3000, func(i int) string {
			return fmt.Sprintf("{id: s%d, needs: [%s], if: steps.s0.outcome != '' || true, run: echo}", i, before(i))
		}), 1}, // the first reads itself
		"unknown needs":      {many(10000, func(i int) string { return fmt.Sprintf("{id: s%d, needs: [x%d], run: echo}", i, i) }), 50},
		"unknown steps":      {many(9000, func(i int) string { return fmt.Sprintf("{id: s%d, run: echo, if: steps.x%d.outcome}", i, i) }), 50},
		"all steps":          {many(9000, func(i int) string { return fmt.Sprintf("{id: s%d, run: echo, if: steps.*.outcome}", i) }), 0},
		"equal ids":          {many(10000, func(int) string { return "{id: a, run: echo}" }), 50},
		"scripts":            {many(9000, func(int) string { return "{run: 'echo ${{ toJSON(params) }}'}" }), 50},
		"too many steps":     {many(20001, func(int) string { return "{run: echo}" }), 1},
		"unknown keys":       {head + step + repeat(30000, func(i int) string { return fmt.Sprintf("k%d: x\n", i) }), 50},
		"equal keys":         {head + step + "env:\n" + strings.Repeat("  A: x\n", 4000), 1},
		"expressions":        {head + step + "env:\n" + repeat(2000, func(i int) string { return fmt.Sprintf("  A%d: \"${{ params.b%d }}\"\n", i, i) }), 50},
		"one long script":    {head + "steps:\n  - run: '" + strings.Repeat("${{ params.a }}", 60000) + "'\n", 50},
		"never due":          {head + step + "schedule:\n" + repeat(20000, func(i int) string { return fmt.Sprintf("  - cron: '%d %d 30 2 *'\n", i%60, i/60%24) }), 50},
		"aliases":            {head + step + bomb, 1},
		"levels":             {head + step + "x-a: " + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "\n", 1},
		"levels of a script": {head + "steps:\n  - {run: echo, if: '" + strings.Repeat("(", 500000) + "'}\n", 1},
		"100 MB":             {strings.Repeat("a: b\n", 20<<20), 1},
		"bytes":              {strings.Repeat("\x00\x01\xff\xfe", 10000), 1},
		"UTF-16":             {"\xff\xfev\x00e\x00r\x00", 1},
		"long names":         {many(4000, func(i int) string { return fmt.Sprintf("{id: %s%d, run: echo}", strings.Repeat("a", 200), i) }), 0},
	} {
		bounded(t, name, write(t, c.text), c.problems)
	}
}

// TestLargeProjects holds the same of many files that hang together.
func TestLargeProjects(t *testing.T) {
	for name, c := range map[string]struct {
		n, problems int
		file        func(i int) (name, text string)
	}{
		"a circle of pipelines": {2000, 1, func(i int) (string, string) {
			return fmt.Sprintf("pipelines/pm2/p%d.yaml", i), fmt.Sprintf("name: p%d\nsteps: [{uses: pipeline, with: {name: p%d}}]\n", i, (i+1)%2000)
		}},
		"pipelines that run nobody": {2000, 2000, func(i int) (string, string) {
			return fmt.Sprintf("pipelines/pm2/p%d.yaml", i), fmt.Sprintf("name: p%d\nsteps: [{uses: pipeline, with: {name: x%d}}]\n", i, i)
		}},
		"one name": {2000, 1999, func(i int) (string, string) {
			return fmt.Sprintf("pipelines/pm2/p%d.yaml", i), "name: p\nsteps: [{run: echo}]\n"
		}},
		"layers of actions": {61, 1, func(i int) (string, string) { // 2^30 ways through them
			if i == 60 {
				return "pipelines/pm2/p.yaml", "name: p\nsteps: [{uses: ./a0.yaml}]\n"
			}
			next := fmt.Sprintf("[{uses: ./a%d.yaml}, {uses: ./a%d.yaml}]", i/2*2+2, i/2*2+3)
			if i >= 58 {
				next = map[bool]string{true: "[{run: echo}]", false: "[{rnu: echo}]"}[i == 58]
			}
			return fmt.Sprintf("a%d.yaml", i), "kind: action\nsteps: " + next + "\n"
		}},
		"a circle of actions": {1001, 1, func(i int) (string, string) {
			if i == 1000 {
				return "pipelines/pm2/p.yaml", "name: p\nsteps: [{uses: ./a0.yaml}]\n"
			}
			return fmt.Sprintf("a%d.yaml", i), fmt.Sprintf("kind: action\nsteps: [{uses: ./a%d.yaml}]\n", (i+1)%1000)
		}},
	} {
		root := t.TempDir()
		for i := range c.n {
			n, text := c.file(i)
			file(t, filepath.Join(root, n), []byte(text))
		}
		bounded(t, name, root, c.problems)
	}
}

// bounded loads a project and holds how many problems it gives, and that it
// costs less than five seconds of this process, whatever else the machine does.
func bounded(t *testing.T, name, root string, problems int) {
	t.Helper()
	start := cpu(t)
	if p := load(t, root, ""); len(p.Problems) != problems {
		t.Errorf("%s: %d problems, want %d", name, len(p.Problems), problems)
	}
	if took := cpu(t) - start; took > 5*time.Second && !race {
		t.Errorf("%s took %s", name, took)
	}
}

// cpu is the time that this process has computed.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func before(i int) string {
	if i == 0 {
		return ""
	}
	return fmt.Sprintf("s%d", i-1)
}

// FuzzLoad holds that no pipeline, action and project file make the loader
// panic, take long, or place a problem outside of them.
func FuzzLoad(f *testing.F) {
	const act = "kind: action\ninputs: {x: {type: string}}\nsteps: [{run: echo}]\n"
	for _, r := range diag.Rules {
		f.Add(r.Bad, act, "version: 1\n")
		f.Add(r.Good, act, r.Bad)
	}
	kinds := builtin.Kinds()
	// What lies outside of the project is no business of the test.
	outside := regexp.MustCompile(`\.\.|(^|[^\w*:/])/`)
	f.Fuzz(func(t *testing.T, text, action, project string) {
		if outside.MatchString(project) {
			return
		}
		root := t.TempDir()
		file(t, filepath.Join(root, "pipelines/pm2/sync.yaml"), []byte(text))
		file(t, filepath.Join(root, "a.yaml"), []byte(action))
		file(t, filepath.Join(root, "redund.yaml"), []byte(project))
		start := time.Now()
		p := config.Load(t.Context(), config.Options{Dir: root, Kinds: kinds, Env: environ})
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
		for _, x := range p.Problems {
			lines := strings.Count(map[string]string{"pipelines/pm2/sync.yaml": text, "a.yaml": action, "redund.yaml": project}[x.File], "\n") + 1
			if x.Line < 0 || x.Line > lines || x.Column < 0 || x.Message == "" || strings.Contains(x.Message, "\n") {
				t.Errorf("%+v in %d lines", x, lines)
			}
			if _, ok := diag.RuleByID(x.Rule); !ok {
				t.Errorf("the rule %q is in no table", x.Rule)
			}
		}
	})
}

// TestPatterns holds that a pattern means files of YAML below it, wherever the
// project lies.
func TestPatterns(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "[x] {y}*")
	one := "version: 1\nname: %s\nsystem: pm2\nsteps: [{run: echo}]\n"
	for name, text := range map[string]string{
		"redund.yaml": "pipelines: ['pipelines/**', 'more/*.yaml']\n", "pipelines/README.md": "# not one\n",
		"pipelines/pm2/a.yaml": fmt.Sprintf(one, "a"), "pipelines/.hidden/b.yaml": fmt.Sprintf(one, "b"), "more/c.yaml": fmt.Sprintf(one, "c"),
	} {
		file(t, filepath.Join(root, name), []byte(text))
	}
	p := load(t, root, "")
	var ids []string
	for _, x := range p.Pipelines {
		ids = append(ids, x.ID())
	}
	if len(p.Problems) > 0 || strings.Join(ids, " ") != "pm2/a pm2/c" {
		t.Errorf("%v, %v", ids, p.Problems)
	}
}

// TestServicesOfTheProject holds that a service which is told of what happens is
// checked where it is written: nobody would hear that nobody hears.
func TestServicesOfTheProject(t *testing.T) {
	for services, want := range map[string]int{
		`"generic+https://example.com/hook", "${{ secrets.HOOK }}", ""`: 0, `"slak://x"`: 1, `"nonsense", "https://example.com/hook"`: 2,
	} {
		root := write(t, "version: 1\nname: a\nsteps: [{run: echo}]\n")
		file(t, filepath.Join(root, "redund.yaml"), []byte("version: 1\nnotify: {services: ["+services+"]}\n"))
		n := 0
		for _, p := range load(t, root, "").Problems {
			if p.Rule == "notify-service" && p.File == "redund.yaml" && p.Line == 2 {
				n++
			}
		}
		if n != want {
			t.Errorf("%s: %d problems, want %d", services, n, want)
		}
	}
}
