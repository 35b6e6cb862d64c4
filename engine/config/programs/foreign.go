package programs

import (
	"regexp"
	"strings"
)

// Variable is one of GitHub's files that a script writes to, and where it
// stands in the script.
type Variable struct {
	Name, Message, Hint string
	Offset, Width       int
}

// Foreign finds the writes of a script to files of GitHub that are not there,
// each file once, unless one of the environments has it.
func Foreign(script string, envs ...map[string]string) []Variable {
	if !strings.Contains(script, "GITHUB_") {
		return nil
	}
	var out []Variable
	seen := map[string]bool{}
	for _, env := range envs {
		for name := range env {
			seen[name] = true
		}
	}
	for _, m := range regexp.MustCompile(`>\s*["']?\$\{?(GITHUB_(OUTPUT|ENV))\b`).FindAllStringSubmatchIndex(script, -1) {
		name := script[m[2]:m[3]]
		if seen[name] {
			continue
		}
		seen[name] = true
		ours := "REDUND_" + script[m[4]:m[5]]
		out = append(out, Variable{Name: name, Offset: m[2], Width: m[3] - m[2],
			Message: name + " is not set here", Hint: "write $" + ours + ", which takes the same lines"})
	}
	return out
}
