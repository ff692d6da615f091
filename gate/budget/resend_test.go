package budget_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

// refuseOnce serves one HTTP/2 connection in clear text. It refuses the first request, which proves that nothing was
// done (RFC 9113 §8.7), and answers the next with an empty 200. It returns the number of requests.
func refuseOnce(conn net.Conn) (requests int, err error) {
	const (
		headers, reset, settings  = 1, 3, 4
		ack, endStream, endHeader = 1, 1, 4
		refusedStream             = 7
	)
	write := func(kind, flags byte, stream uint32, payload ...byte) {
		frame := binary.BigEndian.AppendUint32([]byte{0, 0, byte(len(payload)), kind, flags}, stream)
		if _, e := conn.Write(append(frame, payload...)); e != nil {
			err = errors.Join(err, e)
		}
	}
	preface := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	if _, err = io.ReadFull(conn, preface); err != nil {
		return 0, err
	}
	write(settings, 0, 0)
	for err == nil {
		head := make([]byte, 9)
		if _, e := io.ReadFull(conn, head); e != nil {
			return requests, nil // the client is done
		}
		length := binary.BigEndian.Uint32(append([]byte{0}, head[:3]...))
		if _, err = io.CopyN(io.Discard, conn, int64(length)); err != nil {
			return requests, err
		}
		switch kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:]); {
		case kind == settings && flags&ack == 0:
			write(settings, ack, 0)
		case kind == headers:
			if requests++; requests == 1 {
				write(reset, 0, stream, 0, 0, 0, refusedStream)
			} else {
				write(headers, endStream|endHeader, stream, 0x88) // :status 200, RFC 7541 appendix A
			}
		}
	}
	return requests, err
}

// A resend by net/http below the gate is not seen: not charged, and not counted as in flight.
func TestRB12TransparentResendIsNotCharged(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	requests := make(chan int, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			t.Error(err)
			requests <- 0
			return
		}
		defer conn.Close()
		n, err := refuseOnce(conn)
		if err != nil {
			t.Error(err)
		}
		requests <- n
	}()

	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	b := &budget.Budget{Max: budget.None} // would refuse any retry
	p := &retry.Policy{Gates: []retry.Gate{b}}
	attempts := 0
	err = retry.Run(ctx, p, func(ctx context.Context) error {
		attempts++
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.Addr().String(), nil)
		if err != nil {
			return err
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	})
	transport.CloseIdleConnections()
	if n := <-requests; err != nil || attempts != 1 || n != 2 {
		t.Errorf("%v after %d attempts, %d requests; want one attempt that net/http sent twice", err, attempts, n)
	}
	if s := b.Stats(); s.Started != 0 || len(s.Denied) != 0 || s.Requests != 0 {
		t.Errorf("%+v; want nothing charged", s)
	}
}
