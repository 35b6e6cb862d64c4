package setup

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/kindtest"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// bench is a machine of its own: a home, a PATH and a project.
type bench struct {
	t    *testing.T
	home string
	dir  string
	env  []string
	out  bytes.Buffer
	deps kind.Deps
}

func newBench(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	p := kindtest.Spawner(t)
	home := t.TempDir()
	b := &bench{t: t, home: home, dir: filepath.Join(home, "project"), deps: kind.Deps{Proc: p}}
	b.env = []string{"PATH=" + filepath.Join(home, "bin"), "HOME=" + home, "RUNNER_TOOL_CACHE=" + filepath.Join(home, "tools"), "N_PREFIX=" + filepath.Join(home, "n")}
	for _, d := range []string{b.dir, filepath.Join(home, "bin"), filepath.Join(home, "temp")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// tool puts a program that tells a version somewhere below the home.
func (b *bench) tool(path, version string) {
	b.t.Helper()
	b.put(path, "#!/bin/sh\n[ \"$1\" = --version ] && echo '"+version+"' || echo ran "+version+"\n")
}

func (b *bench) put(path, text string) {
	b.t.Helper()
	kindtest.Write(b.t, filepath.Join(b.home, path), text)
}

func (b *bench) scope() *pipeline.Scope {
	return &pipeline.Scope{Root: b.dir, Dir: b.dir, Temp: filepath.Join(b.home, "temp"), Env: b.env, Out: &b.out, Step: "s",
		Mask: func(s string) string { return s }, Inside: func(p string) (string, error) { return filepath.Join(b.dir, p), nil }}
}

func (b *bench) run(with map[string]any) (pipeline.Outputs, error) {
	b.t.Helper()
	a, err := Kind().Build(with, b.deps)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	if _, err := kindtest.Plan(b.t, a, b.scope()); err != nil {
		b.t.Errorf("plan: %v", err)
	}
	b.out.Reset()
	return a.Run(b.t.Context(), b.scope())
}

func TestInPath(t *testing.T) {
	b := newBench(t)
	b.tool("bin/node", "v20.11.1")
	b.tool(".nvm/versions/node/v22.3.0/bin/node", "v22.3.0")
	for _, v := range []any{"20", "20.x", ">=18", "lts/*", "20.11.1", "v20.11", 20.0, nil, "lts/iron", "node", "^18 || ^20", ">=18 <21", "latest"} {
		out, err := b.run(map[string]any{"tool": "node", "version": v})
		if err != nil || out.Values["version"] != "20.11.1" || out.Env["PATH"] != "" {
			t.Errorf("%v: %v, %v", v, out, err)
		}
	}
}

func TestElsewhere(t *testing.T) {
	for _, place := range []string{
		".nvm/versions/node/v22.3.0/bin", ".local/share/fnm/node-versions/v22.3.0/installation/bin", ".volta/tools/image/node/22.3.0/bin",
		"tools/node/22.3.0/x64/bin", "n/n/versions/node/22.3.0/bin", ".asdf/installs/nodejs/22.3.0/bin", ".local/share/mise/installs/node/22.3.0/bin",
	} {
		t.Run(place, func(t *testing.T) {
			b := newBench(t)
			b.tool("bin/node", "v20.11.1")
			b.tool(".nvm/versions/node/v18.1.0/bin/node", "v18.1.0")
			b.tool(place+"/node", "v22.3.0")
			out, err := b.run(map[string]any{"tool": "node", "version": "22"})
			want := filepath.Join(b.home, place) + ":" + filepath.Join(b.home, "bin")
			if err != nil || out.Values["node-version"] != "22.3.0" || out.Env["PATH"] != want {
				t.Errorf("%v, %v\n%s", out, err, b.out.String())
			}
		})
	}
}

// TestNewest holds that of several that serve the newest is taken, and that a
// folder's name is not believed.
func TestNewest(t *testing.T) {
	b := newBench(t)
	b.tool(".nvm/versions/node/v22.9.0/bin/node", "v22.9.0")
	b.tool(".nvm/versions/node/v22.10.0/bin/node", "v22.10.0")
	b.tool(".nvm/versions/node/v22.99.0/bin/node", "v16.0.0")
	out, err := b.run(map[string]any{"tool": "node", "version": "22"})
	if err != nil || out.Values["version"] != "22.10.0" {
		t.Errorf("%v, %v", out, err)
	}
}

func TestMissing(t *testing.T) {
	b := newBench(t)
	_, err := b.run(map[string]any{"tool": "node", "version": "22"})
	if err == nil || !strings.Contains(err.Error(), "none is installed") || !strings.Contains(err.Error(), "nvm install 22") {
		t.Errorf("%v", err)
	}
	b.tool("bin/node", "v20.11.1")
	b.put(".nvmrc", "")
	b.put("project/.nvmrc", "v22.1.0 # ours\n")
	for _, with := range []map[string]any{{"tool": "node", "version": "22.1.0"}, {"tool": "node", "version-file": ".nvmrc"}} {
		_, err = b.run(with)
		if err == nil || !strings.Contains(err.Error(), "22.1.0") || !strings.Contains(err.Error(), "20.11.1 at ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v", with, err)
		}
	}
	if _, err := b.run(map[string]any{"tool": "node", "version-file": "none"}); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestHanging holds that a program which tells nothing is no tool.
func TestHanging(t *testing.T) {
	b := newBench(t)
	b.put("bin/node", "#!/bin/sh\necho oops; exit 3\n")
	b.tool(".nvm/versions/node/v22.3.0/bin/node", "v22.3.0")
	if out, err := b.run(map[string]any{"tool": "node"}); err != nil || out.Values["version"] != "22.3.0" {
		t.Errorf("%v, %v", out, err)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := 0
	for _, c := range []struct{ tool, name, text, want string }{
		{"node", ".nvmrc", "# a\n\nv20.1\n", "20.1"}, {"node", ".nvmrc", "lts/iron", "lts/iron"}, {"node", ".node-version", "20.1.0", "20.1.0"},
		{"node", "package.json", `{"engines":{"node":">=18"}}`, ">=18"},
		{"node", "package.json", `{"engines":{"node":">=18"},"volta":{"node":"20.1.0"}}`, "20.1.0"},
		{"node", "package.json", `{"engines":{"node":">=18"},"devEngines":{"runtime":[{"name":"bun"},{"name":"node","version":"^22"}]}}`, "^22"},
		{"node", "package.json", `{"devEngines":{"runtime":{"name":"node","version":"^22"}}}`, "^22"},
		{"node", "package.json", `{}`, ""}, {"node", "package.json", `{`, ""},
		{"node", ".tool-versions", "python 3.1\nnodejs v20.2.0 # x\n", "20.2.0"}, {"python", ".tool-versions", "nodejs 1\npython 3.11.2 3.9\n", "3.11.2"},
		{"python", ".python-version", "3.11\n3.10\n", "3.11"},
		{"python", "pyproject.toml", "[project]\nname = \"a\"\nrequires-python = \">=3.9, <4\"\n", ">=3.9, <4"},
		{"python", "pyproject.toml", "[tool.poetry.dependencies]\npython = \"^3.9\"\n", "^3.9"},
		{"python", "pyproject.toml", "[tool.other]\npython = \"^3.9\"\n", ""},
		{"python", "Pipfile", "[requires]\npython_version = \"3.11\"\n", "3.11"}, {"node", "mise.toml", "[tools]\nnode = '22'\n", "22"},
		{"node", ".nvmrc", "", ""},
	} {
		n++
		p := filepath.Join(dir, fmt.Sprint(n), c.name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := fromFile(c.tool, p); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s %q: %q, %v", c.name, c.text, got, err)
		}
	}
	if _, err := fromFile("node", dir); err == nil {
		t.Error("a folder was read")
	}
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, bytes.Repeat([]byte("20\n"), fileLimit), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := fromFile("node", big); err == nil {
		t.Error("a file of any size was read")
	}
	loop := filepath.Join(dir, "package.json")
	if err := os.WriteFile(loop, []byte(`{"volta":{"extends":"./package.json"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if v, err := fromFile("node", loop); err == nil {
		t.Errorf("a file that extends itself gave %q", v)
	}
}

func TestRanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tool, text, version string
		is                  bool
	}{
		{"node", "20", "20.99.1", true}, {"node", "20", "21.0.0", false}, {"node", "20", "2.0.0", false}, {"node", "lts/*", "21.0.0", false},
		{"node", "lts/jod", "22.1.0", true}, {"node", "lts/-1", "22.1.0", true}, {"node", "lts/0", "24.1.0", true}, {"node", "LTS/Iron", "20.0.0", true},
		{"node", ">=18 <20", "20.0.0", false}, {"node", "18 || 20", "20.3.0", true}, {"node", "18 - 20", "19.1.0", true}, {"node", "~20.1", "20.2.0", false},
		{"python", "3.x", "3.12.1", true}, {"python", "3.1", "3.11.0", false}, {"python", "3.11", "3.11.7", true}, {"python", "3", "3.11.7", true},
		{"python", "~=3.9", "3.13.0", true}, {"python", "~=3.9", "4.0.0", false}, {"python", "~=3.9.2", "3.10.0", false}, {"python", "==3.11.*", "3.11.4", true},
		{"python", ">=3.9,<3.12", "3.12.0", false}, {"python", ">=3.9, <3.12", "3.11.9", true}, {"python", "3.12-dev", "3.12.1", true}, {"go", "1.22", "1.22.3", true},
	} {
		w, err := parse(c.tool, c.text)
		if err != nil {
			t.Errorf("%s %s: %v", c.tool, c.text, err)
			continue
		}
		v, _ := read(c.version)
		if got := w.is(v); got != c.is {
			t.Errorf("%s %s: %s %v", c.tool, c.text, c.version, got)
		}
	}
	for _, c := range [][2]string{{"node", "lts/none"}, {"node", "lts/-99"}, {"node", "a b"}, {"python", "pypy3.10"}, {"python", "~=3"}, {"python", "~=a.b"}, {"node", strings.Repeat("1||", 4000)}} {
		if _, err := parse(c[0], c[1]); err == nil {
			t.Errorf("%s %.20s is a range", c[0], c[1])
		}
	}
}

// TestPython runs the real Python of this machine under both of its names.
func TestPython(t *testing.T) {
	told, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Skip("there is no python3 here")
	}
	b := newBench(t)
	if err := os.Symlink(strings.TrimSpace(string(told)), filepath.Join(b.home, "bin", "python3.11")); err != nil {
		t.Fatal(err)
	}
	out, err := b.run(map[string]any{"tool": "python", "version": "3.x"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"python", "python3"} {
		dir, _, _ := strings.Cut(out.Env["PATH"], ":")
		got, err := exec.Command(filepath.Join(dir, name), "-c", "print(6*7)").CombinedOutput()
		if err != nil || strings.TrimSpace(string(got)) != "42" {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if _, err := b.run(map[string]any{"tool": "python", "version": "3.99"}); err == nil {
		t.Error("a version that is nowhere was found")
	}
}

// TestPythonNames holds which names get links.
func TestPythonNames(t *testing.T) {
	b := newBench(t)
	b.tool("bin/python3", "Python 3.10.1")
	b.tool("bin/python3.12", "Python 3.12.2")
	b.tool("bin/pip3.12", "pip")
	b.put("bin/python3-config", "#!/bin/sh\nexit 1\n")
	out, err := b.run(map[string]any{"tool": "python", "version": "3.12"})
	dir, _, _ := strings.Cut(out.Env["PATH"], ":")
	if err != nil || out.Values["python-version"] != "3.12.2" {
		t.Fatalf("%v, %v", out, err)
	}
	for _, n := range []string{"python", "python3", "pip", "pip3"} {
		if got, err := os.Readlink(filepath.Join(dir, n)); err != nil || !strings.HasSuffix(got, "3.12") {
			t.Errorf("%s is %s, %v", n, got, err)
		}
	}
	b.tool("bin/python", "Python 3.10.1")
	if out, err := b.run(map[string]any{"tool": "python", "version": "3.10"}); err != nil || out.Env["PATH"] != "" {
		t.Errorf("both names are there: %v, %v", out, err)
	}
}

func TestRegistry(t *testing.T) {
	b := newBench(t)
	b.tool("bin/node", "v20.11.1")
	out, err := b.run(map[string]any{"tool": "node", "registry-url": "https://npm.example.com", "scope": "acme"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out.Env["NPM_CONFIG_USERCONFIG"])
	if err != nil || string(text) != "//npm.example.com/:_authToken=${NODE_AUTH_TOKEN}\n@acme:registry=https://npm.example.com/\n" {
		t.Errorf("%s, %v", text, err)
	}
	for _, bad := range []map[string]any{{"registry-url": "none"}, {"registry-url": "https://a/\nx"}, {"registry-url": "https://a", "scope": "a\nb"}} {
		bad["tool"] = "node"
		if _, err := b.run(bad); err == nil {
			t.Errorf("%v was written", bad)
		}
	}
}

func TestCheck(t *testing.T) {
	b := newBench(t)
	b.put("project/.nvmrc", "lts/none\n")
	at := kind.Place{Root: b.dir, Dir: b.dir}
	for want, with := range map[int]map[string]any{
		0: {"tool": "node", "version": "${{ vars.a }}", "version-file": "../outside"},
		1: {"tool": "node", "version": "x.y.z.q"},
		2: {"tool": "node", "version": "x.y.z.q", "version-file": ".nvmrc"},
		3: {"tool": "node", "version": "p q\nx.y.z.q", "version-file": "none"},
	} {
		if got := Kind().Check(with, at); len(got) != want {
			t.Errorf("%v: %v", with, got)
		}
	}
	for _, tool := range []string{"../node", "-x", "a/b"} {
		if _, err := Kind().Build(map[string]any{"tool": tool}, b.deps); err == nil {
			t.Errorf("the tool %s was built", tool)
		}
	}
}

// TestExtends holds that a file which another names is read as carefully as that
// one: no pipe is waited for, and no device read to its end.
func TestExtends(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "package.json")
	if err := os.WriteFile(file, []byte(`{"volta": {"extends": "pipe"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := fromFile("node", file); err == nil || !strings.Contains(err.Error(), "no small file") {
		t.Error(err)
	}
}
