package body

import (
	"bytes"
	"testing"
)

func TestPack(t *testing.T) {
	t.Parallel()
	for _, body := range [][]byte{nil, []byte(`{"name":"a"}`), bytes.Repeat([]byte(`{"exec":["/bin/true"]},`), 10_000)} {
		kept, err := Pack(body)
		if err != nil {
			t.Fatal(err)
		}
		if len(body) > 1024 && len(kept) > len(body)/20 {
			t.Errorf("%d bytes are kept as %d", len(body), len(kept))
		}
		if got, err := Unpack(kept); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes come back as %d: %v", len(body), len(got), err)
		}
	}
	if _, err := Unpack([]byte{packed, 0xff, 0xff}); err == nil {
		t.Error("nonsense was unpacked")
	}
}
