package contexts

import (
	"sync"
	"sync/atomic"

	"github.com/redundctl/redundctl/engine/expr"
)

// Templates are the expressions that were read: most stand in many files. The
// zero value is ready for use, by several goroutines.
type Templates struct {
	known sync.Map // of condition to *expr.Template
	count atomic.Int64
}

// condition is a string as it is read: with braces, or without as in `if`.
type condition struct {
	text   string
	braces bool
}

// Parse reads a string that may hold expressions; nil: it holds none.
func (m *Templates) Parse(text string, braces bool) (*expr.Template, error) {
	if braces && !expr.HasExpr(text) {
		return nil, nil
	}
	key := condition{text, braces}
	if t, ok := m.known.Load(key); ok {
		return t.(*expr.Template), nil
	}
	read := expr.Parse
	if !braces {
		read = expr.ParseIf
	}
	t, err := read(text)
	if err == nil && len(text) < 1000 && m.count.Add(1) < 10_000 { // so that what is kept stays small
		m.known.Store(key, t)
	}
	return t, err
}
