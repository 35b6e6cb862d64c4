package github

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/redundctl/redundctl/engine/kind/github/rest"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// ended reports that a run is over.
func ended(r *rest.Run) bool { return r.Status == "completed" }

// verdict is what one run says. A cancelled one has failed: decide asks first
// whether another serves the slot. The words are those of GitHub's OpenAPI
// description; one that it does not have is unknown.
func verdict(r *rest.Run) pipeline.Verdict {
	word := r.Status
	if ended(r) {
		word = r.Conclusion
	}
	switch word {
	case "success", "neutral", "skipped":
		if ended(r) {
			return pipeline.Delivered
		}
	case "failure", "timed_out", "startup_failure", "cancelled":
		if ended(r) {
			return pipeline.NotDelivered
		}
	case "queued", "in_progress", "requested", "pending":
		if !ended(r) {
			return pipeline.UnderWay
		}
	}
	return pipeline.Unknown // waiting, action_required, stale
}

// decide says what became of a slot that these runs serve, the newest first: one
// that succeeded delivers it; else one that goes on may still; else the newest
// tells, so that a cancelled one counts only if nothing came after it.
func decide(runs []served) pipeline.Reading {
	pick := -1
	for _, v := range []pipeline.Verdict{pipeline.Delivered, pipeline.UnderWay} {
		for i := range runs {
			if pick < 0 && verdict(&runs[i].Run) == v {
				pick = i
			}
		}
	}
	return reading(&runs[max(pick, 0)].Run, len(runs))
}

// reading is one run as evidence, out of as many that serve the slot.
func reading(run *rest.Run, among int) pipeline.Reading {
	r := pipeline.Reading{
		Verdict: verdict(run), URL: web(run.Page), Run: strconv.FormatInt(run.ID, 10), Began: run.Created,
		// A person who runs it again keeps the event.
		Scheduled: run.Event == "schedule" && run.Attempt <= 1,
		Evidence: map[string]any{
			"run": run.ID, "workflow": run.Path, "event": run.Event, "branch": run.Branch, "status": run.Status, "attempt": max(run.Attempt, 1),
			"created": run.Created.UTC().Format(time.RFC3339), "runs": among,
		},
	}
	word := run.Status
	if ended(run) {
		r.Ended, word = run.Updated, run.Conclusion
		r.Evidence["conclusion"] = run.Conclusion
		r.Evidence["updated"] = run.Updated.UTC().Format(time.RFC3339)
	}
	if !run.Started.IsZero() {
		r.Evidence["started"] = run.Started.UTC().Format(time.RFC3339)
	}
	r.Reason = fmt.Sprintf("run %d, created %s, is %s", run.ID, run.Created.UTC().Format(time.RFC3339), plain(word))
	if run.Attempt > 1 {
		r.Reason += fmt.Sprintf(" in attempt %d", run.Attempt)
	}
	if r.Verdict == pipeline.Unknown {
		r.Reason += ": a person has to look at it"
	}
	return r
}

// plain is a status or a conclusion for people.
func plain(word string) string {
	if words, ok := map[string]string{
		"success": "a success", "neutral": "neutral", "failure": "a failure", "timed_out": "timed out", "startup_failure": "a failure to start",
		"in_progress": "in progress", "action_required": "waiting for an action", "waiting": "waiting for an approval",
	}[word]; ok {
		return words
	}
	if word == "" {
		return "over, without a conclusion"
	}
	return word
}

// web is an address that people may open, or "".
func web(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return ""
	}
	return address
}
