// Package value is what the expressions of GitHub Actions calculate with:
// values of any Go type that YAML and JSON decode to, with GitHub's coercions
// to the letter.
package value

import (
	"encoding/json"
	"math"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind is the kind of a value.
type Kind uint8

// The kinds of values. Any is not known before evaluation.
const (
	Any Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// Filtered is what `.*` gives: an array whose fields are those of its
// elements.
type Filtered []any

// KindOf is the kind of a value; of what the language does not know, Object.
func KindOf(v any) Kind {
	switch v.(type) {
	case nil:
		return Null
	case bool:
		return Bool
	case string:
		return String
	case float64, float32, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, json.Number:
		return Number
	case []any, []string, Filtered:
		return Array
	}
	return Object
}

// Basic is v as one of the types that KindOf knows, for values that a context
// holds under a type of its own.
func Basic(v any) any {
	switch v.(type) {
	case nil, bool, string, float64, int, int64, []any, []string, map[string]any, map[string]string, json.Number:
		return v
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.String:
		return r.String()
	case reflect.Bool:
		return r.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return r.Uint()
	case reflect.Float32, reflect.Float64:
		return r.Float()
	}
	return v
}

// Truthy is a value as a condition: false, 0, NaN, null and the empty text are false.
func Truthy(v any) bool {
	switch x := v.(type) {
	case nil:
		return false
	case bool:
		return x
	case string:
		return x != ""
	}
	if KindOf(v) == Number {
		f := AsNumber(v)
		return f != 0 && !math.IsNaN(f)
	}
	return true
}

// AsNumber is a value as a number; NaN when it is none.
func AsNumber(v any) float64 {
	switch x := v.(type) {
	case nil:
		return 0
	case bool:
		if x {
			return 1
		}
		return 0
	case float64:
		return x
	case int:
		return float64(x)
	case int64:
		return float64(x)
	case string:
		return ParseNumber(x)
	case json.Number:
		return ParseNumber(string(x))
	case []any, []string, Filtered, map[string]any, map[string]string:
		return math.NaN()
	}
	switch r := reflect.ValueOf(v); {
	case r.CanInt():
		return float64(r.Int())
	case r.CanUint():
		return float64(r.Uint())
	case r.CanFloat():
		return r.Float()
	}
	return math.NaN()
}

// ParseNumber reads what GitHub reads: a decimal with an exponent, 32 bits in
// 0x or 0o form, or Infinity, with white space around it. No text is 0.
func ParseNumber(s string) float64 {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return 0
	case s == "Infinity":
		return math.Inf(1)
	case s == "-Infinity":
		return math.Inf(-1)
	case strings.HasPrefix(s, "0x"):
		return parseBits(s[2:], 16)
	case strings.HasPrefix(s, "0o"):
		return parseBits(s[2:], 8)
	case strings.Trim(s, "0123456789+-.eE") != "":
		return math.NaN()
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return math.NaN()
	}
	return f
}

func parseBits(s string, base int) float64 {
	n, err := strconv.ParseUint(s, base, 32)
	if err != nil {
		return math.NaN()
	}
	return float64(int32(n))
}

// Text is a value as text. Numbers have 15 digits at most, as on GitHub; only
// Go's integers keep all of theirs.
func Text(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case bool:
		return strconv.FormatBool(x)
	case string:
		return x
	case float64:
		return formatNumber(x)
	case int:
		return strconv.Itoa(x)
	case int64:
		return strconv.FormatInt(x, 10)
	case json.Number:
		if n, err := strconv.ParseInt(string(x), 10, 64); err == nil {
			return strconv.FormatInt(n, 10)
		}
		return formatNumber(AsNumber(x))
	}
	switch KindOf(v) {
	case Array:
		return "Array"
	case Object:
		return "Object"
	}
	switch r := reflect.ValueOf(v); {
	case r.CanInt():
		return strconv.FormatInt(r.Int(), 10)
	case r.CanUint():
		return strconv.FormatUint(r.Uint(), 10)
	}
	return formatNumber(AsNumber(v))
}

func formatNumber(f float64) string {
	switch {
	case f == 0:
		return "0" // also the negative one
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return strconv.FormatFloat(f, 'G', 15, 64)
}

// Equal is ==. Values of one kind are compared as such, texts in any letter
// case, objects and arrays by identity; others as numbers.
func Equal(a, b any) bool {
	ka, kb := KindOf(a), KindOf(b)
	switch {
	case ka != kb:
		return ka < Array && kb < Array && AsNumber(a) == AsNumber(b)
	case ka == Null:
		return true
	case ka == String:
		return a == b || compareFold(a.(string), b.(string)) == 0
	case ka < Array:
		return AsNumber(a) == AsNumber(b)
	}
	return same(a, b)
}

// same reports whether two objects or arrays are one and the same.
func same(a, b any) bool {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if x.Kind() != y.Kind() {
		return false
	}
	switch x.Kind() {
	case reflect.Map:
		return x.UnsafePointer() == y.UnsafePointer()
	case reflect.Slice:
		return x.UnsafePointer() == y.UnsafePointer() && x.Len() == y.Len()
	}
	return false
}

// Order compares by size: -1, 0 or 1. What has no order, as null with null,
// an object or NaN, is not ok.
func Order(a, b any) (c int, ok bool) {
	ka, kb := KindOf(a), KindOf(b)
	if ka == String && kb == String {
		return compareFold(a.(string), b.(string)), true
	}
	if ka >= Array || kb >= Array || ka == Null && kb == Null {
		return 0, false
	}
	switch x, y := AsNumber(a), AsNumber(b); {
	case x < y:
		return -1, true
	case x > y:
		return 1, true
	case x == y:
		return 0, true
	}
	return 0, false
}

// compareFold compares texts by their capital letters, in the order of UTF-16
// as GitHub does.
func compareFold(a, b string) int {
	for a != "" && b != "" {
		x, n := utf8.DecodeRuneInString(a)
		y, m := utf8.DecodeRuneInString(b)
		if x == utf8.RuneError && n == 1 && y == utf8.RuneError && m == 1 {
			x, y = rune(a[0]), rune(b[0])
		}
		if x != y {
			if x, y = upper(x), upper(y); x != y {
				if below(x, y) {
					return -1
				}
				return 1
			}
		}
		a, b = a[n:], b[m:]
	}
	return len(a) - len(b)
}

// below is the order of UTF-16, where the planes above the first stand
// between U+D7FF and U+E000.
func below(x, y rune) bool {
	const plane, surrogate = 0x10000, 0xD800
	if (x >= plane) != (y >= plane) {
		return min(x, y) < surrogate == (x < y)
	}
	return x < y
}

// upper is the capital of a letter. No other letter has an ASCII one: the
// dotless i is not an I.
func upper(r rune) rune {
	if r < utf8.RuneSelf {
		if 'a' <= r && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	}
	if u := unicode.ToUpper(r); u >= utf8.RuneSelf {
		return u
	}
	return r
}

// Upper is a text in capital letters, in which texts are compared.
func Upper(s string) string { return strings.Map(upper, s) }

// Member is v[key]. Of an array that `.*` gave it is the members of its
// elements.
func Member(v, key any) any {
	list, ok := v.(Filtered)
	if !ok {
		m, _ := memberOf(v, key)
		return m
	}
	out := Filtered{}
	for _, e := range list {
		if m, ok := memberOf(e, key); ok {
			out = append(out, m)
		}
	}
	return out
}

func memberOf(v, key any) (any, bool) {
	if KindOf(key) >= Array {
		return nil, false
	}
	switch x := v.(type) {
	case map[string]any:
		if m, ok := Lookup(x, Text(key)); ok {
			return Basic(m), true
		}
	case map[string]string:
		if m, ok := Lookup(x, Text(key)); ok {
			return m, true
		}
	case []any:
		if i, ok := position(key, len(x)); ok {
			return Basic(x[i]), true
		}
	case []string:
		if i, ok := position(key, len(x)); ok {
			return x[i], true
		}
	}
	return nil, false
}

// position is a key as the index of an array.
func position(key any, length int) (int, bool) {
	f := AsNumber(key)
	if !(f >= 0 && f < float64(length)) {
		return 0, false
	}
	return int(f), true
}

// Lookup finds a key: the exact one, else the first that differs in letter
// case alone.
func Lookup[V any](m map[string]V, key string) (V, bool) {
	if v, ok := m[key]; ok {
		return v, true
	}
	found, name := false, ""
	for k := range m {
		if len(k) == len(key) && strings.EqualFold(k, key) && (!found || k < name) {
			found, name = true, k
		}
	}
	return m[name], found
}

// Elements is v.*: all that an array or object holds, objects in the order of
// their keys.
func Elements(v any) Filtered {
	out := Filtered{}
	if list, ok := v.(Filtered); ok {
		for _, e := range list {
			out = appendElements(out, e)
		}
		return out
	}
	return appendElements(out, v)
}

func appendElements(out Filtered, v any) Filtered {
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			out = append(out, Basic(e))
		}
	case []string:
		for _, e := range x {
			out = append(out, e)
		}
	case map[string]any:
		for _, k := range Keys(x) {
			out = append(out, Basic(x[k]))
		}
	case map[string]string:
		for _, k := range Keys(x) {
			out = append(out, x[k])
		}
	}
	return out
}

// Keys are the keys of a map in order.
func Keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// List is the elements of an array, as they are.
func List(v any) []any {
	switch x := v.(type) {
	case []any:
		return x
	case Filtered:
		return x
	}
	return appendElements(nil, v)
}
