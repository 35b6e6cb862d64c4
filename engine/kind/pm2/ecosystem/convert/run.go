package convert

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/literal"
)

// place finds where it runs: PM2 takes the folder that it is called in, which is
// that of the file.
func (a *app) place() {
	base := filepath.Join(a.Root, filepath.FromSlash(filepath.Dir(a.File)))
	a.dir = base
	switch v := a.get("cwd"); {
	case v == nil:
	case v.Kind != literal.String || v.Text == "":
		a.say("cwd", kind.Unsupported, "it takes running the file to know it: it runs where the file lies")
	default:
		a.dir = v.Text
		if !filepath.IsAbs(a.dir) {
			a.dir = filepath.Join(base, a.dir)
		}
		if a.dir = filepath.Clean(a.dir); base != a.Root && !filepath.IsAbs(v.Text) {
			a.say("cwd", kind.Approximated, "from the folder of the file on; PM2 takes the folder that it is called in")
		} else {
			a.exact("cwd")
		}
	}
}

// inside is a path of the project as its files write it: relative to the root.
func (a *app) inside(path string) string {
	if rel, err := filepath.Rel(a.Root, path); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
		return filepath.ToSlash(rel)
	}
	return path
}

// command makes the argv.
func (a *app) command() {
	script := a.get("script")
	switch {
	case !truthy(script):
		a.out.Broken = "the application has no script, and PM2 does not start it"
		return
	case script.Kind != literal.String || script.Parts != nil && script.Text == "":
		a.say("script", kind.Unsupported, "it takes running the file to know it")
		a.say("args", kind.Unsupported, "it takes running the file to know the script")
		a.disable("it takes running %s to know the script", a.File)
		a.argv = []any{"false"}
		return
	}
	if strings.Contains(script.Text, " ") {
		text := a.covered(script.Text, func(name string) string {
			a.secret(name)
			a.set(name, "${{ secrets."+name+" }}", "")
			return "${" + name + "}"
		})
		a.argv = []any{"bash", "-c", plain(text)}
		if text != script.Text {
			a.say("script", kind.Approximated, "what it takes from the environment is not copied, but taken from secrets")
		} else {
			a.say("script", kind.Exact, "")
		}
		a.say("args", kind.Exact, "") // PM2 drops them too
		if a.get("exec_interpreter") != nil {
			a.say("exec_interpreter", kind.Unsupported, "the script is a command with spaces, which bash runs")
		}
		a.say("node_args", kind.Exact, "")
		return
	}
	if script.Text == "serve" {
		a.disable("the script is the file server of PM2 itself")
		a.say("script", kind.Unsupported, "the file server of PM2 itself: take another one")
	} else {
		a.exact("script")
	}
	file, found := a.file(script.Text)
	a.interpreter(script.Text, file, found)
	a.arguments()
}

// file is the script as our argv has it, and whether it is in the project.
func (a *app) file(script string) (string, bool) {
	path := script
	if !filepath.IsAbs(path) {
		path = filepath.Join(a.dir, path)
	}
	if _, ok := a.Host.Data(path); ok || strings.Contains(script, "/") || filepath.Ext(script) != "" {
		if rel, err := filepath.Rel(a.dir, path); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") && a.inside(path) != path {
			return rel, true
		}
		return script, true
	}
	return script, false // a program of PATH
}

// interpreter says what runs the script: PM2 goes by the ending of its name, and
// takes node for a text without one, whatever its first line says.
func (a *app) interpreter(script, file string, found bool) {
	given := a.get("exec_interpreter")
	name, options := "", a.words("node_args")
	support, note := kind.Exact, ""
	switch {
	case truthy(given) && given.Kind == literal.String:
		if name = given.Text; strings.Contains(name, "node@") {
			support, note = kind.Approximated, "the node of PATH: no version is installed"
			name = "node"
		}
		if name == "lsc" || name == "coffee" {
			support, note = kind.Approximated, "that of PATH: PM2 takes its own"
		}
	case truthy(given):
		support, note = kind.Unsupported, "it takes running the file to know it"
		a.disable("it takes running %s to know the interpreter", a.File)
	case !found:
		name = "none" // a program of PATH says itself what runs it
	default:
		name = a.byEnding(script)
	}
	a.say("exec_interpreter", support, note)
	base := filepath.Base(name)
	a.node = strings.HasSuffix(base, "node") || strings.HasSuffix(base, "bun")
	if strings.Contains(name, "python") {
		a.set("PYTHONUNBUFFERED", "1", "")
	}
	if name == "none" {
		if found && !strings.Contains(file, "/") {
			file = "./" + file
		}
		a.argv = []any{plain(file)}
		a.exact("node_args") // PM2 leaves them out too
		return
	}
	a.argv = append([]any{plain(name)}, options...)
	a.exact("node_args")
	a.stub()
	a.argv = append(a.argv, plain(file))
}

func (a *app) byEnding(script string) string {
	switch ext := filepath.Ext(script); ext {
	case ".sh":
		return "bash"
	case ".py":
		if !a.Host.Program("python") && a.Host.Program("python3") {
			return "python3"
		}
		return "python"
	case ".rb":
		return "ruby"
	case ".php":
		return "php"
	case ".pl":
		return "perl"
	case ".coffee":
		return "coffee"
	case ".ls":
		return "lsc"
	case ".ts", ".tsx":
		if ext == ".ts" && !a.Host.Program("bun") {
			return "node"
		}
		return "bun"
	case ".js":
		return "node"
	}
	path := script
	if !filepath.IsAbs(path) {
		path = filepath.Join(a.dir, path)
	}
	if head, ok := a.Host.Data(path); ok && !isText(head) {
		return "none"
	}
	return "node"
}

func isText(head []byte) bool {
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && n == 1 && len(head) >= utf8.UTFMax || r == 0 {
			return false
		}
		head = head[n:]
	}
	return !bytes.HasPrefix(head, []byte("\x7fELF"))
}

// stub gives a program of node what it would have of PM2, where it counts on it:
// process.send, and the message at its end. A question mark would end the code.
func (a *app) stub() {
	if a.node && a.maps() {
		a.argv = append(a.argv, "--enable-source-maps")
	}
	var code []string
	if a.node && truthy(a.get("wait_ready")) {
		code = append(code, "process.send||=()=>true")
	}
	if a.node && truthy(a.get("shutdown_with_message")) {
		code = append(code, "process.on('SIGINT',()=>process.emit('message','shutdown'))")
	}
	if len(code) > 0 {
		a.argv = append(a.argv, "--import", "data:text/javascript,"+strings.Join(code, ";"))
	}
}

// words are the arguments that an option gives: a list, or a text that PM2 cuts.
func (a *app) words(name string) []any {
	v := a.get(name)
	if v == nil {
		return nil
	}
	read := a.read(name)
	var out []any
	switch v.Kind {
	case literal.String:
		if read != nil && read.Parts != nil {
			for _, w := range split(a.expressionOfArgs(name, read)) {
				out = append(out, w)
			}
			return rejoin(out)
		}
		for _, w := range split(v.Text) {
			out = append(out, a.argument(name, w))
		}
	case literal.Array:
		for i, x := range v.Items {
			if read != nil && read.Kind == literal.Array && len(read.Items) == len(v.Items) && read.Items[i].Parts != nil {
				out = append(out, a.expression("", read.Items[i]))
				continue
			}
			if x.Kind == literal.Opaque {
				a.disable("it takes running %s to know %s", a.File, name)
				continue
			}
			if x.Kind != literal.Undefined && x.Kind != literal.Null {
				out = append(out, a.argument(name, x.Show()))
			}
		}
		a.hide(out)
	default:
		if v.Kind == literal.Opaque {
			a.disable("it takes running %s to know %s", a.File, name)
		} else {
			out = append(out, plain(v.Show()))
		}
	}
	return out
}

// expressionOfArgs is expression, with expressions that the cut at spaces leaves
// whole.
func (a *app) expressionOfArgs(name string, v *literal.Value) string {
	return strings.NewReplacer("${{ ", "${{\x00", " || ", "\x00||\x00", " }}", "\x00}}").Replace(a.expression(name, v))
}

func rejoin(list []any) []any {
	for i, w := range list {
		list[i] = strings.ReplaceAll(w.(string), "\x00", " ")
	}
	return list
}

// argument is one, unless it looks like a secret.
func (a *app) argument(name, w string) any {
	key, value, ok := strings.Cut(w, "=")
	if ok && strings.HasPrefix(key, "-") && value != "" && (secretName(key) || secretText(value)) {
		return key + "=" + a.hidden(key)
	}
	if secretText(w) {
		return a.hidden(name)
	}
	return a.covered(plain(w), a.hidden)
}

// hide takes out what follows an argument as --token.
func (a *app) hide(list []any) {
	for i := 1; i < len(list); i++ {
		before, _ := list[i-1].(string)
		now, _ := list[i].(string)
		if strings.HasPrefix(before, "--") && !strings.Contains(before, "=") && secretName(before) && !strings.HasPrefix(now, "-") && !strings.HasPrefix(now, "${{") {
			list[i] = a.hidden(before)
		}
	}
}

// hidden puts a secret in place of a text.
func (a *app) hidden(key string) string {
	name := strings.Trim(strings.ToUpper(strings.Map(func(r rune) rune {
		if kind.VariableName("x" + string(r)) {
			return r
		}
		return '_'
	}, key)), "_")
	if !kind.VariableName(name) {
		name = "ARGUMENT"
	}
	a.secret(name)
	return "${{ secrets." + name + " }}"
}

// arguments are those of the script.
func (a *app) arguments() {
	before := len(a.out.Secrets)
	list := a.words("args")
	if v := a.get("args"); v != nil && v.Kind == literal.String {
		a.hide(list)
	}
	a.argv = append(a.argv, list...)
	if len(a.out.Secrets) > before {
		a.say("args", kind.Approximated, "with secrets in place of what looks like one: "+strings.Join(a.out.Secrets[before:], ", "))
		return
	}
	a.exact("args")
}

// read is an option as the file says it.
func (a *app) read(name string) *literal.Value {
	o, ok := a.opts[name]
	if !ok {
		return nil
	}
	return a.Read.Get(o.key)
}

// set adds a variable, over one that was there.
func (a *app) set(name, value, comment string) {
	if i := slices.IndexFunc(a.env, func(f kind.Field) bool { return f.Key == name }); i >= 0 {
		a.env[i].Value, a.env[i].Comment = value, comment
		return
	}
	a.env = append(a.env, kind.Field{Key: name, Value: value, Comment: comment})
}
