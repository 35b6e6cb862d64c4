package secret

// automaton finds every form in one pass over a text, as Aho and Corasick
// found out: a state is the longest end of what was read that begins a form.
// It is never changed after it was built.
type automaton struct {
	states []state
	// table has all transitions of the states below dense, which are the root
	// and its children: most of a text stays among them.
	table []int32
	dense int32
}

type state struct {
	child, sibling int32 // the first that continues this state; the next that continues its parent; 0: none
	fail           int32 // the state of the longest end of this one that begins a form
	depth          int32 // how many bytes it stands for
	hold           int32 // how many of them may yet become a form
	match          int32 // the length of the longest form that ends here; 0: none
	label          byte  // by which it was reached
	folds          bool  // it begins a form that may be broken into lines
}

// build makes the automaton of these forms, none of them empty, with those that
// may be broken into lines; nil when there are none.
func build(forms map[string]bool) *automaton {
	if len(forms) == 0 {
		return nil
	}
	a := &automaton{states: make([]state, 1, 64)}
	// The children of the root come first, so that they can be told by number.
	for f := range forms {
		a.add(0, f[0])
	}
	a.dense = int32(len(a.states))
	for f, folds := range forms {
		at := int32(0)
		for i := range len(f) {
			at = a.add(at, f[i])
			if folds && i+1 >= group {
				a.states[at].folds = true
			}
		}
		a.states[at].match = int32(len(f))
	}
	a.link()
	return a
}

// add gives the child of a state, which is made when there is none.
func (a *automaton) add(at int32, label byte) int32 {
	if next := a.find(at, label); next != 0 {
		return next
	}
	next := int32(len(a.states))
	a.states = append(a.states, state{label: label, depth: a.states[at].depth + 1, sibling: a.states[at].child})
	a.states[at].child = next
	return next
}

// find gives the child of a state; 0 when there is none.
func (a *automaton) find(at int32, label byte) int32 {
	for next := a.states[at].child; next != 0; next = a.states[next].sibling {
		if a.states[next].label == label {
			return next
		}
	}
	return 0
}

// link finds where a state goes on when its own children do not, from the
// root down.
func (a *automaton) link() {
	queue := make([]int32, 1, len(a.states))
	for i := 0; i < len(queue); i++ {
		at := queue[i]
		for next := a.states[at].child; next != 0; next = a.states[next].sibling {
			s := &a.states[next]
			for fail := a.states[at].fail; at != 0; fail = a.states[fail].fail {
				if s.fail = a.find(fail, s.label); s.fail != 0 || fail == 0 {
					break
				}
			}
			f := &a.states[s.fail]
			if s.match == 0 {
				s.match = f.match
			}
			if s.hold = s.depth; s.child == 0 {
				s.hold = f.hold
			}
			queue = append(queue, next)
		}
	}
	a.table = make([]int32, int(a.dense)<<8)
	for at := range a.dense {
		for c := range 256 {
			next := a.find(at, byte(c))
			if next == 0 {
				next = a.find(0, byte(c))
			}
			a.table[int(at)<<8|c] = next
		}
	}
}

// skips reports whether a byte is passed over in a state, after run others that
// were: it breaks what may be a form into lines, or indents the next one.
func (a *automaton) skips(at int32, c byte, run int) bool {
	switch {
	case !a.states[at].folds, run == longestBreak:
		return false
	case c == '\n', c == '\r', run > 0 && (c == ' ' || c == '\t'):
		return a.next(at, c) == 0
	}
	return false
}

// next is the state after one byte more.
func (a *automaton) next(at int32, c byte) int32 {
	for at >= a.dense {
		if next := a.find(at, c); next != 0 {
			return next
		}
		at = a.states[at].fail
	}
	return a.table[int(at)<<8|int(c)]
}
