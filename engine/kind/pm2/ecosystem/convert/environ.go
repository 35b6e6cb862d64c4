package convert

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/literal"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// environment makes `env`: what stands in the file, without secrets.
func (a *app) environment() {
	if v := a.get("env"); v != nil {
		a.variables(v)
	}
	if v := a.get("port"); truthy(v) {
		if v.Kind == literal.Opaque {
			a.say("port", kind.Unsupported, "it takes running the file to know it: set PORT")
		} else {
			a.set("PORT", plain(v.Show()), "")
			a.exact("port")
		}
	}
	a.counted()
	a.filtered()
	for _, key := range a.keys {
		if profile, ok := strings.CutPrefix(key, "env_"); ok && canonical(key) == "env_*" {
			a.say(key, kind.Unsupported, "PM2 takes it with --env "+profile+" alone, over env: copy what you need of it")
		}
	}
}

// variables are those of `env`.
func (a *app) variables(v *literal.Value) {
	if v.Kind != literal.Object {
		a.say("env", kind.Unsupported, "it is no list of variables")
		return
	}
	read := a.read("env")
	var odd, hidden []string
	for _, name := range names(read, v) {
		written, value := read.Get(name), v.Get(name)
		switch {
		case name == "PORT" && truthy(a.get("port")): // which is stronger
		case !kind.VariableName(name) || strings.HasPrefix(name, "REDUND"):
			odd = append(odd, name)
		case written != nil && written.Parts != nil:
			a.reference(name, written, &hidden)
		case value == nil, value.Kind == literal.Null:
		case value.Kind == literal.Opaque, a.closed(name, value):
			// What cannot be read is most often somebody's secret.
			a.secret(name)
			a.set(name, "${{ secrets."+name+" }}", "")
			hidden = append(hidden, name)
		case value.Kind == literal.Object, value.Kind == literal.Array:
			a.set(name, plain(asJSON(value)), "")
		default:
			a.set(name, plain(value.Show()), "")
		}
	}
	var notes []string
	if len(hidden) > 0 {
		notes = append(notes, "not copied, but taken from secrets: "+strings.Join(hidden, ", "))
	}
	if len(odd) > 0 {
		notes = append(notes, "left out, for no pipeline may set them: "+strings.Join(odd, ", "))
	}
	if len(notes) > 0 {
		a.say("env", kind.Approximated, strings.Join(notes, "; "))
		return
	}
	a.exact("env")
}

// names are the keys of both, in the order of the file: running it leaves out a
// variable that is not set.
func names(read, v *literal.Value) []string {
	var out []string
	for _, x := range []*literal.Value{read, v} {
		if x == nil || x.Kind != literal.Object {
			continue
		}
		for _, f := range x.Fields {
			if !slices.Contains(out, f.Key) {
				out = append(out, f.Key)
			}
		}
	}
	return out
}

// reference is a variable that is made with others.
func (a *app) reference(name string, v *literal.Value, hidden *[]string) {
	if len(v.Parts) == 1 && v.Parts[0].Variable == name && v.Parts[0].Text == "" && passed(name) {
		return // every process has it
	}
	a.set(name, a.expression(name, v), "")
	for _, n := range v.Variables() {
		if slices.Contains(a.out.Secrets, n) && !slices.Contains(*hidden, n) {
			*hidden = append(*hidden, n)
		}
	}
}

// closed reports whether a variable must not be copied, for what it is or for
// what lies in it.
func (a *app) closed(name string, v *literal.Value) bool {
	switch v.Kind {
	case literal.Array:
		return slices.ContainsFunc(v.Items, func(x *literal.Value) bool { return a.closed(name, x) })
	case literal.Object:
		return slices.ContainsFunc(v.Fields, func(f literal.Field) bool {
			if secretName(name) {
				return a.closed(name, f.Value)
			}
			return a.closed(f.Key, f.Value)
		})
	}
	return secret(name, v) || a.known(v)
}

// least is how long a value of the environment is that is looked for in texts: a
// shorter one turns up by chance.
const least = 6

// covered is a text with as(name) in place of the value of each variable of the
// environment that is a secret by its name or its looks, and that only running the
// file has brought into it.
func (a *app) covered(text string, as func(name string) string) string {
	for _, name := range slices.Sorted(maps.Keys(a.Known)) {
		value := a.Known[name]
		if len(value) >= least && strings.Contains(text, value) && kind.VariableName(name) && !passed(name) && (secretName(name) || secretText(value)) {
			text = strings.ReplaceAll(text, value, as(name))
		}
	}
	return text
}

// known reports whether a text holds the value of a variable that only running
// the file has brought into it.
func (a *app) known(v *literal.Value) bool {
	if v.Kind != literal.String {
		return false
	}
	for name, value := range a.Known {
		if len(value) >= least && !passed(name) && strings.Contains(v.Text, value) {
			return true
		}
	}
	return false
}

// asJSON is what PM2 makes of a value that is no text.
func asJSON(v *literal.Value) string {
	switch v.Kind {
	case literal.String:
		return strconv.Quote(v.Text)
	case literal.Array:
		var parts []string
		for _, x := range v.Items {
			parts = append(parts, asJSON(x))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case literal.Object:
		var parts []string
		for _, f := range v.Fields {
			parts = append(parts, strconv.Quote(f.Key)+":"+asJSON(f.Value))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case literal.Null, literal.Opaque, literal.Undefined:
		return "null"
	}
	return v.Show()
}

// counted are the variables that tell a copy which it is. Several copies need a
// shell that sets them, for they have all the same `env`.
func (a *app) counted() {
	name, first := "NODE_APP_INSTANCE", ""
	given := a.opts["instances"].value != nil
	if v := a.get("instance_var"); truthy(v) && v.Kind == literal.String {
		name, given = v.Text, true
		if !kind.VariableName(name) {
			a.say("instance_var", kind.Unsupported, "it is no name of a variable")
			given = false
		} else {
			a.exact("instance_var")
		}
	}
	if v := a.get("increment_var"); truthy(v) && v.Kind == literal.String && kind.VariableName(v.Text) {
		first = v.Text
		a.exact("increment_var")
	} else {
		a.say("increment_var", kind.Unsupported, "it is no name of a variable")
	}
	base := 0
	for _, f := range a.env {
		if text, ok := f.Value.(string); ok && f.Key == first {
			base, _ = strconv.Atoi(text)
		}
	}
	switch {
	case a.instances <= 1 || a.scheduled:
		if given {
			a.set(name, "0", "")
		}
		if first != "" {
			a.set(first, strconv.Itoa(base), "")
		}
	case first != "":
		a.wrap(`export "$1=$REDUND_INSTANCE" "$2=$(($3 + REDUND_INSTANCE))"; shift 3; exec "$@"`, name, first, strconv.Itoa(base))
	default:
		a.wrap(`export "$1=$REDUND_INSTANCE"; shift; exec "$@"`, name)
	}
}

// wrap puts a script before the argv, which ends with running it.
func (a *app) wrap(script string, args ...string) {
	argv := []any{"sh", "-c", script, "sh"}
	for _, x := range args {
		argv = append(argv, x)
	}
	a.argv = append(argv, a.argv...)
}

// filtered is filter_env: what PM2 leaves out of the environment of its caller,
// of which our processes see little anyway.
func (a *app) filtered() {
	v := a.get("filter_env")
	if v == nil {
		a.exact("filter_env")
		return
	}
	var names []string
	switch v.Kind {
	case literal.Bool:
		if v.Bool {
			names = []string{"PATH", "HOME"}
		}
	case literal.String:
		names = []string{v.Text}
	case literal.Array:
		for _, x := range v.Items {
			names = append(names, x.Show())
		}
	}
	for _, n := range names {
		if slices.ContainsFunc(pipeline.Passed(), func(p string) bool { return strings.Contains(p, n) }) {
			a.say("filter_env", kind.Approximated, "every process gets "+strings.Join(pipeline.Passed(), " ")+", and nothing else that is not named")
			return
		}
	}
	a.exact("filter_env")
}
