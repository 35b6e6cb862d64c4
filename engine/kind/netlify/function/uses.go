package function

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/tdewolff/parse/v2/js"

	"github.com/redundctl/redundctl/engine/kind"
)

// once keeps the first mark of each name.
func once(list []Mark) []Mark {
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(m Mark) bool {
		twice := seen[m.Name]
		seen[m.Name] = true
		return twice
	})
}

// variables are those of the environment that the source reads.
func (w *words) variables() []Mark {
	var out []Mark
	for i := range w.list {
		switch {
		case w.is(i, "process", ".", "env"), w.is(i, "process", "?.", "env"):
			out = append(out, w.member(i+3)...)
			if w.is(i-1, "=") && w.is(i-2, "}") {
				out = append(out, w.taken(i-2)...)
			}
		case w.is(i, "Netlify", ".", "env", ".", "get", "("), w.is(i, "Netlify", ".", "env", ".", "has", "("):
			if name, ok := w.text(i + 6); ok {
				out = append(out, w.mark(name, i+6))
			}
		}
	}
	out = slices.DeleteFunc(out, func(m Mark) bool { return !kind.VariableName(m.Name) })
	out = once(out)
	slices.SortFunc(out, func(a, b Mark) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// member is the name that is asked of process.env at i; setting one is no use.
func (w *words) member(i int) []Mark {
	name, at, end := "", i+1, i+2
	if n, ok := w.named(i + 1); ok && (w.is(i, ".") || w.is(i, "?.")) {
		name = n
	} else if w.is(i, "[", "*", "]") && w.list[i+1].kind == js.StringToken {
		name, end = unquote(w.list[i+1].text), i+3
	}
	if name == "" || w.is(end, "=") {
		return nil
	}
	return []Mark{w.mark(name, at)}
}

// taken are the names of `const {A, B: b} = process.env`; end is its brace.
func (w *words) taken(end int) []Mark {
	var out []Mark
	start, depth := end, 0
	for ; start >= 0; start-- {
		if depth += nest(w.list[start].kind); depth == 0 {
			break
		}
	}
	for i := start + 1; start >= 0 && i < end; i++ {
		if name, ok := w.named(i); ok && (w.is(i-1, "{") || w.is(i-1, ",")) {
			out = append(out, w.mark(name, i))
		}
	}
	return out
}

// loads reports whether the text at i is what an import or a require loads.
func (w *words) loads(i int) bool {
	return w.is(i-2, "require", "(") || w.is(i-1, "from") || w.is(i-1, "import") || w.is(i-2, "import", "(") || w.is(i-4, "require", ".", "resolve", "(")
}

// packages are what the source imports by name, each by the package's own.
func (w *words) packages() []Mark {
	var out []Mark
	for i, t := range w.list {
		if t.kind != js.StringToken || !w.loads(i) {
			continue
		}
		name := unquote(t.text)
		if name == "" || name[0] == '.' || name[0] == '/' || strings.HasPrefix(name, "node:") || strings.ContainsAny(name, " \n") {
			continue
		}
		parts := strings.SplitN(name, "/", 3)
		if name[0] == '@' && len(parts) > 1 {
			name = parts[0] + "/" + parts[1]
		} else {
			name = parts[0]
		}
		out = append(out, w.mark(name, i))
	}
	return once(out)
}

// scripts are the files of JavaScript that the source names but does not load.
func (w *words) scripts() []Mark {
	child := false
	for i, t := range w.list {
		if t.kind == js.StringToken && w.loads(i) {
			name := strings.TrimPrefix(unquote(t.text), "node:")
			child = child || name == "child_process" || name == "execa"
		}
	}
	var out []Mark
	for i, t := range w.list {
		if !child || t.kind != js.StringToken && t.kind != js.TemplateToken || w.loads(i) {
			continue
		}
		for _, word := range strings.Fields(unquote(t.text)) {
			word = strings.Trim(word, `"'`)
			switch path.Ext(word) {
			case ".js", ".cjs", ".mjs":
				if plain(word) {
					out = append(out, w.mark(strings.TrimPrefix(path.Clean(word), "./"), i))
				}
			}
		}
	}
	return once(out)
}

func plain(s string) bool {
	for _, c := range s {
		if c < '-' || c > 'z' || strings.ContainsRune(":;<=>?@[\\]^`", c) {
			return false
		}
	}
	return !strings.HasPrefix(s, "/") && len(s) > 4
}

// uses are what of Netlify's own the source asks for.
func (w *words) uses() []Mark {
	var out []Mark
	for i := range w.list {
		name, ok := w.named(i)
		if !ok || !w.is(i-1, ".") && !w.is(i-1, "?.") {
			continue
		}
		switch on, _ := w.named(i - 2); on {
		case "context", "ctx":
			switch name {
			case "geo", "ip", "cookies", "next", "rewrite", "waitUntil", "account", "deploy", "site", "server", "params", "requestId", "json", "log", "url",
				"clientContext", "getRemainingTimeInMillis", "callbackWaitsForEmptyEventLoop", "functionName", "awsRequestId":
				out = append(out, w.mark("context."+name, i))
			}
		case "Netlify":
			out = append(out, w.mark("Netlify."+name, i))
		}
	}
	return once(out)
}
