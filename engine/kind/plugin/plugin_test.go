package plugin

import (
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAnswers(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		`echo '{"type":"output","name":"a","value":1}'; echo '{"type":"result","ok":true}'`: "",
		`echo '{"type":"result","ok":false,"error":"no luck"}'`:                             "no luck",
		`echo hello; sleep 60`:               "line 1 of its answer: not a JSON object",
		`echo '{"type":"log","protocol":2}'`: "protocol 2",
		`exit 0`:                             "without a result",
		`exit 4`:                             "exit code 4",
		`head -c 3000000 /dev/zero | tr '\0' x; sleep 60`: "over 2 MiB",
	} {
		a, s := build(t, script)
		_, err := a.Run(t.Context(), s)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", script, err, want)
		}
	}
}
