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
}
