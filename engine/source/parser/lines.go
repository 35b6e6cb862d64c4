package parser

import "bytes"

// LineBreak is the length of the line break at b[i:] as yaml.v3 counts lines,
// 0 when there is none. Editors count only LF and CRLF.
func LineBreak(b []byte, i int) int {
	if i >= len(b) {
		return 0
	}
	switch b[i] {
	case '\n':
		return 1
	case '\r':
		if i+1 < len(b) && b[i+1] == '\n' {
			return 2
		}
		return 1
	case 0xC2:
		if i+1 < len(b) && b[i+1] == 0x85 {
			return 2
		}
	case 0xE2:
		if i+2 < len(b) && b[i+1] == 0x80 && (b[i+2] == 0xA8 || b[i+2] == 0xA9) {
			return 3
		}
	}
	return 0
}

// LineStart is where a line begins, as yaml.v3 counts lines: a byte order mark
// is not part of the first.
func LineStart(b []byte, line int) int {
	i := len(b) - len(bytes.TrimPrefix(b, []byte("\ufeff")))
	for line > 1 && i < len(b) {
		if n := LineBreak(b, i); n > 0 {
			i += n
			line--
		} else {
			i++
		}
	}
	return i
}

func blank(c byte) bool { return c == ' ' || c == '\t' }
