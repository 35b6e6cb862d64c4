package mistake

// Foreign tells a file of another tool: the key that shows it, what the file
// is, and what to write here. key "": it is none.
func Foreign(v map[string]any) (key, what, hint string) {
	if v["steps"] != nil || v["service"] != nil {
		return "", "", ""
	}
	if _, ok := v["jobs"].(map[string]any); ok {
		return "jobs", "a workflow of GitHub Actions", "leave it below .github/workflows; a pipeline that backs it up has " +
			"primary: {github-workflow: {repository: owner/name, workflow: ci.yml}}, a schedule and steps of its own (docs/migration.md)"
	}
	if _, ok := v["apps"].([]any); ok {
		return "apps", "an ecosystem file of PM2", "leave it where it is; a pipeline that backs an application up has " +
			"primary: {pm2: {process: NAME}} and a service or steps of its own (docs/migration.md)"
	}
	return "", "", ""
}
