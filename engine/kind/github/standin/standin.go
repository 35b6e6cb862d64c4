// Package standin says which step kinds stand in for actions of GitHub's own,
// and which of their keys for the inputs of those, whatever the version: what
// the inputs mean has not changed, only what the actions run on. Inputs are
// those of the action.yml of each action.
package standin

// Key is a key of a step kind.
type Key struct {
	Name string
	Form Form
}

// Value is a key with a text that is always the same.
type Value struct {
	Key
	Text string
}

// Form is how the text of an input becomes the value of a key.
type Form uint8

// The forms.
const (
	AsText   Form = iota
	AsNumber      // an integer
	AsBool
	AsLines // a list of the lines that are not empty
)

// Replacement is a step kind in place of an action.
type Replacement struct {
	Kind  string
	Note  string  // what differs
	Fixed []Value // keys that the kind is always given
	// Saves is set where files are saved once the job has succeeded.
	Saves bool
	// Key is the key for an input, in lower case, and what differs. Without a
	// name, the input has no counterpart; without a word on that either, nobody
	// knows it.
	Key func(input string) (Key, string)
}

// Of gives what stands in for an action, by its name in lower case without its
// version.
func Of(action string) (Replacement, bool) {
	const cached = "the files are kept on this machine, for later runs"
	switch action {
	case "actions/checkout":
		return Replacement{Kind: "github/checkout", Note: "the work tree that is here is what is checked out", Key: checkoutKey}, true
	case "actions/setup-node":
		return Replacement{Kind: "github/setup", Note: "node is the one of this machine, its version checked", Fixed: fixed("tool", "node", AsText), Key: setupKey("node-version")}, true
	case "actions/setup-python":
		return Replacement{Kind: "github/setup", Note: "python is the one of this machine, its version checked", Fixed: fixed("tool", "python", AsText), Key: setupKey("python-version")}, true
	case "actions/upload-artifact":
		return Replacement{Kind: "artifact/upload", Note: "the files are kept on this machine, with the run", Key: uploadKey}, true
	case "actions/download-artifact":
		return Replacement{Kind: "artifact/download", Note: "the files are those that this run kept on this machine", Key: downloadKey}, true
	case "actions/cache":
		return Replacement{Kind: "cache", Note: cached, Saves: true, Key: cacheKey}, true
	case "actions/cache/restore":
		return Replacement{Kind: "cache", Note: cached, Key: cacheKey}, true
	case "actions/cache/save":
		return Replacement{Kind: "cache", Note: cached, Fixed: fixed("save", "true", AsBool), Key: cacheKey}, true
	}
	return Replacement{}, false
}

func fixed(name, text string, form Form) []Value {
	return []Value{{Key: Key{Name: name, Form: form}, Text: text}}
}

func checkoutKey(input string) (Key, string) {
	switch input {
	case "repository", "ref", "path", "token", "submodules", "github-server-url":
		return Key{Name: input}, ""
	case "fetch-depth":
		return Key{Name: input, Form: AsNumber}, ""
	case "fetch-tags":
		return Key{Name: input, Form: AsBool}, ""
	case "persist-credentials", "clean", "lfs", "show-progress", "set-safe-directory", "filter", "sparse-checkout", "sparse-checkout-cone-mode", "ssh-strict", "ssh-user", "ssh-known-hosts", "ssh-key":
		return Key{}, "it means nothing where the work tree is there already"
	}
	return Key{}, ""
}

func setupKey(version string) func(string) (Key, string) {
	return func(input string) (Key, string) {
		switch input {
		case version:
			return Key{Name: "version"}, ""
		case version + "-file":
			return Key{Name: "version-file"}, ""
		case "registry-url", "scope":
			return Key{Name: input}, ""
		case "cache", "cache-dependency-path", "package-manager-cache":
			return Key{}, "package managers keep their caches on this machine by themselves"
		case "always-auth", "token", "architecture", "check-latest", "mirror", "mirror-token", "allow-prereleases", "freethreaded", "pip-version", "pip-install", "update-environment":
			return Key{}, "nothing is looked up or installed here"
		}
		return Key{}, ""
	}
}

func uploadKey(input string) (Key, string) {
	switch input {
	case "name", "if-no-files-found":
		return Key{Name: input}, ""
	case "path":
		return Key{Name: "path", Form: AsLines}, ""
	case "overwrite", "include-hidden-files":
		return Key{Name: input, Form: AsBool}, ""
	case "retention-days":
		return Key{}, "artifacts stay as long as their run"
	case "compression-level", "archive":
		return Key{}, "files are kept as they are"
	}
	return Key{}, ""
}

func downloadKey(input string) (Key, string) {
	switch input {
	case "name", "path", "pattern":
		return Key{Name: input}, ""
	case "merge-multiple":
		return Key{Name: input, Form: AsBool}, ""
	}
	return Key{}, ""
}

func cacheKey(input string) (Key, string) {
	switch input {
	case "key":
		return Key{Name: "key"}, ""
	case "path", "restore-keys":
		return Key{Name: input, Form: AsLines}, ""
	case "lookup-only", "fail-on-cache-miss":
		return Key{Name: input, Form: AsBool}, ""
	case "enablecrossosarchive", "upload-chunk-size":
		return Key{}, "it means nothing on one machine"
	}
	return Key{}, ""
}
