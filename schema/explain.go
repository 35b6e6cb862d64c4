package schema

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
