package tree

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// same reports whether what is read is what encoding/json reads.
func same(t *testing.T, text []byte) (ok bool) {
	t.Helper()
	got, ok := read(text)
	var want any
	err := json.Unmarshal(text, &want)
	if ok && (err != nil || !reflect.DeepEqual(got, want)) {
		t.Errorf("%q is read as %v, not %v, %v", text, got, want, err)
	}
	return ok
}

var texts = []string{
	`{}`, `[]`, ` {"a" : [1, -2.5e+3, true, false, null, "x"], "b": {"c": "ü"}} `, `"\u00e4\n\"\\"`, `0`, `""`,
	``, `{`, `[1,]`, `{"a":1,}`, `{,}`, `[,]`, `{"a" 1}`, `{"a":1 "b":2}`, `{1:2}`, `{"a":1,"a":2}`, `01`, `1.`, `-`, `1e`, `.5`, `+1`, `--1`,
	`tru`, `nul`, `"a`, `"a\"`, "\"\x01\"", "\"\xff\"", `{} x`, `[1] 2`, "[1]\x00", `1e999`, `"\ud800"`, `"\x"`, `[1 2]`,
}

// TestRead holds that schemas are read as encoding/json reads them, and that
// nothing else is read.
func TestRead(t *testing.T) {
	t.Parallel()
	for i, text := range texts {
		if ok := same(t, []byte(text)); ok != (i < 6) && text != `"\ud800"` {
			t.Errorf("%q: %v", text, ok)
		}
	}
	files, err := filepath.Glob("../../*.json")
	more, merr := filepath.Glob("../../../engine/kind/*/*.json")
	if err != nil || merr != nil || len(files) < 4 || len(more) < 10 {
		t.Fatal(files, more, err, merr)
	}
	for _, file := range append(files, more...) {
		text, err := os.ReadFile(file)
		if err != nil || !same(t, text) {
			t.Errorf("%s is not read: %v", file, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { same(t, text) })
}
