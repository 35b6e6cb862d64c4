package source

import "testing"

func TestInsert(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"a line", "version: 1\nname: a # here\nsteps: []\n", "version: 1\nname: a # here\nenabled: false\nsteps: []\n"},
		{"windows", "name: a\r\nsteps: []\r\n", "name: a\r\nenabled: false\r\nsteps: []\r\n"},
		{"no last break", "version: 1\nname: a", "version: 1\nname: a\nenabled: false"},
		{"flow", "{version: 1, name: a, steps: []}\n", "{version: 1, name: a, enabled: false, steps: []}\n"},
		{"flow over lines", "{\n  name: a,\n  steps: []\n}\n", "{\n  name: a, enabled: false,\n  steps: []\n}\n"},
		{"quoted", "name: \"a\"\n\n# steps\nsteps: []\n", "name: \"a\"\nenabled: false\n\n# steps\nsteps: []\n"},
		{"indented", "  name: a\n  steps: []\n", "  name: a\n  enabled: false\n  steps: []\n"},
		{"it is there already", "name: a\nenabled: true\n", ""},
		{"nothing to stand after", "steps: []\n", ""},
		{"over several lines", "name: >-\n  a\n  b\nsteps: []\n", "name: >-\n  a\n  b\nenabled: false\nsteps: []\n"},
	} {
		f, _ := Parse("f.yaml", []byte(tt.text), Limits{})
		got, err := f.Insert([]any{"name"}, "enabled", "false")
		switch {
		case tt.want == "" && err == nil:
			t.Errorf("%s: changed to %q", tt.name, got)
		case tt.want != "" && (err != nil || string(got) != tt.want):
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}
