package function

// What reads a source calls itself for each level, and a stack that is full
// cannot be caught: esbuild needs up to 2 KB a level, and Go ends the program
// at 512 MiB.
const (
	deepest = 2000  // brackets within brackets
	longest = 20000 // words in a row with none of , ; { }
)

// deep is the line where a source is nested more deeply than deepest, or holds
// an expression longer than longest, for each of its words may be a level; 0:
// nowhere. It takes texts and comments for code, which no source that people
// write makes as long.
func deep(text []byte) int {
	depth, run, line := 0, 0, 1
	word := false
	for _, c := range text {
		was := word
		word = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
		switch c {
		case '\n':
			line++
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth = max(depth-1, 0)
		}
		switch {
		case c == ',' || c == ';' || c == '{' || c == '}':
			run = 0
		case c > ' ' && !word || word && !was:
			run++
		}
		if depth > deepest || run > longest {
			return line
		}
	}
	return 0
}
