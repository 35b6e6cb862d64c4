// Package share lets many values have in common what is equal in them: of ten
// thousand pipelines most steps, and nearly all words, are those of others, and
// kept once they take a fifth of the room.
package share

import (
	"hash/maphash"
	"reflect"
	"sync"
)

// Pool knows the parts of the values that it was given. The zero value is ready;
// it may be used from several goroutines. It keeps alive what it knows, so let go
// of it when the last value has been given.
type Pool struct {
	mu    sync.Mutex
	seed  maphash.Seed
	words map[string]string
	parts map[uint64][]reflect.Value
}

// Of replaces the lists, maps, pointers and texts in what ptr points to by equal
// ones of values that were given before. Nothing of it may be changed afterwards:
// it belongs to others too. Fields that are not exported are left alone.
func (p *Pool) Of(ptr any) {
	v := reflect.ValueOf(ptr)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.parts == nil {
		p.seed, p.words, p.parts = maphash.MakeSeed(), map[string]string{}, map[uint64][]reflect.Value{}
	}
	p.share(v.Elem())
}

// share replaces v, which can be set.
func (p *Pool) share(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.Len() > 0 {
			v.SetString(p.word(v.String()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				p.share(f)
			}
		}
	case reflect.Interface:
		if !v.IsNil() {
			p.any(v)
		}
	case reflect.Slice, reflect.Map, reflect.Pointer:
		if !v.IsNil() {
			p.part(v)
		}
	}
}

func (p *Pool) word(s string) string {
	w, ok := p.words[s]
	if !ok {
		w = s
		p.words[s] = s
	}
	return w
}

// any shares what an interface holds.
func (p *Pool) any(v reflect.Value) {
	switch x := v.Elem(); x.Kind() {
	case reflect.String, reflect.Slice, reflect.Map, reflect.Pointer:
		if same, ok := p.known(x); ok {
			v.Set(same)
			return
		}
		own := reflect.New(x.Type()).Elem()
		own.Set(x)
		if p.share(own); x.Kind() == reflect.String {
			p.know(own) // in its box
		}
		v.Set(own)
	}
}

// part shares a list, a map or a pointer: whole, or else what it consists of.
func (p *Pool) part(v reflect.Value) {
	if same, ok := p.known(v); ok {
		v.Set(same)
		return
	}
	switch v.Kind() {
	case reflect.Slice:
		v.SetCap(v.Len()) // nobody appends to what is shared
		for i := range v.Len() {
			p.share(v.Index(i))
		}
	case reflect.Map:
		for at := v.MapRange(); at.Next(); {
			own := reflect.New(v.Type().Elem()).Elem()
			own.Set(at.Value())
			p.share(own)
			v.SetMapIndex(at.Key(), own)
		}
	case reflect.Pointer:
		p.share(v.Elem())
	}
	p.know(v)
}

// known gives a part that is equal to v.
func (p *Pool) known(v reflect.Value) (reflect.Value, bool) {
	for _, x := range p.parts[p.hash(v)] {
		if x.Type() == v.Type() && reflect.DeepEqual(x.Interface(), v.Interface()) {
			return x, true
		}
	}
	return reflect.Value{}, false
}

func (p *Pool) know(v reflect.Value) {
	h := p.hash(v)
	p.parts[h] = append(p.parts[h], reflect.ValueOf(v.Interface()))
}

// hash is the same for equal values.
func (p *Pool) hash(v reflect.Value) uint64 {
	const mix = 0x9e3779b97f4a7c15
	h := uint64(v.Kind()) * mix
	switch v.Kind() {
	case reflect.String:
		return h ^ maphash.String(p.seed, v.String())
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return h
		}
		return h ^ p.hash(v.Elem())*mix
	case reflect.Struct:
		for i := range v.NumField() {
			h = (h ^ p.hash(v.Field(i))) * mix
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			h = (h ^ p.hash(v.Index(i))) * mix
		}
	case reflect.Map:
		for at := v.MapRange(); at.Next(); { // in any order
			h += (p.hash(at.Key())*mix ^ p.hash(at.Value())) * mix
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return (h ^ uint64(v.Int())) * mix
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return (h ^ v.Uint()) * mix
	case reflect.Bool:
		if v.Bool() {
			return h + 1
		}
	}
	return h
}
