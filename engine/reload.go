package engine

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/saved"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/engine/work"
)

// A file must be gone for goneAfter before it counts as removed; while git is
// at work, for longer, but a lock that a killed git left ends that.
const (
	goneAfter = time.Second
	goneMost  = 10 * time.Second
)

// begin puts in force what was loaded, and what was in force before of files
// that are broken now; the schedules go on where an earlier engine left them.
func (s *server) begin(ctx context.Context) error {
	list, err := s.history.LastLoaded(ctx)
	if err != nil {
		return err
	}
	how, set := s.how(), s.current.Load()
	before, known := map[string]*force.Part{}, map[string]bool{}
	good := map[string]bool{}
	for _, p := range set.Project.Pipelines {
		good[p.ID()] = true
	}
	broken := force.Broken(set.Project)
	for _, l := range list {
		known[l.Hash] = true
		p := &force.Part{Pipeline: &pipeline.Pipeline{System: l.System, Name: l.Name, File: l.File}, Set: set, Hash: l.Hash, Since: l.Since}
		id := p.Pipeline.ID()
		switch {
		case !how.Serves(l.System):
			s.others = append(s.others, l)
			continue
		case !good[id] && (!broken(id, l.File) || !s.restore(ctx, p)):
			continue
		}
		before[id] = p
	}
	f := force.Join(set, before, *how)
	if err := s.keep(ctx, f, known); err != nil {
		return err
	}
	s.enforce(f)
	for _, x := range f.Rejected {
		s.rejected(x)
	}
	last, err := s.history.LastSlots(ctx)
	if err != nil {
		return err
	}
	s.timer.Set(entries(f, last)...)
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

// keep records what is in force, for an engine that starts with broken files.
// known are the hashes of the definitions that are recorded.
func (s *server) keep(ctx context.Context, f *force.Force, known map[string]bool) error {
	list, defs := f.Loaded(known)
	return s.history.Load(ctx, append(list, s.others...), defs)
}

// enforce puts f in the place of what is in force.
func (s *server) enforce(f *force.Force) {
	s.mu.Lock()
	s.force = f
	s.mu.Unlock()
	s.current.Store(f.Set)
	s.written.Follow(&f.Set.Project.Config)
	s.queue.Limit(f.Limits(*s.how()))
	s.timer.Limit(f.Set.Project.Config.Limits.CatchUp)
}

// changed takes up what was saved.
func (s *server) changed(ctx context.Context) {
	if err := s.reload(ctx); err != nil && ctx.Err() == nil {
		s.log.Error("what was saved could not be taken up; redundctl validate says more, and a save tries again", "error", err)
	}
}

// Reload reads the files again and puts in force what is good of them. It does
// nothing while the engine does not serve.
func (e *Engine) Reload(ctx context.Context) error {
	if s := e.serving.Load(); s != nil && s.o.Serve.Load != nil {
		return s.reload(ctx)
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

func (s *server) reload(ctx context.Context) error {
	end, err := s.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer end()
	before := s.now()
	f, err := s.load(ctx, before)
	if err != nil {
		return err
	}
	if len(f.Gone(before)) > 0 {
		// It may be about to come back, by another name or with a checkout that
		// goes on.
		if err := s.settled(ctx); err != nil {
			return err
		}
		if f, err = s.load(ctx, before); err != nil {
			return err
		}
	}
	d := f.Compare(before)
	same := f.Same(before, d)
	if f.Generation, f.At = before.Generation, before.At; !same {
		f.Generation, f.At = before.Generation+1, time.Now()
	}
	if !d.Empty() {
		known := make(map[string]bool, len(before.Parts))
		for _, p := range before.Parts {
			known[p.Hash] = true
		}
		if err := s.keep(ctx, f, known); err != nil {
			return err
		}
	}
	s.enforce(f) // also when all is the same: what pipelines use may be new
	s.reschedule(before, f, d)
	s.files.Follow(f.Set.Project)
	if !same {
		s.tell(ctx, before, f, d)
		s.care.checkup.Wake()
		s.care.outbox.Wake()
	}
	return nil
}

// load reads the files and joins them with what is in force. With a project
// file that is broken all stays as it is, but for what is told of it.
func (s *server) load(ctx context.Context, before *force.Force) (*force.Force, error) {
	p, kinds := s.o.Serve.Load(ctx)
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
	return force.Join(next, before.Parts, *s.how()), nil
}

// settled waits until what is gone can count as removed.
func (s *server) settled(ctx context.Context) error {
	for end := time.Now().Add(goneMost); ; {
		if !work.Pause(ctx, goneAfter) {
			return ctx.Err()
		}
		if !saved.Held(s.now().Set.Project) || time.Now().After(end) {
			return nil
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
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range remove {
		delete(s.late, id)
	}
	for _, e := range set {
		delete(s.late, e.ID) // its new schedule has no slots before now
	}
	s.timer.Remove(remove...)
	s.timer.Set(set...)
}

// rejected logs a mistake that keeps a file from being in force.
func (s *server) rejected(x diag.Problem) {
	s.log.Error("a file is rejected; its last good form stays in force", "file", x.File, "line", x.Line, "problem", x.Message)
}

// tell leaves the trace of a reload: what is new about it.
func (s *server) tell(ctx context.Context, before, f *force.Force, d force.Difference) {
	event := func(id, what, detail string) {
		s.event(ctx, pipeline.Event{Pipeline: id, What: what, Detail: detail})
	}
	for _, id := range d.Added {
		s.log.Info("pipeline added", "pipeline", id)
		event(id, "added", f.Parts[id].Pipeline.File)
	}
	for _, id := range d.Removed {
		s.log.Info("pipeline removed", "pipeline", id)
		event(id, "removed", "its file is gone")
	}
	for _, id := range slices.Sorted(maps.Keys(d.Changed)) {
		s.log.Info("pipeline changed", "pipeline", id, "keys", d.Changed[id])
		event(id, "changed", fmt.Sprint(d.Changed[id]))
	}
	told := map[diag.Problem]bool{}
	for _, x := range before.Rejected {
		told[x] = true
	}
	for _, x := range f.Rejected {
		if told[x] {
			continue
		}
		s.rejected(x)
		event("", "reload-rejected", fmt.Sprintf("%s:%d:%d: %s", x.File, x.Line, x.Column, x.Message))
	}
	if keys := f.Restart(s.o.Project); len(keys) > len(before.Restart(s.o.Project)) {
		s.log.Warn("a change of redund.yaml counts from the next start: redundctl restart", "keys", keys)
		event("", "restart-needed", fmt.Sprint(keys))
	}
	s.log.Info("reloaded", "generation", f.Generation, "pipelines", len(f.Parts), "added", len(d.Added), "removed", len(d.Removed),
		"changed", len(d.Changed), "rejected", len(f.Rejected))
}
