package source

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/redundctl/redundctl/engine/diag"
)

const bom = "\ufeff"

// checkText finds what makes a file something other than a YAML text, before
// the parser would say it without a place or in other words.
func (f *File) checkText() (diag.Problem, bool) {
	text := f.Text
	for _, mark := range []string{"\xff\xfe", "\xfe\xff", "\x00\x00\xfe\xff"} {
		if bytes.HasPrefix(text, []byte(mark)) {
			return f.Problem(Pos{}, diag.Error, "not-utf8", "the file is UTF-16 or UTF-32, not UTF-8", "save it as UTF-8"), true
		}
	}
	if off, r, n := badRune(text); off >= 0 {
		return f.badText(off, r, n), true
	}
	if off := conflict(text, false); off >= 0 {
		return f.conflicted(off), true
	}
	return diag.Problem{}, false
}

// badRune finds the first rune that YAML does not allow, or bytes that are no
// UTF-8 (RuneError with a length of 1).
func badRune(text []byte) (off int, r rune, n int) {
	i := 0
	if bytes.HasPrefix(text, []byte(bom)) {
		i = len(bom)
	}
	for i < len(text) {
		if c := text[i]; c < utf8.RuneSelf {
			if c < ' ' && c != '\n' && c != '\t' && c != '\r' || c == 0x7f {
				return i, rune(c), 1
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 || r >= 0x80 && r < 0xa0 && r != 0x85 ||
			r == 0xfeff || r == 0xfffe || r == 0xffff {
			return i, r, n
		}
		i += n
	}
	return -1, 0, 0
}

func (f *File) badText(off int, r rune, n int) diag.Problem {
	at := f.place(off)
	at.Width = 1
	switch {
	case r == utf8.RuneError && n == 1:
		return f.Problem(at, diag.Error, "not-utf8", fmt.Sprintf("the byte 0x%02x here is not UTF-8", f.Text[off]), "save the file as UTF-8")
	case r == 0 && bytes.Count(f.Text, []byte{0})*3 >= len(f.Text):
		return f.Problem(Pos{}, diag.Error, "not-utf8", "the file is UTF-16 or UTF-32, not UTF-8", "save it as UTF-8")
	case r == 0:
		return f.Problem(at, diag.Error, "control-character", "a zero byte stands here: the file is damaged, or not text at all", "")
	case (r < ' ' || r == 0x7f) && bytes.IndexByte(f.Text, 0) >= 0:
		return f.Problem(Pos{}, diag.Error, "control-character", "the file is binary, not text", "")
	case r == 0xfeff:
		return f.Problem(at, diag.Error, "control-character", "a byte order mark stands here, inside the text",
			"delete it; one is allowed only at the beginning of a file")
	}
	return f.Problem(at, diag.Error, "control-character", fmt.Sprintf("the character U+%04X is not allowed in YAML", r),
		fmt.Sprintf(`delete it, or write it as "\u%04x" inside double quotes`, r))
}

// conflict finds the first line of an unfinished merge. A line of equals signs
// alone may also be a heading inside a text, so it counts only when the text
// turned out not to be YAML (all).
func conflict(text []byte, all bool) int {
	first := -1
	for _, mark := range []string{"<<<<<<<", "|||||||", "=======", ">>>>>>>"} {
		if mark[0] == '=' && !all {
			continue
		}
		for from := 0; ; {
			i := bytes.Index(text[from:], []byte(mark))
			if i < 0 {
				break
			}
			i += from
			from = i + len(mark)
			end := from == len(text) || text[from] == ' ' || text[from] == '\n' || text[from] == '\r'
			start := i == 0 || text[i-1] == '\n' || i == len(bom) && bytes.HasPrefix(text, []byte(bom))
			if start && end {
				if first < 0 || i < first {
					first = i
				}
				break
			}
		}
	}
	return first
}

func (f *File) conflicted(off int) diag.Problem {
	at := f.place(off)
	at.Width = 7
	return f.Problem(at, diag.Error, "merge-conflict", "an unfinished merge stands here", "choose one side and delete the marks <<<<<<< ======= >>>>>>>")
}
