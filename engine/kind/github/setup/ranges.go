package setup

import (
	"cmp"
	"strconv"
	"strings"
)

// version is one as semver has it.
type version struct {
	n   [3]uint64
	pre string // after the dash or, of Python, as rc1; "": it is a release
}

// compare is negative when v comes before w.
func (v version) compare(w version) int {
	for i := range v.n {
		if c := cmp.Compare(v.n[i], w.n[i]); c != 0 {
			return c
		}
	}
	if v.pre == "" || w.pre == "" {
		return cmp.Compare(w.pre, v.pre) // what comes before a release has something, and a release nothing
	}
	a, b := strings.Split(v.pre, "."), strings.Split(w.pre, ".")
	for i := range min(len(a), len(b)) {
		x, xerr := strconv.ParseUint(a[i], 10, 64)
		y, yerr := strconv.ParseUint(b[i], 10, 64)
		switch {
		case xerr == nil && yerr == nil:
			if c := cmp.Compare(x, y); c != 0 {
				return c
			}
		case xerr == nil:
			return -1
		case yerr == nil:
			return 1
		case a[i] != b[i]:
			return cmp.Compare(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b))
}

// partial reads a version of which only the first parts may be there, as 20, 20.x
// or v20.1.0-rc.1; parts is how many are.
func partial(text string) (v version, parts int, ok bool) {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "="), "v")
	text, _, _ = strings.Cut(text, "+")
	if text == "" || text == "*" || text == "x" {
		return v, 0, true
	}
	text, v.pre, _ = strings.Cut(text, "-")
	words := strings.Split(text, ".")
	if len(words) > 3 {
		return v, 0, false
	}
	for i, w := range words {
		if w == "x" || w == "*" {
			for _, rest := range words[i:] {
				if rest != "x" && rest != "*" {
					return v, 0, false
				}
			}
			return version{n: v.n}, i, true
		}
		n, err := strconv.ParseUint(w, 10, 32)
		if err != nil || w[0] == '+' {
			return v, 0, false
		}
		v.n[i], parts = n, i+1
	}
	if v.pre != "" && (parts < 3 || strings.Trim(v.pre, "0123456789abcdefghijklmnopqrstuvwxyz-.") != "") {
		return v, 0, false
	}
	return v, parts, true
}

// after is the first version that the first parts of v do not begin: of 20.1 with
// two parts 20.2, with one 21.
func (v version) after(parts int) version {
	var w version
	copy(w.n[:], v.n[:parts])
	w.n[parts-1]++
	return w
}

// below is the bound that keeps out a version and all that come before its
// release.
func below(v version) bound {
	v.pre = "0" // the very first
	return bound{version: v, high: true, open: true}
}

// bound is one side of a range: low or high, without the version itself or with.
type bound struct {
	version
	high, open bool
}

// ranges are those of npm: any one of a list, each all of its bounds
// (https://github.com/npm/node-semver).
type ranges [][]bound

// parseRanges reads a range as npm writes it; ok is false when it is none.
func parseRanges(text string) (out ranges, ok bool) {
	for _, one := range strings.Split(text, "||") {
		bounds, ok := parseRange(strings.ReplaceAll(one, ",", " "))
		if !ok {
			return nil, false
		}
		if len(bounds) == 0 || len(bounds) == 1 && bounds[0] == (bound{}) {
			return ranges{nil}, true // any release; npm looks no further
		}
		out = append(out, bounds)
	}
	return out, true
}

func parseRange(text string) ([]bound, bool) {
	words := strings.Fields(text)
	if len(words) == 3 && words[1] == "-" {
		low, n, ok := partial(words[0])
		high, m, ok2 := partial(words[2])
		out := []bound{{version: low}}
		if n == 0 {
			out = nil
		}
		switch {
		case m == 3:
			out = append(out, bound{version: high, high: true})
		case m > 0:
			out = append(out, below(high.after(m)))
		}
		return out, ok && ok2
	}
	var out []bound
	for i := 0; i < len(words); i++ {
		op := words[i][:len(words[i])-len(strings.TrimLeft(words[i], "<>=^~"))]
		rest := words[i][len(op):]
		if rest == "" && i+1 < len(words) { // a space stands between
			i++
			rest = words[i]
		}
		b, ok := comparator(op, rest)
		if !ok || rest == "" {
			return nil, false
		}
		out = append(out, b...)
	}
	return out, true
}

// comparator is what one sign and one version ask for.
func comparator(op, text string) ([]bound, bool) {
	v, n, ok := partial(text)
	if !ok {
		return nil, false
	}
	never := []bound{{open: true, high: true}}
	switch op {
	case "", "=", "==":
		if n == 3 {
			return []bound{{version: v}, {version: v, high: true}}, true
		}
		return span(v, n, n), true
	case "~", "~>":
		return span(v, n, min(n, 2)), true
	case "^":
		keep := 1
		for keep < n && v.n[keep-1] == 0 {
			keep++
		}
		return span(v, n, min(n, keep)), true
	case ">=":
		return []bound{{version: v}}, true
	case ">":
		switch n {
		case 0:
			return never, true
		case 3:
			return []bound{{version: v, open: true}}, true
		}
		return []bound{{version: v.after(n)}}, true
	case "<":
		switch n {
		case 0:
			return never, true
		case 3:
			return []bound{{version: v, high: true, open: true}}, true
		}
		return []bound{below(v)}, true
	case "<=":
		switch n {
		case 0:
			return nil, true
		case 3:
			return []bound{{version: v, high: true}}, true
		}
		return []bound{below(v.after(n))}, true
	}
	return nil, false
}

// span is from a version on as long as its first parts stay; of n that are given.
func span(v version, n, keep int) []bound {
	if n == 0 {
		return nil
	}
	return []bound{{version: v}, below(v.after(keep))}
}

// has reports whether a version lies in one of the ranges. One before a release
// does only where a range names such a one of the same release.
func (r ranges) has(v version) bool {
	for _, bounds := range r {
		in, named := true, v.pre == ""
		for _, b := range bounds {
			c := v.compare(b.version)
			if b.high {
				c = -c
			}
			in = in && (c > 0 || c == 0 && !b.open)
			named = named || b.pre != "" && b.n == v.n
		}
		if in && named {
			return true
		}
	}
	return false
}
