package function

import "github.com/tdewolff/parse/v2/js"

// exported is what a source gives away.
type exported struct {
	module bool
	at     map[string]int // where the value of each name stands; -1: elsewhere
}

// declare notes what names are set to where they are declared.
func (w *words) declare() {
	w.decls = map[string]int{}
	for i := range w.list {
		switch {
		case (w.is(i, "const", "*", "=") || w.is(i, "let", "*", "=") || w.is(i, "var", "*", "=")) && i+3 < len(w.list):
			if name, ok := w.named(i + 1); ok {
				if _, twice := w.decls[name]; !twice {
					w.decls[name] = i + 3
				}
			}
		case w.is(i, "function", "*", "("):
			if name, ok := w.named(i + 1); ok {
				w.decls[name] = i
			}
		}
	}
}

// exports finds what is exported, in both kinds of modules.
func (w *words) exports() exported {
	e := exported{at: map[string]int{}}
	for i, t := range w.list {
		switch {
		case t.text == "import" && !w.is(i+1, "(") && !w.is(i+1, ".") && !w.is(i-1, "."):
			e.module = true
		case t.text == "export" && t.kind == js.ExportToken && !w.is(i-1, "."):
			e.module = true
			w.exportOf(i+1, e.at)
		case t.text == "exports" && w.is(i+1, ".", "*", "=") && w.owned(i):
			e.at[w.list[i+2].text] = i + 4
		case t.text == "exports" && w.is(i+1, "[", "*", "]", "=") && w.owned(i) && w.list[i+2].kind == js.StringToken:
			e.at[unquote(w.list[i+2].text)] = i + 5
		case w.is(i, "module", ".", "exports", "=") && !w.is(i-1, "."):
			for k, v := range w.object(i + 4) {
				e.at[k] = v
			}
		}
	}
	return e
}

// owned reports whether the exports at i are the module's.
func (w *words) owned(i int) bool {
	return !w.is(i-1, ".") || w.is(i-2, "module", ".") && !w.is(i-3, ".")
}

// exportOf notes what one export statement gives away; i is behind its word.
func (w *words) exportOf(i int, at map[string]int) {
	if i >= len(w.list) {
		return
	}
	switch w.list[i].text {
	case "default":
		at["default"] = i + 1
	case "const", "let", "var":
		if name, ok := w.named(i + 1); ok {
			at[name] = i + 3
		}
	case "async", "function":
		for i < len(w.list) && (w.list[i].text == "async" || w.list[i].text == "function" || w.list[i].text == "*") {
			i++
		}
		if name, ok := w.named(i); ok {
			at[name] = i
		}
	case "{":
		end := i
		for end < len(w.list) && w.list[end].text != "}" {
			end++
		}
		elsewhere := w.is(end+1, "from")
		for i++; i < end; i++ {
			local, to := i, i
			if w.is(i+1, "as") {
				to = i + 2
			}
			name := unquoted(w.list[min(to, len(w.list)-1)])
			value := -1
			if v, ok := w.decls[w.list[local].text]; ok && !elsewhere {
				value = v
			}
			at[name] = value
			for i < end && w.list[i].text != "," {
				i++
			}
		}
	}
}

func unquoted(t token) string {
	if t.kind == js.StringToken {
		return unquote(t.text)
	}
	return t.text
}

const helpers = "@netlify/functions"

// wrapped finds the first argument of each call of Netlify's schedule().
func (w *words) wrapped() []int {
	direct, within := map[string]bool{}, map[string]bool{}
	for i, t := range w.list {
		if t.kind != js.StringToken || unquote(t.text) != helpers {
			continue
		}
		w.brought(i, direct, within)
	}
	var out []int
	for i := range w.list {
		name, ok := w.named(i)
		if !ok || !w.is(i+1, "(") || w.is(i-1, "function") {
			continue
		}
		member := w.is(i-1, ".")
		if member && name == "schedule" && i >= 2 && within[w.list[i-2].text] || !member && direct[name] {
			out = append(out, i+2)
		}
	}
	return out
}

// brought notes by which names schedule is known; i is the package's name in an
// import or a require.
func (w *words) brought(i int, direct, within map[string]bool) {
	back := i - 1
	if w.is(i-2, "require", "(") {
		back = i - 4 // behind what the "=" sets
		if w.is(i+1, ")", ".", "schedule") {
			if name, ok := w.named(back); ok {
				direct[name] = true
			}
			return
		}
	} else if w.is(back, "from") {
		back--
	}
	if name, ok := w.named(back); ok && name != "import" {
		within[name] = true
	}
	for back >= 0 && w.is(back, "}") {
		for back--; back >= 0 && w.list[back].text != "{"; back-- {
			if w.list[back].text != "schedule" {
				continue
			}
			switch {
			case w.is(back+1, "as") || w.is(back+1, ":"):
				direct[w.list[back+2].text] = true
			case !w.is(back-1, "as") && !w.is(back-1, ":"):
				direct["schedule"] = true
			}
		}
		return
	}
}
