// Package site makes a repository with all sorts of workflows and functions, some
// of them broken, for what is measured over a large one.
package site

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Make writes a repository with as many workflows and functions into dir.
func Make(dir string, workflows, functions int) error {
	for i := range workflows {
		if err := write(filepath.Join(dir, fmt.Sprintf(".github/workflows/job-%04d.yml", i)), workflow(i)); err != nil {
			return err
		}
	}
	var toml strings.Builder
	toml.WriteString("[build]\n  publish = \"dist\"\n[functions]\n  directory = \"netlify/functions\"\n")
	for i := range functions {
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

// write writes a file, and the folders above it.
func write(file, text string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644)
}
