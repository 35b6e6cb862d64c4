// Package diag is a problem with its place: what `validate`, the reload and
// `edit` tell people, and its printing as text with a caret, JSON, SARIF
// 2.1.0 and GitHub annotations. The rules that problems belong to stand in
// rules.go.
package diag

// Severity says whether a problem stops its file from being loaded.
type Severity string

// An Error is what no machine could run; a Warning depends on this machine or
// on outside files and never stops a load.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Problem is one mistake with its place, said once.
type Problem struct {
	File     string   `json:"file"`   // relative to the project root
	Line     int      `json:"line"`   // from 1; 0: the file as a whole
	Column   int      `json:"column"` // from 1, in runes; 0: the line as a whole
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule"`    // an ID of Rules
	Message  string   `json:"message"` // lower case, what is wrong, without a full stop
	Hint     string   `json:"hint"`    // what to do, or ""

	// Source is the line of the file that Line names, without its line break;
	// Width is how many runes the caret underlines (0: one).
	Source string `json:"-"`
	Width  int    `json:"-"`
}
