// Package expr is the expression language of GitHub Actions: `${{ }}` in a
// string, or a whole condition. Parsing is actionlint's; the types, the
// positions and the evaluation are ours.
//
// Parse (or ParseIf) gives a Template, which is checked against Types while
// files are loaded (Check) and evaluated in an Env while a run goes on (Eval,
// Text, Truth). Start with this file, then parse.go, check.go and eval.go.
package expr

import (
	"strings"
)

// MaxLength is how many bytes one expression may have between its braces. It
// bounds the depth of everything that recurses over an expression.
const MaxLength = 8192

// Error is what is wrong with an expression and where. Offset and Width count
// bytes in the string that was given to Parse or ParseIf. The message never
// holds a value that was evaluated, so it is safe to show.
type Error struct {
	Offset, Width int
	Rule          string // one of the Rule constants, or the rule of a Type
	Message       string // lower case, one line, without a full stop
	Hint          string // what to do, or ""
}

// The rules that errors of this package belong to.
const (
	RuleSyntax   = "expression-syntax"
	RuleContext  = "unknown-context"
	RuleField    = "unknown-field"
	RuleFunction = "unknown-function"
	RuleType     = "expression-type"
	RuleNever    = "never-equal"      // a literal that a value never is: what it depends on may still be meant, hence a warning
	RuleValue    = "expression-value" // a value that a function cannot take; mostly found while evaluating
)

// Error is the message, with the hint when there is one.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + ": " + e.Hint
}

// Template is a parsed string: text and expressions in turn. It is never
// changed and may be used by any number of goroutines. The zero value is the
// empty text.
type Template struct {
	parts []part
	whole bool
}

// part is a piece of text, or an expression when node is not nil.
type part struct {
	text string
	node *node
}

// Ref is one chain of names that a template reads, as steps.build.outputs.k:
// a context, and the fields below it up to the first that is not known before
// evaluation. An index in quotes counts as a field; `.*` is "*".
type Ref struct {
	Root          string   // in lower case
	Path          []string // as written
	Offset, Width int      // of the chain, in bytes of the parsed string
}

// Status is how the run stands, for success(), failure() and cancelled(); all
// of them false outside of conditions.
type Status struct{ Success, Failure, Cancelled bool }

// Env is what a template is evaluated in. It is only read, so several
// evaluations may share one as long as nobody changes it meanwhile.
type Env struct {
	// Contexts are the roots by name in lower case. Values are nil, bool,
	// string, any integer or float type, json.Number, []any, []string,
	// map[string]any and map[string]string. Keys are found in any letter
	// case, the exact one first.
	Contexts map[string]any
	Status   Status
	Root     string // hashFiles reads files below this directory; "" forbids it
}

// HasExpr reports whether s may hold an expression: the cheap test before
// Parse.
func HasExpr(s string) bool { return strings.Contains(s, "${{") }

// Literal reports whether the template holds no expression.
func (t *Template) Literal() bool {
	for _, p := range t.parts {
		if p.node != nil {
			return false
		}
	}
	return true
}

// Whole reports whether the template is one expression and no text, so that
// its value keeps its type.
func (t *Template) Whole() bool { return t.whole }
