package logs

import (
	"strings"
	"testing"
)

// TestStep: a step is asked for by its id, with its combination as tables print
// it, or as the log writes it.
func TestStep(t *testing.T) {
	t.Parallel()
	names := []string{
		"test", "test (node=20, os=a b)", "test (node=22, os=c)", "test-2", "tes", "test/inner", "test/inner (x=1)", "test/inner/deep", "on-failure.1", "on-failure.10",
	}
	for want, picked := range map[string]string{
		"":                       "test|test (node=20, os=a b)|test (node=22, os=c)|test-2|tes|test/inner|test/inner (x=1)|test/inner/deep|on-failure.1|on-failure.10",
		"test":                   "test|test (node=20, os=a b)|test (node=22, os=c)|test/inner|test/inner (x=1)|test/inner/deep",
		"test (node=20, os=a b)": "test (node=20, os=a b)",
		"test_(node=22,_os=c)":   "test (node=22, os=c)",
		"test (node=2":           "",
		"test/inner":             "test/inner|test/inner (x=1)|test/inner/deep",
		"tes":                    "tes",
		"on-failure.1":           "on-failure.1",
		"nobody":                 "",
	} {
		var got []string
		for _, name := range names {
			q := Query{Step: want}
			if q.picks(Line{Step: word(name)}) {
				got = append(got, name)
			}
		}
		if strings.Join(got, "|") != picked {
			t.Errorf("%q picks %q, want %q", want, got, picked)
		}
	}
}

// TestHasStep: who asks can tell a step that there is not from one that printed
// nothing.
func TestHasStep(t *testing.T) {
	t.Parallel()
	steps := []string{"build", "test (node=20)", "test (path=a/b)", "post"}
	for step, want := range map[string]bool{
		"build": true, "test": true, "test (node=20)": true, "test (path=a/b)": true, "post/inner": true, "post/inner (x=a/b)": true,
		"test (node=18)": false, "tests": false, "nobody": false, "nobody/inner": false, "build (x=1)": false,
	} {
		if got := (Query{Step: step}).HasStep(steps); got != want {
			t.Errorf("%q: %v", step, got)
		}
	}
	if !(Query{}).HasStep(nil) {
		t.Error("no step was asked for, and it is not there")
	}
}
