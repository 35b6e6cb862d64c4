package workflow

import (
	"errors"
	"math"
	"strings"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/expr/value"
)

// TokenName is the secret that GitHub makes for each run.
const TokenName = "GITHUB_TOKEN"

// reads gathers what expressions read, and which of them cannot be parsed.
type reads struct {
	secrets map[string]bool
	all     bool
	faults  []Fault
}

func (r *reads) text(t Text) {
	if !expr.HasExpr(t.Value) {
		return
	}
	x, err := expr.Parse(t.Value)
	r.take(t, x, err)
}

func (r *reads) condition(t Text) {
	if strings.TrimSpace(t.Value) == "" {
		return
	}
	x, err := Condition(t.Value)
	r.take(t, x, err)
}

func (r *reads) take(t Text, x *expr.Template, err error) {
	if err != nil {
		r.faults = append(r.faults, Fault{Line: t.Line, Column: t.Column, Message: line(err.Error())})
		return
	}
	for _, ref := range x.Refs() {
		first := ""
		if len(ref.Path) > 0 {
			first = ref.Path[0]
		}
		switch {
		case ref.Root == "secrets" && (first == "" || first == "*"):
			r.all = true
		case ref.Root == "secrets":
			r.secret(first)
		case ref.Root == "github" && (strings.EqualFold(first, "token") || first == "*"):
			r.secret(TokenName)
		}
	}
}

func (r *reads) secret(name string) {
	if r.secrets == nil {
		r.secrets = map[string]bool{}
	}
	r.secrets[strings.ToUpper(name)] = true
}

// values looks through what a matrix holds.
func (r *reads) values(v any, where Text) {
	switch x := v.(type) {
	case string:
		r.text(Text{Value: x, Line: where.Line, Column: where.Column})
	case []any:
		for _, y := range x {
			r.values(y, where)
		}
	case map[string]any:
		for _, y := range x {
			r.values(y, where)
		}
	}
}

// Condition parses an `if`. GitHub takes a condition with text around an
// expression, which then is a text and so is true unless it is empty; so does
// this.
func Condition(s string) (*expr.Template, error) {
	x, err := expr.ParseIf(s)
	if err == nil || !expr.HasExpr(s) {
		return x, err
	}
	var bad *expr.Error
	if whole, other := expr.Parse(strings.TrimSpace(s)); other == nil && errors.As(err, &bad) {
		return whole, nil
	}
	return nil, err
}

// plain is a scalar without quotes as GitHub makes text of it: a number in its
// shortest form, true and false in lower case, null as nothing.
func plain(s string) string {
	switch s {
	case "null", "Null", "NULL", "~":
		return ""
	case "True", "TRUE":
		return "true"
	case "False", "FALSE":
		return "false"
	}
	if n, ok := numeral(s); ok {
		return number(n)
	}
	return s
}

// numeral reads a number of YAML's core schema.
func numeral(s string) (float64, bool) {
	if s == "" || strings.Trim(s, "0123456789+-.eExoabcdfABCDF") != "" {
		return 0, false
	}
	if c := strings.TrimLeft(s, "+-"); c == "" || c[0] != '.' && (c[0] < '0' || c[0] > '9') {
		return 0, false
	}
	if strings.Trim(s, "0123456789") == "" && len(s) > 15 {
		return 0, false // an id, which must not lose its last digits
	}
	n := value.ParseNumber(s)
	return n, !math.IsNaN(n) && !math.IsInf(n, 0)
}

func number(n float64) string { return value.Text(n) }

// typed is a scalar of a matrix as YAML reads it. Quotes are not known any
// more: a text of digits alone is a number here, which compares the same.
func typed(s string) any {
	switch s {
	case "", "null", "Null", "NULL", "~":
		if s == "" {
			return ""
		}
		return nil
	case "true", "True", "TRUE":
		return true
	case "false", "False", "FALSE":
		return false
	}
	if n, ok := numeral(s); ok && number(n) == s {
		return n
	}
	return s
}

// Asks reports whether a condition asks how the run stands, and so is not
// bound to success by itself.
func Asks(t *expr.Template) bool {
	return t.Calls("success") || t.Calls("failure") || t.Calls("cancelled") || t.Calls("always")
}
