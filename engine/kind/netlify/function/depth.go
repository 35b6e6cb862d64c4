package function

import "bytes"

// What reads a source calls itself for each level, and a stack that is full
// cannot be caught: esbuild needs up to 2 KB a level, and Go ends the program
// at 512 MiB. Some of it takes the square of the levels besides.
const (
	deepest = 2000  // brackets within brackets
	longest = 20000 // words in a row with none of , ; { }
	widest  = 60000 // with none of ; { } and no line's end
	most    = 5000  // statements that hold another without a bracket
)

// deep is the line where a source is nested more deeply than deepest, or holds
// an expression longer than longest, for each of its words may be a level; 0:
// nowhere. It takes texts and comments for code, which no source that people
// write makes as long.
func deep(text []byte) int {
	depth, run, wide, line := 0, 0, 0, 1
	word := false
	for _, c := range text {
		was := word
		word = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
		switch c {
		case '\n':
			line++
			wide = 0
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth = max(depth-1, 0)
		}
		switch {
		case c == ';' || c == '{' || c == '}':
			run, wide = 0, 0
		case c == ',':
			run = 0
			wide++
		case c > ' ' && !word || word && !was:
			run++
			wide++
		}
		if depth > deepest || run > longest || wide > widest {
			return line
		}
	}
	if bytes.Count(text, []byte("else")) > most || bytes.Count(text, []byte("for")) > most {
		return line
	}
	return 0
}
