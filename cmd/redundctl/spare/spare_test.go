package spare

import (
	"context"
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOnlyTheProgramIsGivenBack(t *testing.T) {
	text := `00400000-00d67000 r-xp 00000000 fe:00 12  /opt/a b/redundctl
00d67000-01a00000 r--p 00967000 fe:00 12  /opt/a b/redundctl
01a00000-01b00000 rw-p 01600000 fe:00 12  /opt/a b/redundctl
c000000000-c000400000 rw-p 00000000 00:00 0
7f0000000000-7f0000010000 r--p 00000000 fe:00 13  /opt/other
nonsense
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0  [stack]
`
	want := map[uintptr]uintptr{0x400000: 0xd67000, 0xd67000: 0x1a00000}
	if got := program(text, "/opt/a b/redundctl"); !maps.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	if got := program(text, "/opt/a b/redundctl (deleted)"); len(got) != 0 {
		t.Errorf("%x", got)
	}
}

// rss is how much memory this process has, in bytes.
func rss(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "Rss:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

func TestMemoryIsGivenBack(t *testing.T) {
	b := make([]byte, 64<<20)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	before := rss(t)
	if b[4096] != 1 {
		t.Fatal("unreachable")
	}
	b = nil
	give()
	if after := rss(t); before-after < 60<<20 {
		t.Errorf("of %d bytes %d are left", before, after)
	}
	if n := free(); n > worth {
		t.Errorf("%d bytes are free and were not given back", n)
	}
	_ = b
}

func TestItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), 3*every)
		defer stop()
		Keep(ctx)
	})
}
