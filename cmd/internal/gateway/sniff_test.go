package gateway

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
)

// A scripted connection gives what it has, so many bytes at a time.
type scripted struct {
	net.Conn
	text []byte
	step int
}

func (s *scripted) Read(p []byte) (int, error) {
	if len(s.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.text[:min(s.step, len(s.text))])
	s.text = s.text[n:]
	return n, nil
}

// both says whether headers up to their end have a Content-Length and a Transfer-Encoding, and whether they have an end.
func both(text []byte) (found, ended bool) {
	var length, coding bool
	for {
		line, rest, more := bytes.Cut(text, []byte{'\n'})
		if !more {
			return false, false
		}
		text = rest
		if len(bytes.TrimRight(line, "\r")) == 0 {
			return length && coding, true
		}
		name, _, field := bytes.Cut(line, []byte{':'})
		length = length || field && strings.EqualFold(string(name), "content-length")
		coding = coding || field && strings.EqualFold(string(name), "transfer-encoding")
	}
}

// However the bytes of a request come, what is seen in its headers is the same, and is what is there. (A fuzz target would have the
// compiler instrument all that this package needs, a database among it, which takes minutes.)
func TestSniff(t *testing.T) {
	seeds := []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\ntransfer-encoding: chunked\ncontent-LENGTH: 0\n\n",
		"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nX-Content-Length: 5\r\nTransfer-Encodings: chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nContent-Length : 5\r\nTransfer-Encoding\t: chunked\r\n\r\n",
		"\r\r\n", "::\n\n", "content-length:\r\ntransfer-encoding:",
	}
	random := rand.New(rand.NewPCG(1, 2))
	any := func(n int) int { return random.IntN(n + 1) }
	found := 0
	for range 20_000 {
		text := []byte(seeds[random.IntN(len(seeds))])
		for range any(3) { // what stands somewhere else, is there twice, or is missing
			from, to := any(len(text)), any(len(text))
			part := slices.Clone(text[min(from, to):max(from, to)])
			switch at := any(len(text)); any(2) {
			case 0:
				text = slices.Insert(text, at, part...)
			case 1:
				text = slices.Insert(text, at, "\r\n:\n- "[random.IntN(6)])
			default:
				text = slices.Delete(text, min(from, to), min(max(from, to), min(from, to)+3))
			}
		}
		want, ended := both(text)
		if want {
			found++
		}
		for _, n := range []int{1, 1 + any(len(text)), len(text) + 1} {
			c := &sniffed{Conn: &scripted{text: text, step: n}, armed: true}
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, text) {
				t.Fatalf("%q, %d at a time: %q, %v; want all of it", text, n, got, err)
			}
			if c.both.Load() != want || c.armed == ended {
				t.Fatalf("%q, %d at a time: both %v, still in the headers %v; want %v, %v", text, n, c.both.Load(), c.armed, want, !ended)
			}
		}
	}
	if found < 1000 {
		t.Errorf("%d of the texts had both; are they made well?", found)
	}
}
