package contexts

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/expr"
)

// Injection is a value that becomes part of a script's text, where a quote in
// the value ends the script's own quote.
type Injection struct {
	Offset, Width int // in the script
	Severity      diag.Severity
	Message, Hint string
}

// Injections finds those of a script. Of the mistakes errs, which are in order,
// nothing more is said.
func Injections(t *expr.Template, errs []expr.Error) []Injection {
	var out []Injection
	for _, r := range t.Refs() {
		sev := diag.Warning
		switch {
		case mistaken(r, errs):
			continue
		case r.Root == "primary":
			sev = diag.Error
		case r.Root == "params", r.Root == "inputs", r.Root == "steps" && (len(r.Path) < 2 || r.Path[1] == "outputs"):
		default:
			continue
		}
		full := strings.Join(append([]string{r.Root}, r.Path...), ".")
		name := r.Root
		if n := len(r.Path); n > 0 && r.Path[n-1] != "*" {
			name = r.Path[n-1]
		}
		name = strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		passed := full
		if len(r.Path) == 0 || slices.Contains(r.Path, "*") || r.Root == "steps" && len(r.Path) < 3 {
			passed = "toJSON(" + full + ")" // no text by itself
		}
		out = append(out, Injection{r.Offset, r.Width, sev,
			fmt.Sprintf("%s becomes part of the script's text, where a quote in it can run anything", full),
			fmt.Sprintf("pass it as env: {%s: ${{ %s }}} and write \"$%s\"", name, passed, name)})
	}
	return out
}

// mistaken reports that a mistake lies in a reference.
func mistaken(r expr.Ref, errs []expr.Error) bool {
	i := sort.Search(len(errs), func(i int) bool { return errs[i].Offset >= r.Offset })
	return i < len(errs) && errs[i].Offset < r.Offset+r.Width
}
