package kind_test

import (
	"testing"

	"github.com/redundctl/redundctl/engine/kind"
)

func TestLater(t *testing.T) {
	t.Parallel()
	k := kind.Later("pm2", []byte(`{}`))
	const want = "uses: pm2 is not built yet; it comes with a later version"
	if _, err := k.Build(nil, kind.Deps{}); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}
