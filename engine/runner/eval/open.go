package eval

import (
	"strings"

	"github.com/redundctl/redundctl/engine/expr"
)

// Open is what a dry run does not know of the run's end. The zero value: the
// step is no handler, and all that it reads of its run is known.
type Open struct {
	Run    bool // run.state and run.error
	Status bool // success(), failure() and cancelled()
}

// In reports whether a condition reads what only a run can tell.
func (o Open) In(c *expr.Template) bool {
	if o.Status && (c.Calls("success") || c.Calls("failure") || c.Calls("cancelled")) {
		return true
	}
	for _, r := range c.Refs() {
		field := "*"
		if len(r.Path) > 0 {
			field = strings.ToLower(r.Path[0])
		}
		switch {
		case r.Root == "steps", r.Root == "matrix":
			return true
		case r.Root == "run" && o.Run && (field == "*" || field == "state" || field == "error"):
			return true
		}
	}
	return false
}
