package pm2

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"syscall"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
)

// The daemon of PM2 answers on a Unix socket, rpc.sock in its home. A message is
// one byte, the version of the protocol in its upper half and the number of
// parts in its lower one, and the parts: four bytes of length, big endian, and
// so many bytes, which begin with "j:" (JSON) or "s:" (text). A call has two,
// {type: "call", method, args} and an id, and so has the answer: {args: [value]}
// or {error}, and the same id. (Observed of PM2 7.0.4; nothing of it is
// documented.) Whoever only dials starts nothing: the command line of PM2 starts
// a daemon whatever it is asked.

const (
	protocol = 1
	// answerLimit bounds one answer, in bytes: an application takes some 5 KB of
	// a list, most of it environment.
	answerLimit = 64 << 20
	// lookLimit is how long a daemon may take to say what it runs to a probe.
	lookLimit = time.Second
	// socketLimit is how long the path of a socket may be, in bytes.
	socketLimit = 107
	callID      = "s:0:0"
)

// errNoDaemon says for sure that no daemon runs: nobody listens on the socket, or
// there is none.
var errNoDaemon = errors.New("no PM2 daemon runs")

// errDenied says that this user may not ask the daemon.
var errDenied = errors.New("this user may not talk to the PM2 daemon")

// remote is what the daemon said of a call that it refused.
type remote struct{ said string }

func (e *remote) Error() string { return "PM2 says: " + e.said }

// question is what a daemon is asked: to call one of its functions. take reads
// what that gives; nil: nobody wants it.
type question struct {
	method string
	args   []any
	take   func(*json.Decoder) error
}

// call asks the daemon of a home. It starts no daemon. The errors are errNoDaemon, errDenied, *remote
// and others, which say that nobody knows.
func call(ctx context.Context, home string, q question) error {
	err := dialled(ctx, home, q)
	var said *remote
	switch {
	case err == nil, errors.As(err, &said):
		return err
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w in %s", errNoDaemon, home)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return fmt.Errorf("%w in %s: run redundctl as its user", errDenied, home)
	case ctx.Err() != nil:
		err = errors.New("no answer in time")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		err = errors.New("the answer ends in the middle")
	}
	return fmt.Errorf("the PM2 daemon in %s: %w", home, err)
}

func dialled(ctx context.Context, home string, q question) error {
	socket := filepath.Join(home, "rpc.sock")
	if len(socket) > socketLimit {
		return fmt.Errorf("%s is longer than the %d bytes that Linux allows of a socket", socket, socketLimit)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			return op.Err
		}
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	request, err := json.Marshal(map[string]any{"type": "call", "method": q.method, "args": q.args})
	if err != nil {
		return err
	}
	out := []byte{protocol<<4 | 2}
	for _, part := range []string{"j:" + string(request), callID} {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(part))), part...)
	}
	if _, err := conn.Write(out); err != nil {
		return err
	}
	return answer(bufio.NewReader(conn), q.take)
}

// answer reads one answer. What take does not ask for is passed over: a list of
// PM2 holds the whole environment of each application.
func answer(r io.Reader, take func(*json.Decoder) error) error {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	if version, parts := head[0]>>4, head[0]&0xf; version != protocol || parts != 2 {
		return fmt.Errorf("it speaks another protocol (version %d, %d parts)", version, parts)
	}
	n := int64(binary.BigEndian.Uint32(head[1:]))
	if n > answerLimit {
		return fmt.Errorf("its answer has %d bytes", n)
	}
	part := io.LimitReader(r, n)
	var form [2]byte
	if _, err := io.ReadFull(part, form[:]); err != nil {
		return err
	}
	if string(form[:]) != "j:" {
		return errors.New("its answer is not JSON")
	}
	if err := values(json.NewDecoder(part), take); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, part)
	return err
}

// values reads {args: [value, …]} or {error}.
func values(d *json.Decoder, take func(*json.Decoder) error) error {
	var failure json.RawMessage
	first := true
	err := object(d, fields{
		"error": into(&failure),
		"args": func(d *json.Decoder) error {
			_, err := array(d, func(d *json.Decoder) error {
				if !first || take == nil {
					return pass(d)
				}
				first = false
				return take(d)
			})
			return err
		},
	})
	if err != nil {
		return fmt.Errorf("its answer cannot be read: %w", err)
	}
	if len(failure) == 0 || string(failure) == "null" {
		return nil
	}
	said := string(failure)
	_ = json.Unmarshal(failure, &said)
	return &remote{said: line(said)}
}

// line is a text of somebody else as one short line.
func line(s string) string { return kind.Line(s, 200) }
