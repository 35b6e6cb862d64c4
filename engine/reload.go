package engine

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/retry"
	"github.com/redundctl/redundctl/engine/saved"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/engine/status"
	"github.com/redundctl/redundctl/engine/trace"
)

// begin puts in force what was loaded, and what was in force before of files
// that are broken now; the schedules go on where an earlier engine left them.
func (s *server) begin(ctx context.Context) error {
	last, err := s.history.LastLoaded(ctx)
	if err != nil {
		return err
	}
	how, set := s.how(), s.current.Load()
	before, known := map[string]*force.Part{}, map[string]bool{}
	var others []history.Loaded // of systems that an engine served which is not this one
	good := map[string]bool{}
	for _, p := range set.Project.Pipelines {
		good[p.ID()] = true
	}
	broken := force.Broken(set.Project)
	for _, l := range last {
		known[l.Hash] = true
		p := &force.Part{Pipeline: &pipeline.Pipeline{System: l.System, Name: l.Name, File: l.File}, Own: set, Hash: l.Hash, Since: l.Since}
		id := p.Pipeline.ID()
		switch {
		case !how.Serves(l.System):
			others = append(others, l)
			continue
		case !good[id] && (!broken(id, l.File) || !s.restore(ctx, p)):
			continue
		}
		before[id] = p
	}
	f := force.Join(set, before, *how)
	list, defs := f.Loaded(known)
	if err := s.history.Load(ctx, append(list, others...), defs); err != nil {
		return err
	}
	keep, err := set.Project.KeepSettings()
	if err == nil {
		err = keep()
	}
	if err != nil {
		return err
	}
	s.enforce(f)
	s.queue.Limit(f.Limits(*how))
	for _, x := range status.Rejected(f.Rejected) {
		trace.Reject(s.log, x)
	}
	slots, err := s.history.LastSlots(ctx)
	if err != nil {
		return err
	}
	s.timer.Set(f.Entries(slots, time.Now())...)
	return nil
}

// restore fills in a pipeline as the history keeps it.
func (s *server) restore(ctx context.Context, p *force.Part) bool {
	d, ok, err := s.history.Definition(ctx, p.Hash)
	if err == nil && !ok {
		err = fmt.Errorf("the definition %.12s is not kept", p.Hash)
	}
	var x *pipeline.Pipeline
	if err == nil {
		x, err = loaded.Restore(d)
	}
	if err != nil {
		s.log.Warn("the last good form of a pipeline could not be read; it is out of force until its file is right", "pipeline", p.Pipeline.ID(), "error", err)
		return false
	}
	x.File = p.Pipeline.File
	p.Pipeline, p.Schedules = x, s.parse(x)
	return true
}

// parse reads the schedules of a pipeline, which were checked when it was
// loaded.
func (s *server) parse(p *pipeline.Pipeline) []*schedule.Schedule {
	var out []*schedule.Schedule
	for _, x := range p.Schedule {
		sch, err := s.zones.Parse(x)
		if err != nil {
			s.log.Error("a schedule cannot be kept", "pipeline", p.ID(), "error", err)
			continue
		}
		out = append(out, sch)
	}
	return out
}

// enforce puts f in the place of what is in force.
func (s *server) enforce(f *force.Force) {
	s.mu.Lock()
	s.force = f
	s.mu.Unlock()
	s.current.Store(f.Set)
	s.written.Follow(&f.Set.Project.Config)
	s.timer.Limit(f.Set.Project.Config.Limits.CatchUp)
	select {
	case s.arrived <- struct{}{}:
	default:
	}
	s.arrange()
}

// changed takes up what was saved. That it failed is told once, not with each
// try after that.
func (s *server) changed(ctx context.Context, c saved.Change) {
	if err := s.reload(ctx, c); err != nil && ctx.Err() == nil && (c.Any || len(c.Paths) > 0) {
		s.log.Error("what was saved could not be taken up yet; it is tried again until it can, and redundctl validate may say more", "error", err)
	}
}

// Reload looks at all files again and puts in force what is good of them. It
// does nothing while the engine does not serve.
func (e *Engine) Reload(ctx context.Context) error {
	if s := e.serving.Load(); s != nil && s.o.Serve.Load != nil {
		return s.reload(ctx, saved.Change{Seen: time.Now(), Any: true, Outside: true})
	}
	return nil
}

// takeTurn waits until nobody else reads the files; the function ends the turn.
func (s *server) takeTurn(ctx context.Context) (func(), error) {
	select {
	case s.loading <- struct{}{}:
		return func() { <-s.loading }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// reload takes up what was saved. What fails is tried again with the next save,
// and without one: the watch tells of each only once.
func (s *server) reload(ctx context.Context, c saved.Change) error {
	t := trace.Save{Seen: c.Seen, Told: time.Now(), Files: len(c.Paths)}
	end, err := s.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer end()
	s.unread.Add(c)
	if err = s.takeUp(ctx, c, t); err != nil {
		s.lookIn(againEvery)
	}
	return err
}

// takeUp puts in force what was saved and is not in force yet; c is the news of
// it. Only who has the turn calls it.
func (s *server) takeUp(ctx context.Context, c saved.Change, t trace.Save) error {
	before := s.now()
	f, err := s.load(ctx, before, s.unread.Of())
	if err != nil {
		return err
	}
	waiting, all := s.leave(before, f)
	if all {
		return nil // redund.yaml may be about to come back
	}
	d := f.Compare(before)
	same := f.Same(before, d)
	if f.Generation, f.At = before.Generation, before.At; !same {
		f.Generation, f.At = before.Generation+1, time.Now()
	}
	u := f.Update(before, &d)
	if err = s.keep(ctx, f, u); ctx.Err() == nil {
		s.failed("reload", err)
	}
	if err != nil {
		return err
	}
	t.Read, t.Ended, t.Waits = f.Set.Project.Cost, time.Now(), waiting
	f.Save = trace.Of(t, before, f, &d)
	if c.Any && !c.Outside && f.Save.Outcome == trace.Unchanged {
		f.Save = before.Save // nobody saved anything: a watch began
	}
	s.enforce(f) // also when all is the same: what pipelines use may be new
	if f.Set != before.Set {
		s.unread = saved.Change{}
	}
	if !f.SameLimits(before, &d) {
		s.queue.Limit(f.Limits(*s.how()))
	}
	s.reschedule(before, f, d)
	s.files.Follow(f.Set.Project)
	if !u.Empty() { // it is in force, and held against a power cut from now on
		if err := s.history.Update(ctx, u, true); err != nil && ctx.Err() == nil {
			s.log.Warn("what was saved is in force, but a power cut may take it back", "error", err)
		}
	}
	if f.Save != before.Save {
		t := trace.Teller{Log: s.log, Began: s.o.Project, Event: func(id, what, detail string) {
			s.event(ctx, pipeline.Event{Pipeline: id, What: what, Detail: detail})
		}}
		t.Tell(before, f)
	}
	if !same {
		s.care.checkup.Wake()
		s.care.outbox.Wake()
	}
	return nil
}

// keep records what f changes, for the next engine.
func (s *server) keep(ctx context.Context, f *force.Force, u history.Update) error {
	settings, err := f.Set.Project.KeepSettings()
	if err == nil && !u.Empty() {
		err = s.history.Update(ctx, u, false)
	}
	if err == nil {
		err = settings() // at once, so that a kill here finds both or none of it
	}
	return err
}

// load reads what has changed and joins it with what is in force. With a
// project file that is broken all stays as it is, but for what is told of it.
func (s *server) load(ctx context.Context, before *force.Force, c config.Change) (*force.Force, error) {
	p, kinds := s.o.Serve.Load(ctx, before.Set.Project, c)
	p.State = s.o.Project.State // where the database, the logs and the socket are
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p.ConfigInvalid {
		return before.Reject(p, time.Now()), nil
	}
	next, err := s.newSet(p, kinds)
	if err != nil {
		return nil, err
	}
	return force.Replace(before, next, *s.how()), nil
}

// leave keeps for a moment what is gone: it may come back, by another name or
// with a checkout that goes on. It reports whether some of it waits, and whether
// all has to, because redund.yaml is gone.
func (s *server) leave(before, f *force.Force) (some, all bool) {
	gone := f.Gone()
	if f.Set.Project.Lacks(before.Set.Project) {
		gone = append(slices.Clone(gone), "")
	}
	stay := s.leaving.Of(gone, time.Now(), func() bool { return saved.Held(before.Set.Project) })
	if len(stay) == 0 {
		return false, false
	}
	s.lookIn(saved.Gone)
	if stay[len(stay)-1] == "" {
		return true, true
	}
	f.Keep(before, stay...)
	return true, false
}

// lookIn has the files looked at after a while, though nobody saves one.
func (s *server) lookIn(wait time.Duration) {
	select {
	case s.again <- wait:
	default: // somebody will look already
	}
}

// lookAgain looks for what is gone, and for what failed, until ctx is done.
func (s *server) lookAgain(ctx context.Context) {
	for {
		var wait time.Duration
		select {
		case <-ctx.Done():
			return
		case wait = <-s.again:
		}
		if retry.Wait(ctx, wait) {
			s.changed(ctx, saved.Change{Seen: time.Now()})
		}
	}
}

// reschedule moves the schedules of what differs; those of untouched pipelines
// stay as they are.
func (s *server) reschedule(before, f *force.Force, d force.Difference) {
	remove := slices.Clone(d.Removed)
	var set []schedule.Entry
	for _, id := range slices.Concat(d.Added, slices.Collect(maps.Keys(d.Changed))) {
		p, b := f.Parts[id], before.Parts[id]
		switch {
		case b != nil && reflect.DeepEqual(b.Pipeline.Schedule, p.Pipeline.Schedule):
		case len(p.Schedules) == 0:
			remove = append(remove, id)
		default:
			set = append(set, schedule.Entry{ID: id, Schedules: p.Schedules})
		}
	}
	s.slots.Forget(remove...)
	for _, e := range set {
		s.slots.Forget(e.ID)
	}
	s.timer.Remove(remove...)
	s.timer.Set(set...)
}
