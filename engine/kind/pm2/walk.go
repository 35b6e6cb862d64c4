package pm2

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// fields are the keys of an object that are read, each by its function.
type fields map[string]func(*json.Decoder) error

// object reads an object, or null, and passes over every other key. Keys are
// compared as they are: json.Unmarshal takes STATUS for status, and PM2 mixes an
// application's environment with what it says of it.
func object(d *json.Decoder, f fields) error {
	_, err := within(d, '{', func() error {
		key, err := d.Token()
		if err != nil {
			return err
		}
		if take := f[key.(string)]; take != nil {
			return take(d)
		}
		return pass(d)
	})
	return err
}

// array reads an array, or null, which is none.
func array(d *json.Decoder, each func(*json.Decoder) error) (there bool, err error) {
	return within(d, '[', func() error { return each(d) })
}

func within(d *json.Decoder, open json.Delim, each func() error) (there bool, err error) {
	t, err := d.Token()
	if err != nil || t == nil {
		return false, err
	}
	if t != open {
		return false, fmt.Errorf("something stands where %s should", open)
	}
	for d.More() {
		if err := each(); err != nil {
			return true, err
		}
	}
	_, err = d.Token()
	return true, err
}

func into(p any) func(*json.Decoder) error {
	return func(d *json.Decoder) error { return d.Decode(p) }
}

// pass reads a value and keeps nothing of it.
func pass(d *json.Decoder) error { return d.Decode(&passed{}) }

type passed struct{}

// UnmarshalJSON takes any value.
func (*passed) UnmarshalJSON([]byte) error { return nil }

// word is a text, or what stands in its place in its JSON form: an application's
// own variables may overwrite what PM2 says.
type word string

// UnmarshalJSON takes any value.
func (w *word) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil {
		s = string(b)
	}
	*w = word(s)
	return nil
}

// number is a whole number, also one that is written as text; nothing for
// anything else.
type number struct {
	is    int64
	known bool
}

// UnmarshalJSON takes any value.
func (n *number) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	*n = number{is: int64(v), known: err == nil}
	return nil
}
