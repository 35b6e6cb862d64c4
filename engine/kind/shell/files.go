package shell

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/pairs"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// refused are names that nobody may set through REDUND_ENV, though `env:` may
// set most of them: text that came from outside and ended there would become
// a program in every step that follows. GitHub refuses NODE_OPTIONS alone.
var refused = []string{
	"BASHOPTS", "BASH_ENV", "ENV", "LD_AUDIT", "LD_PRELOAD", "NODE_OPTIONS",
	"PERL5OPT", "PYTHONSTARTUP", "RUBYOPT", "SHELLOPTS",
}

// handedOn reads what a step wrote to REDUND_OUTPUT and REDUND_ENV.
func handedOn(output, env *file) (pipeline.Outputs, error) {
	var out pipeline.Outputs
	values, cut, err := readPairs(output, nil)
	if err != nil {
		return out, fmt.Errorf("REDUND_OUTPUT: %w", err)
	}
	if len(values) > 0 {
		out.Values = make(map[string]any, len(values))
		for k, v := range values {
			out.Values[k] = v
		}
	}
	out.Truncated = cut
	vars, cut, err := readPairs(env, checkName)
	if err != nil {
		return out, fmt.Errorf("REDUND_ENV: %w", err)
	}
	if cut {
		// Half a variable is worse than none.
		return out, errors.New("REDUND_ENV: a value is over 1 MiB, or all together are over 4 MiB")
	}
	// What redundctl sets itself wins over what a step says of it.
	maps.DeleteFunc(vars, func(name, _ string) bool { return strings.HasPrefix(name, "REDUND_") || name == "REDUNDANCY_MODE" })
	if len(vars) > 0 {
		out.Env = vars
	}
	return out, nil
}

// checkName refuses what must not be set for the steps that follow.
func checkName(name string) error {
	switch {
	case slices.Contains(refused, name):
		return fmt.Errorf("%s may not be set for other steps, for it can make them run anything; write it under env: where it is needed", name)
	case strings.ContainsRune(name, 0):
		return errors.New("a name holds a NUL byte")
	}
	return nil
}

// readPairs reads a file that a step was given. One that it left as it was is
// empty.
func readPairs(x *file, check func(string) error) (map[string]string, bool, error) {
	if x.unused = untouched(x.path); x.unused {
		return nil, false, nil // as most steps leave it
	}
	return pairs.Read(x.path, check)
}
