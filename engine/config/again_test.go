package config_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/diag"
)

// field is a project that is edited at random.
type field struct {
	*testing.T
	*rand.Rand
	root    string
	touched []string // absolute paths, since the last load
	outside bool     // what files name was touched
	calm    bool     // files rarely hang together, and most edits are of what a pipeline says
	did     []string
}

func (f *field) one(of ...string) string { return of[f.IntN(len(of))] }

func (f *field) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *field) touch(format, name string) {
	f.did = append(f.did, fmt.Sprintf(format, name))
	f.touched = append(f.touched, filepath.Join(f.root, name))
}

func (f *field) write(name, text string) {
	f.touch("write %s", name)
	path := filepath.Join(f.root, name)
	if info, err := os.Lstat(path); err == nil && (!info.Mode().IsRegular() || f.IntN(3) == 0) {
		f.must(os.RemoveAll(path))
	}
	f.must(os.MkdirAll(filepath.Dir(path), 0o755))
	f.must(os.WriteFile(path, []byte(text), 0o644))
}

// file is where a pipeline may lie.
func (f *field) file() string {
	return f.one("pipelines/pm2/", "pipelines/pm2/deep/", "pipelines/cron/", "more/pm2/") + f.one("a", "b", "c", "d", "e", "f") + ".yaml"
}

// pipeline is one that may be broken, and hang together with others.
func (f *field) pipeline(file string) string {
	name := f.one("a", "b", "c", "d", "e", "f")
	if f.calm {
		name = strings.TrimSuffix(strings.ReplaceAll(file, "/", "-"), ".yaml")
	}
	text := "version: 1\nname: " + name + "\n" + f.one("", "", "", "system: pm2\n", "system: nowhere\n") +
		f.one("", "", "secrets: [KEY, OTHER]\n") + f.one("", "", "", "x-note: hello\n", "oops: 1\n", "schedule: {cron: \"61 * * * *\"}\n") +
		f.one("", "", "params: {n: {type: integer, default: 1}}\n", "params: {n: {type: string, required: true}}\n") + "steps:\n"
	for range 1 + f.IntN(2) {
		if f.calm && f.IntN(10) > 0 {
			text += "  - " + f.one("{run: echo}", "{run: sh work.sh}", "{rnu: echo}", "{uses: ./actions/x.yaml}") + "\n"
			continue
		}
		text += "  - " + f.one("{run: echo}", "{run: echo}", "{run: sh work.sh}", "{run: echo, working-directory: dir}", "{uses: ./actions/x.yaml}", "{uses: ./actions/y.yaml, with: {in: 1}}",
			"{uses: ./actions/gone.yaml}", "{uses: pipeline, with: {name: a}}", "{uses: pipeline, with: {name: pm2/b, params: {n: 1}}}", "{uses: pipeline, with: {name: c}}",
			"{run: echo, env: {A: \"${{ vars.site }}\"}}", "{run: echo, env: {A: \"${{ secrets.KEY }}\"}}", "{rnu: echo}", "{id: x, uses: ./actions/x.yaml}") + "\n"
	}
	return text
}

func (f *field) action() string {
	return "kind: action\n" + f.one("", "inputs: {in: {type: integer}}\n", "inputs: {in: {type: string, required: true}}\n", "oops: 1\n") +
		"steps: [" + f.one("{run: echo}", "{run: echo, env: {A: \"${{ secrets.KEY }}\"}}", "{uses: ./actions/y.yaml}", "{uses: ./actions/x.yaml, with: {in: 1}}", "{uses: ./actions/z.yaml}") + "]\n"
}

func (f *field) settings() string {
	if f.calm {
		return "version: 1\npipelines: [pipelines, more]\n" + f.one("", "observe: true\n")
	}
	return "version: 1\n" + f.one("", "", "observe: true\n", "concurrency: 3\n", "systms: {}\n") + f.one("", "", "vars: {site: x}\n", "vars: {}\n") +
		f.one("pipelines: [pipelines, more]\n", "pipelines: [pipelines, more]\n", "pipelines: ['pipelines/**']\n", "pipelines: [nowhere, pipelines]\n") +
		f.one("", "", "systems: {cron: {mode: replacement}}\n", "systems: {cron: {}}\n") + f.one("", "limits: {steps: 1}\n") +
		f.one("", "", "environments: {production: {pipelines: {a: {enabled: false}}}}\n", "environments: {production: {pipelines: {pm2/b: {params: {n: 7}}, zz: {enabled: false}}}}\n")
}

// edit changes something, as people and programs do.
func (f *field) edit() {
	name := f.file()
	path := filepath.Join(f.root, name)
	n := 14
	if f.calm && f.IntN(4) > 0 {
		n = 4
	}
	switch f.IntN(n) {
	case 0, 1, 2, 3:
		f.write(name, f.pipeline(name))
	case 4:
		f.touch("delete %s", name)
		f.must(os.RemoveAll(path))
	case 5, 6: // moved, perhaps over another
		to := f.file()
		if _, err := os.Lstat(path); err != nil || to == name {
			return
		}
		f.touch("move %s", name)
		f.touch("to %s", to)
		f.must(os.MkdirAll(filepath.Dir(filepath.Join(f.root, to)), 0o755))
		f.must(os.Rename(path, filepath.Join(f.root, to)))
	case 7:
		f.touch("link %s", name)
		f.must(os.RemoveAll(path))
		f.must(os.MkdirAll(filepath.Dir(path), 0o755))
		f.must(os.Symlink(f.one("a.yaml", "b.yaml", "../pm2/c.yaml", "nowhere"), path))
	case 8, 9:
		f.write(f.one("actions/x.yaml", "actions/y.yaml", "actions/z.yaml", "actions/gone.yaml"), f.action())
	case 10:
		gone := f.one("actions/x.yaml", "actions/gone.yaml")
		f.touch("delete %s", gone)
		f.must(os.RemoveAll(filepath.Join(f.root, gone)))
	case 11:
		f.write("redund.yaml", f.settings())
	case 12:
		f.write(".env", f.one("KEY=long-enough\n", "OTHER=long-enough\n", "", "'\n", "KEY=x\nOTHER=y\n"))
	case 13:
		f.outside = true
		f.did = append(f.did, "outside")
		for _, x := range []string{"work.sh", "dir"} {
			f.must(os.RemoveAll(filepath.Join(f.root, x)))
		}
		if f.IntN(2) == 0 {
			f.must(os.WriteFile(filepath.Join(f.root, "work.sh"), nil, 0o644))
		} else {
			f.must(os.MkdirAll(filepath.Join(f.root, "dir"), 0o755))
		}
	}
}

// lines shows the elements of one list that another has not.
func lines(v, other any) string {
	r, o := reflect.ValueOf(v), reflect.ValueOf(other)
	if r.Kind() != reflect.Slice {
		return fmt.Sprintf("%+v", v)
	}
	var b strings.Builder
	for i := range r.Len() {
		there := false
		for j := range o.Len() {
			there = there || reflect.DeepEqual(r.Index(i).Interface(), o.Index(j).Interface())
		}
		if !there {
			fmt.Fprintf(&b, "%+v\n", r.Index(i))
		}
	}
	return b.String()
}

// alike holds that two loads gave the same.
func (f *field) alike(how string, before, got, want *config.Project) {
	f.Helper()
	say := func(what string, a, b any) {
		if !reflect.DeepEqual(a, b) {
			f.Fatalf("%s: %s differ after %q:\ngot\n%s\nwant\n%s", how, what, f.did, lines(a, b), lines(b, a))
		}
	}
	say("problems", got.Problems, want.Problems)
	say("pipelines", got.Pipelines, want.Pipelines)
	say("forms of redund.yaml", got.Config, want.Config)
	say("counts", []any{got.Files, got.ConfigInvalid, got.ConfigKept, got.Root, got.State, got.ConfigFile}, []any{want.Files, want.ConfigInvalid, want.ConfigKept, want.Root, want.State, want.ConfigFile})
	for _, n := range []string{"a", "b", "c", "d", "e", "f", "pm2/a", "pm2/b", "cron/c", "deep/d"} {
		say("rejections of "+n, got.Rejected(n), want.Rejected(n))
	}
	if replaced, ok := got.Replaces(before); ok {
		for i, x := range got.Pipelines {
			if y := before.Pipelines[i]; x.ID() != y.ID() || x != y && !slices.Contains(replaced, x) {
				f.Fatalf("%s: %s is not told to be another one after %q", how, x.ID(), f.did)
			}
		}
	}
	say("watched paths", got.Watched(), want.Watched())
	for _, n := range []string{"actions/x.yaml", "actions/y.yaml", "actions/z.yaml"} {
		a, err := got.Action(n)
		b, werr := want.Action(n)
		say("actions "+n, []any{a, fmt.Sprint(err)}, []any{b, fmt.Sprint(werr)})
	}
}

// TestAgainIsLoad holds that reading only what has changed gives what a whole
// load gives, problems included, whatever was edited.
func TestAgainIsLoad(t *testing.T) {
	kinds := builtin.Kinds()
	rounds := 150
	if race {
		rounds = 30
	}
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			f := &field{T: t, Rand: rand.New(rand.NewPCG(seed, 1)), root: t.TempDir(), calm: seed >= 3}
			o := config.Options{Dir: f.root, Kinds: kinds, Env: environ}
			for range 10 {
				name := f.file()
				f.write(name, f.pipeline(name))
			}
			p := config.Load(t.Context(), o)
			saved, quick := 0, 0
			for range rounds {
				f.touched, f.outside = []string{}, false
				f.did = f.did[max(0, len(f.did)-12):]
				for range 1 + f.IntN(3) {
					f.edit()
				}
				want := config.Load(t.Context(), o)
				looked := p.Again(t.Context(), config.Change{Outside: f.outside})
				f.alike("all looked at", p, looked, want)
				next := looked
				if !f.outside {
					next = p.Again(t.Context(), config.Change{Paths: f.touched})
					f.alike("told", p, next, want)
				}
				if next.Cost.Files < want.Cost.Files {
					saved++
				}
				if _, ok := next.Replaces(p); ok {
					quick++
				}
				if f.IntN(2) == 0 {
					p = looked
				} else {
					p = next
				}
			}
			t.Logf("of %d loads %d read less than all, %d nothing but what was told", rounds, saved, quick)
			if saved < rounds/4 || f.calm && !race && quick < rounds/10 {
				t.Error("too few")
			}
		})
	}
}

// TestAgainReads holds that what is read grows with what has changed and with
// what refers to it, and not with what is there.
func TestAgainReads(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"redund.yaml": "version: 1\n", ".env": "KEY=long-enough\n", "a.yaml": "kind: action\nsteps: [{uses: ./b.yaml}]\n", "b.yaml": "kind: action\nsteps: [{run: echo}]\n",
	}
	for i := range 100 {
		files[fmt.Sprintf("pipelines/pm2/p%d.yaml", i)] = fmt.Sprintf("name: p%d\nsteps: [{run: echo}]\n", i)
	}
	for i := range 3 {
		files[fmt.Sprintf("pipelines/pm2/uses%d.yaml", i)] = fmt.Sprintf("name: uses%d\nsteps: [{uses: ./a.yaml}]\n", i)
		files[fmt.Sprintf("pipelines/pm2/calls%d.yaml", i)] = fmt.Sprintf("name: calls%d\nsteps: [{uses: pipeline, with: {name: p1}}]\n", i)
	}
	for i := range 2 {
		files[fmt.Sprintf("pipelines/pm2/secret%d.yaml", i)] = fmt.Sprintf("name: secret%d\nsecrets: [KEY]\nsteps: [{run: echo}]\n", i)
	}
	root := t.TempDir()
	for name, text := range files {
		file(t, filepath.Join(root, name), []byte(text))
	}
	p := config.Load(t.Context(), config.Options{Dir: root, Kinds: builtin.Kinds(), Env: environ})
	if len(p.Problems) > 0 || p.Cost.Files != 108 {
		t.Fatalf("%d files, %+v", p.Cost.Files, p.Problems)
	}
	for _, c := range []struct {
		name, text string
		read       int
		problems   int
	}{
		{"pipelines/pm2/p1.yaml", "name: p1\nsteps: [{run: echo hello}]\n", 1, 0},
		{"pipelines/pm2/p1.yaml", "name: p1\nparams: {n: {type: string, required: true}}\nsteps: [{run: echo}]\n", 1, 3}, // of those that call it
		{"pipelines/pm2/p1.yaml", "name: p1\nsteps: [{run: echo}]\n", 1, 0},
		{"pipelines/pm2/new.yaml", "name: new\nsteps: [{run: echo}]\n", 1, 0},
		{"a.yaml", "kind: action\nsteps: [{run: echo}, {uses: ./b.yaml}]\n", 3, 0},
		{"b.yaml", "kind: action\noops: 1\nsteps: [{run: echo}]\n", 3, 1},
		{"b.yaml", "kind: action\nsteps: [{run: echo}]\n", 3, 0},
		{".env", "OTHER=long-enough\n", 2, 2},
		{".env", "KEY=long-enough\n", 2, 0},
		{"redund.yaml", "version: 1\nobserve: true\nconcurrency: 3\nlogs: {level: debug}\nhealth: {every: 1m}\n", 0, 0},
		{"redund.yaml", "version: 1\nvars: {a: b}\n", 109, 0},
		{"notes.txt", "hello", 0, 0},
	} {
		path := filepath.Join(root, c.name)
		file(t, path, []byte(c.text))
		p = p.Again(t.Context(), config.Change{Paths: []string{path}})
		if p.Cost.Files != c.read || len(p.Problems) != c.problems {
			t.Errorf("%s %q: read %d, want %d; %+v", c.name, c.text, p.Cost.Files, c.read, p.Problems)
		}
	}
}

// TestKeptSettings holds what a broken redund.yaml leaves in force.
func TestKeptSettings(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	own := filepath.Join(root, "redund.yaml")
	file(t, own, []byte("version: 1\nvars: {site: x}\n"))
	file(t, filepath.Join(root, "pipelines/pm2/a.yaml"), []byte("name: a\nsteps: [{run: echo, env: {A: \"${{ vars.site }}\"}}]\n"))
	o := config.Options{Dir: root, Kinds: builtin.Kinds(), Env: environ, KeepSettings: true}
	p := config.Load(t.Context(), o)
	if err := os.Mkdir(p.State, 0o700); err != nil {
		t.Fatal(err)
	}
	keep := func(p *config.Project) {
		t.Helper()
		do, err := p.KeepSettings()
		if err == nil {
			err = do()
		}
		if err != nil {
			t.Error(err)
		}
	}
	if keep(p); len(p.Problems) > 0 {
		t.Fatal(p.Problems)
	}
	good := p
	for _, broken := range []string{"version: 1\nvars: [\n", "version: 2\n", "", "- a\n"} {
		file(t, own, []byte(broken))
		told := p.Again(t.Context(), config.Change{Paths: []string{own}})
		for how, p := range map[string]*config.Project{"at a start": config.Load(t.Context(), o), "at a save": told} {
			if p.ConfigInvalid || !p.ConfigKept || len(p.Pipelines) != 1 || !reflect.DeepEqual(p.Config, good.Config) || len(p.Problems) == 0 ||
				slices.ContainsFunc(p.Problems, func(x diag.Problem) bool { return x.File != "redund.yaml" }) {
				t.Errorf("%q, %s: %+v", broken, how, p.Problems)
			}
			keep(p)
		}
		p = told
	}
	if b, err := os.ReadFile(filepath.Join(p.State, "redund.yaml.good")); err != nil || !strings.Contains(string(b), "site: x") {
		t.Errorf("%q, %v", b, err)
	}
	if info, err := os.Stat(filepath.Join(p.State, "redund.yaml.good")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	// A pipeline is taken up meanwhile, under what holds.
	path := filepath.Join(root, "pipelines/pm2/b.yaml")
	file(t, path, []byte("name: b\nsteps: [{run: echo, env: {A: \"${{ vars.site }}\"}}]\n"))
	if p = p.Again(t.Context(), config.Change{Paths: []string{path}}); len(p.Pipelines) != 2 {
		t.Errorf("%+v", p.Problems)
	}
	o.KeepSettings = false
	if p := config.Load(t.Context(), o); !p.ConfigInvalid || p.ConfigKept {
		t.Error("other commands see a project file that is not there")
	}
}

// BenchmarkAgain is one save among many files.
func BenchmarkAgain(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		root := b.TempDir()
		for i := range n {
			file(b, filepath.Join(root, fmt.Sprintf("pipelines/pm2/%03d/p-%d.yaml", i/100, i)), []byte(fmt.Sprintf("version: 1\nname: p-%d\nschedule: {cron: \"%d * * * *\"}\nsteps: [{run: echo}]\n", i, i%60)))
		}
		p := config.Load(b.Context(), config.Options{Dir: root, Kinds: builtin.Kinds(), Env: environ})
		one := filepath.Join(root, "pipelines/pm2/000/p-7.yaml")
		for name, c := range map[string]config.Change{"one": {Paths: []string{one}}, "all": {}} {
			b.Run(fmt.Sprintf("%s-%d", name, n), func(b *testing.B) {
				for b.Loop() {
					p = p.Again(b.Context(), c)
				}
			})
		}
	}
}
