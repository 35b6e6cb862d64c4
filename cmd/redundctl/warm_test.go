package main

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"
)

// TestWarm holds that the memory of the program is there before the packages
// that allocate are initialised.
func TestWarm(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, "-test.list", "^$")
	c.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var order []string
	for _, m := range regexp.MustCompile(`(?m)^init (\S+) @`).FindAllStringSubmatch(string(out), -1) {
		order = append(order, m[1])
	}
	warm := slices.Index(order, "github.com/redundctl/redundctl/cmd/redundctl/warm")
	first := slices.IndexFunc(order, func(p string) bool {
		return slices.Contains([]string{"github.com/santhosh-tekuri/jsonschema/v5", "gopkg.in/yaml%2ev3", "go.yaml.in/yaml/v4", "net/http"}, p)
	})
	if warm < 0 || first < 0 || warm > first {
		t.Errorf("the order is %v", order)
	}
}
