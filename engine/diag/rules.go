package diag

import "slices"

// Rule is a kind of problem. Its page is docs/problems.md.
type Rule struct {
	ID        string   // kebab-case, as Problem.Rule names it
	Severity  Severity // of most of its problems
	Summary   string   // one line: what is wrong
	Bad, Good string   // a file that has the problem, and how it is put right
}

// Rules are all rules that problems belong to, by area: one file an area. The
// table is never changed.
var Rules = slices.Concat(sourceRules, shapeRules, expressionRules, projectRules, kindRules)

// RuleByID finds a rule of the table.
func RuleByID(id string) (Rule, bool) {
	i := slices.IndexFunc(Rules, func(r Rule) bool { return r.ID == id })
	if i < 0 {
		return Rule{}, false
	}
	return Rules[i], true
}
