package discover_test

import (
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/discover"
	"github.com/redundctl/redundctl/engine/discover/cover"
	"github.com/redundctl/redundctl/engine/kind"
)

// files are where a text may stand that somebody else's system reads.
func sources() []string {
	return []string{".github/workflows/a.yml", "ecosystem.config.cjs", "ecosystem.config.json", "ecosystem.config.yaml", "netlify.toml",
		"netlify/functions/a.js", "netlify/functions/b.mjs", "netlify/functions/c.ts", "action.yml", "package.json"}
}

// FuzzFind holds that any text, as whatever file, gives a report with its place,
// never a crash, and that no code of it is run: there is nothing to run it with.
// What a pipeline is made of is valid at once.
func FuzzFind(f *testing.F) {
	for _, s := range []string{
		"", "\x00\xff", "<<<<<<< HEAD\na: 1\n=======\nb: 1\n>>>>>>> x\n", "{", "[[[[", "a: &a [*a]\n",
		"on: {schedule: [{cron: '0 6 * * *', timezone: Europe/Berlin}]}\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: echo ${{ secrets.A }}}]}}\n",
		"on: {schedule: [{cron: '61 * * * *'}]}\njobs: {a: {runs-on: x, services: {d: {image: y}}, strategy: {matrix: {b: [1, 2]}}, steps: [{uses: a/b@v1}]}}\n",
		"module.exports = {apps: [{name: 'a', script: 'a.js', cron_restart: '0 * * * *', autorestart: false}]}\n",
		`{"apps": [{"name": "a", "script": "a.js", "instances": "max", "env": {"A": "b"}}]}`,
		"apps:\n  - {name: a, script: a.sh, cron_restart: '*/5 * * * *'}\n",
		"[functions]\ndirectory = 'netlify/functions'\n[functions.a]\nschedule = '@hourly'\n",
		"exports.handler = async () => ({statusCode: 200}); exports.config = {schedule: '0 * * * *'}\n",
		"export default async () => new Response('x'); export const config = {schedule: '@daily'}\n",
		"import {schedule} from '@netlify/functions'; export const handler = schedule('*/5 * * * *', async () => ({statusCode: 200}))\n",
		"require('fs').writeFileSync('ran', ''); while (true) {}\n",
	} {
		for i := range sources() {
			f.Add(i, s)
		}
	}
	dir := f.TempDir()
	kinds := builtin.Kinds()
	f.Fuzz(func(t *testing.T, which int, text string) {
		if len(text) > 1<<16 {
			return
		}
		at := sources()[(which%len(sources())+len(sources()))%len(sources())]
		own := filepath.Join(dir, strings.NewReplacer("/", "-", ".", "-").Replace(at))
		write(t, own, at, text)
		found, err := discover.Find(t.Context(), kinds.Finders, kind.Search{Root: own})
		if err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		for _, x := range found {
			if x.Source == "" || path.IsAbs(x.Source) || strings.Contains(x.Broken+x.Note+x.Disabled, "\n") {
				t.Errorf("%s: a primary at %q: %q %q %q", at, x.Source, x.Broken, x.Note, x.Disabled)
			}
		}
		p := load(t, own)
		plan := discover.Make(p, found)
		for _, l := range plan.Left {
			if l.Ours {
				t.Errorf("%s: %s: %s", at, l.Primary.Primary, l.Reason)
			}
		}
		r := cover.Of(cover.Facts{Project: p, Found: found, Secrets: p.Secrets(func(string) (string, bool) { return "", false })})
		if len(r.Primaries) != len(found) || len(found) > 0 && r.Percent != 0 {
			t.Errorf("%s: %d of %d are reported, %v percent", at, len(r.Primaries), len(found), r.Percent)
		}
	})
}
