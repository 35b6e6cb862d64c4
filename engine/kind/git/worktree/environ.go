package worktree

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// environment takes everything out of env that would make git look at another
// repository, ask a person, open a pager or translate its messages.
func environment(env []string) []string {
	keep := []string{"GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM",
		"GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_PROXY_COMMAND", "GIT_EXEC_PATH", "GIT_CONFIG_COUNT"}
	keepPrefix := []string{"GIT_SSL_", "GIT_HTTP_", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_", "GIT_LFS_"}
	var out []string
	askpass := false
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		switch {
		case name == "LC_ALL" || name == "LANGUAGE" || name == "PAGER" || name == "EDITOR" || name == "VISUAL":
			continue
		case name == "SSH_ASKPASS":
			askpass = true
		case strings.HasPrefix(name, "GIT_") && !slices.Contains(keep, name) &&
			!slices.ContainsFunc(keepPrefix, func(p string) bool { return strings.HasPrefix(name, p) }):
			continue
		}
		out = append(out, kv)
	}
	out = append(out, "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_PAGER=cat", "GIT_EDITOR=:", "GIT_SEQUENCE_EDITOR=:", "GIT_MERGE_AUTOEDIT=no",
		"GIT_OPTIONAL_LOCKS=0", "GCM_INTERACTIVE=never")
	if !askpass {
		// ssh asks on the terminal of whoever started us otherwise.
		out = append(out, "SSH_ASKPASS=false", "SSH_ASKPASS_REQUIRE=force")
	}
	return out
}

// config is what `git config --list` says.
type config struct {
	Values map[string]string // the last one wins
	plain  []string          // arguments that turn off every content filter
}

func parseConfig(b []byte) config {
	c := config{Values: map[string]string{}}
	for _, kv := range strings.Split(string(b), "\x00") {
		name, value, _ := strings.Cut(kv, "\n")
		if name == "" {
			continue
		}
		c.Values[name] = value
		if f, ok := strings.CutPrefix(name, "filter."); ok {
			if i := strings.LastIndexByte(f, '.'); i > 0 {
				name := "filter." + f[:i]
				if slices.Contains(c.plain, name+".clean=") {
					continue
				}
				c.plain = append(c.plain, "-c", name+".clean=", "-c", name+".smudge=", "-c", name+".process=", "-c", name+".required=false")
			}
		}
	}
	return c
}

var (
	urlUser  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/@\s'"]+@`) })
	urlQuery = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)([?&;](?:[a-z_-]*(?:token|key|secret|password|auth|signature)[a-z_-]*)=)[^&\s'"]+`)
	})
)

// MaskURL hides credentials in every URL of a text.
func MaskURL(s string) string {
	return urlQuery().ReplaceAllString(urlUser().ReplaceAllString(s, "${1}***@"), "${1}***")
}
