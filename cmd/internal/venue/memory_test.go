package venue

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemoryConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newPipe("client", "server")
		if c.LocalAddr().String() != "client" || c.RemoteAddr().String() != "server" || s.LocalAddr().Network() != "tcp" {
			t.Error("addresses")
		}
		large := bytes.Repeat([]byte("x"), 3*pipeBuffer)
		go func() {
			_, _ = c.Write(large) // the reader below tells
			_ = c.Close()
		}()
		if got, err := io.ReadAll(s); err != nil || !bytes.Equal(got, large) {
			t.Errorf("read %d bytes, %v; want %d", len(got), err, len(large))
		}
		if _, err := s.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("write to a closed end: %v", err)
		}
		_ = s.Close()
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read of a closed end: %v", err)
		}

		c, s = newPipe("client", "server")
		_ = s.SetDeadline(time.Now().Add(time.Second))
		start := time.Now()
		_, err := s.Read(make([]byte, 1))
		n, writeErr := s.Write(large)
		if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() || time.Since(start) != time.Second || writeErr == nil || n != pipeBuffer {
			t.Errorf("read %v, wrote %d, %v after %v; want both to end after 1s", err, n, writeErr, time.Since(start))
		}
		go func() {
			time.Sleep(time.Second)
			_ = s.SetReadDeadline(time.Now())
		}()
		_ = s.SetReadDeadline(time.Time{})
		if _, err := s.Read(make([]byte, 1)); err == nil {
			t.Error("a deadline set later does not end a read")
		}
		_ = c.Close()
	})
}
