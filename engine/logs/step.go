package logs

import (
	"slices"
	"strings"
)

// HasStep reports whether q asks for one of these steps, which are written as
// tables print them: the id, and for one of a matrix `id (os=a)`. A step that
// was not there at all is a mistake in the question; one that was there may
// have printed nothing. The steps within an action (`id/inner`) are known by
// the step that uses it.
func (q Query) HasStep(steps []string) bool {
	if q.Step == "" {
		return true
	}
	outer := q.Step
	if id, _, ok := strings.Cut(q.Step, "/"); ok && !strings.Contains(id, "(") {
		outer = id
	}
	return slices.ContainsFunc(steps, func(s string) bool { return ofStep(outer, word(s)) })
}

// ofStep reports whether a line of the step that the log calls name is one of
// want: of the step itself, of a combination of its matrix, or of a step of the
// action that it uses. want is written as tables print it or as the log does.
func ofStep(want, name string) bool {
	rest, ok := strings.CutPrefix(name, word(want))
	return ok && (rest == "" || rest[0] == '/' || strings.HasPrefix(rest, "_("))
}
