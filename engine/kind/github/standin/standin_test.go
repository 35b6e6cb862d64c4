package standin

import "testing"

// TestOf holds which inputs have a key, differ, or are not known.
func TestOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		action, input, key string
		noted              bool
	}{
		{"actions/checkout", "fetch-depth", "fetch-depth", false}, {"actions/checkout", "clean", "", true}, {"actions/checkout", "x", "", false},
		{"actions/setup-node", "node-version", "version", false}, {"actions/setup-node", "node-version-file", "version-file", false}, {"actions/setup-node", "cache", "", true},
		{"actions/setup-python", "python-version", "version", false}, {"actions/setup-python", "node-version", "", false},
		{"actions/upload-artifact", "path", "path", false}, {"actions/upload-artifact", "retention-days", "", true},
		{"actions/download-artifact", "name", "name", false}, {"actions/cache", "key", "key", false}, {"actions/cache/save", "path", "path", false}, {"actions/cache/restore", "restore-keys", "restore-keys", false},
	} {
		r, ok := Of(c.action)
		if !ok {
			t.Fatal(c.action)
		}
		if key, note := r.Key(c.input); key.Name != c.key || (note != "") != c.noted {
			t.Errorf("%+v: %+v %q", c, key, note)
		}
	}
	if _, ok := Of("actions/github-script"); ok {
		t.Error("something stands in for what nothing stands in for")
	}
}
