package diag

// Rule is a kind of problem, documented in docs/problems.md.
type Rule struct {
	ID        string // kebab-case
	Severity  Severity
	Summary   string // one line, for the documentation and SARIF
	Bad, Good string // files that have it, and no longer
}

// RuleByID finds a rule of the table.
func RuleByID(id string) (Rule, bool) {
	for _, r := range Rules {
		if r.ID == id {
			return r, true
		}
	}
	return Rule{}, false
}
