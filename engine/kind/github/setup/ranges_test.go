package setup

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// random is a range of the forms that npm knows, of small numbers so that many
// versions are near its ends.
func random(r *rand.Rand) string {
	number := func() string { return fmt.Sprint(r.IntN(4)) }
	plain := func() string {
		v := number()
		for range r.IntN(3) {
			v += "." + []string{number(), number(), number(), "x"}[r.IntN(4)]
			if strings.HasSuffix(v, "x") {
				break
			}
		}
		if strings.Count(v, ".") == 2 && !strings.Contains(v, "x") && r.IntN(4) == 0 {
			v += "-" + []string{"rc.1", "rc.2", "alpha", "0", "rc.1.1"}[r.IntN(5)]
		}
		return v
	}
	one := func() string {
		switch r.IntN(5) {
		case 0:
			return plain() + " - " + plain()
		case 1:
			return plain()
		}
		var words []string
		for range 1 + r.IntN(2) {
			words = append(words, []string{"", "=", "<", "<=", ">", ">=", "^", "~", ">= ", "< ", "v"}[r.IntN(11)]+plain())
		}
		return strings.Join(words, " ")
	}
	out := one()
	for range r.IntN(2) {
		out += " || " + one()
	}
	return out
}

// TestNpm asks npm's own reader of ranges about thousands of them.
func TestNpm(t *testing.T) {
	t.Parallel()
	root, err := exec.Command("npm", "root", "-g").Output()
	module := filepath.Join(strings.TrimSpace(string(root)), "npm", "node_modules", "semver")
	if _, serr := os.Stat(module); err != nil || serr != nil {
		t.Skipf("npm is not here with its reader of ranges: %v, %v", err, serr)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var versions []string
	for i := range 4 * 4 * 4 {
		v := fmt.Sprintf("%d.%d.%d", i/16, i/4%4, i%4)
		versions = append(versions, v, v+"-rc.1", v+"-rc.1.2", v+"-alpha", v+"-0")
	}
	texts := []string{"*", "", "x", ">*", "<*", "<=*", ">=*", "^*", "~*", "^0", "^0.0", "^0.0.0", "^0.0.1", "~0", "a", "1.2.3.4", "1..2", ">", "1 2", "1.2.3 -", "=v1.2.3", ">=v1"}
	for range 3000 {
		texts = append(texts, random(r))
	}
	question, err := json.Marshal(map[string]any{"versions": versions, "ranges": texts})
	if err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", "-e", `
		const semver = require(process.argv[1]), q = JSON.parse(require("fs").readFileSync(0))
		console.log(JSON.stringify(q.ranges.map(r => { try { const x = new semver.Range(r); return q.versions.map(v => x.test(v) ? "1" : "0").join("") } catch { return "none" } })))`, module)
	node.Stdin = strings.NewReader(string(question))
	told, err := node.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	if err := json.Unmarshal(told, &want); err != nil || len(want) != len(texts) {
		t.Fatalf("%d answers, %v", len(want), err)
	}
	parsed := make([]version, len(versions))
	for i, v := range versions {
		parsed[i], _ = read(v)
	}
	wrong := 0
	for i, text := range texts {
		got := "none"
		if list, ok := parseRanges(text); ok {
			var b strings.Builder
			for _, x := range parsed {
				b.WriteByte("01"[map[bool]int{true: 1}[list.has(x)]])
			}
			got = b.String()
		}
		if got != want[i] {
			if wrong++; wrong > 10 {
				t.FailNow()
			}
			for j := range versions {
				if got == "none" || want[i] == "none" || got[j] != want[i][j] {
					t.Errorf("%q: %s: npm says %.1s and we %.1s", text, versions[j], want[i][min(j, len(want[i])-1):], got[min(j, len(got)-1):])
					break
				}
			}
		}
	}
}
