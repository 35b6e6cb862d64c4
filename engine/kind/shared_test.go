package kind_test

import (
	"fmt"
	"testing"

	"github.com/redundctl/redundctl/engine/kind"
)

// TestSharedForgets holds that a value lives for as long as one of its users has
// asked for it in their newest form, so that rotated tokens leave nothing.
func TestSharedForgets(t *testing.T) {
	t.Parallel()
	var s kind.Shared
	made := map[string]int{}
	use := func(user string, keys ...string) {
		u := s.For(user)
		for _, key := range keys {
			if got := u.Get(key, func() any { made[key]++; return key }); got != key {
				t.Errorf("%s: %v", key, got)
			}
		}
		u.Done()
	}
	use("a", "token 0", "repo 0")
	use("b", "repo 0")
	for n := range 100 {
		use("a", fmt.Sprint("token ", n+1))
	}
	if n := s.Len(); n != 2 {
		t.Errorf("%d values are kept, want those of token 100 and of repo 0, which b uses", n)
	}
	use("c", "repo 0")
	use("a", "token 0")
	use("a", "token 0")
	if made["repo 0"] != 1 || made["token 0"] != 2 || made["token 50"] != 1 {
		t.Errorf("%v", made)
	}
	// What is asked for by one that is not done, as its making failed, goes with the
	// next that is.
	s.For("a").Get("token 7", func() any { return 7 })
	if use("a", "token 0"); s.Len() != 2 || made["token 0"] != 2 {
		t.Errorf("%d values, %v", s.Len(), made)
	}
	s.Get("nobody's", func() any { return 1 })
	if use("a", "token 0"); s.Len() != 3 {
		t.Error("what is nobody's has gone")
	}
}
