package secret

import "strings"

// In reports whether a text holds a secret in any of its forms, and not by
// chance: a short one is only found where it is the whole text, and short lines
// of one with several are not looked for.
func In(text, value string) bool {
	value = strings.TrimSpace(value)
	switch {
	case value == "":
		return false
	case Weak(value):
		return strings.TrimSpace(text) == value
	case strings.Contains(text, value):
		return true
	}
	m := NewMasker()
	for line := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.TrimSpace(line); !Weak(line) {
			m.Add(line)
		}
	}
	return m.Holds(text)
}
