package tree

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Format is a form of text that the language knows: what it is in words, the
// pattern that says it to an editor, and the check. A check passes what is no
// text; `type` and ranges speak of that.
type Format struct {
	Want    string
	Pattern string
	Is      func(v any) bool
}

const (
	durationPattern = `^[0-9]+\.?[0-9]*d$|^([0-9]+\.?[0-9]*d)?([0-9]+\.?[0-9]*(h|m|s|ms|us|µs|ns))+$`
	sizePattern     = `^[0-9]+\.?[0-9]* *([KMGT]i?B|B)?$`
)

// Formats are the forms by the words that `format` holds.
func Formats() map[string]Format {
	return map[string]Format{
		"duration": {"a duration such as 90s, 5m, 1h30m or 7d", durationPattern, text(func(s string) bool {
			d, ok := duration(s)
			return ok && d > 0
		})},
		"duration-or-zero": {"a duration such as 90s, 5m, 1h30m or 7d, or 0", `^0$|` + durationPattern, text(func(s string) bool {
			_, ok := duration(s)
			return ok
		})},
		"grace": {"a duration such as 30m, or auto", `^(0|auto)$|` + durationPattern, text(func(s string) bool {
			_, ok := duration(s)
			return ok || s == "auto"
		})},
		"size": {"a size such as 10KiB, 300MiB or 1GiB", sizePattern, text(size)},
		"regex": {"a regular expression (RE2)", "", text(func(s string) bool {
			_, err := regexp.Compile(s)
			return err == nil
		})},
		// A number with a fraction, and 1.0 too, has lost how it was written.
		"text": {"a text, a whole number, true or false; put a number with a fraction in quotes, for 1.10 would become 1.1", "", func(v any) bool {
			_, fraction := v.(float64)
			return !fraction
		}},
	}
}

func text(is func(string) bool) func(any) bool {
	return func(v any) bool {
		s, ok := v.(string)
		return !ok || is(s)
	}
}

// duration reads Go's form with days before it; engine/builtin holds it equal
// to what engine/pipeline reads.
func duration(s string) (time.Duration, bool) {
	if s == "0" {
		return 0, true
	}
	if s == "" || s[0] == '-' || s[0] == '+' {
		return 0, false
	}
	var days time.Duration
	if n, after, ok := strings.Cut(s, "d"); ok {
		v, good := decimal(n)
		if !good || v > 100*365 {
			return 0, false
		}
		if days, s = time.Duration(v*24*float64(time.Hour)), after; s == "" {
			return days, true
		}
	}
	d, err := time.ParseDuration(s)
	return d + days, err == nil && d >= 0 && d+days >= days
}

func size(s string) bool {
	units := []struct {
		suffix string
		bytes  float64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}
	for _, u := range units {
		if n, ok := strings.CutSuffix(s, u.suffix); ok {
			v, good := decimal(strings.TrimSpace(n))
			return good && v*u.bytes <= 1<<62
		}
	}
	return false
}

func decimal(s string) (float64, bool) {
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil && strings.Trim(s, "0123456789.") == ""
}
