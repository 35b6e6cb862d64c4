package function

// deepest is how deeply a source may be nested: what reads it calls itself, and
// a stack that is full cannot be caught.
const deepest = 2000

// deep is the line where a source is nested more deeply than deepest, in
// brackets or in a run of prefixes; 0: nowhere. It takes texts and comments for
// code, which no source that people write makes deep.
func deep(text []byte) int {
	depth, line := 0, 1
	for _, c := range text {
		switch c {
		case '\n':
			line++
		case '(', '[', '{':
			if depth++; depth > deepest {
				return line
			}
		case ')', ']', '}':
			depth = max(depth-1, 0)
		}
	}
	return 0
}
