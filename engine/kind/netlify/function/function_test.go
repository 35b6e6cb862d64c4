package function_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/kind/netlify/function"
)

// said writes what matters of a source in one line.
func said(s function.Source) string {
	out := []string{s.Contract}
	for _, x := range s.Schedules {
		fires := ""
		if !x.Fires {
			fires = " never"
		}
		out = append(out, fmt.Sprintf("%s=%q@%d:%d%s", x.Name, x.Cron, x.Line, x.Column, fires))
	}
	for _, l := range []struct {
		name string
		list []function.Mark
	}{{"env", s.Variables}, {"pkg", s.Packages}, {"run", s.Scripts}, {"use", s.Uses}} {
		for _, m := range l.list {
			out = append(out, fmt.Sprintf("%s:%s@%d", l.name, m.Name, m.Line))
		}
	}
	return strings.Join(out, " ")
}

// TestRead reads functions of every form, and what only looks like a schedule.
func TestRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, text, want string }{
		"v2":                {"f.mjs", "export default async () => {}\nexport const config = {\n  schedule: '@hourly',\n}", `v2 config.schedule="@hourly"@3:13`},
		"v2 typed":          {"f.mts", "import type { Config } from '@netlify/functions'\nexport default async (r: Request) => {}\nexport const config: Config = { schedule: \"0 3 * * *\" } satisfies Config", `v2 config.schedule="0 3 * * *"@3:43`},
		"v2 by a constant":  {"f.mjs", "const when = `5 * * * *`;\nconst config = { schedule: when };\nexport default () => {};\nexport { config };", `v2 config.schedule="5 * * * *"@2:28`},
		"v2 shorthand":      {"f.mjs", "const schedule = '@daily'; export const config = { path: '/x', schedule }; export default () => {}", `v2 config.schedule="@daily"@1:64 use:config.path@1`},
		"v2 computed":       {"f.mjs", "export const config = { schedule: '*/' + n + ' * * * *' }; export default () => {}", `v2 config.schedule=""@1:35`},
		"v2 object":         {"f.mjs", "export default { async fetch() {} }; export const config = { schedule: '@weekly' }", `v2 config.schedule="@weekly"@1:72`},
		"wrapper":           {"f.js", "const { schedule } = require('@netlify/functions')\nmodule.exports.handler = schedule('@daily', async () => {})", `v1 schedule()="@daily"@2:35 pkg:@netlify/functions@1`},
		"wrapper by name":   {"f.ts", "import { schedule as cron } from '@netlify/functions'\nconst work = async () => ({ statusCode: 200 })\nexport const handler = cron('@monthly', work)", `v1 schedule()="@monthly"@3:29 pkg:@netlify/functions@1`},
		"wrapper within":    {"f.js", "const n = require('@netlify/functions')\nexports.handler = n.schedule('@yearly', () => {})", `v1 schedule()="@yearly"@2:30 pkg:@netlify/functions@1`},
		"wrapper, constant": {"f.js", "const { schedule: s } = require('@netlify/functions')\nconst AT = '1 2 * * *'\nexports.handler = s(AT, () => {})", `v1 schedule()="1 2 * * *"@3:21 pkg:@netlify/functions@1`},
		"own schedule":      {"f.js", "function schedule(a, f) { return f }\nexports.handler = schedule('@daily', () => {})", `v1`},
		"beside v1":         {"f.js", "exports.handler = async () => ({ statusCode: 200 })\nexports.config = { schedule: '0 */6 * * *' }", `v1 exports.config.schedule="0 */6 * * *"@2:30 never`},
		"beside v1, ts":     {"f.ts", "export const config = { schedule: '@hourly' }\nexport async function handler(e: any) { return { statusCode: 200 } }", `v1 config.schedule="@hourly"@1:35 never`},
		"beside v1, all":    {"f.js", "const handler = async () => {}\nmodule.exports = { handler, config: { schedule: '@daily' } }", `v1 exports.config.schedule="@daily"@2:49 never`},
		"comment":           {"f.mjs", "// export const config = { schedule: '@hourly' }\n/* schedule('@daily') */\nexport default () => {}", `v2`},
		"text":              {"f.mjs", "export default () => new Response(`export const config = { schedule: '@hourly' }`)", `v2`},
		"expression":        {"f.mjs", "export default () => /config = {schedule: '@hourly'}/.test('') / 2", `v2`},
		"inner config":      {"f.mjs", "export default () => { const config = { schedule: '@hourly' }; return config }", `v2`},
		"deeper":            {"f.mjs", "export const config = { more: { schedule: '@hourly' } }; export default () => {}", `v2 use:config.more@1`},
		"other's":           {"f.js", "const lib = {}; lib.exports = {}; lib.exports.config = { schedule: '@daily' }; exports.handler = () => {}", `v1`},
		"from elsewhere":    {"f.mjs", "export { handler } from './real.mjs'", `v1`},
		"nothing":           {"f.js", "console.log(1)", ``},
		"environment":       {"f.js", "const { A, B: b, C = 'x' } = process.env\nexports.handler = () => [process.env.D, process.env['E'], process.env?.F]\nprocess.env.G = '1'; // process.env.H\nconst t = 'process.env.I'", `v1 env:A@1 env:B@1 env:C@1 env:D@2 env:E@2 env:F@2`},
		"Netlify":           {"f.mjs", "export default (r, context) => { Netlify.env.get('KEY'); context.waitUntil(1); return context.geo }", `v2 env:KEY@1 use:Netlify.env@1 use:context.waitUntil@1 use:context.geo@1`},
		"children":          {"f.js", "const { execSync } = require('child_process')\nexports.handler = () => { execSync('node automation/x.cjs --all'); spawn('node', ['./y.js']); execSync(`node ${p}/z.js`) }", `v1 pkg:child_process@1 run:automation/x.cjs@2 run:y.js@2`},
		"packages":          {"f.mjs", "import a from '@scope/pkg/deep'; import 'left-pad/x'; import fs from 'node:fs'; import b from './b.js'\nexport default () => import('late')", `v2 pkg:@scope/pkg@1 pkg:left-pad@1 pkg:late@2`},
		"non-ascii":         {"f.mjs", "const s = 'äöü€😀'; export const config = { schedule: '@hourly' }; export default () => s", `v2 config.schedule="@hourly"@1:55`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := function.Read(c.file, []byte(c.text))
			if got := said(s); err != nil || strings.TrimSpace(got) != c.want {
				t.Errorf("%s\nwant %s, %v", got, c.want, err)
			}
		})
	}
}

// TestBroken names the place.
func TestBroken(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"exports.handler = async ( => {}":                                  `a/f.js:1:27: `,
		"x = 1\n<<<<<<< HEAD\ny\n=======\nz\n>>>>>>> main\n":               "f.js:2: a merge conflict was left in it",
		"\n" + strings.Repeat("(", 10000):                                  "f.js:2: it is nested too deeply",
		strings.Repeat("a,", 60000) + "b":                                  "f.js:1: it is nested too deeply",
		strings.Repeat("if(a)b;else ", 6000) + "b":                         "f.js:1: it is nested too deeply",
		"\n\n" + strings.Repeat("!", 30000):                                "f.js:3: it is nested too deeply",
		strings.Repeat(" ", function.Limit+1):                              "too large for the source of a function: 524289 bytes",
		"exports.handler = () => {\n  return { statusCode: 200; body: 1 }": "f.js:2:27: ",
	} {
		_, err := function.Read("a/f.js", []byte(text))
		if err == nil || !strings.Contains("a/"+err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

// TestHash is the same whatever does not change the work.
func TestHash(t *testing.T) {
	t.Parallel()
	hash := func(text string) string {
		s, err := function.Read("f.mts", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return s.Hash
	}
	base := hash("export default async () => { work(1) }\nexport const config = { schedule: '@hourly' }")
	if same := hash("// what it does\nexport default async (): Promise<void> => {\n  work(1);\n};\nexport const config = { schedule: \"@daily\" };"); same != base {
		t.Error("comments, types, spaces or the schedule changed it")
	}
	if other := hash("export default async () => { work(2) }\nexport const config = { schedule: '@hourly' }"); other == base {
		t.Error("other work has the same hash")
	}
}

// FuzzRead reads anything: an answer or an error in one line.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"export const config = { schedule: '@hourly' }; export default () => {}", "exports.handler = schedule('", "const { A } = process.env", "`${`${x}`}`",
		"export { a as 'b' }", "module.exports = { handler, config: {", "<<<<<<< HEAD", "a = b / c / d", "x = /[/]/", "\x00\xff", "import {schedule as", "const {schedule} = require('@netlify/functions')", "enum A { B }", "<a>{b}</a>",
	} {
		for i := range len(function.Extensions()) {
			f.Add(s, uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, text string, ext uint8) {
		list := function.Extensions()
		s, err := function.Read("f"+list[int(ext)%len(list)], []byte(text))
		if err != nil && (strings.Contains(err.Error(), "\n") || err.Error() == "") {
			t.Errorf("%q", err)
		}
		for _, x := range s.Schedules {
			if x.Line < 0 || x.Line > strings.Count(text, "\n")+strings.Count(text, "\r")+strings.Count(text, "\u2028")+strings.Count(text, "\u2029")+1 {
				t.Errorf("line %d", x.Line)
			}
		}
	})
}
