package mistake

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/schema"
)

// slip is the hint for a value whose form shows what was meant: what other
// tools, or an older YAML, would have taken. "": it shows nothing.
func slip(got any, i schema.Issue) string {
	key := last(i.Path)
	text, _ := got.(string)
	text = strings.TrimSpace(text)
	switch {
	case key == "retry" && i.Want == "a mapping" && isNumber(got):
		return fmt.Sprintf("write retry: {attempts: %v}, which counts the first try", got)
	case !plain(got):
		return ""
	case key == "schedule" && i.Keyword == schema.KeywordType:
		how := "schedule: {%s}"
		if _, entry := i.Path[len(i.Path)-1].(int); entry {
			how = "{%s}"
		}
		if _, err := time.ParseDuration(text); err == nil {
			return "write " + fmt.Sprintf(how, "every: "+text)
		}
		return "write " + fmt.Sprintf(how, fmt.Sprintf("cron: %q", text))
	case key == "restart" && i.Keyword == schema.KeywordType:
		return restart(text)
	case key == "instances" && i.Keyword == schema.KeywordType:
		return "write a number, as instances: 2"
	case key == "exec" && i.Keyword == schema.KeywordType:
		return fmt.Sprintf("write its words as a list, as exec: [%s]; or write run: for a script", strings.Join(strings.Fields(text), ", "))
	case i.Want == "true or false":
		return boolean(text)
	case i.Keyword == schema.KeywordConst && slices.Contains(i.Allowed, text), i.Want == "an integer" && isInteger(text):
		return "write it without quotes: " + text
	case i.Keyword == schema.KeywordPattern && (key == "name" && len(i.Path) == 1 || key == "id"):
		return name(text, key)
	}
	return ""
}

// plain reports a short text of one line without quotes, which can be shown in
// others.
func plain(v any) bool {
	text, ok := v.(string)
	return ok && len(text) <= 200 && !strings.ContainsAny(text, "\n\"{}")
}

// restart is the hint for the policies of Compose.
func restart(text string) string {
	policy, most, _ := strings.Cut(text, ":")
	switch {
	case policy == "unless-stopped":
		policy = "always"
	case policy == "no":
		policy = "never"
	case policy != "always" && policy != "on-failure" && policy != "never":
		policy = "always"
	}
	if isInteger(most) {
		return fmt.Sprintf("write restart: {policy: %s, max-restarts: %s}", policy, most)
	}
	return fmt.Sprintf("write restart: {policy: %s}", policy)
}

// size is the hint for a size in the units of other tools.
func size(text string) string {
	if m := regexp.MustCompile(`(?i)^(\d{1,9}) *([kmg])i?b?$`).FindStringSubmatch(text); m != nil {
		return "write " + m[1] + map[string]string{"k": "KiB", "m": "MiB", "g": "GiB"}[strings.ToLower(m[2])]
	}
	return ""
}

// last is the key that a path leads to, also when it goes on into a list.
func last(path []any) string {
	for _, p := range slices.Backward(path) {
		if key, ok := p.(string); ok {
			return key
		}
	}
	return ""
}

func isInteger(text string) bool {
	_, err := strconv.ParseInt(text, 10, 64)
	return err == nil
}

func isNumber(v any) bool {
	switch v.(type) {
	case int64, uint64, float64:
		return true
	}
	return false
}

// boolean is the hint for the words that YAML 1.1 took for true and false.
func boolean(text string) string {
	switch strings.ToLower(text) {
	case "yes", "on", "y", "true":
		return "write true"
	case "no", "off", "n", "false":
		return "write false"
	}
	return ""
}

// name is the hint for a name or an id that people would rather read.
func name(text, key string) string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	short := strings.Join(words, "-")
	if short == "" || len(short) > 60 || key == "id" && short[0] <= '9' {
		return ""
	}
	return fmt.Sprintf("write %s: %s; the words for people stand under %s", key, short, map[string]string{"name": "description", "id": "name"}[key])
}

// choice is the hint for a value that is none of those that there are.
func choice(got string, i schema.Issue) string {
	switch near := diag.Nearest(got, i.Allowed); {
	case i.Meant != "":
		return fmt.Sprintf("write %s, which does here what %s does at GitHub", i.Meant, got)
	case near != "":
		return fmt.Sprintf("did you mean %q?", near)
	case last(i.Path) != "uses":
		return ""
	case path.Ext(got) == ".yaml" || path.Ext(got) == ".yml":
		return "an action is named by its path from the project root, as ./actions/post.yaml"
	case regexp.MustCompile(`^[\w.-]+/[\w./-]+@`).MatchString(got):
		return "actions of GitHub do not run here: write what it does under run"
	}
	return ""
}
