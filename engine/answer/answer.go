// Package answer is what an answer over HTTP must be like: the keys of `expect`
// and how they are held against an answer, whoever gave it.
package answer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Expect is what an answer must be like, as users write it. The zero value
// allows every 2xx.
type Expect struct {
	Status      any            `json:"status"` // a number, "2xx", or a list of both
	Header      map[string]any `json:"header"`
	JSON        any            `json:"json"`
	BodyMatches string         `json:"body-matches"`
}

// Expectation is Expect, ready to be held against answers. It is not changed
// and safe for concurrent use.
type Expectation struct {
	Expect
	matches *regexp.Regexp // nil: any body
}

// Compile makes it ready; the error is that of a pattern.
func (e Expect) Compile() (*Expectation, error) {
	out := &Expectation{Expect: e}
	if e.BodyMatches != "" {
		var err error
		if out.matches, err = regexp.Compile(e.BodyMatches); err != nil {
			return nil, fmt.Errorf("body-matches is not a regular expression: %w", err)
		}
	}
	return out, nil
}

// Hold returns what is wrong with the answer to what was asked, or nil. It
// reads status and header of res, and no body but the one given.
func (e *Expectation) Hold(asked string, res *http.Response, body []byte) error {
	if !e.Allows(res.StatusCode) {
		return fmt.Errorf("%s answered %s%s", asked, res.Status, reasonIn(body))
	}
	for _, k := range slices.Sorted(maps.Keys(e.Header)) {
		want, got := Text(e.Header[k]), res.Header.Get(k)
		if value, _, _ := strings.Cut(got, ";"); got != want && strings.TrimSpace(value) != want {
			return fmt.Errorf("%s: the header %s is %q and should be %q", asked, k, got, want)
		}
	}
	if e.JSON != nil {
		got, err := Decode(body)
		if err != nil {
			return fmt.Errorf("%s: the body is not JSON", asked)
		}
		if at, ok := contains(normal(e.JSON), normal(got)); !ok {
			return fmt.Errorf("%s: the body differs from what is expected at %q", asked, at)
		}
	}
	if e.matches != nil && !e.matches.Match(body) {
		return fmt.Errorf("%s: the body does not match %q", asked, e.BodyMatches)
	}
	return nil
}

// Allows reports whether a status is a success.
func (e *Expect) Allows(status int) bool {
	list, ok := e.Status.([]any)
	switch {
	case e.Status == nil:
		list = []any{"2xx"}
	case !ok:
		list = []any{e.Status}
	}
	for _, x := range list {
		want := Text(x)
		if want == fmt.Sprint(status) || want == fmt.Sprintf("%dxx", status/100) {
			return true
		}
	}
	return false
}

// reasonIn finds the words in which an API says what it did not like, in the
// places where APIs put them: short, and in one line.
func reasonIn(body []byte) string {
	v, err := Decode(body)
	if err != nil {
		return ""
	}
	for _, at := range [][]string{{"error", "message"}, {"message"}, {"detail"}, {"error_description"}, {"error"}, {"title"}, {"errors"}} {
		x := v
		for _, k := range at {
			m, _ := x.(map[string]any)
			x = m[k]
		}
		if list, ok := x.([]any); ok && len(list) > 0 {
			m, _ := list[0].(map[string]any)
			x = m["message"]
		}
		if s, ok := x.(string); ok && s != "" {
			s = strings.Join(strings.Fields(s), " ")
			if len([]rune(s)) > 200 {
				s = string([]rune(s)[:200]) + "…"
			}
			return ": " + s
		}
	}
	return ""
}

// contains reports whether got holds what is wanted, or where it does not.
func contains(want, got any) (at string, ok bool) {
	w, isObject := want.(map[string]any)
	if !isObject {
		return ".", reflect.DeepEqual(want, got)
	}
	g, isObject := got.(map[string]any)
	if !isObject {
		return ".", false
	}
	for _, k := range slices.Sorted(maps.Keys(w)) {
		x, ok := g[k]
		if !ok {
			return "." + k, false
		}
		if at, ok := contains(w[k], x); !ok {
			return "." + k + strings.TrimSuffix(at, "."), false
		}
	}
	return "", true
}

// normal gives equal numbers one form, whether they came from YAML or JSON.
func normal(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var out any
	if json.Unmarshal(b, &out) != nil {
		return v
	}
	return out
}

// Text is a scalar as people write it.
func Text(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// Decode reads one JSON value, and no more than one.
func Decode(body []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // ids of more than 53 bits keep all their digits
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one value")
	}
	return v, nil
}
