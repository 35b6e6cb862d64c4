package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// The sizes of a large repository, and what `coverage` and `import` may take on
// it.
const (
	manyWorkflows, manyFunctions = 1500, 750
	longest                      = 5.0       // seconds
	largest                      = 300 << 20 // bytes
)

// coverage measures import, coverage and drift over a repository of many
// workflows and functions, some of them broken.
func (b *bench) coverage() error {
	if !b.wants("coverage") {
		return nil
	}
	project := filepath.Join(b.dir, "site")
	if err := site(project); err != nil {
		return err
	}
	run := func(args ...string) command {
		return command{argv: append([]string{b.redundctl, "-C", project}, args...)}
	}
	size := fmt.Sprintf("%d workflows, %d functions", manyWorkflows, manyFunctions)
	for _, s := range []struct {
		name string
		run  command
		once bool // it writes
	}{
		{"coverage, nothing imported", run("coverage", "-o", "json"), false},
		{"import of workflows", run("import", "actions", filepath.Join(project, ".github/workflows")), true},
		{"import of functions", run("import", "netlify", filepath.Join(project, "netlify/functions")), true},
		{"coverage, all imported", run("coverage", "-o", "json"), false},
		{"drift", run("drift", "-o", "json"), false},
		{"validate after it", run("validate"), false},
	} {
		times := 3
		if s.once {
			times = 1
		}
		var list []figures
		for range times {
			f, err := s.run.judge()
			if err != nil {
				return err
			}
			if f.wall == 0 || f.rss == 0 {
				return fmt.Errorf("nothing was measured of %v", s.run.argv)
			}
			list = append(list, f)
		}
		f := median(list)
		b.say("coverage: "+s.name+", wall", figure{f.wall, longest, 1, "s"})
		b.say("coverage: "+s.name+", memory", figure{f.rss / (1 << 20), largest / (1 << 20), 1, "Mi"})
	}
	written, err := filepath.Glob(filepath.Join(project, "pipelines/*/*.yaml"))
	if err != nil {
		return err
	}
	fmt.Printf("%-46s %s, %d of them as pipelines\n", "coverage: the repository", size, len(written))
	// One in thirty workflows and one in twenty-five functions are broken.
	if want := (manyWorkflows+manyFunctions)*9/10 - 1; len(written) < want {
		return fmt.Errorf("import wrote %d pipelines, not %d", len(written), want)
	}
	return nil
}

// judge is run for a command that may find something bad: that is exit code 1,
// and a crash is none.
func (c command) judge() (figures, error) {
	f, err := c.run()
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.ExitCode() == 1 && !bytes.Contains([]byte(err.Error()), []byte("goroutine ")) {
		err = nil
	}
	return f, err
}

// site writes a repository with all sorts of workflows and functions.
func site(dir string) error {
	for i := range manyWorkflows {
		if err := write(filepath.Join(dir, fmt.Sprintf(".github/workflows/job-%04d.yml", i)), workflow(i)); err != nil {
			return err
		}
	}
	var toml strings.Builder
	toml.WriteString("[build]\n  publish = \"dist\"\n[functions]\n  directory = \"netlify/functions\"\n")
	for i := range manyFunctions {
		ext, text := function(i)
		if err := write(filepath.Join(dir, fmt.Sprintf("netlify/functions/call-%04d.%s", i, ext)), text); err != nil {
			return err
		}
		if i%5 == 3 {
			fmt.Fprintf(&toml, "[functions.\"call-%04d\"]\n  schedule = \"%d * * * *\"\n", i, i%60)
		}
	}
	return write(filepath.Join(dir, "netlify.toml"), toml.String())
}

// workflow is one of them: of 60 lines or so, and one in thirty broken.
func workflow(i int) string {
	if i%30 == 7 {
		return []string{"<<<<<<< HEAD\non: push\n=======\non: {schedule: []}\n>>>>>>> x\n", "on: {schedule: [\n", "\x00\xff\xfe", "", "- a\n- list\n"}[i/30%5]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "name: Job %d\non:\n  workflow_dispatch:\n  schedule:\n    - cron: \"%d %d * * %d\"\n", i, i%60, i%24, i%7)
	if i%4 == 0 {
		b.WriteString("      timezone: Europe/Berlin\n")
	}
	if i%9 == 0 {
		fmt.Fprintf(&b, "    - cron: \"%d */6 * * *\"\n", i%60)
	}
	b.WriteString("permissions: {contents: read}\nconcurrency: {group: \"job-${{ github.ref }}\", cancel-in-progress: true}\nenv:\n  MODE: nightly\n  TOKEN: ${{ secrets.GITHUB_TOKEN }}\njobs:\n")
	for j := range 1 + i%3 {
		fmt.Fprintf(&b, "  part-%d:\n    runs-on: %s\n    timeout-minutes: 20\n", j, []string{"ubuntu-latest", "ubuntu-22.04", "macos-14"}[i%11%3])
		if j > 0 {
			fmt.Fprintf(&b, "    needs: [part-%d]\n", j-1)
		}
		if i%6 == 1 {
			b.WriteString("    strategy:\n      fail-fast: false\n      matrix:\n        node: [18, 20, 22]\n        exclude: [{node: 18}]\n")
		}
		if i%17 == 3 {
			b.WriteString("    services: {db: {image: \"postgres:16\"}}\n")
		}
		b.WriteString("    steps:\n      - uses: actions/checkout@v4\n        with: {fetch-depth: 0}\n      - uses: actions/setup-node@v4\n        with: {node-version: 20}\n")
		if i%13 == 5 {
			b.WriteString("      - uses: peter-evans/create-pull-request@v6\n        with: {title: An update}\n")
		}
		for k := range 3 + i%4 {
			fmt.Fprintf(&b, "      - name: Step %d\n        id: s%d\n        if: ${{ github.event_name == 'schedule' || always() }}\n        env: {KEY: \"${{ secrets.KEY_%d }}\"}\n        run: |\n          echo \"value=%d\" >> \"$GITHUB_OUTPUT\"\n          node scripts/job-%d.js --part %d\n", k, k, i%50, k, i, j)
		}
	}
	return b.String()
}

// function is one of them, and its ending; one in twenty-five is broken.
func function(i int) (ext, text string) {
	body := "let part;\n" + strings.Repeat("  part = await fetch(`https://example.com/${process.env.API_KEY}`);\n  if (!part.ok) console.log('not yet', part.status);\n", 1+i%3)
	switch {
	case i%25 == 9:
		return "js", []string{"exports.handler = async () => {\n", "<<<<<<< HEAD\nexports.handler = 1\n=======\n", "\x00\x01", "}}}}", "exports.handler = async () => ({ statusCode: 200 });;)\n"}[i/25%5]
	case i%5 == 0:
		return "js", fmt.Sprintf("const { execSync } = require('child_process');\nexports.config = { schedule: '%d * * * *' };\nexports.handler = async (event, context) => {\n  %s\n  return { statusCode: 200, body: 'ok' };\n};\n", i%60, body)
	case i%5 == 1:
		return "mjs", fmt.Sprintf("export default async (req, context) => {\n  %s\n  return new Response('ok');\n};\nexport const config = { schedule: '*/%d * * * *' };\n", body, 5+i%20)
	case i%5 == 2:
		return "ts", fmt.Sprintf("import { schedule } from '@netlify/functions';\ninterface Answer { statusCode: number }\nexport const handler = schedule('%d 3 * * *', async (event): Promise<Answer> => {\n  %s\n  return { statusCode: 200 };\n});\n", i%60, body)
	case i%5 == 3:
		return "js", fmt.Sprintf("exports.handler = async () => {\n  %s\n  return { statusCode: 200 };\n};\n", body)
	}
	return "mts", fmt.Sprintf("import type { Config, Context } from '@netlify/functions';\nexport default async (req: Request, context: Context): Promise<Response> => {\n  %s\n  return Response.json({ at: Date.now() });\n};\nexport const config: Config = { schedule: '@daily' };\n", body)
}
