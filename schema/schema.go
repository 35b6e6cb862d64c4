// Package schema holds the JSON Schemas of the language and all that is
// derived from them: the check of decoded files with one precise Issue for
// each mistake, the defaults, the editor's combined schema, what `explain`
// says and the reference pages. It knows no YAML, no place in a file and no
// kind: those who use it hand in plain values and the kinds' fragments.
//
// Start with Set, then check.go (how a value is checked), then node.go (the
// schema as it is walked).
package schema

// Fragments are the schemas of the kinds: of `with` by the word in `uses`, and
// of a primary's keys by the primary's kind.
type Fragments struct{ Steps, Primaries map[string][]byte }

// Set is the whole language: the base schemas and the kinds' fragments. It is
// compiled lazily, never changes and is safe for concurrent use.
type Set struct{ fragments Fragments }

// New makes a Set of the fragments.
func New(f Fragments) *Set { return &Set{fragments: f} }

// Issue is one mistake in a value.
type Issue struct {
	Path    []any    // of the value (string keys, int indexes); for unknown-key and required the object's
	Keyword string   // required unknown-key type enum const pattern format min max min-items unique one-of excludes needs expression
	Names   []string // the keys that are unknown, missing or in each other's way
	Allowed []string // what stands for choice: keys or values, sorted
	Want    string   // the type or form that is wanted, as "a list"
	Message string   // lower case, in plain words, without the place
}

// Pipeline checks a pipeline file, with and primary included.
func (s *Set) Pipeline(v any) []Issue { return nil }

// Action checks a file of `kind: action`.
func (s *Set) Action(v any) []Issue { return nil }

// Config checks the project file.
func (s *Set) Config(v any) []Issue { return nil }

// With checks a step's `with` at run time, after its expressions.
func (s *Set) With(uses string, with map[string]any) []Issue { return nil }

// FillPipeline writes the defaults into v, never over what is written, and
// takes out the keys that are the user's own (x-).
func (s *Set) FillPipeline(v map[string]any) {}

// FillAction is FillPipeline for a file of `kind: action`.
func (s *Set) FillAction(v map[string]any) {}

// FillConfig is FillPipeline for the project file.
func (s *Set) FillConfig(v map[string]any) {}

// FillWith is FillPipeline for the `with` of one step.
func (s *Set) FillWith(uses string, with map[string]any) {}

// Outputs are the outputs that a step kind sets, with their descriptions;
// false: not known before the run.
func (s *Set) Outputs(uses string) (map[string]string, bool) { return nil, false }

// Strings calls f for each string of a checked document ("pipeline", "action"
// or "config") that may hold an expression; bare: as `if`, without braces.
func (s *Set) Strings(doc string, v any, f func(path []any, text string, bare bool)) {}

// Combined is the self-contained schema of a document for editors.
func (s *Set) Combined(doc string) ([]byte, error) { return nil, nil }

// Topic is what there is to say of one key.
type Topic struct {
	Path        string   `json:"path"`
	Type        string   `json:"type"`
	Default     string   `json:"default"`
	Description string   `json:"description"`
	Enum        []string `json:"enum"`
	Example     string   `json:"example"`
	Keys        []Topic  `json:"keys"`
}

// Explain walks the schema: "steps.retry", "http.url", "config.server.listen".
func (s *Set) Explain(path string) (Topic, error) { return Topic{}, nil }

// Reference is the Markdown page of a document.
func (s *Set) Reference(doc string) []byte { return nil }

// Decode copies a decoded value into a struct by its json tags.
func Decode(v, out any) error { return nil }
