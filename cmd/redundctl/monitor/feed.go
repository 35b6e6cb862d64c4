package monitor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redundctl/redundctl/cmd/redundctl/monitor/screen"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/api/client"
	"github.com/redundctl/redundctl/engine/runner/retry"
)

// How often and how much is asked for.
const (
	pollEvery  = 2 * time.Second        // what goes on, when nothing is told meanwhile
	pollRest   = 300 * time.Millisecond // between two polls at least
	retryEvery = 500 * time.Millisecond // whether an engine is there again
	answerTime = 5 * time.Second        // for one answer
	drawEvery  = 100 * time.Millisecond // the lines of a log; a tenth of a second is live
	lastEvents = 100
	lastRuns   = 50
	mostActive = 200 // runs in progress
	logLines   = 500 // of what was logged before
	mostLines  = 2000
)

// tell is a message to the screen: something that changes it.
type tell func(*screen.Screen)

// feed asks the engine for what the screen shows, and again when it has gone and
// come back.
type feed struct {
	open   func() (*client.Client, error)
	system string     // "": all
	send   func(tell) // may block; gives up when the view has ended

	work sync.WaitGroup  // everything that was begun
	ctx  context.Context // of run
	wake chan struct{}   // something has changed

	mu      sync.Mutex
	c       *client.Client // nil: there is no engine
	wants   screen.Wants
	logCtx  context.Context // ends when another log is wanted
	endLog  context.CancelFunc
	lines   []api.Line // that have not been drawn
	tooMany int        // lines that were left out of them
}

func newFeed(open func() (*client.Client, error), system string, send func(tell)) *feed {
	return &feed{open: open, system: system, send: send, wake: make(chan struct{}, 1)}
}

// begin starts asking; end must be called.
func (f *feed) begin(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	f.ctx = ctx
	f.logCtx, f.endLog = context.WithCancel(ctx)
	for _, loop := range []func(context.Context){f.events, f.poll, f.logs, f.draw} {
		f.work.Go(func() { loop(ctx) })
	}
	return func() {
		cancel()
		f.work.Wait()
		f.use(nil)
	}
}

// use is the engine that there is from now on.
func (f *feed) use(c *client.Client) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.c != nil {
		f.c.Close()
	}
	f.c = c
}

func (f *feed) client() *client.Client {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.c
}

// want changes what is asked for besides.
func (f *feed) want(w screen.Wants) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w == f.wants {
		return
	}
	if w.Log != f.wants.Log {
		f.endLog()
		f.logCtx, f.endLog = context.WithCancel(f.ctx)
		f.lines, f.tooMany = nil, 0
	}
	f.wants = w
	f.hurry()
}

// hurry has what goes on asked for soon.
func (f *feed) hurry() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// events follows the engine's events, and looks for another engine when it is
// gone.
func (f *feed) events(ctx context.Context) {
	for ctx.Err() == nil {
		c, err := f.open()
		if err == nil {
			f.use(c)
			met := false
			err = c.Events(ctx, -lastEvents, func(m api.Message) error {
				f.send(func(s *screen.Screen) {
					if !met {
						met = true
						s.Met()
					}
					if m.Status != nil {
						s.Status(*m.Status)
					}
					if m.Event != nil {
						s.Event(*m.Event)
					}
				})
				f.hurry()
				return ctx.Err()
			})
			f.use(nil)
		}
		if ctx.Err() != nil {
			return
		}
		f.send(func(s *screen.Screen) { s.Lost(short(err)) })
		if !retry.Wait(ctx, retryEvery) {
			return
		}
	}
}

// short is an error in as few words as fit a line.
func short(err error) string {
	if errors.Is(err, client.ErrNoEngine) {
		return "no engine is running here: redundctl start starts one"
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

// poll asks for what the events do not tell.
func (f *feed) poll(ctx context.Context) {
	for {
		if c := f.client(); c != nil {
			f.ask(ctx, c)
		}
		if !retry.Wait(ctx, pollRest) {
			return
		}
		t := time.NewTimer(pollEvery)
		select {
		case <-ctx.Done():
		case <-f.wake:
		case <-t.C:
		}
		t.Stop()
	}
}

func (f *feed) ask(ctx context.Context, c *client.Client) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if x, err := active(ctx, c, f.system); err == nil {
		f.send(func(s *screen.Screen) { s.Active(x) })
	}
	f.mu.Lock()
	w := f.wants
	f.mu.Unlock()
	if w.Pipeline != "" {
		runs, err := c.Runs(ctx, client.RunsQuery{Name: w.Pipeline, N: lastRuns})
		if err != nil {
			return
		}
		f.send(func(s *screen.Screen) { s.Runs(w.Pipeline, runs) })
		for _, r := range runs {
			if r.State != "skipped" {
				w.Run = r.ID
				break
			}
		}
	}
	if w.Run != 0 {
		run, err := c.Run(ctx, w.Run)
		var refused *client.UsageError
		switch {
		case errors.As(err, &refused):
			f.send(func(s *screen.Screen) { s.Say(false, refused.Message) })
		case err == nil:
			f.send(func(s *screen.Screen) { s.Run(run) })
		}
	}
}

// active asks for what goes on.
func active(ctx context.Context, c *client.Client, system string) (x screen.Active, err error) {
	if x.Health, err = c.Health(ctx, ""); err != nil {
		return x, err
	}
	for _, q := range []struct {
		state string
		n     int
		into  *[]api.Run
	}{{"running", mostActive, &x.Running}, {"queued", mostActive, &x.Queued}, {"", lastRuns, &x.Recent}} {
		*q.into, err = c.Runs(ctx, client.RunsQuery{Name: system, State: q.state, N: q.n})
		var refused *client.UsageError
		if errors.As(err, &refused) {
			err = nil // the system is no more, which the status tells
		}
		if err != nil {
			return x, err
		}
	}
	return x, nil
}

// logs follows the log that is wanted.
func (f *feed) logs(ctx context.Context) {
	for ctx.Err() == nil {
		f.mu.Lock()
		log, of, c := f.logCtx, f.wants.Log, f.c
		f.mu.Unlock()
		var err error
		if of != "" && c != nil {
			f.send(func(s *screen.Screen) { s.Restarted(of) })
			n := logLines
			err = c.Logs(log, client.LogsQuery{Of: of, N: &n, Follow: true}, func(l api.Line) error {
				f.mu.Lock()
				defer f.mu.Unlock()
				if log.Err() != nil {
					return log.Err()
				}
				if f.lines = append(f.lines, l); len(f.lines) > mostLines {
					f.tooMany += len(f.lines) - mostLines
					f.lines = append(f.lines[:0], f.lines[len(f.lines)-mostLines:]...)
				}
				return nil
			})
			var refused *client.UsageError
			if errors.As(err, &refused) {
				f.send(func(s *screen.Screen) { s.Say(false, refused.Message) })
				<-log.Done()
			}
		}
		if of == "" {
			<-log.Done()
		} else if log.Err() == nil {
			retry.Wait(log, retryEvery)
		}
	}
}

// draw tells the screen the time, and the lines that have come since.
func (f *feed) draw(ctx context.Context) {
	tick := time.NewTicker(drawEvery)
	defer tick.Stop()
	second := time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			f.mu.Lock()
			lines, lost, of := f.lines, f.tooMany, f.wants.Log
			f.lines, f.tooMany = nil, 0
			f.mu.Unlock()
			if len(lines) > 0 {
				f.send(func(s *screen.Screen) { s.Lines(of, lines, lost) })
			}
			if now.Sub(second) >= time.Second {
				second = now
				f.send(func(s *screen.Screen) { s.Tick(now) })
			}
		}
	}
}

// do carries out what a key asked for, and says how that went.
func (f *feed) do(a screen.Ask) {
	f.work.Go(func() {
		ctx, cancel := context.WithTimeout(f.ctx, answerTime)
		defer cancel()
		said, err := "", client.ErrNoEngine
		if c := f.client(); c != nil {
			said, err = act(ctx, c, a)
		}
		f.send(func(s *screen.Screen) {
			if err != nil {
				s.Say(false, short(err))
				return
			}
			s.Say(true, said)
		})
		f.hurry()
	})
}

func act(ctx context.Context, c *client.Client, a screen.Ask) (string, error) {
	switch a.Do {
	case screen.Cancel:
		x, err := c.Cancel(ctx, a.Run)
		if err == nil && !x.Asked {
			return fmt.Sprintf("run %d had ended already: %s", a.Run, x.State), nil
		}
		return fmt.Sprintf("run %d was asked to end", a.Run), err
	case screen.Retry:
		x, err := c.Retry(ctx, a.Run)
		return fmt.Sprintf("run %d of %s/%s is queued", x.ID, x.System, x.Pipeline), err
	case screen.Stop:
		x, err := c.StopPart(ctx, a.Name)
		return x.Name + " is " + x.State, err
	default:
		x, err := c.StartPart(ctx, a.Name)
		return x.Name + " is " + x.State, err
	}
}
