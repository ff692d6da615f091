package chaos_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/chaos"
	"github.com/relent-go/relent/gate/gatetest"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/retry"
)

func TestHandler(t *testing.T) {
	for _, c := range []struct {
		fault  chaos.Fault
		orders int32
		status int // 0: no answer
		body   string
	}{
		{chaos.Pass, 1, 200, "done: x"},
		{chaos.Slow, 1, 200, "done: x"},
		{chaos.Fail, 0, 503, "chaos: failed\n"},
		{chaos.Cut, 0, 0, ""},
		{chaos.Hang, 0, 0, ""},
		{chaos.ApplyThenFail, 1, 503, "chaos: failed\n"},
		{chaos.ApplyThenCut, 1, 0, ""},
		{chaos.ApplyThenHang, 1, 0, ""},
		{chaos.Duplicate, 2, 200, "done: x"},
	} {
		t.Run(c.fault.String(), func(t *testing.T) {
			var orders atomic.Int32
			next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				orders.Add(1)
				body, _ := io.ReadAll(r.Body)
				w.Header().Set("Content-Type", "text/plain")
				w.WriteHeader(http.StatusOK)
				w.Write([]byte("done: " + string(body)))
			})
			i := chaos.New(1, chaos.Rule{Op: "POST /order", Fault: c.fault, Rate: 1, Delay: 1})
			srv := httptest.NewServer(&chaos.Handler{Next: next, Injector: i})
			defer srv.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if c.fault == chaos.Hang || c.fault == chaos.ApplyThenHang {
				ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
			}
			r, _ := http.NewRequestWithContext(ctx, "POST", srv.URL+"/order", strings.NewReader("x"))
			resp, err := http.DefaultTransport.RoundTrip(r)
			status, body := 0, ""
			if err == nil {
				text, cut := io.ReadAll(resp.Body)
				resp.Body.Close()
				if cut == nil {
					status, body = resp.StatusCode, string(text)
				}
			}
			if status != c.status || body != c.body {
				t.Errorf("%d %q, %v; want %d %q", status, body, err, c.status, c.body)
			}
			srv.Close() // waits for the handler
			if orders.Load() != c.orders {
				t.Errorf("%d orders; want %d", orders.Load(), c.orders)
			}
		})
	}
}

func TestHandlerNamesOperations(t *testing.T) {
	i := chaos.New(1, chaos.Rule{Op: "order", Fault: chaos.Duplicate, Rate: 1})
	calls := 0
	h := &chaos.Handler{
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { calls++; w.Header().Set("A", "b") }), Injector: i,
		Op: func(*http.Request) string { return "order" },
	}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if calls != 2 {
		t.Errorf("%d calls; want 2", calls)
	}
	defer func() {
		if r := recover(); r != http.ErrAbortHandler {
			t.Errorf("recovered %v; a body that breaks off has no second reading", r)
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader("x"), torn{})))
}

type torn struct{}

func (torn) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestListen(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	i := chaos.New(1, chaos.Rule{Op: "accept", Script: []chaos.Fault{chaos.Fail, chaos.ApplyThenCut, chaos.Slow, chaos.Pass, chaos.Hang}, Delay: 1})
	l := chaos.Listen(inner, i, &chaos.Conn{WriteLimit: 2})
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			c.Write([]byte("hello"))
			c.Close()
		}
	}()
	for n, want := range []string{"", "", "he", "he"} {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(c); string(got) != want {
			t.Errorf("client %d reads %q; want %q", n, got, want)
		}
		c.Close()
	}
	c, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i.Counts()[chaos.Count{Op: "accept", Fault: chaos.Hang}] == 0 {
		time.Sleep(time.Millisecond)
	}
	l.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept = %v after Close", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept = %v after Close", err)
	}
}

// A gate with faults keeps the promises of gates, with and without one behind it.
func TestGateConforms(t *testing.T) {
	for name, g := range map[string]func() retry.Gate{
		"none":        func() retry.Gate { return nil },
		"concurrency": func() retry.Gate { return &limit.Concurrency{Max: 100} },
	} {
		t.Run(name, func(t *testing.T) {
			gatetest.Run(t, func() retry.Gate { return chaos.Gate(g(), chaos.New(1), "gate") })
		})
	}
}

// noting writes down what a gate is asked.
type noting struct {
	refuse error
	asked  []string
}

func (n *noting) Admit(context.Context, *retry.Attempt) error {
	n.asked = append(n.asked, "admit")
	return n.refuse
}
func (n *noting) Recheck(context.Context, *retry.Attempt) error {
	n.asked = append(n.asked, "recheck")
	return nil
}
func (n *noting) Start(context.Context, *retry.Attempt) error {
	n.asked = append(n.asked, "start")
	return nil
}
func (n *noting) Settle(_ *retry.Attempt, o *retry.Outcome) {
	n.asked = append(n.asked, "settle "+o.State.String())
}

func TestGate(t *testing.T) {
	refusal := errors.New("no")
	for _, c := range []struct {
		fault  chaos.Fault
		refuse error
		want   string // that the gate behind it is asked
		err    error
	}{
		{chaos.Pass, nil, "admit start settle succeeded", nil},
		{chaos.Slow, nil, "admit start settle succeeded", nil},
		{chaos.Duplicate, nil, "admit settle not started admit start settle succeeded", nil},
		{chaos.Fail, nil, "", syscall.ECONNRESET},
		{chaos.ApplyThenFail, nil, "admit settle not started", syscall.ECONNRESET},
		{chaos.Hang, nil, "", context.DeadlineExceeded},
		{chaos.ApplyThenHang, nil, "admit settle not started", context.DeadlineExceeded},
		{chaos.ApplyThenFail, refusal, "admit", refusal},
		{chaos.Duplicate, refusal, "admit admit", refusal},
	} {
		t.Run(c.fault.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				behind := &noting{refuse: c.refuse}
				i := chaos.New(1, chaos.Rule{Op: "gate", Fault: c.fault, Rate: 1})
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				err := retry.Run(ctx, &retry.Policy{MaxAttempts: 1, Gates: []retry.Gate{chaos.Gate(behind, i, "gate")}}, func(context.Context) error { return nil })
				if got := strings.Join(behind.asked, " "); got != c.want || !errors.Is(err, c.err) {
					t.Errorf("asked %q, %v; want %q, %v", got, err, c.want, c.err)
				}
			})
		})
	}
}

func TestGateAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := &noting{}
		p := &retry.Policy{MaxAttempts: 2, Gates: []retry.Gate{chaos.Gate(behind, nil, "gate"), chaos.Gate(nil, chaos.New(1, chaos.Rule{Fault: chaos.Slow, Rate: 1}), "none")}}
		err := retry.Run(t.Context(), p, func(context.Context) error { return retry.Mark(errors.New("busy"), retry.Transient) })
		if got := strings.Join(behind.asked, " "); err == nil || got != "admit start settle failed admit recheck start settle failed" {
			t.Errorf("asked %q, %v", got, err)
		}
	})
}

// A drill does not weaken an emergency stop, and does not outlast one.
func TestGateAndStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := &halt.Tree{}
		defer tree.Close()
		stop := tree.Gate("a")
		i := chaos.New(1, chaos.Rule{Fault: chaos.Hang, Rate: 1})
		if chaos.Gate(stop, i, "stop") != retry.Gate(stop) {
			t.Error("the stop was wrapped")
		}
		p := &retry.Policy{Gates: []retry.Gate{stop, chaos.Gate(nil, i, "gate")}}
		ended := make(chan error, 1)
		go func() { ended <- retry.Run(t.Context(), p, func(context.Context) error { return nil }) }()
		synctest.Wait()
		tree.Stop(halt.Command{Scope: "a", Who: "ann", Why: "a test"})
		if err := <-ended; !errors.Is(err, halt.ErrHalted) {
			t.Errorf("%v; want it halted", err)
		}
	})
}
