package ecosystem

import (
	"regexp"
	"strings"
)

// seen is an application that the text of a broken file seems to describe.
type seen struct {
	name, script, cron string
	line               int
}

func (s seen) note() string {
	note := "found by a look at the text alone"
	if s.script != "" {
		note += ", with the script " + s.script
	}
	if s.cron != "" {
		note += ", restarted at " + s.cron
	}
	return note
}

// mostSeen bounds what is made of a broken file.
const mostSeen = 200

// scan finds applications in a text that cannot be read: what stands behind
// `name:`, and `script:` and `cron_restart:` around it.
func scan(src string) []seen {
	field := regexp.MustCompile(`(?:^|[\s{,])["']?(name|script|exec|cron_restart|cron)["']?\s*:\s*(?:"([^"\n]{1,200})"|'([^'\n]{1,200})'|` + "`([^`\n]{1,200})`" + `|([\w./*@-][^\n,{}"'#]{0,199}))`)
	var out []seen
	at := map[string]int{}
	script := ""
	current := -1
	for i, text := range strings.Split(src, "\n") {
		if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "//") || strings.HasPrefix(trimmed, "#") || len(text) > 10_000 {
			continue
		}
		for _, m := range field.FindAllStringSubmatch(text, -1) {
			value := oneLine(m[2] + m[3] + m[4] + m[5])
			switch {
			case value == "":
			case m[1] == "name":
				known, twice := at[value]
				if current = known; !twice && len(out) < mostSeen {
					current = len(out)
					at[value] = current
					out = append(out, seen{name: value, line: i + 1, script: script})
				}
				script = ""
			case m[1] == "script" || m[1] == "exec":
				if current >= 0 && current < len(out) && out[current].script == "" {
					out[current].script = value
				} else {
					script = value // before its name
				}
			case current >= 0 && current < len(out) && out[current].cron == "":
				out[current].cron = value
			}
		}
	}
	return out
}
