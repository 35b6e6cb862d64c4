package api

import (
	"encoding/json"
	"testing"
)

func TestTexts(t *testing.T) {
	t.Parallel()
	var r RunRequest
	if err := json.Unmarshal([]byte(`{"pipeline": "a", "params": {"x": "1", "none": null}}`), &r); err != nil {
		t.Fatal(err)
	}
	if _, given := r.Params["none"]; given || r.Params["x"] != "1" {
		t.Errorf("got %q: null is no value", r.Params)
	}
	if err := json.Unmarshal([]byte(`{"pipeline": "a", "params": {"x": 1}}`), &r); err == nil {
		t.Error("a number is taken for text")
	}
}
