package cover_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/discover"
	"github.com/redundctl/redundctl/engine/discover/cover"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// project is a folder with pipelines, by name: what stands beside their name and
// primary.
func project(t *testing.T, config string, pipelines map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "redund.yaml", "version: 1\n"+config)
	if err := os.MkdirAll(filepath.Join(dir, "pipelines"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range pipelines {
		primary, text, _ := strings.Cut(text, "\n")
		write(t, dir, "pipelines/pm2/"+name+".yaml", "version: 1\nname: "+name+"\nprimary: {command: {run: "+primary+"}}\n"+text)
	}
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func facts(t *testing.T, dir string, found ...kind.Found) cover.Facts {
	t.Helper()
	env := func(name string) (string, bool) { return "value", name == "HERE" }
	p := config.Load(t.Context(), config.Options{Dir: dir, Kinds: builtin.Kinds(), Env: env})
	for _, x := range p.Problems {
		if x.Severity == "error" {
			t.Fatalf("%s:%d: %s", x.File, x.Line, x.Message)
		}
	}
	f := []kind.Finder{{Name: "fake", System: "pm2",
		Find:  func(context.Context, kind.Search) ([]kind.Found, error) { return found, nil },
		Backs: func(p *pipeline.Primary, f *kind.Found) bool { return p.With["run"] == f.Primary }}}
	list, err := discover.Find(t.Context(), f, kind.Search{})
	if err != nil {
		t.Fatal(err)
	}
	return cover.Facts{Project: p, Found: list, Secrets: p.Secrets(env)}
}

func found(name string, crons ...string) kind.Found {
	f := kind.Found{Primary: name, Name: name, Source: "jobs/" + name, Line: 2, Script: "new"}
	for _, c := range crons {
		cron, zone, _ := strings.Cut(c, "@@")
		f.Schedules = append(f.Schedules, kind.Due{Cron: cron, Timezone: zone})
	}
	return f
}

const step = "steps: [{run: echo}]\n"

func TestStatuses(t *testing.T) {
	dir := project(t, "systems: {own: {enabled: false}}\n", map[string]string{
		"good":    "good\nschedule: [{cron: '@daily'}, {cron: '0  6 * * SUN', timezone: Europe/Berlin}]\n" + step,
		"behind":  "behind\nschedule: {cron: '0 5 * * *'}\n" + step,
		"zone":    "zone\nschedule: {cron: '0 5 * * *', timezone: Europe/Berlin}\n" + step,
		"off":     "off\nenabled: false\nschedule: {cron: '0 5 * * *'}\n" + step,
		"system":  "system\nsystem: own\nschedule: {cron: '0 5 * * *'}\n" + step,
		"twice-a": "twice\nenabled: false\nschedule: {cron: '0 5 * * *'}\n" + step,
		"twice-b": "twice\nmode: replacement\nschedule: {cron: '0 5 * * *'}\n" + step,
		"service": "service\nobserve: true\nservice: {exec: [/bin/true]}\n",
		"turned":  "turned\nservice: {exec: [/bin/true]}\n",
		"local":   "local\nschedule: {cron: '0 5 * * *', timezone: Europe/Berlin}\n" + step,
		"every":   "every\nmode: alongside\nschedule: {every: 15m}\n" + step,
	})
	off := found("off", "0 5 * * *")
	off.Disabled = "it needs docker"
	secret := found("none", "0 5 * * *")
	secret.Secrets, secret.Note = []string{"HERE", "LACKED"}, "its platform never fires it"
	broken := kind.Found{Primary: "bad", Source: "jobs/bad", Line: 7, Broken: "it is not YAML"}
	local := found("local", "0 5 * * *@@America/New_York")
	local.Schedules[0].Local = true
	f := facts(t, dir, local, found("good", "0 6 * * 0@@Europe/Berlin", "0 0 * * *"), found("behind", "0 6 * * *"), found("zone", "0 5 * * *"), off, found("system", "0 5 * * *"),
		found("twice", "0 5 * * *"), found("service"), found("turned", "0 5 * * *"), found("every", "*/15 * * * *"), secret, broken)
	f.Proved, f.Notes = map[string]bool{"pm2/good": true}, map[string][]string{"pm2/good": {"grace is short"}}
	r := cover.Of(f)
	got := map[string]string{}
	for _, p := range r.Primaries {
		line := string(p.Status)
		if p.Pipeline != nil {
			line += " by " + *p.Pipeline
		}
		if p.Note != nil {
			line += ": " + *p.Note
		}
		got[p.Name] = line
	}
	for name, want := range map[string]string{
		"good":    "covered by good: grace is short",
		"behind":  "drifted by behind: its schedule is 0 6 * * * now, and that of its pipeline 0 5 * * *; never proved",
		"zone":    "drifted by zone: its schedule is 0 5 * * * now, and that of its pipeline 0 5 * * * Europe/Berlin; never proved",
		"off":     "disabled by off: cannot run here: it needs docker; never proved",
		"system":  "disabled by system: the system own is disabled; never proved",
		"twice":   "covered by twice-b: never proved; also backed up by pm2/twice-a",
		"service": "covered by service: observing; never proved",
		"turned":  "drifted by turned: its schedule is 0 5 * * * now, and that of its pipeline that of a service, which always runs; never proved",
		"every":   "covered by every: never proved",
		"local":   "covered by local: never proved",
		"none":    "uncovered: its platform never fires it; this machine lacks LACKED",
		"bad":     "uncovered: it is not YAML",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, not %q", name, got[name], want)
		}
	}
	if r.Percent != 41.7 {
		t.Errorf("%v percent of 5 in 12", r.Percent)
	}
	md := cover.Markdown(r)
	for _, want := range []string{"41.7 % covered: 5 of 12 automations, 3 drifted, 2 disabled, 2 uncovered", "| uncovered | pm2 | bad | jobs/bad:7 |  | it is not YAML |", `0 6 \* \* \*`} {
		if !strings.Contains(md, want) {
			t.Errorf("%q is not in\n%s", want, md)
		}
	}
}

// TestOnlyRunningShows holds that what was imported of a source that had to be run
// counts for as long as the source is the same.
func TestOnlyRunningShows(t *testing.T) {
	dir := project(t, "", map[string]string{"a": "a\nsteps: [{run: echo}]\nx-imported: {source: jobs/code, file: " +
		"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae}\n"}) // of foo
	unread := kind.Found{Source: "jobs/code", Broken: "it takes running it"}
	for text, want := range map[string]string{"foo": "100 covered []", "bar": "0 uncovered [source]"} {
		write(t, dir, "jobs/code", text)
		f := facts(t, dir, unread)
		r := cover.Of(f)
		keys := []string{}
		for _, c := range cover.Drift(f.Project, f.Found) {
			keys = append(keys, c.Key)
			if !strings.HasPrefix(c.Hint, "redundctl import fake jobs/code --dry-run --all shows what it holds now") {
				t.Errorf("the hint is %q", c.Hint)
			}
		}
		if got := fmt.Sprint(r.Percent, " ", r.Primaries[0].Status, " ", keys); got != want || len(r.Primaries) != 1 {
			t.Errorf("with %s it is %q, not %q", text, got, want)
		}
	}
}

// TestNever holds that a schedule of a primary that no pipeline can keep, or that
// stands there twice, is no change, for import leaves it out: but what it took the
// place of is one.
func TestNever(t *testing.T) {
	dir := project(t, "", map[string]string{
		"bad":    "bad\nenabled: false\n" + step,
		"two":    "two\nschedule: {cron: '0 5 * * *'}\n" + step,
		"never":  "never\nschedule: {cron: '0 5 * * *'}\n" + step,
		"twice":  "twice\nschedule: {cron: '0 5 * * *'}\n" + step,
		"half":   "half\nschedule: [{cron: '0 5 * * *'}, {cron: '0 6 * * *'}]\n" + step,
		"spoilt": "spoilt\nschedule: {cron: '0 5 * * *'}\n" + step,
	})
	f := facts(t, dir, found("bad", "0 25 * * *"), found("two", "0 25 * * *", "0 5 * * *"), found("never", "0 5 * * *", "0 0 30 2 *"), found("spoilt", "0 25 * * *"),
		found("twice", "0 5 * * *", "0  5 * * *"), found("half", "0 5 * * *", "0 5 * * *"))
	var got []string
	for _, c := range cover.Drift(f.Project, f.Found) {
		got = append(got, c.Pipeline+" "+c.Key)
	}
	for _, p := range cover.Of(f).Primaries {
		got = append(got, p.Name+" "+string(p.Status))
	}
	if want := "half schedule, spoilt schedule, bad disabled, half drifted, never covered, spoilt drifted, twice covered, two covered"; strings.Join(got, ", ") != want {
		t.Errorf("%q, not %q", strings.Join(got, ", "), want)
	}
}

func TestNothingToCover(t *testing.T) {
	r := cover.Of(facts(t, project(t, "", nil)))
	text, err := json.Marshal(r)
	if err != nil || string(text) != `{"percent":100,"primaries":[]}` {
		t.Errorf("%s, %v", text, err)
	}
}

func TestDrift(t *testing.T) {
	imported := func(name, script, schedules, secrets string) string {
		return "x-imported: {source: jobs/" + name + ", script: " + script + ", schedules: [" + schedules + "], secrets: [" + secrets + "]}\n"
	}
	daily := "schedule: {cron: '0 5 * * *'}\n"
	dir := project(t, "", map[string]string{
		"same":    "same\nsecrets: [A]\n" + daily + step + imported("same", "new", "{cron: '0 5 * * *'}", "A"),
		"moved":   "moved\n" + daily + step,
		"zone":    "zone\n" + daily + step,
		"more":    "more\nschedule: [{cron: '0 5 * * *'}, {cron: '0 7 * * *'}]\n" + step,
		"secret":  "secret\nsecrets: [A, OWN]\n" + daily + step + imported("secret", "new", "{cron: '0 5 * * *'}", "A"),
		"hand":    "hand\n" + daily + step,
		"script":  "script\n" + daily + step + imported("script", "old", "{cron: '0 5 * * *'}", ""),
		"follows": "follows\n" + daily + "steps: [{uses: github/workflow, with: {file: ./jobs/follows}}]\n" + imported("follows", "old", "{cron: '0 5 * * *'}", ""),
		"gone":    "gone\n" + daily + step + imported("gone", "old", "{cron: '0 5 * * *'}", ""),
		"idle":    "idle\n" + daily + step + imported("idle", "old", "{cron: '0 5 * * *'}", ""),
		"broken":  "broken\n" + daily + step + imported("broken", "old", "{cron: '0 5 * * *'}", ""),
		"foreign": "foreign\n" + daily + step,
		"process": "process\n" + daily + step + imported("process", "new", "{cron: '0 5 * * *'}", ""),
	})
	write(t, dir, "jobs/idle", "")
	same, secret, hand := found("same", "0 5 * * *"), found("secret", "0 5 * * *"), found("hand", "0 5 * * *")
	same.Secrets, secret.Secrets, hand.Secrets = []string{"A"}, []string{"B", "C"}, []string{"D"}
	f := facts(t, dir, same, found("moved", "0 6 * * *"), found("zone", "0 5 * * *@@Europe/Berlin"), found("more", "0 7 * * *", "0 8 * * *"), secret, hand,
		found("script", "0 5 * * *"), found("follows", "0 5 * * *"), kind.Found{Source: "jobs/broken", Line: 3, Broken: "a brace is open"}, found("process"))
	got := map[string]string{}
	or := func(s *string) string {
		if s == nil {
			return "-"
		}
		return *s
	}
	for _, c := range cover.Drift(f.Project, f.Found) {
		got[c.Pipeline] += c.Key + ": " + or(c.Was) + " > " + or(c.Is) + ": " + c.Hint
	}
	want := map[string]string{
		"moved":   `schedule: 0 5 * * * > 0 6 * * *: redundctl reschedule moved "0 6 * * *"`,
		"zone":    `schedule: 0 5 * * * > 0 5 * * * Europe/Berlin: write schedule: {cron: "0 5 * * *", timezone: Europe/Berlin} in pipelines/pm2/zone.yaml`,
		"more":    `schedule: 0 5 * * *, 0 7 * * * > 0 7 * * *, 0 8 * * *: redundctl reschedule more "0 8 * * *" --index 0`,
		"secret":  `secrets: A > B, C: write secrets: [OWN, B, C] in pipelines/pm2/secret.yaml`,
		"script":  `script: old > new: redundctl import fake jobs/script --dry-run --all shows the pipeline as it would be made now: carry over what you want of it, then write script: new under x-imported in pipelines/pm2/script.yaml`,
		"follows": `script: old > new: nothing needs to follow, for the pipeline runs jobs/follows itself; to take note, write script: new under x-imported in pipelines/pm2/follows.yaml`,
		"gone":    `source: jobs/gone > -: redundctl disable gone, or delete pipelines/pm2/gone.yaml`,
		"idle":    `source: jobs/idle > no primary: it is gone from there, or not scheduled any more: redundctl disable idle, or delete pipelines/pm2/idle.yaml`,
		"broken":  `source: jobs/broken > broken: a brace is open: mend jobs/broken:3: nothing can be compared before`,
		"process": `schedule: 0 5 * * * > -: redundctl import fake jobs/process --dry-run --all shows it as the service that it is now`,
	}
	for name, line := range want {
		if got[name] != line {
			t.Errorf("%s: %q, not %q", name, got[name], line)
		}
	}
	for name, line := range got {
		if want[name] == "" {
			t.Errorf("%s: %q", name, line)
		}
	}
}
