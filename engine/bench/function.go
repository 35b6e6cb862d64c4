package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/netlify"
	"github.com/redundctl/redundctl/engine/kind/web"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

// ownTime is a function that answers with how long it took, in milliseconds.
const ownTime = `const began = process.hrtime.bigint();
exports.handler = async () => ({ statusCode: 200, body: String(Number(process.hrtime.bigint() - began) / 1e6) });
`

const ownTimeTyped = `const began: bigint = process.hrtime.bigint();
enum Status { Good = 200 }
export const handler = async (): Promise<{ statusCode: number, body: string }> =>
  ({ statusCode: Status.Good, body: String(Number(process.hrtime.bigint() - began) / 1e6) });
`

// functions compares a call of a Netlify function with a node that does
// nothing, and one in TypeScript with the same in JavaScript.
func (b *bench) functions() error {
	if !b.wants("function") {
		return nil
	}
	root := filepath.Join(b.dir, "site")
	for name, text := range map[string]string{"plain.js": ownTime, "typed.ts": ownTimeTyped} {
		if err := write(filepath.Join(root, name), text); err != nil {
			return err
		}
	}
	p, err := proc.New(proc.Options{})
	if err != nil {
		return err
	}
	defer p.Close()
	deps := kind.Deps{Proc: p, HTTP: http.DefaultClient}
	scope := &pipeline.Scope{
		Root: root, Dir: root, Temp: b.dir, Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + root},
		Mask:   func(s string) string { return s },
		Inside: func(p string) (string, error) { return filepath.Join(root, p), nil },
	}
	node := command{argv: []string{"node", "-e", "0"}}
	var bare, plain, typed []figures
	for i := range b.times(100) + 1 {
		x, err := node.run()
		if err != nil {
			return err
		}
		y, err := called(deps, scope, "plain.js")
		if err != nil {
			return err
		}
		z, err := called(deps, scope, "typed.ts")
		if err != nil {
			return err
		}
		if i > 0 {
			bare, plain, typed = append(bare, x), append(plain, y), append(typed, z)
		}
	}
	limit, js, ts := median(bare), median(plain), median(typed)
	b.say("function call, without its own time, wall", figure{js.wall * 1000, limit.wall * 1000, 1.3, "ms"})
	b.say("function call, cpu", figure{js.cpu * 1000, limit.cpu * 1000, 1.3, "ms"})
	b.say("function in TypeScript, 20 ms more, wall", figure{ts.wall * 1000, js.wall*1000 + 20, 1, "ms"})
	b.say("function in TypeScript, 20 ms more, cpu", figure{ts.cpu * 1000, js.cpu*1000 + 20, 1, "ms"})
	return nil
}

// called is how long one call takes besides the function's own time.
func called(deps kind.Deps, scope *pipeline.Scope, file string) (figures, error) {
	a, err := netlify.Kind(web.Kind()).Build(map[string]any{"file": file, "event": "http", "method": "GET"}, deps)
	if err != nil {
		return figures{}, err
	}
	start, before := time.Now(), spent()
	out, err := a.Run(context.Background(), scope)
	wall, cpu := time.Since(start).Seconds(), spent()-before
	if err != nil {
		return figures{}, err
	}
	own, err := strconv.ParseFloat(fmt.Sprint(out.Values["body"]), 64)
	if err != nil {
		return figures{}, fmt.Errorf("the function's own time: %w", err)
	}
	return figures{wall: wall - own/1000, cpu: cpu}, nil
}

// spent is the processor time of this process and of its children that ended.
func spent() float64 {
	sum := 0.0
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			sum += float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
		}
	}
	return sum
}
