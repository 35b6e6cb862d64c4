package literal_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/literal"
)

// TestScript: what is known of a script without running it.
func TestScript(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"module.exports = 1 + 2 * 3 - 4 / 2":                                                                                                         "5",
		"exports.a = `x${1}y${'z'}`; exports['b'] = [...[1, 2], 3].length":                                                                           `{"a":"x1yz","b":3,}`,
		"export default { a: !0, b: -1, c: +'2', d: void 0, e: null ?? 1, f: 0 || 'x', g: 1 && 2 }":                                                  `{"a":true,"b":-1,"c":2,"e":1,"f":"x","g":2,}`,
		"const f = ({ a, b: c = 2 } = {}, ...d) => [a, c, d]; module.exports = f({ a: 1 }, 3, 4)":                                                    `[1,2,[3,4,],]`,
		"function f(x = 5) { if (x > 4) { return 'big' } else return 'small' } exports.x = f(); exports.y = f(1)":                                    `{"x":"big","y":"small",}`,
		"module.exports = { ...{ a: 1, b: 2 }, b: 3, ['c' + 1]: 4, 'd-e': 5, 6: 7 }":                                                                 `{"6":7,"a":1,"b":3,"c1":4,"d-e":5,}`,
		"module.exports = process.env.A || 'b'":                                                                                                      `$A"b"`,
		"module.exports = process.env.A":                                                                                                             `$A""`,
		"const { A = 'x' } = process.env; module.exports = 'p' + process.env['B'] + `q`":                                                             `$"p"$B""$"q"`,
		"module.exports = process.env.A === 'x' ? 1 : 2 // A":                                                                                        `2`,
		"module.exports = unknown() ? 1 : 1":                                                                                                         `1`,
		"module.exports = { a: unknown(), b: [1, new X(2)], c: /re/ }":                                                                               "{\"a\":`unknown()`,\"b\":[1,`new X(2)`,],\"c\":`/re/`,}",
		"module.exports = ['a', 'b'].filter(Boolean).map((x, i) => x + i).concat(['c']).join('-')":                                                   `"a0-b1-c"`,
		"module.exports = Object.entries({ a: 1 }).map(([k]) => k)":                                                                                  "[`k`,]",
		"module.exports = Object.assign({}, { a: 1 }, { b: Object.keys({ c: 1 }) })":                                                                 `{"a":1,"b":["c",],}`,
		"import { join } from 'path'; export default join(import.meta.dirname, '..', 'x', './y')":                                                    `"/srv/x/y"`,
		"const p = require('path'); module.exports = [p.resolve('a'), p.basename('/x/y.js', '.js'), p.extname('a.b'), __dirname + '/c', __filename]": `["/srv/app/a","y",".b","/srv/app/c","/srv/app/e.js",]`,
		"module.exports = require('./data.json').name":                                                                                               `"of a file"`,
		"module.exports = require('./other.json')":                                                                                                   "`require('./other.json')`",
		"let x = 1; x += 2; const o = {}; o.p = o.q = x; module.exports = o":                                                                         `{"p":3,"q":3,}`,
		"var a = 1\nvar b = 2\n;[a, b].forEach((x) => x)\nlabel: for (;;) { break label }\ndo { a } while (0)\ntry { x } catch { y } finally { z }\nclass C extends D { static #e = 1 }\nswitch (a) { case 1: break }\nmodule.exports = a": `1`,
		"module.exports = async () => { await x; return { a: 'abc'.toUpperCase().replace('B', '-').split('-') } }":                                                                                                                         `{"a":["A","C",],}`,
		"exports.default = { a: 1 }": `{"a":1,}`,
		"export const apps = [1]\nexport { apps as default }\nexport * from './x'":                    `{"apps":[1,],}`,
		"module.exports = 'a' / 2; /[/]/.test(x); a = b / c / d":                                      "`'a' / 2`",
		"module.exports = { a: 0x10, b: 1_000, c: 1e3, d: .5, e: 10n, f: '\\x41\\u{42}\\u0043\\\n' }": `{"a":16,"b":1000,"c":1000,"d":0.5,"e":10,"f":"ABC",}`,
	} {
		r, err := literal.Script(src, literal.Options{Dir: "/srv/app", File: "/srv/app/e.js", Data: func(name string) ([]byte, error) {
			if name == "./data.json" {
				return []byte(`{"name": "of a file"}`), nil
			}
			return nil, fmt.Errorf("no %s", name)
		}})
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got := r.Value.Canonical(); got != want {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
	}
}

// TestPlaces: values know where they stand, and so do what is assumed and what is
// not read.
func TestPlaces(t *testing.T) {
	t.Parallel()
	r, err := literal.Script("// a\nif (process.env.CI) x()\nfor (;;) {}\nif (y()) z()\nmodule.exports = {\n  apps: [\n    { name: `a\n` },\n    'é', {}]\n}", literal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	list := r.Value.Get("apps").Items
	got := fmt.Sprint(r.Assumed, r.Unread, list[0].Line, list[0].Column, list[0].Field("name").Column, list[1].Line, list[2].Line)
	if want := "[CI] [3 4] 7 5 7 9 9"; got != want {
		t.Errorf("places %s, want %s", got, want)
	}
	for src, want := range map[string]string{
		"a\n  = {": "2:", "x = 'a\n'": "1:", "\n\n/* ": "3:", "x = [\n1 2]": "2:3", "x = `${": "1:", "return }": "1:8", "\x01": "1:1", "x = 1 2": "1:7",
	} {
		_, err := literal.Script(src, literal.Options{})
		e := new(literal.Error)
		if !errors.As(err, &e) || !strings.HasPrefix(fmt.Sprintf("%d:%d", e.Line, e.Column), want) {
			t.Errorf("%q: %v, want its place at %s", src, err, want)
		}
	}
}
