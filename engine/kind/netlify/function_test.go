package netlify_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/kindtest"
	"github.com/redundctl/redundctl/engine/kind/netlify"
	"github.com/redundctl/redundctl/engine/kind/web"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// written is a log that may be read while it is written.
type written struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

type site struct {
	root string
	log  *written
	s    *pipeline.Scope
	deps kind.Deps
}

func newSite(t *testing.T, files map[string]string) *site {
	t.Helper()
	p := kindtest.Spawner(t)
	x := &site{root: t.TempDir(), log: &written{}, deps: kind.Deps{Proc: p, HTTP: http.DefaultClient}}
	for name, text := range files {
		file := filepath.Join(x.root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	x.s = &pipeline.Scope{
		Root: x.root, Dir: x.root, Temp: t.TempDir(), Out: x.log, Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + x.root},
		Mask:   func(s string) string { return s },
		Inside: func(p string) (string, error) { return filepath.Join(x.root, p), nil },
	}
	return x
}

func (x *site) action(t *testing.T, with map[string]any) pipeline.Action {
	t.Helper()
	full := map[string]any{"event": "http", "method": "GET"}
	maps.Copy(full, with)
	a, err := netlify.Kind(web.Kind()).Build(full, x.deps)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

const typed = `import { word } from './word'; enum Way { Up = 'up' }
export const handler = async (e: { httpMethod: string }) => ({ statusCode: 200, body: word + Way.Up + require('./data.json').x + e.httpMethod });`

// TestFunctions calls a function of every contract, and with every fault, in
// node.
func TestFunctions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, text string
		with       map[string]any
		status     int
		body       string // what it holds
		wrong      string // what the error holds; "": none
		logged     string
	}{
		"v1":               {"f.js", `exports.handler = async (e) => ({statusCode: 200, body: __dirname.length > 1 ? e.path : ''})`, nil, 200, "/.netlify/functions/f", "", ""},
		"callback":         {"f.js", `exports.handler = (e, c, cb) => setTimeout(() => cb(null, {statusCode: 201, body: c.functionName}), 5)`, nil, 201, "f", "", ""},
		"callback error":   {"f.js", `exports.handler = (e, c, cb) => cb(new Error('no luck'))`, nil, 0, "", "failed: Error: no luck (f.js:1)", ""},
		"base64":           {"f.mjs", `export const handler = async () => ({statusCode: 200, body: 'aGk=', isBase64Encoded: true})`, nil, 200, "hi", "", ""},
		"v2":               {"f.mjs", `export default async (r, c) => Response.json({q: new URL(r.url).searchParams.get('a'), e: Netlify.env.get('K')})`, map[string]any{"query": map[string]any{"a": 1}, "env": map[string]any{"K": "v"}}, 200, `{"q":"1","e":"v"}`, "", ""},
		"fetch":            {"f.mjs", `export default { fetch: async () => new Response('obj') }`, nil, 200, "obj", "", ""},
		"v2 undefined":     {"f.mjs", `export default async () => {}`, nil, 204, "", "", ""},
		"wait until":       {"f.mjs", `export default async (r, c) => { c.waitUntil(new Promise((ok) => setTimeout(() => { console.log('after'); ok() }, 20))); return new Response('x') }`, nil, 200, "x", "", "after"},
		"esm in .js":       {"f.js", `export default async () => new Response('esm')`, nil, 200, "esm", "", ""},
		"index":            {"name/index.js", `exports.handler = async (e, c) => ({statusCode: 200, body: c.functionName})`, nil, 200, "name", "", ""},
		"named":            {"name/name.js", `exports.handler = async (e, c) => ({statusCode: 200, body: c.functionName})`, nil, 200, "name", "", ""},
		"typescript v1":    {"f.ts", typed, nil, 200, "wordup7GET", "", ""},
		"typescript v2":    {"f.mts", `export default async (r: Request) => new Response((await r.json()).next_run); export const config = { schedule: '@hourly' }`, map[string]any{"event": "schedule"}, 200, ":00:00.000Z", "", ""},
		"schedule wrapper": {"f.js", `const { schedule } = require('@netlify/functions'); exports.handler = schedule('@daily', async (e) => ({statusCode: 200, body: e.body + e.headers['x-nf-event'] + e.httpMethod}))`, map[string]any{"event": "schedule"}, 200, "T00:00:00.000Z\"}schedulePOST", "", ""},
		"background":       {"f-background.js", `exports.handler = async () => { console.log('worked') }`, map[string]any{"event": "background"}, 202, "", "", "worked"},
		"rejects":          {"f.js", "\nexports.handler = async () => { null.kaput }", nil, 0, "", "failed: TypeError: Cannot read properties of null (reading 'kaput') (f.js:2)", ""},
		"throws in ts":     {"f.ts", "\n\nexport const handler = async () => {\n  throw new Error('kaput') }", nil, 0, "", "Error: kaput (f.ts:4)", ""},
		"late throw":       {"f.js", `exports.handler = () => new Promise(() => setTimeout(() => { throw new Error('late') }, 5))`, nil, 0, "", "nobody caught it: Error: late", ""},
		"hang":             {"f.js", `exports.handler = () => new Promise(() => setInterval(() => {}, 1000))`, map[string]any{"timeout": "600ms"}, 0, "", "f.js took longer than 600ms", ""},
		"busy":             {"f.js", `exports.handler = () => { while (true); }`, map[string]any{"timeout": "600ms"}, 0, "", "f.js took longer than 600ms", ""},
		"never answers":    {"f.js", `exports.handler = () => new Promise(() => {})`, nil, 0, "", "ended its process before it answered", ""},
		"exit":             {"f.js", `exports.handler = () => process.exit(7)`, nil, 0, "", "exit code 7: f.js ended its process", ""},
		"large body":       {"f.js", `exports.handler = async () => ({statusCode: 200, body: 'x'.repeat(8e6)})`, nil, 200, "xxxx", "", ""},
		"large log":        {"f.js", `exports.handler = async () => { for (let i = 0; i < 200000; i++) console.log('line', i); return {statusCode: 200} }`, map[string]any{"expect": map[string]any{"log-matches": "line 199999"}}, 200, "", "", "line 199999"},
		"json on stdout":   {"f.js", `exports.handler = async () => { console.log('{"status":500}'); require('child_process').execSync('echo child', {stdio: 'inherit'}); return {statusCode: 200, body: 'own'} }`, nil, 200, "own", "", "child"},
		"status 500":       {"f.js", `exports.handler = async () => ({statusCode: 500, body: '{"message":"broken"}'})`, nil, 500, "", "answered 500 Internal Server Error: broken", ""},
		"no answer":        {"f.js", `exports.handler = async () => {}`, nil, 0, "", "breaks the contract: Error: the handler returned no answer", ""},
		"none, scheduled":  {"f.js", `exports.handler = async () => {}`, map[string]any{"event": "schedule"}, 204, "", "", ""},
		"timer left":       {"f.js", `setInterval(() => {}, 1000); exports.handler = async () => ({statusCode: 200})`, nil, 200, "", "", ""},
		"syntax":           {"f.js", "\nexports.handler = async ( => {}", nil, 0, "", "f.js: f.js:2:", ""},
		"missing module":   {"f.js", `require('nowhere'); exports.handler = async () => {}`, nil, 0, "", "cannot be loaded: Error: Cannot find module 'nowhere'", ""},
		"no handler":       {"f.js", `exports.other = 1`, nil, 0, "", "neither a handler nor a default export", ""},
		"expect body":      {"f.js", `exports.handler = async () => ({statusCode: 200, body: '{"ok":false}'})`, map[string]any{"expect": map[string]any{"json": map[string]any{"ok": true}}}, 200, "", `differs from what is expected at ".ok"`, ""},
		"expect log":       {"f.js", `exports.handler = async () => ({statusCode: 200})`, map[string]any{"expect": map[string]any{"log-matches": "done"}}, 200, "", "what it logged does not match", ""},
		"expect header":    {"f.js", `exports.handler = async () => ({statusCode: 200, headers: {'X-A': '1'}})`, map[string]any{"expect": map[string]any{"header": map[string]any{"X-A": "2"}}}, 200, "", `the header X-A is "1"`, ""},
		"expect status":    {"f.js", `exports.handler = async () => ({statusCode: 302, headers: {location: '/x'}})`, map[string]any{"expect": map[string]any{"status": 302}}, 302, "", "", ""},
		"esm base64 bytes": {"f.mjs", `export const handler = async () => ({statusCode: 200, body: Buffer.from([0x68, 0xff, 0x69]).toString('base64'), isBase64Encoded: true})`, nil, 200, "h\uFFFDi", "", ""},
		"many headers":     {"f.js", `exports.handler = async (e) => ({statusCode: 200, multiValueHeaders: {'X-A': ['1', '2']}, body: e.multiValueHeaders['x-q'][0] + e.multiValueQueryStringParameters.a[0] + e.rawQuery})`, map[string]any{"headers": map[string]any{"X-Q": "h"}, "query": map[string]any{"a": "v"}, "expect": map[string]any{"header": map[string]any{"X-A": "1, 2"}}}, 200, "hva=v", "", ""},
		"cookies":          {"f.mjs", `export default async (r, context) => { const h = new Headers(); h.append('set-cookie', 'a=' + context.cookies.get('in')); h.append('set-cookie', 'b=2'); return new Response('', {headers: h}) }`, map[string]any{"headers": map[string]any{"cookie": "in=1"}, "expect": map[string]any{"header": map[string]any{"Set-Cookie": "a=1, b=2"}}}, 200, "", "", ""},
		"client context":   {"f.js", `exports.handler = async (e, c) => ({statusCode: 200, body: typeof c.clientContext + (c.getRemainingTimeInMillis() > 50000) + c.awsRequestId.length})`, nil, 200, "objecttrue26", "", ""},
		"background v2":    {"f-background.mjs", `export default async (r) => { console.log('got ' + await r.text()); return new Response('x', {status: 500}) }`, map[string]any{"event": "background", "method": "POST", "body": "job"}, 202, "", "", "got job"},
		"event noise":      {"f.js", `require('fs').writeSync(3, '{"phase":"done","status":200}'); exports.handler = async () => ({statusCode: 201, body: 'real'})`, nil, 201, "real", "", ""},
		"noise alone":      {"f.js", `require('fs').writeSync(3, '{"phase":"done","status":200}'); exports.handler = async () => process.exit(0)`, nil, 0, "", "f.js ended its process before it answered, with exit code 0", ""},
		"closed":           {"f.js", `require('fs').closeSync(3); exports.handler = async () => ({statusCode: 200})`, nil, 0, "", "f.js ended its process before it answered, with exit code 0", ""},
		"exit on load":     {"f.js", `process.exit(0)`, nil, 0, "", "f.js ended its process before it answered, with exit code 0", ""},
		"killed":           {"f.js", `exports.handler = () => process.kill(process.pid, 'SIGKILL')`, nil, 0, "", "SIGKILL", ""},
		"rejects unseen":   {"f.js", `exports.handler = () => new Promise(() => { Promise.reject(new Error('unseen')); setTimeout(() => {}, 1000) })`, nil, 0, "", "nobody caught it: Error: unseen", ""},
		"wait until fails": {"f.mjs", `export default async (r, context) => { context.waitUntil(Promise.reject(new Error('later'))); return new Response('x') }`, nil, 0, "", "Error: later (f.mjs:1)", ""},
		"throws nothing":   {"f.js", `exports.handler = async () => { throw undefined }`, nil, 0, "", "failed: undefined", ""},
		"odd answer":       {"f.js", `exports.handler = async () => 'ok'`, nil, 0, "", "the answer has no statusCode", ""},
		"object body":      {"f.js", `exports.handler = async () => ({statusCode: 200, body: {a: 1}})`, nil, 0, "", "the body of the answer is not a string", ""},
		"odd v2 answer":    {"f.mjs", `export default async () => 'ok'`, nil, 0, "", "neither a Response nor undefined", ""},
		"stream":           {"f.mjs", `export default async () => new Response(new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode('one ')); setTimeout(() => { c.enqueue(new TextEncoder().encode('two')); c.close() }, 20) } }))`, nil, 200, "one two", "", ""},
		"endless stream":   {"f.mjs", `export default async () => new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1 << 16).fill(120)) } }))`, nil, 200, "xxxx", "", ""},
		"silent stream":    {"f.mjs", `setInterval(() => {}, 1000); export default async () => new Response(new ReadableStream({ pull() { return new Promise(() => {}) } }))`, map[string]any{"timeout": "2s"}, 0, "", "f.mjs took longer than 2s", ""},
		"streaming v1":     {"f.mjs", `import { Readable } from 'node:stream'; export const handler = async () => ({statusCode: 200, body: Readable.toWeb(Readable.from(['a', 'b']))})`, nil, 200, "ab", "", ""},
		"top-level await":  {"f.mjs", `const x = await Promise.resolve('waited'); export default () => new Response(x)`, nil, 200, "waited", "", ""},
		"missing in ts":    {"f.ts", `import x from 'nowhere'; export const handler = async () => ({ statusCode: x })`, nil, 0, "", "cannot be loaded: Error: Cannot find module 'nowhere'", ""},
		"missing file":     {"f.ts", `import x from './gone'; export const handler = async () => ({ statusCode: x })`, nil, 0, "", `f.ts:1:15: Could not resolve "./gone"`, ""},
		"jsx":              {"f.tsx", `const React = { createElement: (t: string) => t }; export default async () => new Response(<b/>)`, nil, 200, "b", "", ""},
		"child fails":      {"f.js", `exports.handler = async () => { require('child_process').execSync('node gone.js', {stdio: 'pipe'}); return {statusCode: 200} }`, nil, 0, "", "Error: Command failed: node gone.js", ""},
	} {
		t.Run(name, func(t *testing.T) {
			x := newSite(t, map[string]string{c.file: c.text, "word.ts": `export const word: string = 'word'`, "data.json": `{"x": 7}`})
			with := map[string]any{"file": c.file}
			maps.Copy(with, c.with)
			out, err := x.action(t, with).Run(t.Context(), x.s)
			if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), "\n")) {
				t.Fatalf("error %v; log %s", err, x.log)
			}
			if exit := new(pipeline.Exit); errors.As(err, &exit) && exit.Code == 0 && exit.Signal == "" {
				t.Errorf("%v has exit code 0, which counts as a success", err)
			}
			if c.status != 0 && out.Values["status"] != c.status || c.body != "" && !strings.Contains(out.Values["body"].(string), c.body) {
				t.Errorf("%v; log %s", out.Values, x.log)
			}
			if !strings.Contains(x.log.String(), c.logged) {
				t.Errorf("log %s", x.log)
			}
			if (name == "large body" || name == "endless stream") && !out.Truncated {
				t.Error("it is not said that the body was cut")
			}
			left, err := filepath.Glob(filepath.Join(x.root, filepath.Dir(c.file), ".redundctl-*"))
			if temp, _ := os.ReadDir(x.s.Temp); err != nil || len(left)+len(temp) > 0 {
				t.Errorf("left: %v %v %v", left, temp, err)
			}
		})
	}
}

// TestNoNode names what is missing.
func TestNoNode(t *testing.T) {
	t.Parallel()
	x := newSite(t, map[string]string{"f.js": `exports.handler = 1`})
	x.s.Env = []string{"PATH=/nowhere"}
	if _, err := x.action(t, map[string]any{"file": "f.js"}).Run(t.Context(), x.s); err == nil || !strings.Contains(err.Error(), "node 18 or newer") {
		t.Error(err)
	}
}

// TestOldNode names the version.
func TestOldNode(t *testing.T) {
	t.Parallel()
	x := newSite(t, map[string]string{"f.js": `exports.handler = async () => ({statusCode: 200})`, "old.cjs": `Object.defineProperty(process, 'versions', {value: {node: '16.20.2'}})`})
	x.s.Env = append(x.s.Env, "NODE_OPTIONS=--require="+filepath.Join(x.root, "old.cjs"))
	if _, err := x.action(t, map[string]any{"file": "f.js"}).Run(t.Context(), x.s); err == nil || !strings.Contains(err.Error(), "need node 18 or newer, and this is 16.20.2") {
		t.Error(err)
	}
}

// TestContext gives a function of the new kind what Netlify would, as far as
// there is something to give.
func TestContext(t *testing.T) {
	t.Parallel()
	x := newSite(t, map[string]string{"f.mjs": `export default async (request, context) => {
  let rewrite = 'led somewhere';
  try { await context.rewrite('/x') } catch (e) { rewrite = 'throws' }
  const { NETLIFY, CONTEXT, AWS_LAMBDA_FUNCTION_NAME } = process.env;
  return context.json([context.geo, context.ip, context.account.id, context.site.id, context.site.name, context.deploy.id, context.params, context.url.pathname,
    context.requestId.length, (await context.next()).status, rewrite, typeof context.log, NETLIFY, CONTEXT, AWS_LAMBDA_FUNCTION_NAME, request.headers.get('host')]);
}`})
	env := map[string]any{"ACCOUNT_ID": "a1", "SITE_ID": "s1", "SITE_NAME": "club", "DEPLOY_ID": "d1", "URL": "https://club.example"}
	out, err := x.action(t, map[string]any{"file": "f.mjs", "env": env}).Run(t.Context(), x.s)
	want := `[{},"127.0.0.1","a1","s1","club","d1",{},"/.netlify/functions/f",26,404,"throws","function","true","production","f","club.example"]`
	if err != nil || out.Values["body"] != want {
		t.Errorf("%v, %v", out.Values["body"], err)
	}
}

// TestRequestLimit refuses what Netlify would.
func TestRequestLimit(t *testing.T) {
	t.Parallel()
	x := newSite(t, nil)
	for event, limit := range map[string]int{"http": 6 << 20, "background": 256 << 10} {
		for _, over := range []int{0, 1} {
			with := map[string]any{"file": "f.js", "event": event, "method": "POST", "body": strings.Repeat("x", limit+over)}
			if _, err := netlify.Kind(web.Kind()).Build(with, x.deps); (err != nil) != (over == 1) {
				t.Errorf("%s, %d bytes: %v", event, limit+over, err)
			}
		}
	}
}

// TestUnwritable translates a function elsewhere where nothing can be written
// beside it: here every new name would be too long, for root too.
func TestUnwritable(t *testing.T) {
	t.Parallel()
	x := newSite(t, nil)
	const length = 4083 // of 4095: the sources' names are shorter than 12 bytes, that of a new file is longer
	dir := ""
	for room := length - len(x.root); room > 0; room = length - len(x.root) - len(dir) {
		n := min(room-1, 200)
		if room-1-n == 1 { // too little for another folder
			n--
		}
		dir += "/" + strings.Repeat("d", n)
	}
	if err := os.MkdirAll(x.root+dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"f.ts": typed, "word.ts": `export const word: string = 'word'`, "data.json": `{"x": 7}`} {
		if err := os.WriteFile(filepath.Join(x.root+dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if f, err := os.CreateTemp(x.root+dir, ".redundctl-*.cjs"); err == nil {
		f.Close()
		t.Fatal("a file could be made beside the source")
	}
	out, err := x.action(t, map[string]any{"file": dir[1:] + "/f.ts"}).Run(t.Context(), x.s)
	if err != nil || out.Values["body"] != "wordup7GET" {
		t.Errorf("%v %v, log %s", out.Values, err, x.log)
	}
}

// TestFunctionPlan says what would be called and runs nothing.
func TestFunctionPlan(t *testing.T) {
	t.Parallel()
	x := newSite(t, map[string]string{"f.js": `require('fs').writeFileSync('ran', ''); exports.handler = 1`, "g.mts": `export default async () => {}`, "bad.js": "<<<<<<< HEAD"})
	if err := syscall.Mkfifo(filepath.Join(x.s.Dir, "pipe.js"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := kindtest.Plan(t, x.action(t, map[string]any{"file": "pipe.js"}), x.s); err == nil || !strings.Contains(err.Error(), "it is no file") {
		t.Error(err)
	}
	for file, want := range map[string]string{"f.js": "contract v1", "g.mts": "contract v2"} {
		effects, err := kindtest.Plan(t, x.action(t, map[string]any{"file": file, "event": "schedule"}), x.s)
		if err != nil || len(effects) != 4 || string(effects[1]) != want || effects[3] != "time limit 30s" {
			t.Errorf("%s: %v %v", file, effects, err)
		}
	}
	if _, err := kindtest.Plan(t, x.action(t, map[string]any{"file": "bad.js"}), x.s); err == nil || !strings.Contains(err.Error(), "bad.js:1: a merge conflict") {
		t.Error(err)
	}
}

// TestD14Check finds what a function lacks before anything is scheduled: of the
// original's schedules most led to scripts that were not there.
func TestD14Check(t *testing.T) {
	t.Parallel()
	x := newSite(t, map[string]string{
		"good.js":          "require('fs'); require('left-pad/x'); require('@netlify/functions'); require('child_process').execSync('node automation/x.cjs'); exports.handler = 1",
		"automation/x.cjs": "", "node_modules/left-pad/index.js": "",
		"bad.js":           "exports.handler = async ( => {}",
		"child.js":         "const { spawnSync } = require('child_process');\nexports.handler = () => spawnSync('node', ['automation/gone.cjs'])",
		"package.mjs":      "import x from '@scope/gone/deep'; export default () => x",
		"netlify/deep.cjs": "const path = require('path'); const { execFileSync } = require('node:child_process'); exports.handler = () => execFileSync('node', [path.join(__dirname, '../automation/x.cjs')])",
	})
	k := netlify.Kind(web.Kind())
	for file, want := range map[string]string{
		"good.js": "", "netlify/deep.cjs": "", "none.js": "missing-script there is no function none.js",
		"bad.js":      `broken-function bad.js:1:27: Unexpected "=>"`,
		"child.js":    "missing-script child.js starts automation/gone.cjs at line 2, which is not there",
		"package.mjs": "missing-script package.mjs loads the package @scope/gone at line 1, which is not installed",
	} {
		got := ""
		for _, f := range k.Check(map[string]any{"file": file}, kind.Place{Root: x.root, Dir: x.root}) {
			got += f.Rule + " " + f.Message
			if f.Severity != diag.Warning {
				t.Errorf("%s stops a load", f.Message)
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
}

// TestD13Status: an answer of 200 whose work has failed is a failure where the
// pipeline says what a good one holds, and what is thrown tells no secret.
func TestD13Status(t *testing.T) {
	t.Parallel()
	x := newSite(t, map[string]string{
		"post.js": "exports.handler = async () => { console.log('posted to 0 of 3'); return { statusCode: 200, body: JSON.stringify({ ok: false }) } }",
		"leak.js": "exports.handler = async () => { throw new Error('401 for token ' + process.env.TOKEN) }",
	})
	for name, expect := range map[string]map[string]any{
		"json": {"json": map[string]any{"ok": true}}, "body": {"body-matches": `"ok":true`}, "log": {"log-matches": "posted to [1-9]"},
	} {
		if _, err := x.action(t, map[string]any{"file": "post.js", "expect": expect}).Run(t.Context(), x.s); err == nil {
			t.Errorf("%s: a post that reached nobody is a success", name)
		}
	}
	if _, err := x.action(t, map[string]any{"file": "post.js"}).Run(t.Context(), x.s); err != nil {
		t.Error(err)
	}
	x.s.Mask = func(s string) string { return strings.ReplaceAll(s, "hunter2hunter2", "***") }
	_, err := x.action(t, map[string]any{"file": "leak.js", "env": map[string]any{"TOKEN": "hunter2hunter2"}}).Run(t.Context(), x.s)
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "401 for token ***") {
		t.Error(err)
	}
}

// TestDeployed calls a function by its address.
func TestDeployed(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.Method + r.URL.Query().Get("a")))
	}))
	t.Cleanup(s.Close)
	x := newSite(t, nil)
	a := x.action(t, map[string]any{"url": s.URL, "query": map[string]any{"a": 1}, "expect": map[string]any{"body-matches": "GET1"}})
	out, err := a.Run(context.Background(), x.s)
	if _, more := out.Values["json"]; err != nil || out.Values["body"] != "GET1" || more {
		t.Error(out, err)
	}
	if _, err := netlify.Kind(web.Kind()).Build(map[string]any{"url": s.URL, "event": "schedule"}, x.deps); err == nil {
		t.Error("a scheduled function was called by its address")
	}
}
