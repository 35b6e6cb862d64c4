package outputs

import (
	"strings"
	"testing"
)

func TestOutputLimits(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("ä", oneOutput)
	got, cut := Limit(map[string]any{"a": big, "b": "x"})
	if s := got["a"].(string); !cut || len(s) > oneOutput || len(s) < oneOutput-1 || !strings.HasPrefix(big, s) || got["b"] != "x" {
		t.Errorf("cut %v, %d bytes", cut, len(got["a"].(string)))
	}
	many := map[string]any{}
	for _, k := range []string{"a", "b", "c", "d", "e"} {
		many[k] = strings.Repeat("x", oneOutput)
	}
	got, cut = Limit(many)
	if !cut || len(got["d"].(string)) != oneOutput || got["e"] != "" || many["e"] == "" {
		t.Errorf("cut %v, e has %d bytes", cut, len(got["e"].(string)))
	}
	if _, cut := Limit(map[string]any{"a": []any{big}}); !cut {
		t.Error("a list over the limit was kept")
	}
	same := map[string]any{"a": "x"}
	if got, cut := Limit(same); cut || len(got) != 1 {
		t.Error("outputs within the limits were changed")
	}
}
