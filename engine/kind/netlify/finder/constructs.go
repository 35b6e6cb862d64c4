package finder

import (
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/kind"
)

// constructs are the features of Netlify that the function uses.
func (u *use) constructs() []kind.Construct {
	out := u.ours
	add := func(c kind.Construct, support kind.Support, note string) {
		c.Support, c.Note = support, note
		out = append(out, c)
	}
	if u.event() == "background" {
		add(kind.Construct{Key: "-background", File: u.file.rel}, kind.Approximated, "it has 15 minutes; Netlify's two retries are the step's retry")
	}
	for _, m := range u.src.Uses {
		support, note := means(m.Name)
		add(kind.Construct{Key: m.Name, File: u.file.rel, Line: m.Line, Column: m.Column}, support, note)
	}
	for _, m := range u.src.Packages {
		if !strings.HasPrefix(m.Name, "@netlify/") {
			continue
		}
		support, note := kind.Exact, ""
		switch m.Name {
		case "@netlify/functions":
		case "@netlify/blobs", "@netlify/db":
			support, note = kind.Unsupported, "only a function at Netlify can reach it"
		default:
			support, note = kind.Approximated, "it is used as it is installed here"
		}
		add(kind.Construct{Key: m.Name, File: u.file.rel, Line: m.Line, Column: m.Column}, support, note)
	}
	for _, m := range u.src.Variables {
		c := kind.Construct{Key: "env." + m.Name, File: u.file.rel, Line: m.Line, Column: m.Column}
		switch {
		case m.Name == "NETLIFY" || m.Name == "CONTEXT" || m.Name == "AWS_LAMBDA_FUNCTION_NAME":
			add(c, kind.Exact, "")
		case own(m.Name):
			add(c, kind.Approximated, "here it is what `env` or the machine sets")
		default:
			add(c, kind.Approximated, "read as a secret; one that is not set here is empty, not undefined")
		}
	}
	for _, k := range u.site.toml.keys {
		if matches(k.function, u.file.name) {
			support, note := means("functions." + k.key)
			add(kind.Construct{Key: "functions." + k.key, File: u.site.toml.rel, Line: k.line}, support, note)
		}
	}
	out = append(out, u.scripts()...)
	slices.SortStableFunc(out, func(a, b kind.Construct) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return slices.Compare([]int{a.Line, a.Column}, []int{b.Line, b.Column})
	})
	return out
}

// means says what a feature of Netlify means here.
func means(key string) (kind.Support, string) {
	switch key {
	case "context.waitUntil", "context.json", "context.log", "context.requestId", "context.url", "context.params", "context.cookies", "Netlify.env",
		"context.getRemainingTimeInMillis", "context.functionName", "context.awsRequestId", "context.callbackWaitsForEmptyEventLoop":
		return kind.Exact, ""
	case "context.geo", "context.ip", "context.clientContext":
		return kind.Approximated, "there is no visitor: it is empty, and the address this machine's"
	case "context.account", "context.site", "context.deploy", "context.server":
		return kind.Approximated, "made of ACCOUNT_ID, SITE_ID, SITE_NAME, URL and DEPLOY_ID where the step sets them"
	case "context.next":
		return kind.Approximated, "there is nothing behind the function: it answers 404"
	case "context.rewrite":
		return kind.Unsupported, "there is nothing to lead to: it throws"
	case "config.path", "config.excludedPath", "config.method", "config.preferStatic", "config.rateLimit":
		return kind.Unsupported, "the function is called by its schedule alone"
	case "config.region", "functions.region", "functions.memory", "config.memory":
		return kind.Unsupported, "it runs on this machine; memory-limit of the step bounds its memory"
	case "functions.included_files", "config.includedFiles":
		return kind.Approximated, "every file of the work tree is there"
	case "functions.node_bundler", "config.nodeBundler", "functions.external_node_modules", "config.externalNodeModules", "functions.ignored_node_modules":
		return kind.Approximated, "packages are loaded from node_modules; only TypeScript is bundled"
	case "config.name", "config.generator":
		return kind.Exact, ""
	case "functions.timeout", "config.timeout":
		return kind.Unsupported, "timeout of the step sets another limit"
	}
	return kind.Unsupported, "redundctl does not know it"
}
