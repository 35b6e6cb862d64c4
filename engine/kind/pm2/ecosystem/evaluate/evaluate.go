// Package evaluate runs a configuration file that is a program of JavaScript, in
// a process of its own, and gives what it exports. It runs whatever the file
// says: only for a person who has asked for that.
package evaluate

import (
	"context"
	_ "embed" // what node is given
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/literal"
	"github.com/redundctl/redundctl/engine/proc"
)

//go:embed shim.cjs
var shim string

// Limit is how long a file may take.
const Limit = 5 * time.Second

// most is how many bytes of an answer are taken.
const most = 16 << 20

// Node starts node, in the environment Env (KEY=VALUE).
type Node struct {
	Proc *proc.Spawner
	Env  []string
}

// Result is what a file exports.
type Result struct {
	Value *literal.Value // without places
	// Set are the variables of the environment that it has set or changed, as
	// from a .env file.
	Set map[string]string
}

// File runs a file, by its absolute path: with all that it starts it is killed
// when it takes longer than Limit, and what it prints is thrown away. The error
// is a *literal.Error, whose place is 0 where it lies in another file, or says
// that node could not be started.
func (n Node) File(ctx context.Context, file string) (Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, Limit, errSlow)
	defer cancel()
	var answer capped
	r, err := n.Proc.Run(ctx, proc.Command{
		Argv: []string{"node", "-e", shim, file}, Env: n.Env, Dir: filepath.Dir(file),
		Third: &answer, Signal: syscall.SIGKILL,
	})
	switch {
	case err != nil:
		return Result{}, fmt.Errorf("it takes node to be read: %w", err)
	case r.Killed && errors.Is(context.Cause(ctx), errSlow):
		return Result{}, &literal.Error{Message: fmt.Sprintf("it did not end within %s, and was killed", Limit)}
	case r.Killed:
		return Result{}, context.Cause(ctx)
	case answer.over:
		return Result{}, &literal.Error{Message: "what it describes is too large"}
	}
	return read(answer.text, file, r)
}

var errSlow = errors.New("too slow")

type capped struct {
	text []byte
	over bool
}

func (c *capped) Write(p []byte) (int, error) {
	if len(c.text)+len(p) > most {
		c.over = true
		return len(p), nil
	}
	c.text = append(c.text, p...)
	return len(p), nil
}

// read takes an answer apart.
func read(answer []byte, file string, r proc.Result) (Result, error) {
	var a struct {
		Value json.RawMessage
		Env   map[string]string
		Error *struct{ Name, Message, Stack string }
	}
	if len(answer) == 0 {
		how := fmt.Sprintf("exit code %d", r.Code)
		if r.Signal != "" {
			how = r.Signal
		}
		return Result{}, &literal.Error{Message: "it ended the process before it was read (" + how + ")"}
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return Result{}, &literal.Error{Message: "its answer cannot be read"}
	}
	if a.Error != nil {
		e := &literal.Error{Message: kind.Line(a.Error.Name+": "+a.Error.Message, 300)}
		place := regexp.MustCompile(regexp.QuoteMeta(file) + `:(\d+)(?::(\d+))?`).FindStringSubmatch(a.Error.Stack)
		if place != nil {
			e.Line, _ = strconv.Atoi(place[1])
			e.Column, _ = strconv.Atoi(place[2])
		}
		return Result{}, e
	}
	v, err := decode(a.Value, 0)
	if err != nil {
		return Result{}, &literal.Error{Message: "its answer cannot be read"}
	}
	return Result{Value: v, Set: a.Env}, nil
}

var errShape = errors.New("not a value")

// decode reads one value as shim.cjs writes it: a list of its kind and itself.
func decode(raw json.RawMessage, depth int) (*literal.Value, error) {
	var pair []json.RawMessage
	if err := json.Unmarshal(raw, &pair); err != nil || len(pair) == 0 || depth > 100 {
		return nil, errShape
	}
	var kind string
	if err := json.Unmarshal(pair[0], &kind); err != nil {
		return nil, err
	}
	v := &literal.Value{}
	switch kind {
	case "u":
		return v, nil
	case "z":
		v.Kind = literal.Null
		return v, nil
	}
	if len(pair) < 2 {
		return nil, errShape
	}
	switch kind {
	case "s":
		v.Kind = literal.String
		return v, json.Unmarshal(pair[1], &v.Text)
	case "n":
		v.Kind = literal.Number
		return v, json.Unmarshal(pair[1], &v.Number)
	case "b":
		v.Kind = literal.Bool
		return v, json.Unmarshal(pair[1], &v.Bool)
	case "x":
		v.Kind = literal.Opaque
		err := json.Unmarshal(pair[1], &v.Why)
		v.Text = v.Why
		return v, err
	case "a":
		return v, items(v, pair[1], depth)
	case "o":
		return v, fields(v, pair[1], depth)
	}
	return nil, errShape
}

func items(v *literal.Value, raw json.RawMessage, depth int) error {
	v.Kind = literal.Array
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for _, x := range list {
		item, err := decode(x, depth+1)
		if err != nil {
			return err
		}
		v.Items = append(v.Items, item)
	}
	return nil
}

func fields(v *literal.Value, raw json.RawMessage, depth int) error {
	v.Kind = literal.Object
	var list [][]json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	if len(list) > literal.MaxFields {
		return errShape
	}
	for _, x := range list {
		if len(x) != 2 {
			return errShape
		}
		var key string
		if err := json.Unmarshal(x[0], &key); err != nil {
			return err
		}
		item, err := decode(x[1], depth+1)
		if err != nil {
			return err
		}
		if item.Kind != literal.Undefined {
			v.Fields = append(v.Fields, literal.Field{Key: key, Value: item})
		}
	}
	return nil
}
