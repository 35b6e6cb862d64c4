package diag

// shapeRules are those of the schema: which keys there are and what they hold.
var shapeRules = []Rule{
	{
		ID: "unknown-key", Severity: Error,
		Summary: "a key that the language does not have",
		Bad:     "version: 1\nname: sync\nsteps:\n  - rnu: echo done\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "name", Severity: Error,
		Summary: "a name that is not of the right form",
		Bad:     "version: 1\nname: sync\nparams:\n  \"my text\": {type: string}\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync\nparams:\n  my-text: {type: string}\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "required", Severity: Error,
		Summary: "a key that must be there is missing",
		Bad:     "version: 1\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "one-of", Severity: Error,
		Summary: "not exactly one of some keys is there",
		Bad:     "version: 1\nname: sync\nsteps:\n  - run: echo done\n    exec: [echo, done]\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "excludes", Severity: Error,
		Summary: "two keys that cannot stand beside each other",
		Bad:     "version: 1\nname: sync\nsteps:\n  - uses: http\n    with: {method: POST, url: https://example.com, body: text, json: {a: 1}}\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - uses: http\n    with: {method: POST, url: https://example.com, json: {a: 1}}\n",
	},
	{
		ID: "needs", Severity: Error,
		Summary: "a key that asks for another one",
		Bad:     "version: 1\nname: sync\nmode: standby\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync\nmode: standby\nprimary: {heartbeat: {}}\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "expression", Severity: Error,
		Summary: "an expression where none is evaluated",
		Bad:     "version: 1\nname: sync\ntimeout: ${{ params.time }}\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync\ntimeout: 5m\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "type", Severity: Error,
		Summary: "a value of another type than is wanted",
		Bad:     "version: 1\nname: sync\nconcurrency: many\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync\nconcurrency: 2\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "enum", Severity: Error,
		Summary: "a value that is none of those there are",
		Bad:     "version: 1\nname: sync\noverlap: skipp\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync\noverlap: skip\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "const", Severity: Error,
		Summary: "a value that must be another one",
		Bad:     "version: 2\nname: sync\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "pattern", Severity: Error,
		Summary: "a text that is not of the right form",
		Bad:     "version: 1\nname: Sync Site\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync-site\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "format", Severity: Error,
		Summary: "a duration, a size or a pattern that cannot be read",
		Bad:     "version: 1\nname: sync\ntimeout: 5 minutes\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync\ntimeout: 5m\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "min", Severity: Error,
		Summary: "a number that is too small, or a text, list or mapping that is too short",
		Bad:     "version: 1\nname: sync\nconcurrency: 0\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync\nconcurrency: 1\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "max", Severity: Error,
		Summary: "a number that is too large, or a list or mapping that is too long",
		Bad:     "version: 1\nname: sync\nsteps:\n  - {run: exit 3, success-codes: [300]}\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - {run: exit 3, success-codes: [3]}\n",
	},
	{
		ID: "unique", Severity: Error,
		Summary: "a list that holds a value twice",
		Bad:     "version: 1\nname: sync\ninherit-env: [SITE, SITE]\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync\ninherit-env: [SITE]\nsteps:\n  - run: echo done\n",
	},
	{
		ID: "form", Severity: Error,
		Summary: "a value that has none of the forms it may have",
		Bad:     "version: 1\nname: sync\nprimary:\n  netlify-function: {site: acme, function: digest, url: https://example.com/.netlify/functions/digest}\nsteps:\n  - run: echo done\n",
		Good:    "version: 1\nname: sync\nprimary:\n  netlify-function: {site: acme, function: digest, url: https://example.com/digest.html}\nsteps:\n  - run: echo done\n",
	},
}
