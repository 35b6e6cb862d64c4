package diag

// sourceRules are those of the text of a file: YAML itself, before any key has
// a meaning.
var sourceRules = []Rule{
	{
		ID: "too-large", Severity: Error,
		Summary: "the file, or what its text stands for, is larger than limits.file-size or the engine's bounds allow",
		Bad:     "# a file of more than 1 MiB\n",
		Good:    "# text that is long goes into a file of its own, which a step reads\nversion: 1\nname: sync\nsteps:\n  - run: cat text.md\n",
	},
	{
		ID: "not-utf8", Severity: Error,
		Summary: "the file is not UTF-8 text",
		Bad:     "# a file saved as UTF-16 or Latin-1, or one that is not text\n",
		Good:    "# saved as UTF-8\nversion: 1\nname: sync\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "control-character", Severity: Error,
		Summary: "the file holds a character that YAML does not allow",
		Bad:     "version: 1\nname: sync\nsteps:\n  - run: echo \x07\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - run: \"echo \\a\"\n",
	},
	{
		ID: "merge-conflict", Severity: Error,
		Summary: "the file holds the marks of a merge that was not finished",
		Bad:     "version: 1\n<<<<<<< HEAD\nname: sync\n=======\nname: sync-site\n>>>>>>> main\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync-site\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "yaml-syntax", Severity: Error,
		Summary: "the text is not YAML",
		Bad:     "version: 1\nname: sync\nsteps:\n  - run: echo \"done\" : yes\n  - run: [echo\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - run: 'echo \"done\" : yes'\n  - exec: [echo]\n",
	},
	{
		ID: "empty-document", Severity: Error,
		Summary: "the file says nothing",
		Bad:     "# only a comment\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "several-documents", Severity: Error,
		Summary: "the file holds more than one YAML document",
		Bad:     "version: 1\nname: one\nsteps:\n  - run: echo one\n---\nversion: 1\nname: two\nsteps:\n  - run: echo two\n",
		Good:    "# one.yaml; the other goes into a file of its own\nversion: 1\nname: one\nsteps:\n  - run: echo one\n",
	},
	{
		ID: "duplicate-key", Severity: Error,
		Summary: "a key is written twice in one mapping",
		Bad:     "version: 1\nname: sync\nname: sync-site\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync-site\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "key-type", Severity: Error,
		Summary: "a key is not a string",
		Bad:     "version: 1\nname: sync\nenv:\n  1: one\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync\nenv:\n  ONE: one\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "merge-key", Severity: Error,
		Summary: "merge keys are not part of the language",
		Bad:     "version: 1\nname: sync\nx-env: &env\n  SITE: https://example.com\nenv:\n  <<: *env\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync\nx-env: &env\n  SITE: https://example.com\nenv: *env\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "custom-tag", Severity: Error,
		Summary: "tags other than YAML's own plain ones are not part of the language",
		Bad:     "version: 1\nname: sync\nenv:\n  SITE: !secret SITE\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync\nenv:\n  SITE: https://example.com\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "number-form", Severity: Error,
		Summary: "a number is written in a form that people and programs read differently",
		Bad:     "version: 1\nname: sync\nconcurrency: 010\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync\nconcurrency: 10\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "too-deep", Severity: Error,
		Summary: "values are nested deeper than limits.depth",
		Bad:     "version: 1\nname: sync\nx-deep: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync\nx-deep: [1]\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "too-many-aliases", Severity: Error,
		Summary: "the file holds more aliases than limits.aliases, or they stand for too much",
		Bad:     "version: 1\nname: sync\nx-a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\nx-b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nx-c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nx-d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\nx-e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync\nx-a: &a [1, 1]\nx-b: [*a, *a]\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "alias-cycle", Severity: Error,
		Summary: "an alias stands inside what it stands for",
		Bad:     "version: 1\nname: sync\nx-list: &list [1, *list]\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync\nx-list: &list [1]\nx-more: [2, *list]\nsteps:\n  - run: echo done\n",
	},
}
