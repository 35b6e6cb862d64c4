// Package decode copies plain values into structs by their json tags.
package decode

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redundctl/redundctl/schema/internal/tree"
)

// Into copies a decoded value (maps, lists, texts, numbers) into the struct
// that out points to, by its json tags. Keys without a field are left out. A
// number or a boolean becomes text where text is wanted, nothing becomes the
// zero value, and a single value becomes a list of one where a list is wanted.
// encoding.TextUnmarshaler is honoured. The error names the path.
func Into(v, out any) error { return new(Decoder).Into(v, out) }

// Decoder remembers the fields of the structs that it decoded into: to ask for
// the tags of each costs as much as the rest. The zero value is ready for use, by
// several goroutines.
type Decoder struct {
	known sync.Map // of reflect.Type to []field
}

// Into is the function Into.
func (d *Decoder) Into(v, out any) error {
	p := reflect.ValueOf(out)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("decode into %T: a pointer is needed", out)
	}
	return d.decode(v, p.Elem())
}

// Error is what is wrong with the value at a path.
type Error struct {
	path []any // keys and indexes, innermost first: it grows while the error comes back up
	err  error
}

func (e *Error) Error() string {
	var b strings.Builder
	for _, p := range e.Path() {
		if i, ok := p.(int); ok {
			fmt.Fprintf(&b, "[%d]", i)
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		fmt.Fprint(&b, p)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	return b.String() + e.err.Error()
}

func (e *Error) Unwrap() error { return e.err }

// Path is where the value stands, outermost first.
func (e *Error) Path() []any {
	out := slices.Clone(e.path)
	slices.Reverse(out)
	return out
}

// Apart takes an error of Into apart: where the value stands, and what is wrong
// with it.
func Apart(err error) (path []any, what string) {
	var e *Error
	if errors.As(err, &e) {
		return e.Path(), e.Unwrap().Error()
	}
	return nil, err.Error()
}

func below(step any, err error) error {
	if e, ok := err.(*Error); ok { //nolint:errorlint // never wrapped on the way up
		e.path = append(e.path, step)
		return e
	}
	return err
}

func wrong(want string, v any) error {
	if f, ok := v.(float64); ok && f == math.Trunc(f) && strings.Contains(want, "integer") {
		return &Error{err: errors.New("is too large a number")}
	}
	if _, ok := v.(uint64); ok {
		return &Error{err: errors.New("is too large a number")}
	}
	return &Error{err: fmt.Errorf("must be %s%s", want, tree.Instead(v))}
}

func (d *Decoder) decode(v any, out reflect.Value) error {
	if v == nil {
		out.SetZero()
		return nil
	}
	if u, ok := out.Addr().Interface().(encoding.TextUnmarshaler); ok && out.Kind() != reflect.Pointer {
		return decodeText(v, u)
	}
	switch out.Kind() {
	case reflect.Pointer:
		if out.IsNil() {
			out.Set(reflect.New(out.Type().Elem()))
		}
		return d.decode(v, out.Elem())
	case reflect.Interface:
		if out.NumMethod() > 0 {
			return fmt.Errorf("decode into %s: not supported", out.Type())
		}
		out.Set(reflect.ValueOf(v))
		return nil
	case reflect.Struct:
		return d.decodeStruct(v, out)
	case reflect.Map:
		return d.decodeMap(v, out)
	case reflect.Slice:
		return d.decodeSlice(v, out)
	case reflect.String:
		s, ok := scalar(v)
		if !ok {
			return wrong("a text", v)
		}
		out.SetString(s)
		return nil
	case reflect.Bool:
		b, ok := v.(bool)
		if !ok {
			return wrong("true or false", v)
		}
		out.SetBool(b)
		return nil
	}
	return decodeNumber(v, out)
}

func decodeText(v any, u encoding.TextUnmarshaler) error {
	s, ok := scalar(v)
	if !ok {
		return wrong("a text", v)
	}
	if err := u.UnmarshalText([]byte(s)); err != nil {
		return &Error{err: err}
	}
	return nil
}

// scalar is a value as text, the way a file writes it.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case uint64:
		return strconv.FormatUint(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

func (d *Decoder) decodeStruct(v any, out reflect.Value) error {
	m, ok := v.(map[string]any)
	if !ok {
		return wrong("a mapping", v)
	}
	for _, f := range d.fields(out.Type()) {
		if f.name == "" { // embedded: its keys are ours
			if err := d.decode(v, out.Field(f.index)); err != nil {
				return err
			}
			continue
		}
		x, ok := m[f.name]
		if !ok {
			continue
		}
		if err := d.decode(x, out.Field(f.index)); err != nil {
			return below(f.name, err)
		}
	}
	return nil
}

// field is a field of a struct by the key that it is decoded from.
type field struct {
	name  string
	index int
}

func (d *Decoder) fields(t reflect.Type) []field {
	if list, ok := d.known.Load(t); ok {
		return list.([]field)
	}
	var list []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" && !f.Anonymous {
			name = f.Name
		}
		list = append(list, field{name, i})
	}
	d.known.Store(t, list)
	return list
}

func (d *Decoder) decodeMap(v any, out reflect.Value) error {
	m, ok := v.(map[string]any)
	if !ok || out.Type().Key().Kind() != reflect.String {
		return wrong("a mapping", v)
	}
	if same, ok := out.Addr().Interface().(*map[string]any); ok {
		*same = m
		return nil
	}
	t := out.Type()
	made := reflect.MakeMapWithSize(t, len(m))
	for key, x := range m {
		value := reflect.New(t.Elem()).Elem()
		if err := d.decode(x, value); err != nil {
			return below(key, err)
		}
		made.SetMapIndex(reflect.ValueOf(key).Convert(t.Key()), value)
	}
	out.Set(made)
	return nil
}

func (d *Decoder) decodeSlice(v any, out reflect.Value) error {
	l, ok := v.([]any)
	if !ok {
		l = []any{v}
	}
	if same, ok := out.Addr().Interface().(*[]any); ok {
		*same = l
		return nil
	}
	made := reflect.MakeSlice(out.Type(), len(l), len(l))
	for i, x := range l {
		if err := d.decode(x, made.Index(i)); err != nil {
			if ok {
				err = below(i, err)
			}
			return err
		}
	}
	out.Set(made)
	return nil
}

func decodeNumber(v any, out reflect.Value) error {
	switch {
	case out.CanInt():
		i, ok := integer(v)
		if !ok {
			return wrong("an integer", v)
		}
		if out.OverflowInt(i) {
			return &Error{err: fmt.Errorf("%d is out of range", i)}
		}
		out.SetInt(i)
	case out.CanUint():
		i, ok := integer(v)
		if u, big := v.(uint64); big {
			out.SetUint(u)
			return nil
		}
		if !ok || i < 0 || out.OverflowUint(uint64(i)) {
			return wrong("an integer of 0 or more", v)
		}
		out.SetUint(uint64(i))
	case out.CanFloat():
		f, ok := v.(float64)
		if i, whole := integer(v); whole {
			f, ok = float64(i), true
		}
		if !ok {
			return wrong("a number", v)
		}
		out.SetFloat(f)
	default:
		return fmt.Errorf("decode into %s: not supported", out.Type())
	}
	return nil
}

func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case uint64:
		return int64(v), v <= math.MaxInt64
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	}
	return 0, false
}
