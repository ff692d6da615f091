package retryws_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/transport/retryws"
)

// seeded returns a source that a test can repeat.
func seeded(seed uint64) func() float64 {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, seed))
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return r.Float64()
	}
}

// peak is how many of the times lie in any span.
func peak(times []time.Time, span time.Duration) (most int) {
	slices.SortFunc(times, time.Time.Compare)
	for i, first := 0, 0; i < len(times); i++ {
		for times[i].Sub(times[first]) >= span {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// 1: the first wait is uniform in 0 to 500 ms, and each further one in 0 to twice as much, up to 30 s.
func TestStreams1DialRefused50Times(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{refuse: func(n int) error { return errReset }}
		run(t, retryws.Config{
			Protocol: &words{}, Dialer: v, Rand: seeded(1), Budgets: []*retryws.Budget{{Connects: 150, Per: 5 * time.Minute}},
		}, "trades.A")
		until(t, time.Hour, func() bool { return len(v.times()) >= 51 }, func() string { return "too few dials" })
		times := v.times()
		if n := peak(slices.Clone(times), 5*time.Minute); n > 300 {
			t.Errorf("%d dials in 5 min; want at most 300", n)
		}
		var u []float64
		limit := 500 * time.Millisecond
		for i := range 50 {
			u = append(u, float64(times[i+1].Sub(times[i]))/float64(limit))
			limit = min(2*limit, 30*time.Second)
		}
		if d := distance(u); d > 1.628/math.Sqrt(50) {
			t.Errorf("Kolmogorov-Smirnov distance %.3f; want uniform at p > 0.01", d)
		}
	})
}

// distance is that of a sample from the uniform distribution (Kolmogorov, Smirnov).
func distance(u []float64) (d float64) {
	slices.Sort(u)
	for i, x := range u {
		d = max(d, x-float64(i)/float64(len(u)), float64(i+1)/float64(len(u))-x)
	}
	return d
}

// 2: a link that dies sooner than 30 s is one more failure.
func TestStreams2DroppedAtOnceFor10Minutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{opened: func(w *wire) {
			w.say("hb")
			time.AfterFunc(900*time.Millisecond, func() { w.fail(errReset) })
		}}
		run(t, retryws.Config{
			Protocol: &words{}, Dialer: v, Rand: func() float64 { return 0.999 }, Budgets: []*retryws.Budget{{Connects: 10, Per: time.Minute}},
		}, "trades.A")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		times := v.times()
		if n := peak(slices.Clone(times), time.Minute); n > 20 {
			t.Errorf("%d dials in a minute; want at most 20", n)
		}
		for i := 2; i < len(times); i++ {
			before, wait := times[i-1].Sub(times[i-2]), times[i].Sub(times[i-1])
			if wait < before-time.Millisecond {
				t.Errorf("wait %d is %v after %v; want a backoff that grows", i, wait, before)
			}
		}
		if last := times[len(times)-1].Sub(times[len(times)-2]); last < 30*time.Second {
			t.Errorf("the last wait is %v; want the cap of 30 s", last)
		}
	})
}

// The backoff is as good as new after 30 s without a break, and not before.
func TestBackoffResets(t *testing.T) {
	for _, test := range []struct {
		name   string
		ready  time.Duration
		resets bool
	}{
		{"after 31 s of READY", 31 * time.Second, true},
		{"not after 29 s", 29 * time.Second, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &log{}
				v := &venue{
					refuse: func(n int) error {
						if n <= 6 {
							return errReset
						}
						return nil
					},
					opened: func(w *wire) { w.say("hb") },
				}
				s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe, Rand: func() float64 { return 0.999 }}, "trades.A")
				expect(t, s, retryws.Ready, 2*time.Minute)
				for end := time.Now().Add(test.ready); time.Now().Before(end); time.Sleep(time.Second) {
					v.wire(-1).say("hb")
				}
				v.wire(-1).fail(errReset)
				synctest.Wait()
				ended := l.of(retryws.LinkEnded)
				if wait := ended[len(ended)-1].Wait; (wait < 500*time.Millisecond) != test.resets {
					t.Errorf("the wait after the break is %v; want reset: %v", wait, test.resets)
				}
			})
		})
	}
}

// 3: two pings, 10 s apart, without an answer.
func TestStreams3HalfOpenLink(t *testing.T) {
	for _, pings := range []bool{false, true} {
		t.Run(fmt.Sprintf("messages %v", pings), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &venue{
					ping:    func(*wire) bool { return false },
					message: func(w *wire, m string) bool { return m == "ping" },
					opened:  func(w *wire) { w.say("hb") },
				}
				l := &log{}
				s := run(t, retryws.Config{Protocol: &words{pings: pings}, Dialer: v, Observe: l.observe, Clocks: retryws.Clocks{Message: -1}}, "trades.A")
				expect(t, s, retryws.Ready, time.Second)
				start := time.Now()
				until(t, 31*time.Second, func() bool { return len(l.of(retryws.LinkEnded)) > 0 }, func() string { return "still up" })
				if took := time.Since(start); took < 20*time.Second {
					t.Errorf("given up after %v; want two pings, 10 s apart", took)
				}
				if e := l.of(retryws.LinkEnded)[0]; !errors.Is(e.Err, retryws.ErrTransport) || e.Reason != retryws.Timeout {
					t.Errorf("ended by %v, %v; want %v, %v", e.Reason, e.Err, retryws.Timeout, retryws.ErrTransport)
				}
				if n := s.Stats().Reconnects[retryws.Timeout]; n != 1 {
					t.Errorf("%d reconnects by timeout; want 1", n)
				}
			})
		})
	}
}

// Pings of the server are as good as pongs.
func TestServerPingsKeepALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &venue{ping: func(*wire) bool { return false }}
		s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Clocks: retryws.Clocks{Message: -1}}, "trades.A")
		synctest.Wait()
		for range 10 {
			v.wire(0).heard()
			time.Sleep(9 * time.Second)
		}
		if n := s.Stats().Dials; n != 1 {
			t.Errorf("%d dials; want the first link to live", n)
		}
	})
}

// 4: the message clock.
func TestStreams4SilentServer(t *testing.T) {
	for _, test := range []struct {
		name      string
		heartbeat time.Duration
		limit     time.Duration
	}{
		{"without heartbeats: 30 s", 0, 30 * time.Second},
		{"with heartbeats: three", 5 * time.Second, 15 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &log{}
				v := &venue{opened: func(w *wire) { w.say("hb") }}
				s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe, Clocks: retryws.Clocks{Heartbeat: test.heartbeat}}, "trades.A")
				expect(t, s, retryws.Ready, time.Second)
				time.Sleep(test.limit - 2*time.Second)
				synctest.Wait()
				if n := len(l.of(retryws.LinkEnded)); n != 0 {
					t.Fatal("ended before the limit")
				}
				time.Sleep(3 * time.Second)
				synctest.Wait()
				ended := l.of(retryws.LinkEnded)
				if len(ended) != 1 || !errors.Is(ended[0].Err, retryws.ErrSilent) || ended[0].Reason != retryws.Heartbeats {
					t.Errorf("%+v; want one end by %v", ended, retryws.ErrSilent)
				}
			})
		})
	}
}

// READY only when all is confirmed and something has been heard.
func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		v := &venue{}
		s := run(t, retryws.Config{Protocol: &words{auth: true}, Dialer: v, Observe: l.observe, Name: "venue"}, "trades.A", "trades.B")
		time.Sleep(15 * time.Second) // a pong of a public stream is no message
		synctest.Wait()
		if s.State() != retryws.Subscribing {
			t.Errorf("state %v without a message; want SUBSCRIBING", s.State())
		}
		v.publish("trades.A", "1 1")
		expect(t, s, retryws.Ready, time.Second)
		s.Close()
		if want := "DIALING AUTH SUBSCRIBING READY DRAINING CLOSED"; l.states() != want {
			t.Errorf("states %s; want %s", l.states(), want)
		}
		if got := v.wire(0).got; got[0] != "auth 1 " || got[1] != "sub 2 trades.A trades.B" {
			t.Errorf("sent %q", got)
		}
		if v.wire(0).code != retryws.CloseNormal || v.open.Load() != 0 {
			t.Errorf("closed with %d, %d open; want 1000 and none", v.wire(0).code, v.open.Load())
		}
	})
}
