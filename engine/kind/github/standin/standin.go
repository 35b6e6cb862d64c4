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
type Value struct{ Name, Text string }

// Form is how the text of an input becomes the value of a key.
type Form uint8

// The forms.
const (
	AsText   Form = iota
	AsNumber      // an integer
	AsBool
	AsLines // a list of the lines that are not empty
	AsName  // a text of one component of a path
)

// Replacement is a step kind in place of an action.
type Replacement struct {
	Kind  string
	Note  string  // what differs
	Fixed []Value // keys that the kind is always given
	// Key is the key for an input, in lower case, and what differs. Without a
	// name, the input has no counterpart; without a word on that either, nobody
	// knows it.
	Key func(input string) (Key, string)
}

// Of gives what stands in for an action, by its name in lower case without its
// version.
func Of(action string) (Replacement, bool) {
	switch action {
	case "actions/checkout":
		return Replacement{Kind: "github/checkout", Note: "the work tree that is here is what is checked out", Key: checkoutKey}, true
	case "actions/setup-node":
		return Replacement{Kind: "github/setup", Note: "node is the one of this machine, its version checked", Fixed: fixed("tool", "node"), Key: setupKey("node-version")}, true
	case "actions/setup-python":
		return Replacement{Kind: "github/setup", Note: "python is the one of this machine, its version checked", Fixed: fixed("tool", "python"), Key: setupKey("python-version")}, true
	case "actions/upload-artifact":
		return Replacement{Kind: "artifact/upload", Note: "the files are kept on this machine, with the run", Key: uploadKey}, true
	case "actions/download-artifact":
		return Replacement{Kind: "artifact/download", Note: "the files are those that this run kept on this machine", Key: downloadKey}, true
	case "actions/cache":
		return Replacement{Kind: "cache", Note: "the files are kept on this machine, for later runs of the pipeline", Key: cacheKey}, true
	}
	return Replacement{}, false
}

func fixed(name, value string) []Value { return []Value{{Name: name, Text: value}} }

const inPlace = "it means nothing where the work tree is there already"

func checkoutKey(input string) (Key, string) {
	switch input {
	case "repository", "ref", "path", "token":
		return Key{Name: input}, ""
	case "fetch-depth":
		return Key{Name: input, Form: AsNumber}, ""
	case "submodules":
		return Key{Name: input, Form: AsBool}, ""
	case "persist-credentials", "clean", "lfs", "fetch-tags", "show-progress", "set-safe-directory", "filter", "sparse-checkout", "sparse-checkout-cone-mode", "github-server-url", "ssh-strict", "ssh-user", "ssh-known-hosts", "ssh-key":
		return Key{}, inPlace
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
		case "cache", "cache-dependency-path", "package-manager-cache", "pip-install", "update-environment":
			return Key{}, "package managers keep their caches on this machine by themselves"
		case "registry-url", "scope", "always-auth", "token", "architecture", "check-latest", "mirror", "mirror-token", "allow-prereleases", "freethreaded", "pip-version":
			return Key{}, "nothing is installed or set up here"
		}
		return Key{}, ""
	}
}

func uploadKey(input string) (Key, string) {
	switch input {
	case "name":
		return Key{Name: "name", Form: AsName}, ""
	case "path":
		return Key{Name: "path", Form: AsLines}, ""
	case "retention-days":
		return Key{}, "artifacts are kept as long as the project's retention says"
	case "compression-level", "overwrite", "include-hidden-files", "archive":
		return Key{}, "files are kept as they are"
	}
	return Key{}, ""
}

func downloadKey(input string) (Key, string) {
	switch input {
	case "name":
		return Key{Name: "name", Form: AsName}, ""
	case "path":
		return Key{Name: "path"}, ""
	}
	return Key{}, ""
}

func cacheKey(input string) (Key, string) {
	switch input {
	case "key":
		return Key{Name: "name", Form: AsName}, ""
	case "path":
		return Key{Name: "path", Form: AsLines}, ""
	case "enablecrossosarchive", "save-always", "upload-chunk-size":
		return Key{}, "it means nothing on one machine"
	}
	return Key{}, ""
}
