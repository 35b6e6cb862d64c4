package secret

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	weak     = 6        // characters; a shorter secret turns up by chance
	shortest = 4        // characters that are masked in base64, where fewer turn up anywhere
	large    = 64 << 10 // bytes; of a larger value the rare forms are left out
	group    = 4        // characters of base64 that lines are broken between
	// longestBreak is how many bytes between two lines of base64 are passed over:
	// the break itself and what indents the next line.
	longestBreak = 32
)

// Weak reports whether a secret is so short that masking it will hide other
// text too.
func Weak(value string) bool { return utf8.RuneCountInString(value) < weak }

// forms calls add with every form in which a secret may turn up: as it is,
// line by line, in base64, URL-encoded and JSON-escaped; folds says that it may be
// broken into lines, as base64 is after 64 or 76 characters. An empty secret, or
// one of white space alone, has none.
func forms(value string, add func(form string, folds bool)) {
	seen := map[string]bool{}
	one := func(s string) {
		if strings.TrimSpace(s) != "" && !seen[s] {
			seen[s] = true
			formsOf(s, add)
		}
	}
	one(value)
	one(strings.TrimSpace(value))
	if !strings.ContainsAny(value, "\r\n") {
		return
	}
	for line := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == '\n' || r == '\r' }) {
		// Brackets on lines of their own are no secret.
		if line = strings.TrimSpace(line); strings.ContainsFunc(line, wordRune) {
			one(line)
		}
	}
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r >= utf8.RuneSelf }

func formsOf(s string, add func(form string, folds bool)) {
	plain := func(form string) { add(form, false) }
	lines := func(form string) { add(form, true) }
	plain(s)
	escaped(s, plain)
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		padded := enc.EncodeToString([]byte(s))
		lines(padded)
		for offset := range 3 {
			aligned(s, offset, enc, lines)
		}
	}
}

// escaped adds what URLs and JSON make of a secret.
func escaped(s string, add func(string)) {
	query := url.QueryEscape(s)
	component := strings.ReplaceAll(query, "+", "%20")
	for _, u := range []string{query, component, url.PathEscape(s), javascript.Replace(component)} {
		add(u)
		add(lowerHex(u))
	}
	b, err := json.Marshal(s)
	if err != nil {
		return // no string fails
	}
	html := string(b[1 : len(b)-1])
	bare := unescapeHTML.Replace(html)
	for _, j := range []string{html, bare, strings.ReplaceAll(bare, "/", `\/`)} {
		add(j)
		if a := ascii(j); a != j {
			add(a)
		}
	}
}

// javascript leaves more as it is than Go does.
var javascript = strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*")

// unescapeHTML gives what an encoder writes that knows nothing of HTML. A
// backslash of the secret's own is doubled, and skipped as a pair.
var unescapeHTML = strings.NewReplacer(`\\`, `\\`, `\u003c`, "<", `\u003e`, ">", `\u0026`, "&")

func lowerHex(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			b[i+1], b[i+2] = lower(b[i+1]), lower(b[i+2])
			i += 2
		}
	}
	return string(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'F' {
		c += 'a' - 'A'
	}
	return c
}

// ascii escapes all that is not ASCII, as Python's encoder does.
func ascii(s string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for _, r := range s {
		if r < utf8.RuneSelf {
			b.WriteByte(byte(r))
			continue
		}
		units := []rune{r}
		if r >= 0x10000 {
			units = []rune{0xD800 + (r-0x10000)>>10, 0xDC00 + (r-0x10000)&0x3FF}
		}
		for _, u := range units {
			b.WriteString(`\u`)
			for shift := 12; shift >= 0; shift -= 4 {
				b.WriteByte(hex[u>>shift&15])
			}
		}
	}
	return b.String()
}

// aligned adds what stands in the base64 of a longer text that holds s, which
// begins offset bytes into a group of three. The characters at both ends are
// made of bits of s and of its neighbours: each that is possible is a form.
func aligned(s string, offset int, enc *base64.Encoding, add func(string)) {
	b := append(make([]byte, offset, offset+len(s)+2), s...)
	// Characters [from, to) hold bits of s alone.
	from, to := (offset*8+5)/6, len(b)*8/6
	whole := enc.EncodeToString(append(b, 0, 0))
	if to <= from {
		return
	}
	middle := whole[from:to]
	last := lastOf(len(s) > large, len(b), whole[to], enc)
	end := func(form string) {
		if len(form) >= shortest {
			add(form)
		}
		if len(form)+1 >= shortest {
			for _, c := range last {
				add(form + c)
			}
		}
	}
	end(middle)
	// A line may end after the first few of these characters: too few to tell that
	// they begin a secret. What follows is one all the same.
	if first := (group - from%group) % group; first > 0 && len(middle)-first >= 2*group {
		end(middle[first:])
	}
	if len(s) > large || len(middle)+1 < shortest {
		return
	}
	if bits := offset * 8 % 6; bits > 0 { // that a neighbour has in the first character
		low := index(enc, whole[from-1]) & (1<<(6-bits) - 1)
		for n := range 1 << bits {
			add(character(enc, n<<(6-bits)|low) + middle)
		}
	}
}

// lastOf gives what the last character may be that holds bits of a secret and of
// what follows it, after n bytes; none: there is no such character, or it is not
// worth the while.
func lastOf(rare bool, n int, c byte, enc *base64.Encoding) []string {
	bits := n * 8 % 6 // that the secret has in it
	if rare || bits == 0 {
		return nil
	}
	var out []string
	high := index(enc, c) &^ (1<<(6-bits) - 1)
	for n := range 1 << (6 - bits) {
		out = append(out, character(enc, high|n))
	}
	return append(out, character(enc, high)+strings.Repeat("=", 3-n%3)) // nothing follows
}

// index and character translate between a character of base64 and its bits.
func index(enc *base64.Encoding, c byte) int {
	b, err := enc.WithPadding(base64.NoPadding).DecodeString(string([]byte{c, 'A'}))
	if err != nil {
		return 0 // it came out of the same encoding
	}
	return int(b[0] >> 2)
}

func character(enc *base64.Encoding, n int) string {
	return enc.EncodeToString([]byte{byte(n << 2), 0, 0})[:1]
}
