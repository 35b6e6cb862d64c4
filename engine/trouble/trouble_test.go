package trouble

import (
	"errors"
	"testing"
)

// TestList holds that a history which cannot be read is not called a state
// directory that cannot be written, and that each begins and ends once.
func TestList(t *testing.T) {
	t.Parallel()
	var l List
	for i, c := range []struct {
		who, what        string
		err              error
		changed          bool
		reading, writing bool // that fails then
	}{
		{"health", reading, errors.New("malformed"), true, true, false},
		{"look", reading, errors.New("malformed"), false, true, false},
		{"reports", reporting, errors.New("no room"), true, true, true},
		{"health", reading, nil, false, true, true},
		{"look", reading, nil, true, false, true},
		{"records", keeping, errors.New("no room"), true, false, true},
		{"reports", reporting, nil, true, false, true},
		{"runs", keeping, nil, false, false, true},
		{"records", keeping, nil, true, false, false},
	} {
		what, changed := l.Set(c.who, c.err)
		if what != c.what || changed != c.changed || (l.Reading() != nil) != c.reading || (l.Writing() != nil) != c.writing {
			t.Errorf("%d: %s, %v, %v, %v", i, what, changed, l.Reading(), l.Writing())
		}
	}
}
