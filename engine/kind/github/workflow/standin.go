package workflow

import (
	"strings"

	"github.com/rhysd/actionlint"

	"github.com/redundctl/redundctl/engine/kind/github/standin"
)

// standIn makes an action of GitHub's a step kind of ours, if one stands in for
// it.
func (t *translator) standIn(under string, pos *actionlint.Pos, s *Step) bool {
	action, _, _ := strings.Cut(s.Uses.Value, "@")
	r, ok := standin.Of(strings.ToLower(action))
	if !ok {
		return false
	}
	s.Kind, s.Saves = r.Kind, r.Saves
	for _, v := range r.Fixed {
		s.Keys = append(s.Keys, Key{Name: v.Name, Value: Text{Value: v.Text, Line: s.Line, Column: s.Column}, Form: v.Form})
	}
	t.like(under+"uses", pos, r.Note)
	for _, v := range s.With {
		at := &actionlint.Pos{Line: v.Value.Line, Col: v.Value.Column}
		key, note := r.Key(strings.ToLower(v.Name))
		switch {
		case key.Name != "":
			if v.Value.Value != "" { // an input without a value is as good as not given
				s.Keys = append(s.Keys, Key{Name: key.Name, Value: v.Value, Form: key.Form})
			}
			if note == "" {
				t.exact(under+"with."+v.Name, at)
			} else {
				t.like(under+"with."+v.Name, at, note)
			}
		case note != "":
			t.like(under+"with."+v.Name, at, note)
		default:
			t.cannot(under+"with."+v.Name, at, "it is passed over: "+s.Kind+" has no such key")
		}
	}
	return true
}
