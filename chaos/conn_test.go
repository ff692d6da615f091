package chaos_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/chaos"
)

// flow returns a connection with faults and a channel of all that comes out at its other end.
func flow(c *chaos.Conn) <-chan string {
	near, far := net.Pipe()
	c.Conn = near
	out := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(far)
		far.Close()
		out <- string(b)
	}()
	return out
}

func TestConnWriteLimit(t *testing.T) {
	for _, test := range []struct {
		limit  int64
		writes []string
		want   string
		n      int // of the last write
		cut    bool
	}{
		{0, []string{"hello", "world"}, "helloworld", 5, false},
		{10, []string{"hello", "world"}, "helloworld", 5, false},
		{7, []string{"hello", "world"}, "hellowo", 2, true},
		{5, []string{"hello", "world"}, "hello", 0, true},
		{-1, []string{"hello"}, "", 0, true},
	} {
		c := &chaos.Conn{WriteLimit: test.limit}
		out := flow(c)
		var n int
		var err error
		for _, w := range test.writes {
			n, err = c.Write([]byte(w))
		}
		if n != test.n || errors.Is(err, syscall.ECONNRESET) != test.cut {
			t.Errorf("limit %d: Write = %d, %v", test.limit, n, err)
		}
		c.Close()
		if got := <-out; got != test.want {
			t.Errorf("limit %d: %q arrived; want %q", test.limit, got, test.want)
		}
	}
}

func TestConnReadLimit(t *testing.T) {
	near, far := net.Pipe()
	go func() { far.Write([]byte("hello world")); far.Close() }()
	c := &chaos.Conn{Conn: near, ReadLimit: 7}
	got, err := io.ReadAll(c)
	if string(got) != "hello w" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("ReadAll = %q, %v", got, err)
	}
	if _, err := near.Read(nil); err == nil {
		t.Error("the connection below is open")
	}
}

func TestConnDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &chaos.Conn{Delay: time.Second}
		out := flow(c)
		began := time.Now()
		c.Write([]byte("a"))
		if took := time.Since(began); took != time.Second {
			t.Errorf("a write took %v", took)
		}
		go c.Close()
		c.Delay = time.Hour
		if _, err := c.Write([]byte("b")); err == nil || time.Since(began) != time.Second {
			t.Errorf("%v after %v; want Close to end a delay", err, time.Since(began))
		}
		<-out
	})
}

func TestConnFaults(t *testing.T) {
	for _, test := range []struct {
		fault  chaos.Fault
		want   string
		closed bool
	}{
		{chaos.Fail, "", false},
		{chaos.ApplyThenFail, "a", false},
		{chaos.Cut, "", true},
		{chaos.ApplyThenCut, "a", true},
	} {
		c := &chaos.Conn{Injector: chaos.New(1, chaos.Rule{Op: "write", Script: []chaos.Fault{test.fault}})}
		out := flow(c)
		if n, err := c.Write([]byte("a")); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v: Write = %d, %v", test.fault, n, err)
		}
		if _, err := c.Conn.Write(nil); (err != nil) != test.closed {
			t.Errorf("%v: the connection below: %v", test.fault, err)
		}
		c.Close()
		if got := <-out; got != test.want {
			t.Errorf("%v: %q arrived", test.fault, got)
		}
	}
}

// Over TCP, a cut can be a reset, which the other side sees.
func TestDial(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ends := make(chan error)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, err = io.Copy(new(bytes.Buffer), c)
			c.Close()
			ends <- err
		}
	}()
	var d net.Dialer
	for _, reset := range []bool{false, true} {
		dial := chaos.Dial(nil, d.DialContext, &chaos.Conn{WriteLimit: 3, Reset: reset})
		c, err := dial(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if n, err := c.Write([]byte("hello")); n != 3 || err == nil {
			t.Errorf("Write = %d, %v", n, err)
		}
		if err := <-ends; errors.Is(err, syscall.ECONNRESET) != reset {
			t.Errorf("reset %v: the other side sees %v", reset, err)
		}
	}
	i := chaos.New(1, chaos.Rule{Op: "dial", Script: []chaos.Fault{chaos.Fail}})
	if _, err := chaos.Dial(i, d.DialContext, nil)(t.Context(), "tcp", l.Addr().String()); !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
	c, err := chaos.Dial(i, d.DialContext, nil)(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	<-ends
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := chaos.Dial(i, d.DialContext, nil)(ctx, "tcp", l.Addr().String()); err == nil || strings.Contains(err.Error(), "chaos") {
		t.Error(err)
	}
}
