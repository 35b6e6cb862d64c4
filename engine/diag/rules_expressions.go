package diag

// expressionRules are those of expressions: what they read and how they are written.
var expressionRules = []Rule{
	{
		ID: "expression-syntax", Severity: Error,
		Summary: "an expression that cannot be read",
		Bad:     "version: 1\nname: sync\nsteps:\n  - {if: \"steps.a.outcome = 'failed'\", run: echo done}\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - {id: a, run: echo a, continue-on-error: true}\n  - {if: \"steps.a.outcome == 'failed'\", run: echo done}\n",
	},
	{
		ID: "expression-type", Severity: Error,
		Summary: "an operation that makes no sense for the type of a value",
		Bad:     "version: 1\nname: sync\nsteps:\n  - env: {ALL: \"all: ${{ params }}\"}\n    run: echo done\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - env: {ALL: \"${{ toJSON(params) }}\"}\n    run: echo done\n",
	},
	{
		ID: "expression-value", Severity: Error,
		Summary: "a function is given a text that it cannot read",
		Bad:     "version: 1\nname: sync\nsteps:\n  - run: echo \"$ON\"\n    env:\n      ON: ${{ format('{0', run.id) }}\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - run: echo \"$ON\"\n    env:\n      ON: ${{ format('{0}', run.id) }}\n",
	},
	{
		ID: "unknown-context", Severity: Error,
		Summary: "an expression reads a context that does not exist there",
		Bad:     "version: 1\nname: sync\nsteps:\n  - env: {REF: \"${{ github.ref }}\"}\n    run: echo done\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - env: {NAME: \"${{ pipeline.name }}\"}\n    run: echo done\n",
	},
	{
		ID: "unknown-field", Severity: Error,
		Summary: "an expression reads a field that its context does not have",
		Bad:     "version: 1\nname: sync\nsteps:\n  - env: {WHO: \"${{ pipeline.nmae }}\"}\n    run: echo done\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - env: {WHO: \"${{ pipeline.name }}\"}\n    run: echo done\n",
	},
	{
		ID: "unknown-function", Severity: Error,
		Summary: "an expression calls a function that there is not",
		Bad:     "version: 1\nname: sync\nsteps:\n  - if: contain(pipeline.name, 'sync')\n    run: echo done\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - if: contains(pipeline.name, 'sync')\n    run: echo done\n",
	},
	{
		ID: "unknown-step", Severity: Error,
		Summary: "an expression reads a step that there is not",
		Bad:     "version: 1\nname: sync\nsteps:\n  - {id: build, run: echo build}\n  - {if: steps.biuld.outcome == 'succeeded', run: echo done}\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - {id: build, run: echo build}\n  - {if: steps.build.outcome == 'succeeded', run: echo done}\n",
	},
	{
		ID: "step-order", Severity: Error,
		Summary: "an expression reads a step that cannot have run yet",
		Bad:     "version: 1\nname: sync\nsteps:\n  - {if: steps.build.outcome == 'succeeded', run: echo done}\n  - {id: build, run: echo build}\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - {id: build, run: echo build}\n  - {if: steps.build.outcome == 'succeeded', run: echo done}\n",
	},
	{
		ID: "unknown-output", Severity: Error,
		Summary: "an expression reads an output that the step's kind does not set",
		Bad:     "version: 1\nname: sync\nsteps:\n  - {id: ask, uses: http, with: {url: https://example.com}}\n  - {if: steps.ask.outputs.code == 200, run: echo done}\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - {id: ask, uses: http, with: {url: https://example.com}}\n  - {if: steps.ask.outputs.status == 200, run: echo done}\n",
	},
	{
		ID: "unknown-param", Severity: Error,
		Summary: "an expression reads a parameter that is not declared",
		Bad:     "version: 1\nname: sync\nparams:\n  text: {type: string, default: hello}\nsteps:\n  - env: {TEXT: \"${{ params.txt }}\"}\n    run: echo done\n",
		Good:    "version: 1\nname: sync\nparams:\n  text: {type: string, default: hello}\nsteps:\n  - env: {TEXT: \"${{ params.text }}\"}\n    run: echo done\n",
	},
	{
		ID: "unknown-var", Severity: Error,
		Summary: "an expression reads a variable that redund.yaml does not set",
		Bad:     "-- redund.yaml --\nvars: {site: https://example.com}\n-- pipelines/pm2/sync.yaml --\nversion: 1\nname: sync\nsteps:\n  - env: {SITE: \"${{ vars.stie }}\"}\n    run: echo done\n",
		Good:    "-- redund.yaml --\nvars: {site: https://example.com}\n-- pipelines/pm2/sync.yaml --\nversion: 1\nname: sync\nsteps:\n  - env: {SITE: \"${{ vars.site }}\"}\n    run: echo done\n",
	},
	{
		ID: "unknown-input", Severity: Error,
		Summary: "an input that an action does not have",
		Bad:     "-- actions/greet.yaml --\nkind: action\nname: greet\ninputs:\n  who: {type: string, default: world}\nsteps:\n  - run: echo hello\n-- pipelines/pm2/sync.yaml --\nversion: 1\nname: sync\nsteps:\n  - {uses: ./actions/greet.yaml, with: {whom: you}}\n",
		Good:    "-- actions/greet.yaml --\nkind: action\nname: greet\ninputs:\n  who: {type: string, default: world}\nsteps:\n  - run: echo hello\n-- pipelines/pm2/sync.yaml --\nversion: 1\nname: sync\nsteps:\n  - {uses: ./actions/greet.yaml, with: {who: you}}\n",
	},
	{
		ID: "undeclared-secret", Severity: Error,
		Summary: "an expression reads a secret that the pipeline does not declare",
		Bad:     "version: 1\nname: sync\nsteps:\n  - env: {TOKEN: \"${{ secrets.API_TOKEN }}\"}\n    run: echo done\n",
		Good:    "-- .env --\nAPI_TOKEN=0123456789\n-- pipelines/pm2/sync.yaml --\nversion: 1\nname: sync\nsecrets: [API_TOKEN]\nsteps:\n  - env: {TOKEN: \"${{ secrets.API_TOKEN }}\"}\n    run: echo done\n",
	},
	{
		ID: "never-equal", Severity: Warning,
		Summary: "an expression compares with a word that the value never is",
		Bad:     "version: 1\nname: sync\nsteps:\n  - {id: a, run: echo a, continue-on-error: true}\n  - {if: \"steps.a.outcome == 'failure'\", run: echo done}\n",
		Good:    "version: 1\nname: sync\nsteps:\n  - {id: a, run: echo a, continue-on-error: true}\n  - {if: \"steps.a.outcome == 'failed'\", run: echo done}\n",
	},
	{
		ID: "shell-injection", Severity: Warning,
		Summary: "a value that becomes part of a script's text; an error for what a primary said",
		Bad:     "version: 1\nname: sync\nparams:\n  text: {type: string, default: hello}\nsteps:\n  - run: echo ${{ params.text }}\n",
		Good:    "version: 1\nname: sync\nparams:\n  text: {type: string, default: hello}\nsteps:\n  - env: {TEXT: \"${{ params.text }}\"}\n    run: echo \"$TEXT\"\n",
	},
}
