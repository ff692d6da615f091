package retryws_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryws"
)

// 5: nothing to that host before the time, other sockets included.
func TestStreams5RefusedHandshakes(t *testing.T) {
	for _, test := range []struct {
		name     string
		status   int
		after    time.Duration
		min, max time.Duration // until the next dial of anybody
	}{
		{"429 with Retry-After", 429, 45 * time.Second, 45 * time.Second, 47 * time.Second},
		{"429 with a Retry-After above our own cap", 429, 5 * time.Minute, 5 * time.Minute, 5*time.Minute + 2*time.Second},
		{"418 with Retry-After", 418, 2 * time.Minute, 2*time.Minute + time.Second, 2*time.Minute + 6*time.Second},
		{"418 without", 418, 0, 10*time.Minute + time.Second, 10*time.Minute + 6*time.Second},
		{"403", 403, 0, 10*time.Minute + time.Second, 10*time.Minute + 6*time.Second},
		{"a nonsensical hint counts as none", 418, 8 * 24 * time.Hour, 10*time.Minute + time.Second, 10*time.Minute + 6*time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &venue{
					refuse: func(n int) error {
						if n == 1 {
							return fmt.Errorf("dial: %w", &retryws.HandshakeError{Status: test.status, After: test.after})
						}
						return nil
					},
					opened: func(w *wire) { w.say("hb") },
				}
				b := &retryws.Budget{Connects: 150, Per: 5 * time.Minute}
				c := retryws.Config{Protocol: &words{}, Dialer: v, Budgets: []*retryws.Budget{b}}
				run(t, c, "trades.A")
				synctest.Wait()
				start := time.Now()
				for range 5 {
					run(t, c, "trades.A") // wants to dial at once
				}
				until(t, 20*time.Minute, func() bool { return len(v.times()) > 1 }, func() string { return "no further dial" })
				if took := v.times()[1].Sub(start); took < test.min || took > test.max {
					t.Errorf("next dial after %v; want %v to %v", took, test.min, test.max)
				}
			})
		})
	}
}

// A second ban within a day lasts twice as long.
func TestBansDouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		v := &venue{refuse: func(n int) error { return &retryws.HandshakeError{Status: 418, Body: "banned"} }}
		run(t, retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe}, "trades.A")
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		for i, c := range l.of(retryws.LinkEnded) {
			if base := 10 * time.Minute << i; c.Wait < base+time.Second || c.Wait > base+5*time.Second {
				t.Errorf("ban %d lasts %v; want %v and 1 to 5 s", i+1, c.Wait, base)
			}
		}
		if n := len(l.of(retryws.Alerted)); n < 3 {
			t.Errorf("%d alerts; want one for each ban", n)
		}
	})
}

func TestSigns(t *testing.T) {
	for _, test := range []struct {
		name   string
		err    error
		min    time.Duration // until the next dial
		max    time.Duration
		reason retryws.Reason
		state  retryws.State // meanwhile
	}{
		{"network error", errReset, 0, 500 * time.Millisecond, retryws.EOF, retryws.Idle},
		{"1001", &retryws.CloseError{Code: 1001}, 0, 500 * time.Millisecond, retryws.EOF, retryws.Idle},
		{"1006", &retryws.CloseError{Code: 1006}, 0, 500 * time.Millisecond, retryws.EOF, retryws.Idle},
		{"1011", &retryws.CloseError{Code: 1011}, 0, 500 * time.Millisecond, retryws.EOF, retryws.Idle},
		{"1012", &retryws.CloseError{Code: 1012}, 0, 500 * time.Millisecond, retryws.EOF, retryws.Idle},
		{"1013", &retryws.CloseError{Code: 1013}, 0, 500 * time.Millisecond, retryws.EOF, retryws.Idle},
		{"1008", &retryws.CloseError{Code: 1008, Reason: "no"}, time.Minute, 61 * time.Second, retryws.RefusedReason, retryws.Stopped},
		{"1003", &retryws.CloseError{Code: 1003}, time.Minute, 61 * time.Second, retryws.RefusedReason, retryws.Stopped},
		{"1009", &retryws.CloseError{Code: 1009}, time.Minute, 61 * time.Second, retryws.RefusedReason, retryws.Stopped},
		{"http 404", &retryws.HandshakeError{Status: 404}, time.Minute, 61 * time.Second, retryws.RefusedReason, retryws.Stopped},
		{"http 503 with a hint", &retryws.HandshakeError{Status: 503, After: 9 * time.Second}, 9 * time.Second, 9500 * time.Millisecond, retryws.RefusedReason, retryws.Idle},
		{"http 406", &retryws.HandshakeError{Status: 406}, 30 * time.Second, 31 * time.Second, retryws.RefusedReason, retryws.Idle},
		{"http 401", &retryws.HandshakeError{Status: 401}, 0, 500 * time.Millisecond, retryws.AuthReason, retryws.Idle},
		{"timeout", context.DeadlineExceeded, 0, 500 * time.Millisecond, retryws.Timeout, retryws.Idle},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &log{}
				v := &venue{opened: func(w *wire) {
					if w.n == 1 {
						w.fail(test.err)
					}
				}}
				s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe, Rand: func() float64 { return 0.5 }}, "trades.A")
				synctest.Wait()
				if s.State() != test.state {
					t.Errorf("state %v; want %v", s.State(), test.state)
				}
				until(t, time.Hour, func() bool { return len(v.times()) == 2 }, func() string { return "no further dial" })
				if wait := v.times()[1].Sub(v.times()[0]); wait < test.min || wait > test.max {
					t.Errorf("next dial after %v; want %v to %v", wait, test.min, test.max)
				}
				e := l.of(retryws.LinkEnded)[0]
				if e.Reason != test.reason || !errors.Is(e.Err, test.err) {
					t.Errorf("ended by %v, %v; want %v, %v", e.Reason, e.Err, test.reason, test.err)
				}
				if alerts := len(l.of(retryws.Alerted)); (alerts > 0) != (test.state == retryws.Stopped) {
					t.Errorf("%d alerts", alerts)
				}
			})
		})
	}
}

// What the venue says in messages counts as what it says in handshakes and close frames.
func TestFaults(t *testing.T) {
	for _, test := range []struct {
		name string
		sign retryws.Sign
		min  time.Duration
		ends bool
	}{
		{"harmless", retryws.Harmless, 0, false},
		{"lost", retryws.Lost, 7 * time.Second, true},
		{"throttled", retryws.Throttled, 7 * time.Second, true},
		{"banned", retryws.Banned, 8 * time.Second, true},
		{"unauthorized", retryws.Unauthorized, 7 * time.Second, true},
		{"crowded", retryws.Crowded, 30 * time.Second, true},
		{"disallowed", retryws.Disallowed, time.Minute, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &log{}
				v := &venue{opened: func(w *wire) {
					if w.n == 1 {
						w.say(fmt.Sprintf("err %d 7 it is what it is", test.sign))
					}
				}}
				run(t, retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe}, "trades.A")
				synctest.Wait()
				ended := l.of(retryws.LinkEnded)
				if len(ended) > 0 != test.ends {
					t.Fatalf("ended: %+v; want %v", ended, test.ends)
				}
				if !test.ends {
					if n := l.of(retryws.Noticed); len(n) != 1 || n[0].Text != "it is what it is" {
						t.Errorf("noticed %+v", n)
					}
					return
				}
				if ended[0].Wait < test.min || !strings.Contains(ended[0].Err.Error(), "it is what it is") {
					t.Errorf("waits %v after %v; want at least %v", ended[0].Wait, ended[0].Err, test.min)
				}
			})
		})
	}
}

// 6: one refresh, then STOPPED with an alert.
func TestStreams6CredentialsExpired(t *testing.T) {
	for _, where := range []string{"handshake", "message"} {
		t.Run(where, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &log{}
				v := &venue{message: func(w *wire, m string) bool {
					w.say("err 4 0 token expired") // Unauthorized
					return true
				}}
				if where == "handshake" {
					v.refuse = func(int) error { return &retryws.HandshakeError{Status: 401} }
				}
				var fetched atomic.Int64
				s := retryws.New(retryws.Config{
					Protocol: &words{auth: true}, Dialer: v, Observe: l.observe,
					Credentials: func(context.Context) (retryws.Credentials, error) {
						return retryws.Credentials{Value: fmt.Sprint("token", fetched.Add(1))}, nil
					},
				})
				err := s.Run(t.Context())
				if !errors.Is(err, retryws.ErrAuth) {
					t.Errorf("Run = %v; want %v", err, retryws.ErrAuth)
				}
				if fetched.Load() != 2 || len(v.times()) != 2 || s.State() != retryws.Stopped {
					t.Errorf("fetched %d times, dialed %d times, %v; want 2, 2, STOPPED", fetched.Load(), len(v.times()), s.State())
				}
				if a := l.of(retryws.Alerted); len(a) != 1 || !errors.Is(a[0].Err, retryws.ErrAuth) {
					t.Errorf("alerts %+v; want one", a)
				}
				if n := s.Stats().Reconnects[retryws.AuthReason]; n != 2 {
					t.Errorf("%d counted as auth; want 2", n)
				}
			})
		})
	}
}

// Credentials that cannot be fetched.
func TestCredentialErrors(t *testing.T) {
	for _, test := range []struct {
		name  string
		err   error
		stops bool
		wait  time.Duration
	}{
		{"permanent: STOPPED after two", retry.Mark(errReset, retry.Permanent), true, 0},
		{"transient: again by backoff", retry.Mark(errReset, retry.Transient), false, 0},
		{"throttled: not before the hint", retry.After(errReset, 20*time.Second), false, 20 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &venue{}
				var times []time.Time
				s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Credentials: func(context.Context) (retryws.Credentials, error) {
					times = append(times, time.Now())
					return retryws.Credentials{}, test.err
				}})
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				if (s.State() == retryws.Stopped) != test.stops || len(v.times()) != 0 {
					t.Errorf("state %v, %d dials; want stopped: %v, none", s.State(), len(v.times()), test.stops)
				}
				if wait := times[1].Sub(times[0]); wait < test.wait {
					t.Errorf("asked again after %v; want at least %v", wait, test.wait)
				}
				if test.stops != (len(times) == 2) {
					t.Errorf("asked %d times", len(times))
				}
			})
		})
	}
}

// 7: the peak stays in the budget, and private streams are back first.
func TestStreams7ThousandSocketsDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const per = time.Minute
		sockets := 1000
		if raced {
			sockets = 200
		}
		connects, secret := sockets*3/20, sockets/20 // 150 in a minute, and 50 private ones
		v := &venue{opened: func(w *wire) { w.say("hb") }}
		b := &retryws.Budget{Connects: connects, Per: per}
		clocks := retryws.Clocks{Ping: -1, Message: -1, Topic: -1}
		var all []*retryws.Session
		for i := range sockets {
			c := retryws.Config{Protocol: &words{}, Dialer: v, Budgets: []*retryws.Budget{b}, Clocks: clocks, Private: i%20 == 0}
			all = append(all, run(t, c, "trades.A"))
		}
		ready := func(private bool) (n int) {
			for i, s := range all {
				if (i%20 == 0) == private && s.State() == retryws.Ready {
					n++
				}
			}
			return n
		}
		for deadline := time.Now().Add(2 * time.Hour); ready(true)+ready(false) < sockets && time.Now().Before(deadline); {
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		if n := ready(true) + ready(false); n != sockets {
			t.Fatalf("%d of %d ready", n, sockets)
		}
		time.Sleep(time.Minute)
		start := time.Now()
		for i := range sockets {
			v.wire(i).fail(errReset)
		}
		time.Sleep(600 * time.Millisecond) // the first waits are uniform in 0 to 500 ms
		synctest.Wait()
		first := ready(false)
		if n := ready(true); n < connects/4 || first > connects-connects/4 {
			t.Errorf("%d private and %d public streams are back after 600 ms; want a quarter of %d left to private ones", n, first, connects)
		}
		time.Sleep(10 * time.Second) // a 24th of the budget
		synctest.Wait()
		if n := ready(true); n != secret {
			t.Errorf("%d of %d private streams are back after 10 s", n, secret)
		}
		if n := ready(false); n != first {
			t.Errorf("%d public streams are back; want %d until the private share is full again", n, first)
		}
		if private, public := b.Waiting(); private != 0 || public != sockets-secret-first {
			t.Errorf("%d and %d wait; want 0 and %d", private, public, sockets-secret-first)
		}
		for ready(false) < sockets-secret && time.Since(start) < 2*time.Hour {
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		if n := ready(false); n != sockets-secret {
			t.Errorf("%d of %d public streams are back after two hours", n, sockets-secret)
		}
		times := slices.DeleteFunc(v.times(), func(at time.Time) bool { return at.Before(start) })
		if n := peak(slices.Clone(times), per); n > 2*connects {
			t.Errorf("%d dials in a minute; want at most %d", n, 2*connects)
		}
		if n := peak(times, time.Second); n > connects+3 {
			t.Errorf("%d dials in a second; want at most %d", n, connects+3)
		}
	})
}

// A halt stops dials within the second, and links go on.
func TestHalt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var halted atomic.Bool
		halted.Store(true)
		l := &log{}
		v := &venue{opened: func(w *wire) { w.say("hb") }}
		s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Observe: l.observe, Clocks: retryws.Clocks{Message: -1}, Halt: func() error {
			if halted.Load() {
				return errors.New("stopped by alice")
			}
			return nil
		}}, "trades.A")
		time.Sleep(time.Minute)
		synctest.Wait()
		if s.State() != retryws.Stopped || len(v.times()) != 0 || len(l.of(retryws.Alerted)) != 1 {
			t.Errorf("%v, %d dials, %d alerts; want STOPPED, none, one", s.State(), len(v.times()), len(l.of(retryws.Alerted)))
		}
		halted.Store(false)
		expect(t, s, retryws.Ready, 2*time.Second)
		halted.Store(true)
		s.Reconnect() // refused
		time.Sleep(time.Minute)
		synctest.Wait()
		if s.State() != retryws.Ready || len(v.times()) != 1 {
			t.Errorf("%v, %d dials; want the open link to stay", s.State(), len(v.times()))
		}
		if e := l.of(retryws.TurnoverEnded); len(e) != 1 || !errors.Is(e[0].Err, retryws.ErrHalted) {
			t.Errorf("turnover %+v; want refused", e)
		}
		v.wire(0).fail(errReset)
		time.Sleep(time.Minute)
		synctest.Wait()
		if s.State() != retryws.Stopped || len(v.times()) != 1 {
			t.Errorf("%v, %d dials; want STOPPED", s.State(), len(v.times()))
		}
	})
}

// Halt is asked again when the budget has granted the connect.
func TestHaltWhileWaitingForTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &retryws.Budget{Per: time.Minute}
		if err := b.Acquire(t.Context(), "host", false); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		v := &venue{}
		s := run(t, retryws.Config{Protocol: &words{}, Dialer: v, Budgets: []*retryws.Budget{b}, Halt: func() error {
			if time.Since(start) > 30*time.Second {
				return errors.New("stopped")
			}
			return nil
		}})
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if s.State() != retryws.Stopped || len(v.times()) != 0 {
			t.Errorf("%v, %d dials; want STOPPED, none", s.State(), len(v.times()))
		}
	})
}

func TestDialTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		run(t, retryws.Config{Protocol: &words{}, Dialer: hanging{}, Observe: l.observe})
		time.Sleep(16 * time.Second)
		synctest.Wait()
		if e := l.of(retryws.LinkEnded); len(e) != 1 || e[0].Reason != retryws.Timeout {
			t.Errorf("%+v; want one end by timeout after 15 s", e)
		}
	})
}

type hanging struct{}

func (hanging) Dial(ctx context.Context, _ retryws.Address, _ func()) (retryws.Conn, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}
