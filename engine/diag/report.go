package diag

import (
	"io"
)

// Report is what checking some files found.
type Report struct {
	Valid    bool      `json:"valid"`
	Files    int       `json:"files"`
	Problems []Problem `json:"problems"`
}

// WriteText prints a report for people.
func WriteText(w io.Writer, r Report, color bool) error { return nil }

// WriteJSON prints a report as JSON.
func WriteJSON(w io.Writer, r Report) error { return nil }

// WriteSARIF prints a report as SARIF 2.1.0.
func WriteSARIF(w io.Writer, r Report) error { return nil }

// WriteGitHub prints a report as annotations of GitHub Actions.
func WriteGitHub(w io.Writer, r Report) error { return nil }

// Nearest finds the name that was probably meant, or "".
func Nearest(name string, of []string) string { return "" }

// Sort sorts problems by file, line, column and rule.
func Sort(ps []Problem) {}
