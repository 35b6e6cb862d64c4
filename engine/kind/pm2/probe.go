package pm2

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

const (
	// shared is how old a look of another probe at the same daemon may be to
	// count for a service: a tenth of the interval, and this at most.
	shared = time.Second
	// shownInstances and keptStarts bound the evidence and the memory of a probe.
	shownInstances, keptStarts = 8, 64
)

// watched is `primary.pm2`.
type watched struct {
	Process string `json:"process"`
	Home    string `json:"home"`
}

// probe looks at one application of one daemon.
type probe struct {
	name  string
	home  *home
	fresh time.Duration

	before map[string]application // what the last look showed that showed anything, by id
	starts []start                // that were seen, oldest first
}

// start is one start of an application that serves a slot, as it was last seen.
type start struct {
	id      string
	at      time.Time
	verdict pipeline.Verdict
	reason  string
}

func build(c watched, d kind.PrimaryDeps) (pipeline.Probe, error) {
	dir, err := homeOf(c.Home, d.Root, d.Host)
	if err != nil {
		return nil, err
	}
	p := &probe{name: c.Process}
	if d.Pipeline != nil && d.Pipeline.Primary != nil {
		p.fresh = min(shared, d.Pipeline.Primary.Every.Std()/10)
	}
	if d.Shared == nil {
		d.Shared = &kind.Shared{}
	}
	p.home = d.Shared.Get("pm2 "+dir, func() any { return newHome(dir) }).(*home)
	return p, nil
}

// Probe looks at the application through its daemon's socket and starts no
// daemon.
func (p *probe) Probe(ctx context.Context, w pipeline.Window) (pipeline.Reading, error) {
	fresh := p.fresh
	if !w.Slot.IsZero() {
		fresh = 0 // a run may begin on what is said now
	}
	saw, last := p.home.look(ctx, p.name, fresh)
	down := errors.Is(saw.err, errNoDaemon)
	if saw.err != nil && !down {
		return pipeline.Reading{Verdict: pipeline.Unknown, Reason: saw.err.Error(), Refused: errors.Is(saw.err, errDenied),
			Evidence: map[string]any{"home": p.home.dir, "daemon": "unknown"}}, nil
	}
	now := called(p.name, saw.all)
	var r pipeline.Reading
	if w.Slot.IsZero() {
		r = p.service(now)
	} else {
		r = p.slot(now, w)
	}
	switch {
	case len(now) > 0:
	case down && r.Reason == "":
		r.Reason = saw.err.Error()
	case r.Reason == "":
		r.Reason = fmt.Sprintf("%s is not in the list of PM2 in %s: %s", p.name, p.home.dir, others(p.name, saw.all))
	}
	r.Evidence = p.evidence(now, down)
	service := w.Slot.IsZero() && r.Verdict == pipeline.Down
	if !service && (w.Slot.IsZero() || len(now) > 0 || r.Verdict == pipeline.Delivered || r.Verdict == pipeline.NotDelivered) {
		return r, nil
	}
	pids, err := p.home.lives(ctx, p.name, now, last)
	switch {
	case err != nil: // down would start a second copy beside one that lives
		r.Verdict, r.Reason = pipeline.Unknown, r.Reason+"; "+err.Error()
	case !service:
		p.goesOn(&r, w, pids)
	case len(pids) > 0:
		r.Alive = true
		r.Reason += "; but a process of it lives: " + numbers(pids)
		r.Evidence["processes"] = numbers(pids)
	}
	return r, nil
}

// service judges the present state of an application that runs always.
func (p *probe) service(now []application) pipeline.Reading {
	r := pipeline.Reading{Verdict: pipeline.Down}
	var good, starting int
	var bad []string
	for _, a := range now {
		if a.started.After(r.Began) {
			r.Began = a.started
		}
		was, had := p.before[a.id]
		switch {
		// One that was launched more than once since is in a loop.
		case a.status == launching && !(had && a.restarts > was.restarts+1):
			starting++
		case !a.up():
			bad = append(bad, a.state())
		case had && restarted(was, a):
			r.Alive = true // ours does not start beside it
			bad = append(bad, fmt.Sprintf("was restarted since the last look, at %s (%d times in all)", a.started.Format(time.RFC3339), a.restarts))
		default:
			good++
		}
	}
	p.before = make(map[string]application, len(now))
	for _, a := range now {
		p.before[a.id] = a
	}
	switch {
	case good > 0 && len(now) > 1:
		// PM2 goes on with the others: a second copy beside them is no backup.
		r.Verdict, r.Reason = pipeline.Up, fmt.Sprintf("%d of %d instances of %s are online", good, len(now), p.name)
	case good > 0:
		r.Verdict, r.Reason = pipeline.Up, fmt.Sprintf("%s is online since %s", p.name, r.Began.Format(time.RFC3339))
	case starting > 0:
		r.Verdict, r.Reason = pipeline.Starting, p.name+" is launching"
	case len(bad) > 0:
		r.Reason = p.name + " " + bad[0]
		if len(bad) > 1 {
			r.Reason = fmt.Sprintf("none of %d instances of %s is up: one %s", len(now), p.name, bad[0])
		}
	}
	return r
}

// restarted reports whether PM2, or somebody by it, has started an application
// again that ran. One that was down and was started by somebody has only begun.
func restarted(was, is application) bool {
	return is.restarts > was.restarts || was.up() && !is.started.Equal(was.started)
}

// state is what an instance that does not run is like, for people.
func (a application) state() string {
	s := "is " + line(a.status)
	if a.exit.known {
		s += fmt.Sprintf(", exit code %d", a.exit.is)
	}
	if a.restarts > 0 {
		s += fmt.Sprintf(", %d restarts", a.restarts)
	}
	return s
}

// slot finds what became of the starts within a window. PM2 tells of the last
// start of an instance alone, so what was seen of others is remembered.
func (p *probe) slot(now []application, w pipeline.Window) pipeline.Reading {
	for _, a := range now {
		p.note(a)
	}
	s, ok := p.serving(now, w)
	if !ok {
		r := pipeline.Reading{Verdict: pipeline.Nothing}
		if len(now) > 0 {
			r.Reason = p.name + " has not been started since " + w.Slot.UTC().Format(time.RFC3339)
		}
		return r
	}
	r := pipeline.Reading{Verdict: s.verdict, Reason: s.reason, Began: s.at, Run: s.id + "@" + s.at.Format(time.RFC3339Nano)}
	if s.verdict == pipeline.UnderWay && !slices.ContainsFunc(now, s.of) {
		r.Verdict = pipeline.Unknown
		r.Reason = fmt.Sprintf("the start of %s was not seen to end, and PM2 does not tell of it any more", s.at.Format(time.RFC3339))
	}
	return r
}

// serving is the start that speaks for a window: of the last one of each instance
// one that goes on, else one that failed. Instances that are listed count before
// those that were deleted.
func (p *probe) serving(now []application, w pipeline.Window) (start, bool) {
	last := map[string]start{}
	for _, s := range p.starts {
		if !s.at.Before(w.Slot) && (w.Next.IsZero() || s.at.Before(w.Next)) && !s.at.Before(last[s.id].at) {
			last[s.id] = s
		}
	}
	var out start
	listed := false
	rank := map[pipeline.Verdict]int{pipeline.Delivered: 1, pipeline.NotDelivered: 2, pipeline.UnderWay: 3}
	for id, s := range last {
		is := slices.ContainsFunc(now, func(a application) bool { return a.id == id })
		if is && !listed || is == listed && (rank[s.verdict] > rank[out.verdict] || rank[s.verdict] == rank[out.verdict] && s.at.After(out.at)) {
			out, listed = s, is
		}
	}
	return out, len(last) > 0
}

// of reports whether an instance goes on with this start.
func (s start) of(a application) bool { return a.id == s.id && a.started.Equal(s.at) }

// note keeps what a start is like now.
func (p *probe) note(a application) {
	if a.started.IsZero() || a.status == stopped && !a.exit.known {
		return // it was added to the list and never started
	}
	s := start{id: a.id, at: a.started}
	switch {
	case a.up(), a.status == stopping:
		s.verdict, s.reason = pipeline.UnderWay, fmt.Sprintf("%s runs since %s", p.name, a.started.Format(time.RFC3339))
	case a.status == stopped && a.exit.known && a.exit.is == 0:
		s.verdict, s.reason = pipeline.Delivered, fmt.Sprintf("%s, started at %s, ended with exit code 0", p.name, a.started.Format(time.RFC3339))
	default:
		s.verdict, s.reason = pipeline.NotDelivered, fmt.Sprintf("%s, started at %s, %s", p.name, a.started.Format(time.RFC3339), a.state())
	}
	for i, old := range p.starts {
		if old.of(a) {
			p.starts[i] = s
			return
		}
	}
	if p.starts = append(p.starts, s); len(p.starts) > keptStarts {
		p.starts = p.starts[1:]
	}
}

// goesOn says that a run of a slot goes on whose daemon is gone: PM2 does not
// tell of it, but its process lives.
func (p *probe) goesOn(r *pipeline.Reading, w pipeline.Window, pids []int) {
	for _, pid := range pids {
		at, ok := began(pid)
		if ok && !at.Before(w.Slot) && (w.Next.IsZero() || at.Before(w.Next)) {
			r.Verdict, r.Began = pipeline.UnderWay, at
			r.Reason += fmt.Sprintf("; but a process of %s lives that began at %s: %d", p.name, at.UTC().Format(time.RFC3339), pid)
			r.Evidence["processes"] = numbers([]int{pid})
			return
		}
	}
}

func numbers(of []int) string { return strings.Trim(fmt.Sprint(of), "[]") }

// evidence is what the list said of the application, without its environment.
func (p *probe) evidence(now []application, down bool) map[string]any {
	out := map[string]any{"home": p.home.dir, "daemon": "answers"}
	if down {
		out["daemon"] = "gone"
		return out
	}
	instances := []any{}
	for _, a := range now[:min(len(now), shownInstances)] {
		one := map[string]any{"id": a.id, "status": line(a.status), "restarts": a.restarts, "pid": a.pid}
		if !a.started.IsZero() {
			one["started"] = a.started.Format(time.RFC3339Nano)
		}
		if a.exit.known {
			one["exit-code"] = a.exit.is
		}
		instances = append(instances, one)
	}
	out["instances"] = instances
	return out
}
