package mistake

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/config/shape"
	"github.com/redundctl/redundctl/schema"
)

// form is the hint for a value of another type, or of another form, that shows
// how it is written here. "": nothing is known.
func form(got any, i schema.Issue) string {
	key := last(i.Path)
	_, entry := i.Path[len(i.Path)-1].(int)
	text, isText := got.(string)
	m, isMap := got.(map[string]any)
	_, isList := got.([]any)
	steps := slices.Contains(shape.ListNames(), key)
	switch {
	case got == nil && i.Want == "a mapping" && !entry:
		return fmt.Sprintf("write what belongs to %s below it, indented further than %s itself", key, key)
	case steps && entry && isText && short(text):
		return "write - run: " + text
	case steps && isMap && !entry:
		return fmt.Sprintf("write a list, each step after a hyphen: - id: %s", strings.Join(some(m, 1), ""))
	case key == "secrets" && isMap:
		return fmt.Sprintf("write their names alone: secrets: [%s]; their values stand in the environment, an env file or a directory of secrets", strings.Join(some(m, 5), ", "))
	case len(i.Path) == 2 && isText && (i.Path[0] == "params" || i.Path[0] == "inputs") && short(text):
		if slices.Contains(strings.Fields("string integer number boolean"), text) {
			return fmt.Sprintf("write %s: {type: %s}", key, text)
		}
		return fmt.Sprintf("write %s: {default: %q}", key, text)
	case key == "env" && isList:
		return "write names and values: env: {NAME: value}"
	case key == "matrix" && isList:
		return "give the values a name: matrix: {NAME: [a, b]}"
	case len(i.Path) > 1 && i.Path[len(i.Path)-2] == "matrix" && i.Want == "a list" && got != nil && !isMap && (!isText || short(text)):
		return fmt.Sprintf("write %s: [%v]", key, got)
	case key == "concurrency" && isMap:
		return "write how many runs may go on side by side, as concurrency: 1; overlap says what becomes of the next one"
	case key == "github-workflow" && isText && short(text):
		return "write github-workflow: {repository: owner/name, workflow: ci.yml}"
	case key == "services" && isText:
		return "write a list: services: [URL]"
	case key == "repository" && isText:
		return repository(text)
	case strings.HasPrefix(i.Want, "a duration"):
		return duration(got)
	case strings.HasPrefix(i.Want, "a size"):
		return size(strings.TrimSpace(text))
	case key == "run" && isList && !entry:
		return "write exec: for a program and its arguments, or run: | with a line for each command below it"
	case key == "version" && len(i.Path) == 1:
		return "write version: 1"
	}
	return ""
}

func short(text string) bool { return len(text) < 100 && !strings.ContainsAny(text, "\n\"{}#") }

// some are the first of the keys that a mapping has.
func some(m map[string]any, most int) []string {
	keys := slices.Sorted(maps.Keys(m))
	return keys[:min(len(keys), most)]
}

// repository is the hint for the address of one.
func repository(text string) string {
	if m := regexp.MustCompile(`[/:]([\w.-]+/[\w.-]+?)(\.git)?/?$`).FindStringSubmatch(text); m != nil {
		return "write repository: " + m[1]
	}
	return ""
}

// duration is the hint for a number without a unit, or with its word.
func duration(got any) string {
	if isNumber(got) {
		return fmt.Sprintf("add its unit: %vs for seconds, %vm for minutes", got, got)
	}
	text, _ := got.(string)
	m := regexp.MustCompile(`^(\d{1,6}) *(s|m|h|d)(ecs?|econds?|ins?|inutes?|rs?|ours?|ays?)?$`).FindStringSubmatch(strings.ToLower(strings.TrimSpace(text)))
	if m == nil || strings.Trim(m[1], "0") == "" || m[1]+m[2] == text {
		return ""
	}
	return "write " + m[1] + m[2]
}
