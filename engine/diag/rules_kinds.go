package diag

// kindRules are those of the step kinds: what their schemas cannot say.
var kindRules = []Rule{
	{
		ID: "http-url", Severity: Error,
		Summary: "the address of a request cannot be used",
		Bad:     "version: 1\nname: ping\nsteps:\n  - uses: http\n    with: {url: example.com/ping}\n",
		Good:    "version: 1\nname: ping\nsteps:\n  - uses: http\n    with: {url: https://example.com/ping}\n",
	},
	{
		ID: "notify-service", Severity: Error,
		Summary: "a service URL names no service, or is not complete",
		Bad:     "version: 1\nname: tell\nsteps:\n  - uses: notify\n    with: {message: done, services: [\"https://example.com/hook\"]}\n",
		Good:    "version: 1\nname: tell\nsteps:\n  - uses: notify\n    with: {message: done, services: [\"generic+https://example.com/hook\"]}\n",
	},
	{
		ID: "notify-nobody", Severity: Warning,
		Summary: "a message that no service is named for: its step is skipped",
		Bad:     "version: 1\nname: tell\nsteps:\n  - uses: notify\n    with: {message: done}\n",
		Good:    "-- redund.yaml --\nnotify: {services: [\"${{ secrets.SLACK_URL }}\"]}\n-- pipelines/pm2/tell.yaml --\nversion: 1\nname: tell\nsteps:\n  - uses: notify\n    with: {message: done}\n",
	},
	{
		ID: "pm2-ecosystem", Severity: Error,
		Summary: "a file of PM2 applications whose name PM2 takes for a program",
		Bad:     "version: 1\nname: up\nsteps:\n  - uses: pm2\n    with: {action: start, name: api, ecosystem: ecosystem.js}\n",
		Good:    "version: 1\nname: up\nsteps:\n  - uses: pm2\n    with: {action: start, name: api, ecosystem: ecosystem.config.js}\n-- ecosystem.config.js --\nmodule.exports = {apps: [{name: \"api\", script: \"api.js\"}]}\n",
	},
}
