package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// judge looks at what is recorded, and at what the steps wrote.
func (v *victim) judge() {
	t := v.t
	t.Helper()
	var all []pipeline.Run
	v.history(func(h *engine.History) {
		var err error
		if all, err = h.Runs(t.Context(), history.Filter{Limit: 1_000_000}); err != nil {
			t.Fatal(err)
		}
	})
	slots := map[string]map[int64][]pipeline.Run{}
	seen, states := map[int64]bool{}, map[string]int{}
	for _, r := range all {
		seen[r.ID] = true
		states[r.Pipeline+" "+string(r.State)+" "+r.Reason]++
		if r.State == pipeline.Running {
			t.Errorf("run %d of %s reads as running", r.ID, r.Pipeline)
		}
		if r.Slot.IsZero() {
			continue
		}
		if slots[r.Pipeline] == nil {
			slots[r.Pipeline] = map[int64][]pipeline.Run{}
		}
		s := slots[r.Pipeline]
		s[r.Slot.Unix()] = append(s[r.Slot.Unix()], r)
	}
	for id := range v.acks {
		if !seen[id] {
			t.Errorf("run %d was promised, and is not recorded", id)
		}
	}
	if len(slots) != 6 {
		t.Fatalf("%d pipelines had slots", len(slots))
	}
	for name, s := range slots {
		v.ledger(name, s)
	}
	for _, name := range []string{"once", "retried", "resumed", "backed"} {
		v.did(name, slots[name])
	}
	for at, list := range slots["backed"] {
		for _, r := range list {
			if delivered := at%2 == 0; r.State == pipeline.Skipped && r.Reason == "primary-succeeded" != delivered && r.Reason != "disabled" || r.State != pipeline.Skipped && delivered {
				t.Errorf("slot %s, which the primary delivered %v, is %s %s", time.Unix(at, 0).UTC(), delivered, r.State, r.Reason)
			}
		}
	}
	t.Log(states)
}

// ledger holds that each second of a pipeline is decided once.
func (v *victim) ledger(name string, s map[int64][]pipeline.Run) {
	first, last := int64(1<<62), int64(0)
	for at := range s {
		first, last = min(first, at), max(last, at)
	}
	for at := first; at <= last; at++ {
		begun, well := 0, 0
		for _, r := range s[at] {
			if r.Attempt == 1 {
				begun++
			}
			if r.State == pipeline.Succeeded {
				well++
			}
		}
		if begun != 1 || well > 1 {
			v.t.Errorf("slot %s of %s: %d first attempts, %d succeeded: %+v", time.Unix(at, 0).UTC(), name, begun, well, s[at])
		}
	}
	if last-first < 5 {
		v.t.Errorf("%s had %d slots", name, last-first)
	}
}

// did holds what the steps of a pipeline wrote against what is recorded of it:
// what succeeded was done, once for each claim, and what may not run twice was
// not done twice.
func (v *victim) did(name string, s map[int64][]pipeline.Run) {
	text, err := os.ReadFile(filepath.Join(v.dir, "did-"+name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // on a busy machine each may have been killed before it wrote
		v.t.Error(err)
		return
	}
	done := map[int64][]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		slot, fence, _ := strings.Cut(line, " ")
		at, err := time.Parse(time.RFC3339, slot)
		if err != nil {
			v.t.Errorf("%s wrote %q", name, line)
			continue
		}
		for _, f := range done[at.Unix()] {
			if f == fence {
				v.t.Errorf("%s did slot %s twice under the fence %s", name, slot, fence)
			}
		}
		done[at.Unix()] = append(done[at.Unix()], fence)
	}
	for at, list := range s {
		well := false
		for _, r := range list {
			well = well || r.State == pipeline.Succeeded
		}
		if n := len(done[at]); well && n == 0 || n > 1 && (name == "once" || name == "backed") {
			v.t.Errorf("%s did slot %s %d times; succeeded: %v", name, time.Unix(at, 0).UTC(), n, well)
		}
	}
}
